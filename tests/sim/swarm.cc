// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/swarm.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/rng.h"
#include "cluster/ring/founding.h"
#include "tests/sim/planted.h"

namespace kvorum::sim {
namespace {

using engine::SyncPolicy;

constexpr size_t kLetters = 26;
constexpr uint64_t kMs = 1000;
constexpr uint64_t kSecond = 1'000'000;
constexpr uint64_t kSmallMemoryBytes = 96 * 1024;
constexpr uint64_t kEmptyPartitionBytes = 2304;  // index and tree
constexpr uint64_t kSmallCacheBytes = 32 * 1024;
constexpr uint64_t kSmallPipelineBytes = 64;
constexpr uint64_t kSmallHintBytes = 2048;

template <class T>
T pick(Rng& rng, std::initializer_list<T> choices) {
  return choices.begin()[rng.below(choices.size())];
}

bool aimed_at_reuse_counter() { return planted_bug() == PlantedBug::kReuseCounter; }

// Bugs whose traces anti-entropy would mend, or that whole copies keep from doing harm, before a
// checker looks.
bool hidden_by_anti_entropy() {
  return planted_bug() == PlantedBug::kSkipReadRepair || aimed_at_reuse_counter();
}

void draw_quorums(Rng& rng, Swarm& swarm) {
  cluster::KeyspacePolicy policy = swarm.keyspaces[0];
  policy.n = static_cast<uint8_t>(rng.chance(0.7) ? 3 : rng.between(1, 5));
  policy.r = static_cast<uint8_t>(rng.chance(0.7) ? policy.n / 2 + 1 : rng.between(1, policy.n));
  policy.w = static_cast<uint8_t>(rng.chance(0.7) ? policy.n / 2 + 1 : rng.between(1, policy.n));
  // With several copies the others outvote a node that counts from the start again.
  if (aimed_at_reuse_counter()) policy.n = policy.r = policy.w = 1;
  if (rng.chance(0.2)) policy.writes_when_short = cluster::WritesWhenShort::kReject;
  if (rng.chance(0.2)) policy.reads_when_short = cluster::ReadsWhenShort::kServe;
  for (uint8_t db = 0; db < kKeyspacesMax; ++db) {
    swarm.keyspaces[db] = policy;
    swarm.keyspaces[db].db = db;
  }
  swarm.keyspaces[kLwwDb].conflicts = cluster::ConflictPolicy::kLww;
  cluster::KeyspacePolicy& strict = swarm.keyspaces[kStrictDb];
  strict.sloppy = false;
  strict.w = static_cast<uint8_t>(strict.n / 2 + 1);
  strict.r = static_cast<uint8_t>(strict.n - strict.w + 1);
}

void draw_clocks(Rng& rng, Swarm& swarm) {
  const int kind = static_cast<int>(rng.below(3));
  for (NodePlan& node : swarm.nodes) {
    if (kind == 0) continue;
    const int64_t most_ms = kind == 1 ? 300 : 300'000;
    node.skew_ms = static_cast<int64_t>(rng.below(2 * static_cast<uint64_t>(most_ms))) - most_ms;
    node.drift_ppm = static_cast<int64_t>(rng.below(2000)) - 1000;
  }
}

void draw_network(Rng& rng, Swarm& swarm) {
  NetworkWeather& network = swarm.network;
  network.delay_min_us = pick<uint64_t>(rng, {50, 200, 1000});
  network.delay_spread_us = pick<uint64_t>(rng, {100, 1000, 10'000});
  if (swarm.calm) return;
  network.delay_spread_us = pick<uint64_t>(rng, {200, 2000, 20'000, 100'000});
  if (rng.chance(0.4)) network.late = pick(rng, {0.001, 0.01, 0.05});
  if (rng.chance(0.4)) network.loss = pick(rng, {0.001, 0.01, 0.1});
  if (rng.chance(0.3)) network.duplication = pick(rng, {0.001, 0.01, 0.1});
  network.reorders = rng.chance(0.3);
  network.holds_back = rng.chance(0.5);
}

void draw_disk(Rng& rng, Swarm& swarm) {
  swarm.durable = rng.chance(0.7);
  swarm.sync = pick(rng, {SyncPolicy::kAlways, SyncPolicy::kInterval, SyncPolicy::kNever});
  if (swarm.durable && rng.chance(0.3)) swarm.memory_bytes = kSmallMemoryBytes;
  swarm.disk.commit_delay_us = pick<uint64_t>(rng, {50, 500, 5000});
  swarm.disk.load_delay_us = pick<uint64_t>(rng, {50, 500, 5000});
}

void draw_faults(Rng& rng, Swarm& swarm) {
  const auto maybe = [&](double chance, uint64_t low, uint64_t high) {
    return rng.chance(chance) ? rng.between(low, high) : 0;
  };
  FaultRates& faults = swarm.faults;
  faults.partition_us = maybe(0.7, kSecond, 8 * kSecond);
  faults.death_us = maybe(0.6, 2 * kSecond, 10 * kSecond);
  faults.pause_us = maybe(0.3, 2 * kSecond, 10 * kSecond);
  faults.disk_us = swarm.durable ? maybe(0.3, 2 * kSecond, 10 * kSecond) : 0;
  if (swarm.durable && rng.chance(0.15)) swarm.disk.error = pick(rng, {0.0005, 0.005});
  faults.clock_us = maybe(0.3, 2 * kSecond, 10 * kSecond);
  faults.copy_us = swarm.durable ? maybe(0.5, kSecond, 5 * kSecond) : 0;
  const size_t losing = pick<size_t>(rng, {0, 0, 0, 1, 1, 1, 2});
  for (size_t i = 0; i < losing; ++i) swarm.nodes[rng.below(swarm.nodes.size())].may_lose = true;
}

// From numbers of its own: the rest of a seed's swarm is as it was before there was damage. Where a
// planted bug is hidden by anti-entropy there is none, and what is damaged would stay so.
void draw_damage(Swarm& swarm) {
  Rng rng(swarm.seed * 0x9e3779b97f4a7c15ULL + 2);
  const bool mends =
      planted_bug() != PlantedBug::kSkipReadRepair && planted_bug() != PlantedBug::kReuseCounter;
  if (swarm.calm || !swarm.durable || !swarm.is_replicated() || !mends) return;
  const bool any_may_lose = std::any_of(swarm.nodes.begin(), swarm.nodes.end(),
                                        [](const NodePlan& node) { return node.may_lose; });
  if (!any_may_lose || !rng.chance(0.6)) return;
  swarm.faults.damage_us = rng.between(kSecond, 6 * kSecond);
  if (rng.chance(0.5)) swarm.memory_bytes = kSmallMemoryBytes;  // else only starts read the disk
}

// From numbers of its own, as above.
void draw_journal(Swarm& swarm) {
  Rng rng(swarm.seed * 0x9e3779b97f4a7c15ULL + 11);
  swarm.journal_bytes = pick<uint64_t>(rng, {8 * 1024, 32 * 1024, 256 * 1024});
  swarm.journal_later = rng.chance(0.3);
  if (swarm.sync != SyncPolicy::kInterval || !rng.chance(0.5)) return;
  swarm.sync = SyncPolicy::kBuffered;
  swarm.options.buffers_writes = true;
}

std::atomic<bool> caches_alone{false};

// From numbers of its own, as above. Little memory beside what the empty tables take, and a
// frontier that follows within a second: keys come and go all the time.
void draw_eviction(Swarm& swarm) {
  Rng rng(swarm.seed * 0x9e3779b97f4a7c15ULL + 3);
  if (hidden_by_anti_entropy()) return;
  if (!caches_alone && (swarm.durable || !rng.chance(0.6))) return;
  swarm.durable = false;
  swarm.disk.error = 0;
  swarm.faults.disk_us = swarm.faults.damage_us = swarm.faults.copy_us = 0;
  swarm.evicts = true;
  const uint64_t copies = std::min<uint64_t>(swarm.keyspaces[0].n, swarm.nodes.size());
  const uint64_t held = std::size(kDbs) * swarm.partitions * copies / swarm.nodes.size();
  swarm.memory_bytes =
      held * kEmptyPartitionBytes + rng.between(kSmallCacheBytes, 8 * kSmallCacheBytes);
  swarm.options.anti_entropy_ms = pick<uint32_t>(rng, {300, 1000});
  swarm.options.gossip_ms = pick<uint32_t>(rng, {20, 50, 200});
  // Reads of primaries alone are held to more.
  if (rng.chance(0.7)) {
    swarm.keyspaces[kLwwDb] = swarm.keyspaces[kStrictDb];
    swarm.keyspaces[kLwwDb].db = kLwwDb;
    swarm.keyspaces[kLwwDb].conflicts = cluster::ConflictPolicy::kLww;
    swarm.keyspaces[kLwwDb].reads_when_short = cluster::ReadsWhenShort::kFail;
  }
}

void draw_limits(Rng& rng, Swarm& swarm) {
  swarm.options.request_timeout_ms = pick<uint32_t>(rng, {400, 1000, 2000});
  swarm.options.read_repair_wait_ms = pick<uint32_t>(rng, {50, 100, 300});
  swarm.options.hints_interval_ms = pick<uint32_t>(rng, {200, 1000, 5000});
  swarm.options.clock_entries_max = !swarm.calm && rng.chance(0.15) ? 3 : 10;
  if (rng.chance(0.15)) swarm.options.siblings_max = 3;
  if (rng.chance(0.15)) swarm.pipeline_bytes_max = kSmallPipelineBytes;
  if (!swarm.calm && rng.chance(0.15)) swarm.hint_bytes_max = kSmallHintBytes;
  // Often enough that tombstones are forgotten while clients and faults are at work.
  swarm.options.anti_entropy_ms = pick<uint32_t>(rng, {300, 2000, 30'000});
  swarm.options.gossip_ms = pick<uint32_t>(rng, {50, 200, 1000});
  if (hidden_by_anti_entropy()) swarm.options.anti_entropy_ms = 0;
}

bool overlaps(const cluster::KeyspacePolicy& policy) {
  return 2 * policy.w > policy.n && policy.r + policy.w > policy.n;
}

// From numbers of its own, as above. Quorums overlap as they did before: what checkers may demand
// does not change with them.
void draw_other_policies(Swarm& swarm) {
  Rng rng(swarm.seed * 0x9e3779b97f4a7c15ULL + 8);
  if (!rng.chance(0.4)) return;
  const bool alone = rng.chance(0.3);  // one keyspace
  const uint8_t one = kDbs[rng.below(std::size(kDbs))];
  for (const uint8_t db : kDbs) {
    if ((alone && db != one) || !overlaps(swarm.keyspaces[db])) continue;
    for (size_t count = rng.between(1, 3); count > 0; --count) {
      cluster::KeyspacePolicy policy = swarm.keyspaces[db];
      policy.n = static_cast<uint8_t>(rng.between(2, 5));
      policy.w = static_cast<uint8_t>(rng.between(policy.n / 2 + 1, policy.n));
      policy.r = static_cast<uint8_t>(rng.between(policy.n - policy.w + 1, policy.n));
      swarm.other_policies.push_back(policy);
    }
  }
}

// From numbers of its own, as above.
void draw_placement(Swarm& swarm) {
  Rng rng(swarm.seed * 0x9e3779b97f4a7c15ULL + 9);
  const bool is_mended = rng.chance(0.5);
  swarm.placement = is_mended ? cluster::kPlacementMended : cluster::kPlacementUnmended;
}

// Where members change, copies stand by zones in some, and the placement is raised in some.
void draw_zones(Swarm& swarm) {
  Rng rng(swarm.seed * 0x9e3779b97f4a7c15ULL + 10);
  if (rng.chance(0.4)) swarm.zones = rng.between(2, 3);
  swarm.raises_placement = swarm.placement == cluster::kPlacementUnmended && rng.chance(0.6);
}

}  // namespace

Swarm draw_swarm(uint64_t seed) {
  Rng rng(seed * 0x9e3779b97f4a7c15ULL + 1);
  Swarm swarm;
  swarm.seed = seed;
  swarm.keyspaces = cluster::Founding::default_keyspaces();
  swarm.calm = rng.chance(0.2);
  swarm.nodes.resize(rng.chance(0.6) ? rng.between(3, 5) : rng.between(1, 7));
  swarm.reactors = rng.between(1, 2);
  swarm.partitions = pick<uint32_t>(rng, {8, 16, 64});
  draw_quorums(rng, swarm);
  draw_clocks(rng, swarm);
  draw_network(rng, swarm);
  draw_disk(rng, swarm);
  if (!swarm.calm) draw_faults(rng, swarm);
  draw_limits(rng, swarm);
  swarm.duration_us = rng.between(6, 20) * kSecond;
  swarm.think_us = pick<uint64_t>(rng, {5, 30, 100}) * kMs;
  swarm.clients_per_workload = rng.between(1, 3);
  swarm.keys_per_workload = rng.between(1, 5);
  swarm.sticky = pick(rng, {0.0, 0.5, 0.9, 1.0});
  draw_damage(swarm);
  draw_journal(swarm);
  draw_eviction(swarm);
  draw_placement(swarm);
  return swarm;
}

Swarm draw_peaceful_swarm(uint64_t seed) {
  Rng rng(seed * 0x9e3779b97f4a7c15ULL + 4);
  Swarm swarm;
  swarm.seed = seed;
  swarm.calm = false;
  swarm.peaceful = true;
  swarm.keyspaces = cluster::Founding::default_keyspaces();
  swarm.nodes.resize(rng.chance(0.7) ? 3 : rng.between(4, 6));
  swarm.reactors = rng.between(1, 2);
  swarm.partitions = pick<uint32_t>(rng, {8, 16, 64});
  for (cluster::KeyspacePolicy& policy : swarm.keyspaces) {
    policy.n = swarm.nodes.size() >= 5 && rng.chance(0.3) ? 5 : 3;
    policy.r = policy.w = static_cast<uint8_t>(policy.n / 2 + 1);
  }
  swarm.keyspaces[kLwwDb].conflicts = cluster::ConflictPolicy::kLww;
  swarm.keyspaces[kStrictDb].sloppy = false;
  draw_clocks(rng, swarm);
  swarm.network.delay_min_us = pick<uint64_t>(rng, {50, 200, 1000});
  swarm.network.delay_spread_us = pick<uint64_t>(rng, {100, 1000, 10'000});
  draw_disk(rng, swarm);
  swarm.durable = true;
  draw_journal(swarm);
  draw_limits(rng, swarm);
  swarm.options.clock_entries_max = 10;
  swarm.options.siblings_max = 100;
  swarm.hint_bytes_max = 0;
  if (rng.chance(0.7)) swarm.faults.pause_us = rng.between(500 * kMs, 3 * kSecond);
  if (rng.chance(0.4)) swarm.faults.stutter_us = rng.between(3 * kSecond, 6 * kSecond);
  if (rng.chance(0.6)) swarm.faults.restart_us = rng.between(2 * kSecond, 6 * kSecond);
  swarm.duration_us = rng.between(8, 16) * kSecond;
  swarm.think_us = pick<uint64_t>(rng, {2, 10, 40}) * kMs;
  swarm.clients_per_workload = rng.between(2, 4);
  swarm.keys_per_workload = rng.between(1, 4);
  swarm.sticky = pick(rng, {0.0, 0.5, 0.9, 1.0});
  return swarm;
}

// As any other one, but for what has no place where copies move: nodes that compare nothing, and
// caches.
Swarm draw_moving_swarm(uint64_t seed) {
  Swarm swarm = draw_swarm(seed);
  Rng rng(seed * 0x9e3779b97f4a7c15ULL + 6);
  swarm.evicts = false;
  if (!swarm.durable) swarm.memory_bytes = 0;
  draw_other_policies(swarm);
  draw_zones(swarm);
  swarm.founders = std::max<size_t>(swarm.nodes.size(), swarm.copies_max());
  swarm.nodes.resize(swarm.founders + rng.between(1, 4));
  swarm.partitions = pick<uint32_t>(rng, {4, 8, 16});
  swarm.options.anti_entropy_ms = pick<uint32_t>(rng, {300, 2000});
  swarm.options.gossip_ms = pick<uint32_t>(rng, {50, 200, 1000});
  swarm.options.clock_entries_max = 10;
  swarm.hint_bytes_max = 0;
  swarm.faults.change_us = pick<uint64_t>(rng, {kSecond, 3 * kSecond, 6 * kSecond});
  return swarm;
}

void only_caches() { caches_alone = true; }

std::string name_of_node(size_t node) {
  return node < kLetters ? std::string(1, static_cast<char>('a' + node)) : fmt::format("n{}", node);
}

size_t node_named(std::string_view name) {
  if (name.size() == 1) return static_cast<size_t>(name[0] - 'a');
  size_t node = 0;
  for (const char digit : name.substr(1)) node = 10 * node + static_cast<size_t>(digit - '0');
  return node;
}

Swarm plain_swarm(size_t nodes) {
  Swarm swarm;
  swarm.seed = 1;
  swarm.nodes.resize(nodes);
  swarm.keyspaces = cluster::Founding::default_keyspaces();
  swarm.keyspaces[kLwwDb].conflicts = cluster::ConflictPolicy::kLww;
  swarm.keyspaces[kStrictDb].sloppy = false;
  swarm.options.hints_interval_ms = 500;
  return swarm;
}

size_t Swarm::copies_max() const {
  size_t copies = 1;
  for (const cluster::KeyspacePolicy& policy : keyspaces) {
    copies = std::max<size_t>(copies, policy.n);
  }
  for (const cluster::KeyspacePolicy& policy : other_policies) {
    copies = std::max<size_t>(copies, policy.n);
  }
  return copies;
}

std::vector<cluster::KeyspacePolicy> Swarm::others_of(uint8_t db) const {
  std::vector<cluster::KeyspacePolicy> others = other_policies;
  std::erase_if(others, [db](const cluster::KeyspacePolicy& other) { return other.db != db; });
  return others;
}

cluster::EffectiveQuorum Swarm::least(uint8_t db) const {
  const size_t members = founding_nodes();
  cluster::EffectiveQuorum least = cluster::effective_quorum(keyspaces[db], members);
  for (const cluster::KeyspacePolicy& policy : others_of(db)) {
    const cluster::EffectiveQuorum other = cluster::effective_quorum(policy, members);
    least = {std::min(least.n, other.n), std::min(least.r, other.r), std::min(least.w, other.w)};
  }
  return least;
}

bool Swarm::is_replicated() const {
  if (nodes.size() == 1) return false;
  return std::all_of(keyspaces.begin(), keyspaces.end(),
                     [](const cluster::KeyspacePolicy& policy) { return policy.n > 1; });
}

std::string Swarm::describe() const {
  const cluster::KeyspacePolicy& policy = keyspaces[kSiblingsDb];
  const char* const syncs[] = {"always", "interval", "never", "buffered"};
  std::string text = fmt::format(
      "{} {} nodes x {} reactors, {}/{}/{}, {}{}",
      calm       ? "calm:"
      : peaceful ? "peaceful:"
                 : "faulty:",
      nodes.size(), reactors, policy.n, policy.r, policy.w,
      durable ? std::string("durable, sync ") + syncs[static_cast<int>(sync)] : "memory",
      evicts         ? ", evicting"
      : memory_bytes ? ", little memory"
                     : "");
  text += fmt::format(", delay {}+{} us", network.delay_min_us, network.delay_spread_us);
  text += fmt::format(", placement {}{}", placement, raises_placement ? " and then 2" : "");
  if (zones > 1) text += fmt::format(", {} zones", zones);
  if (network.loss > 0) text += fmt::format(", loss {}", network.loss);
  if (network.duplication > 0) text += fmt::format(", duplication {}", network.duplication);
  if (network.reorders) text += ", reordering";
  if (options.clock_entries_max < 10) text += ", short clocks";
  if (options.siblings_max < 100) text += ", few siblings";
  if (pipeline_bytes_max < 1024) text += ", short pipelines";
  if (hint_bytes_max > 0) text += ", few hints";
  text +=
      fmt::format(", anti-entropy {} ms, gossip {} ms", options.anti_entropy_ms, options.gossip_ms);
  if (durable) {
    text += fmt::format(", journal {} kB{}", journal_bytes / 1024, journal_later ? " later" : "");
  }
  if (disk.error > 0) text += fmt::format(", disk errors {}", disk.error);
  if (!network.holds_back) text += ", cuts lose frames";
  const auto rate = [&](const char* name, uint64_t mean_us) {
    if (mean_us) text += fmt::format(", {} every {} ms", name, mean_us / kMs);
  };
  rate("partition", faults.partition_us);
  rate("death", faults.death_us);
  rate("copy", faults.copy_us);
  rate("pause", faults.pause_us);
  rate("stutter", faults.stutter_us);
  rate("restart", faults.restart_us);
  rate("disk error", faults.disk_us);
  rate("disk damage", faults.damage_us);
  rate("clock jump", faults.clock_us);
  for (const cluster::KeyspacePolicy& other : other_policies) {
    text += fmt::format(", db {} may get {}/{}/{}", other.db, other.n, other.r, other.w);
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].may_lose) text += fmt::format(", {} may lose", name_of_node(i));
  }
  return text;
}

}  // namespace kvorum::sim
