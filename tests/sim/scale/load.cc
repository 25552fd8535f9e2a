// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scale/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <numeric>

#include "cluster/ring/founding.h"
#include "tests/sim/client.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kSecond = 1'000'000;
constexpr uint64_t kLinkedUs = 10 * kSecond;
constexpr uint64_t kLastAnswersUs = 30 * kSecond;
constexpr double kLowShare = 1.0 / 8;  // of the peak, at night
constexpr size_t kDeaths = 4;
constexpr size_t kPauses = 4;
constexpr uint64_t kAwayUs = 15 * kSecond;
constexpr uint64_t kPauseUs = kSecond / 2;

class LoadRun {
 public:
  explicit LoadRun(const LoadPlan& plan)
      : plan_(plan), cluster_(swarm_of(plan)), rng_(plan.seed), value_(plan.value_bytes, 'v') {}

  LoadFigures run() {
    cluster_.start();
    cluster_.queue.run_for(kLinkedUs);
    served_.assign(plan_.shape.nodes, 0);
    began_us_ = cluster_.queue.now_us();
    if (plan_.failures) plan_failures();
    arrive();
    cluster_.queue.run_for(plan_.duration_us);
    cluster_.run_until(kLastAnswersUs, [this] { return answered_ == figures_.requests; });
    figures_.failed += figures_.requests - answered_;
    figures_.copies = copies_per_node(plan_.shape, cluster_.primaries_of(kSiblingsDb));
    figures_.served = spread_of(served_);
    note_latencies();
    return figures_;
  }

 private:
  static Swarm swarm_of(const LoadPlan& plan) {
    Swarm swarm = scale_swarm(plan.shape, plan.seed);
    swarm.durable = true;
    swarm.network = load_weather();
    swarm.disk = load_disks();
    return swarm;
  }

  // Requests a second at this moment: a day of the run's length.
  double rate() const {
    const auto elapsed = static_cast<double>(cluster_.queue.now_us() - began_us_);
    const double of_day = elapsed / static_cast<double>(plan_.duration_us);
    const double height = (1 - std::cos(2 * std::numbers::pi * of_day)) / 2;
    return plan_.peak_per_second * (kLowShare + (1 - kLowShare) * height);
  }

  void arrive() {
    const double pause_s = -std::log(1 - rng_.unit()) / rate();
    cluster_.queue.after(static_cast<uint64_t>(pause_s * 1e6) + 1, [this] {
      if (cluster_.queue.now_us() >= began_us_ + plan_.duration_us) return;
      begin();
      arrive();
    });
  }

  void begin() {
    ++figures_.requests;
    const std::string key = fmt::format("key{:08}", rng_.below(plan_.keys));
    const uint32_t partition = partition_of(position_of(key, first_ring().partitioner),
                                            first_ring().ring.partition_bits());
    for (const cluster::MemberIndex owner : first_ring().primaries(kSiblingsDb, partition)) {
      ++served_[cluster_.nodes[0]->node_of(owner)];
    }
    Request request;
    request.began_us = cluster_.queue.now_us();
    request.words = {"GET", key};
    if (rng_.chance(plan_.writes)) request.words = {"SET", key, value_};
    ask(std::move(request));
  }

  struct Request {
    std::vector<std::string> words;
    uint64_t began_us = 0;
    bool again = false;
  };

  void ask(Request request) {
    const size_t at = idle_client();
    clients_[at]->call(request.words, [this, at, request](const RespReply* reply) {
      idle_.push_back(at);
      if (reply == nullptr && !request.again) {
        ++figures_.asked_again;
        Request second = request;
        second.again = true;
        cluster_.queue.after(1, [this, second] { ask(second); });
        return;
      }
      note_answer(request, reply);
    });
  }

  size_t idle_client() {
    if (idle_.empty()) {
      idle_.push_back(clients_.size());
      clients_.push_back(std::make_unique<Client>(cluster_, Client::Habits{}, rng_.next()));
    }
    // Any of them: each stays at its node.
    std::swap(idle_[rng_.below(idle_.size())], idle_.back());
    const size_t at = idle_.back();
    idle_.pop_back();
    return at;
  }

