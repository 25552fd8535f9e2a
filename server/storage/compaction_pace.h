// SPDX-License-Identifier: Apache-2.0
// How long the stores' compaction waits for clients, while reactors run that say so. Outlives the
// stores. Any thread.
#pragma once

#include <cstddef>

#include "base/mutex.h"
#include "cluster/health/background_budget.h"
#include "server/flow/turn_clock.h"

namespace kvorum::server {

class CompactionPace {
 public:
  // The budget is asked until another one takes its place; null: compaction never waits.
  void set_budget(cluster::BackgroundBudget* budget) {
    const MutexLock guard(lock_);
    budget_ = budget;
  }
  // Before so many bytes are compacted.
  uint64_t wait_ms(size_t bytes) {
    const MutexLock guard(lock_);
    if (budget_ == nullptr) return 0;
    const Now now = TurnClock(0).read();
    return (budget_->wait_us(cluster::BackgroundWork::kScrub, bytes, now) + 999) / 1000;
  }

 private:
  Mutex lock_;
  cluster::BackgroundBudget* budget_ KVORUM_GUARDED_BY(lock_) = nullptr;
};

}  // namespace kvorum::server
