// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "tests/sim/faults.h"
#include "tests/sim/workloads.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kSecond = 1'000'000;
constexpr uint64_t kQuietUs = 30 * kSecond;  // for clients to get their answers
constexpr uint64_t kConvergeUs = 180 * kSecond;
constexpr uint64_t kConvergeStepUs = kSecond / 2;
constexpr uint64_t kReapUs = 400 * kSecond;  // some rounds of anti-entropy, and of gossip
constexpr uint64_t kHealUs = 120 * kSecond;  // for links, hints and operations
constexpr uint64_t kRepairUs = 2 * kSecond;  // for read repair after the last read

class Run {
 public:
  Run(const Swarm& swarm, std::FILE* trace_out)
      : cluster_(swarm, trace_out), faults_(cluster_, swarm.seed + 3), seed_(swarm.seed) {}

  RunResult run();

 private:
  void add_workloads();
  template <class Kind>
  void add(const std::string& name, uint8_t db);
  void safety_phase();
  void liveness_phase();
  bool converged() const;
  bool wait_for(const char* what, uint64_t limit_us, bool (Run::*done)());
  bool clients_idle();
  bool settled();
  FinalState read_all();
  void check_convergence(const char* when);
  bool reaped();
  void check_digests_from_objects();
  void check_enumeration(const FinalState& state);

  Cluster cluster_;
  Faults faults_;
  const uint64_t seed_;
  std::vector<std::unique_ptr<Workload>> workloads_;
};

template <class Kind>
void Run::add(const std::string& name, uint8_t db) {
  auto workload = std::make_unique<Kind>(cluster_, name, db);
  workload->add_clients(cluster_.swarm.clients_per_workload, seed_ * 101 + workloads_.size());
  workloads_.push_back(std::move(workload));
}

void Run::add_workloads() {
  if (cluster_.swarm.peaceful) {
    add<SharedWorkload>("shared", kSiblingsDb);
    add<SharedWorkload>("strict", kStrictDb);
    add<CasWorkload>("cas", kSiblingsDb);
    add<LimiterWorkload>("limiter", kSiblingsDb);
    return;
  }
  Rng rng(seed_ + 5);
  const bool evicts = cluster_.swarm.evicts;
  const auto any_db = [&] {
    const auto db = static_cast<uint8_t>(rng.below(3));
    return evicts ? kLwwDb : db;
  };
  add<SetWorkload>("set", rng.chance(0.7) ? kSiblingsDb : kStrictDb);
  if (rng.chance(0.8)) add<UniqueWorkload>("unique", any_db());
  if (rng.chance(0.6)) add<OverwriteWorkload>("overwrite", any_db());
  if (rng.chance(0.6)) add<CounterWorkload>("counter", rng.chance(0.3) ? kSiblingsDb : kStrictDb);
  if (rng.chance(0.6)) add<DeleteWorkload>("mortal", any_db());
  if (rng.chance(0.4)) add<CasWorkload>("cas", kSiblingsDb);
  // A store that refused a fact is opened again by the next commit alone: a node that owns nothing,
  // as there are where members come and go, commits nothing, and its marks would not be stored.
  const Swarm& swarm = cluster_.swarm;
  const bool may_own_nothing = swarm.moves() && (swarm.faults.disk_us > 0 || swarm.disk.error > 0);
  if (rng.chance(0.5) && !may_own_nothing) add<FlushWorkload>("flushed", kFlushDb);
  if (rng.chance(0.6) || evicts) add<LastWriteWorkload>("last", kLwwDb);
  if (evicts) add<FillWorkload>("fill", kLwwDb);
}

void Run::safety_phase() {
  cluster_.start();
  for (const auto& workload : workloads_) workload->start();
  faults_.start();
  cluster_.queue.run_for(cluster_.swarm.duration_us);
  faults_.stop();
  for (const auto& workload : workloads_) workload->stop();
}

bool Run::clients_idle() {
  return std::all_of(workloads_.begin(), workloads_.end(),
                     [](const std::unique_ptr<Workload>& workload) { return workload->idle(); });
}