  void note_answer(const Request& request, const RespReply* reply) {
    ++answered_;
    if (reply == nullptr || reply->kind == RespReply::Kind::kError) ++figures_.failed;
    latencies_us_.push_back(cluster_.queue.now_us() - request.began_us);
  }

  // Spread over the run, of nodes that are far from each other in no order that matters.
  void plan_failures() {
    const uint64_t span_us = plan_.duration_us / (kDeaths + kPauses + 1);
    for (size_t failure = 0; failure < kDeaths + kPauses; ++failure) {
      const size_t node = rng_.below(plan_.shape.nodes);
      cluster_.queue.after(span_us * (failure + 1) - span_us / 2, [this, failure, node] {
        failure % 2 == 0 ? lose(node, failure % 4 == 0 ? Death::kKill : Death::kPower)
                         : pause(node);
      });
    }
  }

  void lose(size_t node, Death how) {
    if (!cluster_.nodes[node]->alive()) return;
    ++figures_.deaths;
    cluster_.kill(node, how);
    cluster_.queue.after(kAwayUs, [this, node] { cluster_.start_node(node); });
  }

  void pause(size_t node) {
    ++figures_.pauses;
    cluster_.nodes[node]->pause_until(cluster_.queue.now_us() + kPauseUs);
  }

  void note_latencies() {
    if (latencies_us_.empty()) return;
    std::sort(latencies_us_.begin(), latencies_us_.end());
    const auto part = [this](double share) {
      const auto last = static_cast<double>(latencies_us_.size() - 1);
      return static_cast<double>(latencies_us_[static_cast<size_t>(last * share)]) / 1000;
    };
    figures_.p50_ms = part(0.5);
    figures_.p99_ms = part(0.99);
    figures_.p999_ms = part(0.999);
    figures_.most_ms = part(1);
  }

  const cluster::ClusterView& first_ring() const { return cluster_.nodes[0]->view(); }

  const LoadPlan plan_;
  Cluster cluster_;
  Rng rng_;
  const std::string value_;
  uint64_t began_us_ = 0;
  LoadFigures figures_;
  uint64_t answered_ = 0;
  std::vector<uint64_t> served_, latencies_us_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<size_t> idle_;
};

}  // namespace

double Spread::deviation() const { return std::max(most - mean, mean - least) / mean; }

Spread spread_of(const std::vector<uint64_t>& counts) {
  KVORUM_CHECK(!counts.empty());
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  const auto sum = std::accumulate(counts.begin(), counts.end(), uint64_t{0});
  return {static_cast<double>(*least),
          static_cast<double>(sum) / static_cast<double>(counts.size()),
          static_cast<double>(*most)};
}

Spread copies_per_node(const ScaleShape& shape, size_t n) {
  cluster::Founding founding;
  founding.partitions = shape.partitions;
  for (size_t node = 0; node < shape.nodes; ++node) {
    founding.members.emplace_back().name = name_of_node(node);
  }
  const cluster::ClusterView view = cluster::found_view(founding, {});
  std::vector<uint64_t> copies(shape.nodes);
  for (uint32_t partition = 0; partition < shape.partitions; ++partition) {
    for (const cluster::MemberIndex owner : view.ring.primaries(partition, n)) ++copies[owner];
  }
  return spread_of(copies);
}

NetworkWeather load_weather() {
  NetworkWeather weather;
  weather.delay_min_us = 100;
  weather.delay_spread_us = 400;
  weather.late = 0.001;  // twenty times as long
  return weather;
}

DiskWeather load_disks() {
  DiskWeather disks;
  disks.commit_delay_us = 5000;
  disks.load_delay_us = 5000;
  return disks;
}

double LoadFigures::success() const {
  return requests == 0 ? 1 : 1 - static_cast<double>(failed) / static_cast<double>(requests);
}

LoadFigures run_load(const LoadPlan& plan) { return LoadRun(plan).run(); }

}  // namespace kvorum::sim
