// SPDX-License-Identifier: Apache-2.0
// What a run is made of: the cluster, its quorums, engines and clocks, the weather of network and
// disks, how often which fault strikes, what the clients do. All of it is drawn from one seed, so
// that seeds differ in kind and not only in timing ("swarm testing"). Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/coordinator/coordinator.h"
#include "cluster/ring/keyspace_policy.h"
#include "engine/commit/committer.h"

namespace kvorum::sim {

// The keyspaces of every run.
inline constexpr uint8_t kSiblingsDb = 0;  // sloppy quorums, conflicts: siblings
inline constexpr uint8_t kLwwDb = 1;       // the same, conflicts: lww
inline constexpr uint8_t kStrictDb = 2;    // only primaries count, quorums overlap
inline constexpr uint8_t kFlushDb = 3;     // as the first; FLUSHDB strikes here
inline constexpr uint8_t kDbs[] = {kSiblingsDb, kLwwDb, kStrictDb, kFlushDb};

struct NetworkWeather {
  uint64_t delay_min_us = 100;
  uint64_t delay_spread_us = 400;
  double late = 0;  // chance of a frame that takes many times as long
  double loss = 0;
  double duplication = 0;
  bool reorders = false;   // frames overtake each other, as no TCP connection lets them
  bool holds_back = true;  // during a silent cut frames wait, as TCP's do, instead of being lost
};

struct DiskWeather {
  uint64_t commit_delay_us = 300;
  uint64_t load_delay_us = 200;
  double error = 0;  // chance of a write, sync or read that fails once
};

// Mean times between faults of a kind, 0: never.
struct FaultRates {
  uint64_t partition_us = 0;
  uint64_t death_us = 0;
  uint64_t copy_us = 0;  // of a data directory, which a death may bring back
  uint64_t pause_us = 0;
  uint64_t stutter_us = 0;  // one node stands still for a moment, again and again
  uint64_t restart_us = 0;
  uint64_t disk_us = 0;
  uint64_t damage_us = 0;  // objects on a disk become unreadable
  uint64_t clock_us = 0;
  uint64_t flush_us = 0;
  uint64_t change_us = 0;  // of the membership
};

struct NodePlan {
  int64_t skew_ms = 0;
  int64_t drift_ppm = 0;
  bool may_lose = false;  // may die in ways that lose what it acknowledged
};

struct Swarm {
  uint64_t seed = 0;
  bool calm = true;  // no fault at all: the strictest promises hold
  // No cut, no death, no loss: nodes stand still for a second at most, or are stopped as an
  // operator does it, one at a time. No write leaves a sibling then.
  bool peaceful = false;
  // Nor do they stand still: then nobody sees an error at all.
  bool only_restarts() const { return peaceful && faults.pause_us == 0 && faults.stutter_us == 0; }
  std::vector<NodePlan> nodes;
  size_t founders = 0;  // of the nodes; 0: all. The others may join
  size_t founding_nodes() const { return founders == 0 ? nodes.size() : founders; }
  bool moves() const { return founders != 0; }
  size_t reactors = 1;
  uint32_t partitions = 16;
  bool durable = false;  // a store beneath the table, else memory
  engine::SyncPolicy sync = engine::SyncPolicy::kAlways;
  uint64_t journal_bytes = 64 * 1024;
  bool journal_later = false;  // the first session of a node has none
  uint64_t memory_bytes = 0;
  bool evicts = false;  // kLwwDb's objects, where memory is full
  uint64_t pipeline_bytes_max = 64ULL << 20;
  uint64_t hint_bytes_max = 0;                                   // 0: no bound
  std::array<cluster::KeyspacePolicy, kKeyspacesMax> keyspaces;  // at first
  // What keyspaces may be changed to while they are used, beside what they were at first.
  std::vector<cluster::KeyspacePolicy> other_policies;
  uint8_t placement = cluster::kPlacementUnmended;  // of the founding
  size_t zones = 1;                                 // in which the nodes stand, in turn
  bool raises_placement = false;                    // as one of the changes of the membership
  cluster::CoordinatorOptions options;
  NetworkWeather network;
  DiskWeather disk;
  FaultRates faults;
  uint64_t duration_us = 0;  // of the safety phase
  uint64_t think_us = 0;     // mean pause of a client between two requests
  size_t clients_per_workload = 2;
  size_t keys_per_workload = 3;
  double sticky = 0.9;  // chance that a client stays at its node from request to request

  // Empty where nobody named zones.
  std::string zone_of(size_t node) const {
    return zones > 1 ? "z" + std::to_string(node % zones) : std::string();
  }
  // The largest n that a keyspace may get.
  size_t copies_max() const;
  // Of other_policies, those of this keyspace.
  std::vector<cluster::KeyspacePolicy> others_of(uint8_t db) const;
  // The least numbers that this keyspace may get; its own in a swarm that keeps them.
  cluster::EffectiveQuorum least(uint8_t db) const;
  // Every key has a copy at another node.
  bool is_replicated() const;
  std::string describe() const;
};

Swarm draw_swarm(uint64_t seed);
// Of the kind that Swarm::peaceful describes, with quorums that overlap.
Swarm draw_peaceful_swarm(uint64_t seed);
// Members join, leave, are removed and weigh more or less, and in some n, r and w change, beside
// all other faults.
Swarm draw_moving_swarm(uint64_t seed);
// Has draw_swarm() make every cluster a cache that evicts, for `kvorum-sim --eviction`.
void only_caches();

// Nodes are called a to z, then n26, n27 and so on.
std::string name_of_node(size_t node);
// The inverse. REQUIRES: a name that name_of_node() gave.
size_t node_named(std::string_view name);

// A cluster without faults, for scenarios: three nodes or more, 3/2/2.
Swarm plain_swarm(size_t nodes);

}  // namespace kvorum::sim
