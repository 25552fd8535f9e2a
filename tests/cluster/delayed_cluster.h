// SPDX-License-Identifier: Apache-2.0
// A cluster of five whole coordinators over memory tables whose frames take time, under requests
// at a fixed rate: how long these take, in virtual time. Driven by the tests of slow and of late
// nodes.
#pragma once

#include <functional>
#include <queue>
#include <tuple>

#include "base/latency_histogram.h"
#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {

struct Late {
  uint64_t due_us;
  uint64_t order;
  size_t from, to;
  std::string frames;
  bool operator>(const Late& other) const {
    return std::tie(due_us, order) > std::tie(other.due_us, other.order);
  }
};

class DelayedCluster {
 public:
  static constexpr uint64_t kMs = 1000;
  static constexpr uint64_t kSecond = 1'000'000;
  static constexpr size_t kNodes = 5;
  static constexpr uint64_t kRequestEveryUs = 2 * kMs;
  static constexpr int kKeys = 200;

  // What a frame that is sent now takes beside the usual 0.2 to 1 ms.
  using Delay = std::function<uint64_t(size_t from, size_t to, uint64_t now_us)>;
  DelayedCluster(std::vector<size_t> with_clients, Delay more)
      : with_clients_(std::move(with_clients)), more_(std::move(more)) {}

  // p99.9 of requests, in microseconds, after `warm_up_us`.
  struct Figures {
    uint64_t get_us, put_us;
    uint64_t failed;
  };
  Figures run(uint64_t warm_up_us, uint64_t measured_us) {
    const uint64_t start_us = cluster_.steady_us;
    const uint64_t measured_from_us = start_us + warm_up_us;
    const uint64_t end_us = measured_from_us + measured_us;
    for (uint64_t next_us = start_us; next_us < end_us; next_us += kRequestEveryUs) {
      pass_until(next_us);
      request(next_us >= measured_from_us);
    }
    pass_until(end_us + 3 * kSecond);
    collect();
    return {gets_.quantile_us(0.999), puts_.quantile_us(0.999), failed_};
  }
  TestCluster& cluster() { return cluster_; }

 private:
  struct Open {
    size_t node;
    bool edit, measured;
  };

  void request(bool measured) {
    const size_t node = with_clients_[rng_.below(with_clients_.size())];
    const std::string key = "key " + std::to_string(rng_.below(kKeys));
    Request request;
    request.key = cluster_.ref(key);
    const bool edit = rng_.chance(0.5);
    if (edit) {
      request.kind = Request::Kind::kEdit;
      request.edit = test_edits::kSet;
      request.value = key;
    }
    const uint64_t tag = next_tag_++;
    open_[tag] = {node, edit, measured};
    cluster_.nodes[node]->coordinator->submit(request, tag, cluster_.now_of(node));
    send(node);
  }

  void collect() {
    for (const auto& [tag, open] : open_) {
      if (!open.measured) continue;
      const auto& answers = cluster_.nodes[open.node]->answers;
      const auto answer = answers.find(tag);
      if (answer == answers.end() || answer->second.outcome != Outcome::kOk) {
        ++failed_;
        continue;
      }
      LatencyCounts& counts = open.edit ? puts_ : gets_;
      ++counts.buckets[latency_bucket(answer->second.service.micros)];
      ++counts.total;
    }
  }

  uint64_t delay(size_t from, size_t to) {
    const uint64_t usual_us = 200 + rng_.below(800);
    return usual_us + more_(from, to, cluster_.steady_us);
  }

  void send(size_t from) {
    Outbox& outbox = cluster_.nodes[from]->coordinator->outbox();
    const std::vector<LinkIndex> addressed = outbox.addressed();
    outbox.clear_addressed();
    for (const LinkIndex link : addressed) {
      const MemberIndex to = link.member();
      std::string frames;
      frames.swap(outbox.batch(to));
      late_.push({cluster_.steady_us + delay(from, to), order_++, from, to, std::move(frames)});
    }
  }

  void deliver(const Late& late) {
    Frame frame;
    size_t size = 0;
    std::string_view rest = late.frames;
    Coordinator& receiver = *cluster_.nodes[late.to]->coordinator;
    while (parse_frame(rest, &frame, &size) == FrameStatus::kFrame) {
      rest.remove_prefix(size);
      receiver.on_message(static_cast<MemberIndex>(late.from), frame, cluster_.now_of(late.to));
    }
    send(late.to);
  }

  void pass_until(uint64_t time_us) {
    while (true) {
      uint64_t next_us = late_.empty() ? time_us : std::min(time_us, late_.top().due_us);
      for (const auto& node : cluster_.nodes) {
        const uint64_t due_us = node->coordinator->next_deadline_us();
        if (due_us != 0) next_us = std::min(next_us, std::max(due_us, cluster_.steady_us));
      }
      cluster_.wall_ms += (next_us - start_us_) / kMs - (cluster_.steady_us - start_us_) / kMs;
      cluster_.steady_us = next_us;
      for (size_t node = 0; node < kNodes; ++node) {
        Coordinator& coordinator = *cluster_.nodes[node]->coordinator;
        const uint64_t due_us = coordinator.next_deadline_us();
        if (due_us == 0 || due_us > next_us) continue;
        coordinator.on_time(cluster_.now_of(node));
        send(node);
      }
      while (!late_.empty() && late_.top().due_us <= next_us) {
        const Late late = late_.top();
        late_.pop();
        deliver(late);
      }
      if (next_us >= time_us) return;
    }
  }

  const std::vector<size_t> with_clients_;
  const Delay more_;
  TestCluster cluster_{kNodes};
  const uint64_t start_us_ = cluster_.steady_us;
  Rng rng_{11};
  std::priority_queue<Late, std::vector<Late>, std::greater<>> late_;
  uint64_t order_ = 0, next_tag_ = 1;
  std::map<uint64_t, Open> open_;
  LatencyCounts gets_, puts_;
  uint64_t failed_ = 0;
};

}  // namespace kvorum::cluster