bool Run::settled() {
  for (size_t node = 0; node < cluster_.nodes.size(); ++node) {
    if (cluster_.is_member(node) && !cluster_.nodes[node]->alive()) return false;
  }
  return cluster_.ring_settled() && cluster_.network.all_linked() && cluster_.suspicions() == 0 &&
         cluster_.hints_pending() == 0 && cluster_.describe_backlog().empty();
}

bool Run::wait_for(const char* what, uint64_t limit_us, bool (Run::*done)()) {
  if (cluster_.run_until(limit_us, [this, done] { return (this->*done)(); })) return true;
  std::string hints;
  for (const auto& node : cluster_.nodes) hints += node->alive() ? node->describe_hints() : "";
  cluster_.violation(fmt::format("after healing: {} not within {} s ({}hints: {})", what,
                                 limit_us / kSecond, cluster_.describe_backlog(), hints) +
                     " " + cluster_.describe_frontiers() + cluster_.describe_ring());
  return false;
}

FinalState Run::read_all() {
  FinalState state;
  for (const auto& workload : workloads_) {
    for (const KeyName& name : workload->keys()) {
      Client reader(cluster_, {name.db, 1.0, {}}, seed_ + state.size());
      const RespReply reply = reader.run({"KV.GET", name.key});
      std::vector<std::string>& values = state[name];
      if (reply.items.size() != 2) {
        cluster_.violation(
            fmt::format("after healing: {} cannot be read: {}", name.key, reply.text));
        continue;
      }
      for (const RespReply& value : reply.items[1].items) values.push_back(value.text);
    }
  }
  return state;
}

bool Run::converged() const {
  std::string ignored;
  for (const auto& workload : workloads_) {
    for (const KeyName& name : workload->keys()) {
      if (!cluster_.same_versions(name.db, name.key, &ignored)) return false;
    }
  }
  return std::all_of(std::begin(kDbs), std::end(kDbs),
                     [&](uint8_t db) { return cluster_.same_digests(db, &ignored); });
}

// Replicas do not forget a tombstone at the same moment, and a round of anti-entropy takes a while.
void Run::check_convergence(const char* when) {
  for (uint64_t waited = 0; waited < kConvergeUs && !converged(); waited += kConvergeStepUs) {
    cluster_.queue.run_for(kConvergeStepUs);
  }
  std::string trouble;
  bool same = true;
  for (const auto& workload : workloads_) {
    for (const KeyName& name : workload->keys()) {
      if (cluster_.same_versions(name.db, name.key, &trouble)) continue;
      cluster_.violation(fmt::format("replicas differ {}: {}", when, trouble));
      same = false;
    }
  }
  if (!same) return;
  for (const uint8_t db : kDbs) {
    if (cluster_.same_digests(db, &trouble)) continue;
    cluster_.violation("equal versions, different digests: " + trouble);
  }
}

// No record without a value, and no flush mark, that all nodes have and that nothing can bring
// back.
bool Run::reaped() {
  for (const auto& node : cluster_.nodes) {
    if (!node->alive()) continue;
    for (const uint8_t db : kDbs) {
      for (uint32_t partition = 0; partition < cluster_.swarm.partitions; ++partition) {
        if (node->tombstones(db, partition) > 0) return false;
      }
      if (!node->marks().mark(db).empty()) return false;
    }
  }
  return true;
}

// The digests, which every write changes a little, against the objects themselves: of one partition
// in each keyspace.
void Run::check_digests_from_objects() {
  const auto partition = static_cast<uint32_t>(seed_ % cluster_.swarm.partitions);
  std::set<KeyName> names;
  for (const auto& workload : workloads_) {
    for (const KeyName& name : workload->keys()) {
      if (cluster_.partition_of_key(name.key) == partition) names.insert(name);
    }
  }
  for (const uint8_t db : kDbs) {
    for (const size_t node : cluster_.primaries_of_partition(db, partition)) {
      uint64_t digest = 0;
      for (const KeyName& name : names) {
        if (name.db == db) digest ^= cluster_.nodes[node]->leaf(db, name.key);
      }
      if (digest == cluster_.nodes[node]->digest(db, partition)) continue;
      cluster_.violation(
          fmt::format("db {} partition {} of {}: its objects give the digest {:016x}, "
                      "it says {:016x}",
                      db, partition, cluster_.node_name(node), digest,
                      cluster_.nodes[node]->digest(db, partition)));
    }
  }
}

