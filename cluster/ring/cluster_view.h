// SPDX-License-Identifier: Apache-2.0
// A ClusterView is a snapshot of what a node knows of its cluster: members, ring, keyspaces. Pure
// machines and sessions read the published one; a change makes a new view, an old one is never
// touched. Built by found_view (founding.h), and from the membership history once it has changes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/position.h"
#include "cluster/ring/keyspace_policy.h"
#include "cluster/ring/member.h"
#include "cluster/ring/ring.h"
#include "cluster/ring/sets_in_play.h"

namespace kvorum::cluster {

struct ClusterView {
  uint64_t cluster_id = 0;
  std::string cluster_name;
  Partitioner partitioner = Partitioner::kMd5;
  std::vector<Member> members;   // also those that departed
  MemberIndex self = kNoMember;  // kNoMember: this node waits to be admitted
  Ring ring;                     // of the newest set: of all changes that are known
  std::array<KeyspacePolicy, kKeyspacesMax> keyspaces;
  SetId newest_set = 0;
  uint64_t history_digest = 0;          // of all changes and facts
  std::vector<MovingPartition> moving;  // by partition
  // Of the views that one node published in a run: not the same on other nodes.
  uint64_t generation = 0;

  bool is_member() const { return self != kNoMember; }
  // This node serves clients: it is a member, or leaves and still holds something.
  bool takes_part() const { return is_member() && !members[self].has_departed(); }
  // Where it takes none: it has departed, or (empty) it waits.
  std::string_view why_no_part() const {
    return is_member() ? "this node is no member of the cluster any more: connect to another" : "";
  }
  // The history has changes, so the file that founded does not say who owns what.
  bool is_changed() const { return newest_set != cluster_id; }
  // Of the newest set.
  EffectiveQuorum quorum(uint8_t keyspace) const {
    return effective_quorum(keyspaces[keyspace], ring.placed_members());
  }
  // Null where one set is in play, the newest: primaries() are all owners then.
  const SetsInPlay* sets_in_play(uint8_t keyspace, uint32_t partition) const {
    if (moving.empty()) [[likely]]
      return nullptr;
    const MovingPartition* const found = find_moving(partition);
    return found == nullptr ? nullptr : &found->sets(keyspace);
  }
  const MovingPartition* find_moving(uint32_t partition) const;
  // What two nodes must have in common to serve requests for keys of the partition together: the
  // newest set, and those in play.
  uint64_t signature(uint32_t partition) const {
    if (moving.empty()) [[likely]]
      return newest_set;
    const MovingPartition* const found = find_moving(partition);
    return found == nullptr ? newest_set : found->signature;
  }
  // Whoever holds a copy of the partition that requests ask: the primaries, or the owners of all
  // sets in play.
  std::span<const MemberIndex> owners(uint8_t keyspace, uint32_t partition) const {
    const SetsInPlay* const sets = sets_in_play(keyspace, partition);
    return sets == nullptr ? primaries(keyspace, partition) : std::span(sets->owners);
  }
  // Of those whom reads ask.
  std::span<const MemberIndex> readers(uint8_t keyspace, uint32_t partition) const {
    const SetsInPlay* const sets = sets_in_play(keyspace, partition);
    return sets == nullptr ? primaries(keyspace, partition) : std::span(sets->readable);
  }
  bool is_owner(MemberIndex member, uint8_t keyspace, uint32_t partition) const;
  bool is_reader(MemberIndex member, uint8_t keyspace, uint32_t partition) const;
  // The first n of the partition's preference list.
  std::span<const MemberIndex> primaries(uint8_t keyspace, uint32_t partition) const;
  bool is_primary(MemberIndex member, uint8_t keyspace, uint32_t partition) const;
  // kNoMember where there is none.
  MemberIndex find_name(std::string_view name) const;
  // Of those that have not departed.
  MemberIndex find_present(std::string_view name) const;
  MemberIndex find_id(NodeId id) const;

  // Whether it can come after `earlier` in one life of a process: every member has kept its index.
  bool follows(const ClusterView& earlier) const;

  // Of everything on which two nodes must agree to serve the same keys: cluster, members with
  // weights and places, ring, policies. Not of addresses nor of which member this node is.
  uint64_t hash() const;
  // Of what they must agree on to exchange objects: cluster, partitions, and what becomes of
  // concurrent versions.
  uint64_t exchange_hash() const;
};

// Partitions that may have other owners in one of two views than in the other, ascending; none:
// any may. Cheap where one view follows the other.
std::optional<std::vector<uint32_t>> changed_partitions(const ClusterView& a, const ClusterView& b);

// Calls fn(partition) for those.
template <class Fn>
void for_changed_partitions(const ClusterView& a, const ClusterView& b, Fn fn) {
  const auto changed = changed_partitions(a, b);
  if (changed) return (void)std::for_each(changed->begin(), changed->end(), fn);
  for (uint32_t partition = 0; partition < b.ring.partitions(); ++partition) fn(partition);
}

}  // namespace kvorum::cluster
