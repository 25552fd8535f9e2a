// SPDX-License-Identifier: Apache-2.0
// Which owners of a partition a request has to ask while the ring changes (docs/MEMBERSHIP.md). A
// set is a set of changes; it gives a ring, and with it the owners of a partition in a keyspace.
// While a partition moves, more than one set is in play: a read needs R of each that is readable, a
// write W of each. Plain values, part of a published ClusterView; built by the history
// (cluster/history/).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/contains.h"
#include "base/inline_vector.h"
#include "base/position.h"
#include "cluster/ring/member.h"

namespace kvorum::cluster {

using SetId = uint64_t;  // a digest of its changes; that of the founding ring is the cluster's id

// The owners of a partition in one keyspace under one set: who was removed since, or is gone, is
// struck, and counts no more.
struct OwnerSet {
  SetId set = 0;
  InlineVector<MemberIndex, 4> owners;  // in order of preference
  uint8_t n = 1;                        // as the set has it, before anybody was struck
  uint8_t r = 1, w = 1;  // at most as many as there are owners; 0 where there is none

  bool has(MemberIndex member) const { return contains(owners, member); }
};

// Of one keyspace of one partition.
struct SetsInPlay {
  // Oldest first. The first `readable_sets` are read: the others are the newest one, as long as
  // nobody voted for it. All are written.
  std::vector<OwnerSet> sets;
  size_t readable_sets = 0;
  std::vector<MemberIndex> owners;    // of all sets, each once, in the order of the sets
  std::vector<MemberIndex> readable;  // of those that are read
};

// A partition of which more than one set is in play. Views that follow each other share what
// stayed the same, so a copy costs little, and equal pointers mean equal owners.
struct MovingPartition {
  uint32_t partition = 0;
  uint64_t signature = 0;
  // Keyspaces with the same n, r and w in all sets share an entry.
  std::array<uint8_t, kKeyspacesMax> class_of{};
  std::shared_ptr<const std::vector<SetsInPlay>> classes;

  const SetsInPlay& sets(uint8_t keyspace) const { return (*classes)[class_of[keyspace]]; }
};

}  // namespace kvorum::cluster
