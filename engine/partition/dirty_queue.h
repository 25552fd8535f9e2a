// SPDX-License-Identifier: Apache-2.0
// Partitions with dirty objects, each once, and the ticket of the round that will take them. any()
// is sequentially consistent: the committer decides by it whether to sleep. Any thread; a
// partition's lock may be held but for call_back().
#pragma once

#include <atomic>
#include <vector>

#include "base/check.h"
#include "base/spin_lock.h"
#include "engine/partition/record_change.h"

namespace kvorum::engine {

class PartitionTable;

class DirtyQueue {
 public:
  // Returns the ticket; *turned_dirty where the queue was empty: then call_back().
  Ticket push(PartitionTable* partition, bool* turned_dirty) {
    const SpinLockGuard guard(lock_);
    KVORUM_CHECK(partitions_.empty() == !dirty_.load(std::memory_order_relaxed));
    *turned_dirty = partitions_.empty();
    partitions_.push_back(partition);
    dirty_.store(true);
    return next_ticket_;
  }
  // Begins a round: what is pushed from now on belongs to the next.
  Ticket take(std::vector<PartitionTable*>& partitions) {
    const SpinLockGuard guard(lock_);
    KVORUM_CHECK(partitions.empty());
    partitions.swap(partitions_);
    dirty_.store(false);
    return next_ticket_++;
  }
  bool any() const { return dirty_.load(); }
  // The ticket of the latest push.
  Ticket issued() const {
    const SpinLockGuard guard(lock_);
    return partitions_.empty() ? next_ticket_ - 1 : next_ticket_;
  }

  // While nobody pushes.
  void set_callback(void (*callback)(void*), void* argument) {
    callback_ = callback;
    argument_ = argument;
  }
  void call_back() const {
    if (callback_ != nullptr) callback_(argument_);
  }

 private:
  mutable SpinLock lock_;
  std::vector<PartitionTable*> partitions_ KVORUM_GUARDED_BY(lock_);
  Ticket next_ticket_ KVORUM_GUARDED_BY(lock_) = 1;
  std::atomic<bool> dirty_{false};
  void (*callback_)(void*) = nullptr;
  void* argument_ = nullptr;
};

}  // namespace kvorum::engine
