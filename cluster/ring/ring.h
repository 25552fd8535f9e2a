// SPDX-License-Identifier: Apache-2.0
// The ring: which member owns each of the Q equal partitions of the 2^128 positions, and for every
// partition the preference list of all members (design: paper 4.2, 4.3 and strategy 3 of 6.2).
// A partition is a virtual node: its token is the start of its range, its end is the next token
// minus one. A ring is a pure function of the members in the order of their joining, so every node
// computes the same one. Immutable once built; lives in a published ClusterView and is read from
// any thread. How owners are chosen stands in placement.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/position.h"
#include "cluster/ring/member.h"
#include "cluster/ring/placement.h"

namespace kvorum::cluster {

class Ring {
 public:
  Ring() = default;  // no partitions: only a placeholder until a view is complete

  // All founders at once: the order of `founders` does not change who owns what.
  static Ring found(std::span<const Member> founders, RingShape shape);
  // The first `founders` members found the ring, the others join it one by one in the given order.
  static Ring build(std::span<const Member> members_in_history_order, size_t founders,
                    RingShape shape);
  // This ring after the last of `members` joined; the others are those of this ring.
  Ring joined(std::span<const Member> members) const;
  // Of members of which some have departed: they own nothing and stand in no preference list.
  // REQUIRES: every owner is_placed().
  static Ring of_owners(std::vector<MemberIndex> owners, std::span<const Member> members,
                        RingShape shape);

  uint32_t partitions() const { return static_cast<uint32_t>(owners_.size()); }
  int partition_bits() const { return partition_bits_; }
  uint32_t partition_of(Position position) const {
    return kvorum::partition_of(position, partition_bits_);
  }
  MemberIndex owner(uint32_t partition) const { return owners_[partition]; }
  std::span<const MemberIndex> owners() const { return owners_; }

  // How many have a place on the ring.
  size_t placed_members() const { return members_; }

  // All of those, each once: clockwise from the partition, skipping members already met; those that
  // own nothing come last, by id. The first N are the primaries, the others the fallbacks. Of the
  // largest N the mended placement skips zones and racks that have a copy, too.
  std::span<const MemberIndex> preference_list(uint32_t partition) const {
    return {preferences_.data() + size_t{partition} * members_, members_};
  }
  // The first n of it; all where there are fewer.
  std::span<const MemberIndex> primaries(uint32_t partition, size_t n) const {
    return preference_list(partition).first(std::min(n, members_));
  }

  // The range of a partition, both ends included.
  Position start_of(uint32_t partition) const;
  Position end_of(uint32_t partition) const;

  RingShape shape() const { return shape_; }
  bool operator==(const Ring&) const = default;

 private:
  Ring(std::vector<MemberIndex> owners, std::span<const Member> members, RingShape shape);
  void fill_preference_lists(std::span<const Member> members);

  RingShape shape_{0, 0};
  int partition_bits_ = 0;
  size_t members_ = 0;                    // that have a place
  std::vector<MemberIndex> owners_;       // by partition
  std::vector<MemberIndex> preferences_;  // members_ entries per partition
};

// What is wrong with a ring, one sentence each, none if it is as good as its members permit:
// shares more than one partition off, neighbours on one node, rack or zone although there are
// enough of them, incomplete preference lists.
std::vector<std::string> validate(const Ring& ring, std::span<const Member> members);

}  // namespace kvorum::cluster