// KEYS covers the cluster: exactly the keys that have a value, but for those evicted since they
// were read.
void Run::check_enumeration(const FinalState& state) {
  for (const uint8_t db : kDbs) {
    std::vector<std::string> expected;
    for (const auto& [name, values] : state) {
      if (name.db == db && !values.empty()) expected.push_back(name.key);
    }
    Client reader(cluster_, {db, 1.0, {}}, seed_);
    const RespReply reply = reader.run({"KEYS", "*"});
    std::vector<std::string> found;
    for (const RespReply& item : reply.items) found.push_back(item.text);
    std::sort(found.begin(), found.end());
    std::sort(expected.begin(), expected.end());
    if (found == expected) continue;
    const bool evicts = cluster_.swarm.evicts && db == kLwwDb;
    if (evicts && std::includes(expected.begin(), expected.end(), found.begin(), found.end())) {
      continue;
    }
    std::vector<std::string> missing;
    std::set_difference(expected.begin(), expected.end(), found.begin(), found.end(),
                        std::back_inserter(missing));
    cluster_.violation(fmt::format("KEYS of db {} gave {} keys ({}), there are {}; it lacks [{}]",
                                   db, found.size(), reply.text, expected.size(),
                                   join_words(missing, ' ')));
  }
}

void Run::liveness_phase() {
  cluster_.heal();
  if (!wait_for("the clients have their answers", kQuietUs, &Run::clients_idle)) return;
  // By now every suspicion ended by itself.
  if (!wait_for("the cluster settled", kHealUs, &Run::settled)) return;
  const bool by_reads = cluster_.swarm.options.anti_entropy_ms == 0;
  if (by_reads) {
    read_all();
    cluster_.queue.run_for(kRepairUs);
  }
  check_convergence(by_reads ? "after every key was read" : "although no fault is left");
  cluster_.leap_clocks();
  cluster_.queue.run_for(kRepairUs);
  const FinalState state = read_all();
  for (const auto& workload : workloads_) workload->check(state);
  check_enumeration(state);
  cluster_.queue.run_for(kRepairUs);
  check_convergence("after every key was read");
  check_digests_from_objects();
  if (!by_reads) wait_for("tombstones are forgotten", kReapUs, &Run::reaped);
  wait_for("nothing left behind", kHealUs, &Run::settled);
}

RunResult Run::run() {
  add_workloads();
  safety_phase();
  liveness_phase();
  RunResult result;
  result.violations = cluster_.violations;
  result.trace_hash = cluster_.trace.hash();
  result.virtual_us = cluster_.queue.now_us();
  for (const auto& workload : workloads_) result.operations += workload->operations();
  for (const auto& node : cluster_.nodes) {
    if (node->alive()) result.evicted += node->counters().evicted_keys;
  }
  result.swarm = cluster_.swarm.describe();
  return result;
}

}  // namespace

RunResult run_seed(uint64_t seed, std::FILE* trace_out) {
  return Run(draw_swarm(seed), trace_out).run();
}

RunResult run_moving_seed(uint64_t seed, std::FILE* trace_out) {
  return Run(draw_moving_swarm(seed), trace_out).run();
}

RunResult run_peaceful_seed(uint64_t seed, std::FILE* trace_out) {
  return Run(draw_peaceful_swarm(seed), trace_out).run();
}

RunResult run_seed_twice(uint64_t seed) {
  RunResult first = run_seed(seed);
  const RunResult second = run_seed(seed);
  if (first.trace_hash != second.trace_hash) {
    first.violations.push_back("two runs of this seed gave different traces");
  }
  first.virtual_us += second.virtual_us;
  return first;
}

}  // namespace kvorum::sim
