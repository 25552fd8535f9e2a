// SPDX-License-Identifier: Apache-2.0
// The books of a node's hints: which there are for whom, in the order in which they are to be
// delivered, how many bytes they take of the quota, how fast they leave and why they wait. Kept by
// Hints, beside its table, under the lock of the hint's partition (lock order: partition, ledger).
// Any thread.
//
// The order is that of the oldest version in a hint, by its hybrid clock reading: it needs no field
// of its own on the disk, is the same after a restart, and gives the frontier its minimum for free.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/spin_lock.h"
#include "base/time.h"
#include "cluster/ring/member.h"

namespace kvorum::cluster {

// Why the hints for a target are still here.
enum class HintWait : uint8_t {
  kScan,         // for the next periodic scan (timing.hints)
  kNone,         // they are being delivered
  kUnreachable,  // its link is down
  kSilent,       // it did not answer in time; tried again shortly
  kRefused,      // it answers, but its store or quota takes nothing
  kStore,        // this node's store of hints failed: none could be removed
  kForeground,   // clients' operations go first (admission_controller.h)
  kMoving,       // it is no primary of their keys any more: they go to those that are
};
const char* hint_wait_name(HintWait wait);

// One target's hints, for operators.
struct HintTargetReport {
  NodeId target = 0;
  uint64_t count = 0;
  uint64_t bytes = 0;
  Hlc oldest;                                   // of any version
  uint64_t delivered = 0, delivered_bytes = 0;  // since the node's start
  uint64_t bytes_per_second = 0;                // of the latest seconds, 0 while nothing leaves
  HintWait wait = HintWait::kScan;
};

// Where a hint stands in its target's order.
struct HintPlace {
  Hlc oldest;
  std::string name;  // in the table
  auto operator<=>(const HintPlace&) const = default;
};

class HintLedger {
 public:
  // What a hint costs beside its name and record: its entry, its place here.
  static constexpr uint64_t kOverheadBytes = 160;
  static constexpr uint64_t kRateWindowUs = 2'000'000;

  explicit HintLedger(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  struct Facts {
    Hlc oldest;
    uint64_t bytes = 0;
  };
  // A hint changes from `before` (null: it is new) to `after` (null: it goes). With `bounded` false
  // and nothing noted where the bytes would then exceed the quota; what shrinks or goes is never
  // refused.
  struct Change {
    NodeId target;
    const std::string& name;
    const Facts* before;
    const Facts* after;
    bool bounded;
  };
  bool note(const Change& change);

  // The first hint for the target at or behind `from`.
  std::optional<HintPlace> first_from(NodeId target, const HintPlace& from, bool inclusive) const;
  std::vector<NodeId> targets() const;  // with hints, by id
  uint64_t count_for(NodeId target) const;

  void delivered(NodeId target, uint64_t bytes, uint64_t now_us);
  void waits(NodeId target, HintWait wait);
  HintWait wait_of(NodeId target) const;

  uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  uint64_t bytes_max() const { return bytes_max_; }
  // Hints that are kept already stay.
  void set_bytes_max(uint64_t bytes) { bytes_max_ = bytes; }
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  // A no counts as a refusal.
  bool has_room_for(uint64_t more) {
    if (bytes_max_ == 0 || bytes() + more <= bytes_max_) return true;
    refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  // Of any version in any hint; nothing where there are no hints.
  std::optional<Hlc> oldest() const;
  std::vector<HintTargetReport> report(uint64_t now_us) const;

 private:
  struct Target {
    std::set<HintPlace> places;
    uint64_t bytes = 0;
    uint64_t delivered = 0, delivered_bytes = 0;
    uint64_t window_began_us = 0, window_bytes = 0, bytes_per_second = 0;
    HintWait wait = HintWait::kScan;
  };
  bool reserve(uint64_t before, uint64_t after, bool bounded);

  std::atomic<uint64_t> bytes_max_;  // 0: no bound
  std::atomic<uint64_t> count_{0}, bytes_{0}, refused_{0};
  mutable SpinLock lock_;
  // One stays when its hints are gone: few, and with their history.
  std::map<NodeId, Target> targets_ KVORUM_GUARDED_BY(lock_);
};

}  // namespace kvorum::cluster
