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

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <vector>

#include "cluster/history/partition_sets.h"
#include "cluster/machine/core.h"

namespace kvorum::cluster {

class Mover {
 public:
  static constexpr uint64_t kLookUs = 20'000;  // while something moves
  static constexpr uint64_t kNewsUs = 10'000;  // between two looks after facts of others

  explicit Mover(Core& core) : core_(core) {}

  void publish(Now now) { due_us_ = std::max(now.steady_us + 1, looked_us_ + kNewsUs); }
  void on_time(Now now);
  uint64_t next_deadline_us() const { return due_us_; }

 private:
  // What this node needs before it may confirm the newest set; the same as long as nothing new is
  // known of the partition.
  struct Awaited {
    uint64_t signature;
    std::array<uint8_t, kKeyspacesMax> stands_for;  // by keyspace: which of Sources::keyspace
    std::vector<Sources> needed;
    std::vector<SetId> from;
  };
  void look(std::shared_ptr<const History> history, std::vector<Fact>* facts);
  void look_at(uint32_t partition, PlacedOwners& owners, std::vector<Fact>* facts);
  std::vector<uint32_t> unseen(const History& history) const;
  bool confirms(uint32_t partition, const Awaited& awaited) const;
  bool is_sourced(const Sources& sources, uint8_t keyspace, uint32_t partition,
                  uint64_t signature) const;
  void make_whole(uint32_t partition) const;
  bool has_left() const;
  bool is_busy() const;

  Core& core_;
  SetPlacements placements_;
  std::shared_ptr<const History> looked_;  // at which it looked last
  std::map<uint32_t, Awaited> awaited_;    // by partition
  uint64_t looked_us_ = 0;
  uint64_t due_us_ = 1;  // 0: nothing moves
};

}  // namespace kvorum::cluster
