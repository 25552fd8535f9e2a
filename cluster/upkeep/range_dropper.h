// SPDX-License-Identifier: Apache-2.0
// Gives up what this node holds of a partition that it owns no more, once every owner has all of it
// (docs/MEMBERSHIP.md): object after object, some at a time. Its frontier is zero afterwards. One
// coordinator of a node does it. Private to cluster/; owned by Control.
#pragma once

#include <vector>

#include "cluster/machine/core.h"
#include "cluster/own/marked_record.h"
#include "cluster/own/scan_page.h"

namespace kvorum::cluster {

class RangeDropper {
 public:
  static constexpr uint64_t kRecordsPerTurn = 4096;
  static constexpr size_t kStoredPerPage = 512;
  static constexpr uint64_t kTurnUs = 2'000;
  static constexpr uint64_t kRetryUs = 1'000'000;  // where the store refuses
  static constexpr uint64_t kLookUs = 100'000;     // while something is held that is not owned
  static constexpr uint64_t kNewsUs = 20'000;      // after a view: they come in bunches

  explicit RangeDropper(Core& core) : core_(core), record_(core.parts) {}

  // Another view: what is owned may be less.
  void publish(Now now) {
    if (ranges_.empty()) due_us_ = sooner_of(due_us_, now.steady_us + kNewsUs);
  }
  void on_scanned(const ScanPage& page, Now now);
  void on_time(Now now);
  uint64_t next_deadline_us() const { return due_us_; }
  // Partitions of which something is held that is not owned, by the last look at all of them.
  size_t left() const { return left_; }

 private:
  struct Range {
    uint8_t keyspace;
    uint32_t partition;
  };
  // Those that may go now; counts those that may not yet.
  void look(Now now);
  bool may_go(const Range& range) const;
  void turn(Now now);
  // False where the store refuses, or has to be read first.
  bool drop(const Range& range, Now now);
  void forget_frontier(const Range& range);
  // All of the last one is gone.
  void end_range();
  void read_stored(const Range& range, Position from);

  Core& core_;
  DroppedRecord record_;
  std::vector<Range> ranges_;
  size_t left_ = 0;
  bool reading_ = false;
  uint64_t due_us_ = 1;  // 0: nothing to do
};

}  // namespace kvorum::cluster
