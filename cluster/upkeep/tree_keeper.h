// SPDX-License-Identifier: Apache-2.0
// Keeps the hash trees of a node in shape: builds one anew when the number of objects asks for more
// leaves or fewer, at once those of copies that are damaged (whole_replicas.h), and as a slow scrub
// every tree once in a while, to see whether it still agrees with its objects. Bounded work per
// turn; what is not resident is read on a store thread. One coordinator of a node does it. Private
// to cluster/; owned by the coordinator.
#pragma once

#include <deque>

#include "cluster/machine/core.h"
#include "cluster/own/scan_page.h"

namespace kvorum::cluster {

// Told of a copy whose tree did not agree with its objects, and does now.
class DamageSink {
 public:
  virtual ~DamageSink() = default;
  virtual void on_damage(uint8_t keyspace, uint32_t partition, Now now) = 0;
};

class TreeKeeper {
 public:
  static constexpr int kStretchesPerTurn = 2;     // each some tens of microseconds
  static constexpr uint64_t kTurnUs = 1000;       // between two turns
  static constexpr uint64_t kLookUs = 1'000'000;  // for trees that are outgrown

  TreeKeeper(Core& core, DamageSink& damage) : core_(core), damage_(damage) {}

  void on_time(Now now);
  void on_scanned(const ScanPage& page, Now now);
  uint64_t next_deadline_us() const {
    return enabled() && !reading_ ? std::max<uint64_t>(due_us_, 1) : 0;
  }

 private:
  struct Copy {
    uint8_t keyspace;
    uint32_t partition;
    uint32_t damage = 0;  // its number, where it is damaged
  };

  bool enabled() const;
  void look(Now now);
  bool may_build(Now now);
  void build(Now now);
  // The front copy's build ended.
  void built(engine::TreeBuild how, Now now);

  Core& core_;
  DamageSink& damage_;
  std::deque<Copy> queue_;
  bool reading_ = false;
  uint64_t due_us_ = 0;
  uint64_t scrub_due_us_ = 0;
  uint32_t scrub_hand_ = 0;  // keyspace * partitions + partition
};

}  // namespace kvorum::cluster
