// SPDX-License-Identifier: Apache-2.0
// Members, ring and policies under a set of changes: a pure function of the founding and of those
// changes in their order, the same on every node. Members are numbered here in an order that all
// have in common: founders by name, then who came, change by change. Who departed keeps the number.
//
// Changes that mean nothing in their place change nothing: about nobody, or such as would leave no
// member. Who departed never returns. A newcomer whom the set cannot take in (its name belongs to
// a present member, or it was to replace somebody who has no place any more) is numbered and
// leaves: it may hold what clients wrote under another set.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "cluster/history/history.h"
#include "cluster/ring/ring.h"

namespace kvorum::cluster {

// K of docs/MEMBERSHIP.md: so many owners know between them every write that w acknowledged and
// every version that r returned, and two such groups meet.
size_t knowing_owners(const EffectiveQuorum& quorum);

struct SetPlacement {
  std::vector<Member> members;  // by number; none is kGone, which a fact says, not a change
  Ring ring;                    // of those that are placed, by number
  std::array<KeyspacePolicy, kKeyspacesMax> keyspaces;

  EffectiveQuorum quorum(uint8_t keyspace) const {
    return effective_quorum(keyspaces[keyspace], ring.placed_members());
  }
  // Numbers of the owners: the first n of the partition's preference list.
  std::span<const MemberIndex> owners(uint8_t keyspace, uint32_t partition) const;
  // The number of a member; kNoMember where it never was one.
  MemberIndex find(NodeId id) const;
  bool has_removed(NodeId id) const;
};

SetPlacement found_placement(const Founding& founding);
// The placement after those changes, in their order. They come after all that `before` has.
SetPlacement changed_placement(const SetPlacement& before, std::span<const Change* const> changes);

// Keeps placements, and begins with one that it has where a set extends it. Of one history as it
// grows; not thread-safe.
class SetPlacements {
 public:
  static constexpr size_t kKeptMax = 32;

  // REQUIRES: the history knows the set.
  std::shared_ptr<const SetPlacement> of(const History& history, SetId set);
  size_t kept() const { return kept_.size(); }

 private:
  struct Kept {
    ChangeList changes;
    std::shared_ptr<const SetPlacement> placement;
  };

  const Kept* longest_beginning(const ChangeList& changes) const;
  void make_room(const History& history);

  uint64_t founding_hash_ = 0;  // of those that are kept
  std::map<SetId, Kept> kept_;
};

}  // namespace kvorum::cluster
