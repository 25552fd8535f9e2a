// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/workload.h"

#include <fmt/format.h>

#include <algorithm>

namespace kvorum::sim {

Workload::Workload(Cluster& cluster, std::string name, uint8_t db)
    : cluster_(cluster), name_(std::move(name)), db_(db) {}

void Workload::add_clients(size_t count, uint64_t seed) {
  Rng rng(seed);
  for (size_t i = 0; i < count; ++i) {
    clients_.push_back(std::make_unique<Client>(cluster_, habits(i), rng.next()));
  }
}

Client::Habits Workload::habits(size_t) const { return {db_, cluster_.swarm.sticky, {}}; }

void Workload::start() {
  for (size_t i = 0; i < clients_.size(); ++i) next(i);
}

void Workload::next(size_t index) {
  const uint64_t pause_us = clients_[index]->rng().below(2 * cluster_.swarm.think_us + 1);
  cluster_.queue.after(pause_us, [this, index] {
    if (stopping_) return;
    ++operations_;
    step(index);
  });
}

bool Workload::idle() const {
  return std::none_of(clients_.begin(), clients_.end(),
                      [](const std::unique_ptr<Client>& one) { return one->busy(); });
}

std::string Workload::key_led_by(size_t node, size_t number) const {
  const bool leads = cluster_.leads_some(node);  // else any key will do
  for (size_t salt = 0;; ++salt) {
    std::string key = fmt::format("{}:{}:{}", name_, number, salt);
    if (!leads || cluster_.node_for(key, 0) == node) return key;
  }
}

const cluster::EffectiveQuorum Workload::quorum() const { return cluster_.view().quorum(db_); }

bool Workload::is_strict() const {
  const cluster::EffectiveQuorum q = quorum();
  // Full memory is a fault: who refuses is replaced by a fallback.
  if (cluster_.swarm.evicts && cluster_.swarm.keyspaces[db_].sloppy) return false;
  return cluster_.swarm.calm && 2 * q.w > q.n && q.r + q.w > q.n;
}

bool Workload::asks_for_all(const RespReply& refusal) const {
  const auto says = [&](size_t n) {
    return refusal.text.find(fmt::format(" of {} replicas", n)) != std::string::npos;
  };
  const std::vector<cluster::KeyspacePolicy> others = cluster_.swarm.others_of(db_);
  return says(quorum().n) || std::any_of(others.begin(), others.end(),
                                         [&](const auto& other) { return says(other.n); });
}

// Where nothing fails no request is refused, whoever joins or leaves meanwhile. Who asks for every
// copy finds a newcomer that is not linked yet.
void Workload::check_refusal(const RespReply& reply) {
  const Swarm& swarm = cluster_.swarm;
  if (!swarm.calm || !swarm.moves() || asks_for_all(reply)) return;
  const bool refused = reply.is_error("NOQUORUM") || reply.is_error("UNCERTAIN");
  if (refused) violation("refused although nothing fails: " + reply.text);
}

Fate Workload::fate_of(const RespReply* reply) {
  if (reply) check_refusal(*reply);
  if (!reply || reply->is_error("UNCERTAIN")) return Fate::kMaybe;
  if (!reply->is_error()) return Fate::kStored;
  // A request that the network doubled may have been run and refused.
  const Fate refused = cluster_.swarm.network.duplication > 0 ? Fate::kMaybe : Fate::kNever;
  for (const char* refusal : {"NOQUORUM", "TOOMANYSIBLINGS", "CONFLICT", "MISCONF"}) {
    if (reply->is_error(refusal)) return refused;
  }
  if (cluster_.swarm.evicts && reply->is_error("OOM")) return refused;
  if (cluster_.swarm.moves() && reply->is_error("CLUSTERDOWN")) return refused;
  violation("unexpected error: " + reply->text);
  return Fate::kMaybe;
}

bool Workload::reads_primaries() const {
  const cluster::KeyspacePolicy& policy = cluster_.swarm.keyspaces[db_];
  return !policy.sloppy && policy.reads_when_short == cluster::ReadsWhenShort::kFail;
}

bool Workload::must_be_read(const Copies& copies, uint64_t began_us) const {
  const int64_t left = cluster_.damage.survivors(copies, began_us);
  const auto finds_one = [&](const auto& quorum) { return left + quorum.r > quorum.n; };
  const Swarm& swarm = cluster_.swarm;
  const std::vector<cluster::KeyspacePolicy> others = swarm.others_of(db_);
  const bool at_first = swarm.other_policies.empty() || finds_one(swarm.keyspaces[db_]);
  return reads_primaries() && finds_one(quorum()) && at_first &&
         std::all_of(others.begin(), others.end(), finds_one);
}

void Workload::ask_copies(size_t index, uint8_t w, std::function<void(const Copies&)> then) {
  const cluster::KeyspacePolicy& policy = cluster_.swarm.keyspaces[db_];
  const bool soft =
      w == 0 && policy.sloppy && policy.writes_when_short == cluster::WritesWhenShort::kHint;
  const int64_t kept = cluster_.swarm.other_policies.empty() ? quorum().w : least().w;
  const int64_t promised = soft ? 1 : w != 0 ? w : kept;
  const int64_t wanted = w != 0 ? w : kept;
  const auto judge = [this, promised, wanted, moved = std::move(then)](const RespReply* reply) {
    Copies copies{0, 1};  // at least one replica has acknowledged it
    if (reply && reply->field("replicas") > 0) {
      copies = {reply->field("primaries"), reply->field("fallbacks"), reply->field("hops") == 0};
      if (copies.primaries + copies.fallbacks < promised) {
        violation(
            fmt::format("a write was acknowledged with {} primaries and {} fallbacks, W is {}",
                        copies.primaries, copies.fallbacks, promised));
      }
      // Of two sets in play each may have acknowledged so many alone.
      if (cluster_.swarm.moves()) {
        const int64_t of_one_set = wanted - std::max<int64_t>(0, reply->field("short_of_w"));
        copies.primaries = std::min(copies.primaries, of_one_set);
        copies.fallbacks = std::min(copies.fallbacks, of_one_set - copies.primaries);
      }
    }
    moved(copies);
  };
  client(index).follow_up({"KV.LASTOP"}, judge);
}

std::string join_words(const std::vector<std::string>& words, char separator) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

}  // namespace kvorum::sim
