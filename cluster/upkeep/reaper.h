// SPDX-License-Identifier: Apache-2.0
// Forgets tombstones that the frontier has passed (object.h, reapable()): no timer decides, but the
// proof that every primary has them. Goes through the partitions that have records without a value,
// a bounded number of records per turn. Private to cluster/; owned by the gossip machine.
#pragma once

#include <cstdint>

#include "cluster/machine/core.h"

namespace kvorum::cluster {

class Reaper {
 public:
  static constexpr uint64_t kRecordsPerTurn = 4096;
  static constexpr uint64_t kTurnUs = 2'000;  // between turns: requests come first

  explicit Reaper(Core& core) : core_(core) {}

  // The frontier rose: every partition is looked at once more.
  void begin() { begun_ = true; }
  void on_time(Now now);
  uint64_t next_deadline_us() const { return due_us_; }

 private:
  bool turn();
  engine::RecordChange change_of(const KeyRef& key, engine::RecordView bytes, Hlc frontier);

  Core& core_;
  bool begun_ = false;   // start again after the present pass
  size_t at_ = kDone;    // keyspace * partitions + partition
  uint64_t due_us_ = 0;  // of the next turn; 0: none
  Record record_;

  static constexpr size_t kDone = ~size_t{0};
};

}  // namespace kvorum::cluster
