// SPDX-License-Identifier: Apache-2.0
// A whole cluster in virtual time: event queue, trace, network and nodes, with what faults and
// scenarios do to them. Everything follows from the swarm configuration and its seed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/damage.h"
#include "tests/sim/sim_node.h"

namespace kvorum::sim {

class Cluster {
 public:
  explicit Cluster(const Swarm& its_swarm, std::FILE* trace_out = nullptr);
  ~Cluster();

  // All nodes up and linked.
  void start();
  void kill(size_t node, Death how);
  // Starts it, again and again until its disk lets it.
  // Objects on its disk, each with this chance, cannot be read any more.
  void damage_disk(size_t node, double chance);
  void start_node(size_t node);
  // A node that must not lose anything dies by kill or clean stop only, unless it syncs always.
  bool allows(size_t node, Death how) const;

  // The membership, at a node that lives. A new one starts at once, knowing what that node knows.
  bool join(size_t at, size_t newcomer);
  // The newcomer takes the place of a member that is declared dead.
  bool replace(size_t at, size_t member, size_t newcomer);
  void change(size_t at, cluster::ChangeKind kind, size_t member, uint32_t weight = 1);
  void change_policy(size_t at, const cluster::KeyspacePolicy& policy);
  void raise_placement(size_t at);
  // The node that knows most, of those that live; its view, or the last one where none does.
  const SimNode& best_informed() const;
  const cluster::ClusterView& view() const { return best_informed().view(); }
  // Was admitted, and by what anybody alive knows neither left nor was removed.
  bool is_member(size_t node) const;
  // Stands first in the preference list of some partition.
  bool leads_some(size_t node) const;
  // All who live know the same, nothing moves; who departed has handed over and is stopped.
  bool ring_settled();

  // Both directions.
  void cut(size_t a, size_t b, bool noticed = true);
  void isolate(size_t node, bool noticed = true);
  void heal_network() { network.heal(); }
  // Ends every fault: the network is fast and whole, disks work, all nodes come up. Clocks stay
  // apart.
  void heal();
  // Wall clocks leap past every deadline that a client may have set.
  void leap_clocks();

  // Lets time pass until `done` says so; false where it did not within the limit.
  template <class Done>
  bool run_until(uint64_t limit_us, Done done) {
    const uint64_t end_us = queue.now_us() + limit_us;
    while (!done()) {
      if (queue.now_us() >= end_us) return false;
      queue.run_for(kStepUs);
    }
    return true;
  }

  uint64_t hints_pending() const;
  // What is under way at the nodes; empty where nothing is.
  std::string describe_backlog() const;
  // What the frontier of each node waits for, and what is not forgotten yet.
  std::string describe_frontiers() const;
  // Who knows what of the ring, and what moves.
  std::string describe_ring() const;
  // Peers that a coordinator of some node holds for dead.
  size_t suspicions() const;
  // Vectors were cut (paper 4.4), so that equal versions may stand beside unequal vectors.
  bool truncated_clocks() const;
  std::string node_name(size_t node) const { return name_of_node(node); }
  // Nodes by their place in the preference list of a key.
  size_t node_for(const std::string& key, size_t place) const;
  uint32_t partition_of_key(const std::string& key) const;
  std::vector<size_t> primaries_of_partition(uint8_t db, uint32_t partition) const;
  size_t primaries_of(uint8_t db) const { return view().quorum(db).n; }
  // Compares what the primaries hold of a key, or the digests of their partitions; says in
  // `trouble` what differs.
  bool same_versions(uint8_t db, const std::string& key, std::string* trouble) const;
  bool same_digests(uint8_t db, std::string* trouble) const;
  // The visible values of a node's own copy, newest first.
  std::vector<std::string> own_values(size_t node, uint8_t db, const std::string& key) const;

  void violation(std::string text);

  const Swarm swarm;
  EventQueue queue;
  Trace trace;
  Network network;
  const cluster::Founding founding;
  DamageLog damage;
  std::vector<std::unique_ptr<SimNode>> nodes;
  std::vector<std::string> violations;
  uint64_t changes = 0;  // of the membership that were proposed

 private:
  bool admit(size_t at, size_t newcomer, cluster::ChangeKind kind, cluster::NodeId instead_of);
  bool all_know_of_departure(size_t node) const;
  std::optional<cluster::History> known_to_others(size_t asker) const;

  static constexpr uint64_t kStepUs = 20'000;
  static constexpr size_t kViolationsMax = 20;
};

}  // namespace kvorum::sim
