// SPDX-License-Identifier: Apache-2.0
// Members, ring and policies under a set of changes: a pure function of the founding and of those
// changes in their order, the same on every node. Members are numbered here in an order that all
// have in common: founders by name, then who joined, change by change; who departed keeps the
// number. Owners of partitions are told by node id.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "cluster/history/history.h"
#include "cluster/ring/ring.h"

namespace kvorum::cluster {

struct SetPlacement {
  std::vector<Member> members;
  Ring ring;  // of those that are placed, by number
  std::array<KeyspacePolicy, kKeyspacesMax> keyspaces;

  EffectiveQuorum quorum(uint8_t keyspace) const {
    return effective_quorum(keyspaces[keyspace], ring.placed_members());
  }
  // Numbers of the first n of the partition's preference list.
  std::span<const MemberIndex> primaries(uint8_t keyspace, uint32_t partition) const;
  std::vector<NodeId> owners(uint8_t keyspace, uint32_t partition) const;
  // So many of them know between them every write that w acknowledged, and two such sets meet:
  // K in docs/MEMBERSHIP.md.
  size_t knowing(uint8_t keyspace) const {
    const EffectiveQuorum q = quorum(keyspace);
    return std::max<size_t>(q.n - std::min(q.r, q.w) + size_t{1}, q.n / 2 + size_t{1});
  }
  // kNoMember where it never was one.
  MemberIndex find(NodeId id) const;
  bool has_removed(NodeId id) const {
    const MemberIndex at = find(id);
    return at != kNoMember && members[at].standing == Standing::kRemoved;
  }
};

SetPlacement found_placement(const Founding& founding);
// What the change makes of it. One that means nothing here changes nothing: who departed never
// comes back, a change that would leave no member is none, and of two who join by one name the
// later has no place and leaves.
SetPlacement changed_placement(const SetPlacement& before, const Change& change);

// Keeps the placements of sets, and of those on the way to them.
class SetPlacements {
 public:
  // REQUIRES: the history knows the set.
  std::shared_ptr<const SetPlacement> of(const History& history, SetId set);

 private:
  static constexpr size_t kKeptMax = 64;
  std::map<SetId, std::shared_ptr<const SetPlacement>> kept_;
};

}  // namespace kvorum::cluster
