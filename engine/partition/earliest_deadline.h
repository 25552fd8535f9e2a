// SPDX-License-Identifier: Apache-2.0
// The least of all partitions' earliest deadlines: may be too early, never too late. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.h"
#include "base/spin_lock.h"

namespace kvorum::engine {

class EarliestDeadline {
 public:
  // 0 where there is none.
  uint64_t get() const { return earliest_.load(std::memory_order_relaxed); }

  // A partition's earliest deadline moved down to this.
  void lower(uint64_t deadline_ms) {
    KVORUM_CHECK(deadline_ms != 0);
    const SpinLockGuard guard(lock_);
    ++changes_;
    const uint64_t now = get();
    if (now == 0 || deadline_ms < now) earliest_.store(deadline_ms, std::memory_order_relaxed);
  }
  // To raise it: read changes(), look at all partitions, then replace(), which does nothing when a
  // partition's deadline moved down in between.
  uint64_t changes() {
    const SpinLockGuard guard(lock_);
    return changes_;
  }
  void replace(uint64_t changes, uint64_t deadline_ms) {
    const SpinLockGuard guard(lock_);
    KVORUM_CHECK(changes <= changes_);
    if (changes == changes_) earliest_.store(deadline_ms, std::memory_order_relaxed);
  }

 private:
  SpinLock lock_;
  uint64_t changes_ KVORUM_GUARDED_BY(lock_) = 0;
  std::atomic<uint64_t> earliest_{0};
};

}  // namespace kvorum::engine
