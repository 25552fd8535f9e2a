// SPDX-License-Identifier: Apache-2.0
// Moves partitions to the owners of the newest ring (docs/MEMBERSHIP.md, section 3): states in the
// history that this node's new copies have what the old owners had, that it is for the newest set,
// that a set is settled, that it holds nothing any more. What it states follows from the history
// and from clean exchanges, which anti-entropy makes; it moves no object itself. One coordinator of
// a node does it. Private to cluster/; owned by Control.
//
//   exchanges with K owners of each set in play --> confirmed, the copy is whole
//   every new owner confirmed --> vote        one set in play, voted for --> settled
//   this node leaves, and holds no object, hint or operation --> gone
#pragma once

#include <vector>

#include "cluster/history/partition_sets.h"
#include "cluster/machine/core.h"

namespace kvorum::cluster {

class Mover {
 public:
  static constexpr uint64_t kLookUs = 20'000;  // while something moves

  explicit Mover(Core& core) : core_(core) {}

  void publish(Now now) { due_us_ = now.steady_us + 1; }
  void on_time(Now now);
  uint64_t next_deadline_us() const { return due_us_; }

 private:
  void look(const History& history, std::vector<Fact>* facts);
  struct Partition {
    uint32_t number;
    const PartitionSets& sets;
    const PlacedOwners& owners;
  };
  void look_at(const Partition& partition, std::vector<Fact>* facts);
  bool confirms(const Partition& partition) const;
  bool is_sourced(const Sources& sources, uint8_t keyspace, const Partition& partition) const;
  void make_whole(uint32_t partition) const;
  bool has_left() const;
  bool is_busy() const;

  Core& core_;
  SetPlacements placements_;
  uint64_t due_us_ = 1;  // 0: nothing moves
};

}  // namespace kvorum::cluster
