// SPDX-License-Identifier: Apache-2.0
// The deadlines of one partition's objects: the heap with its items that went stale, and the
// earliest one, which anybody may read. A part of PartitionTable, under its lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/function_ref.h"
#include "engine/index/bucket_index.h"
#include "engine/index/expiry_heap.h"
#include "engine/partition/earliest_deadline.h"

namespace kvorum::engine {

class PartitionDeadlines {
 public:
  // Both outlive it: the partition's entries, and the least deadline of all partitions.
  PartitionDeadlines(const BucketIndex* index, EarliestDeadline* of_all)
      : index_(index), of_all_(of_all) {}

  // Any thread, without the lock; 0 where there is none. May be early, never late.
  uint64_t earliest_ms() const { return earliest_.load(std::memory_order_acquire); }
  size_t memory_bytes() const { return heap_.memory_bytes(); }

  // An entry at the place, which stands in the index, got this deadline for that one; 0: none.
  void note_change(uint64_t old_ms, uint64_t new_ms, uint32_t place) {
    KVORUM_CHECK(old_ms == 0 || count_ > 0);
    count_ += static_cast<size_t>(new_ms != 0);
    count_ -= static_cast<size_t>(old_ms != 0);
    if (new_ms != 0 && (old_ms == 0 || new_ms < old_ms)) push(new_ms, place);
  }
  // An entry with a deadline has no item any more: it gets one.
  void push(uint64_t deadline_ms, uint32_t place);
  // Takes what is due first: usually one entry, more if they share a place; false if there is none.
  // The items of these are gone: each gets another one by push(), or goes.
  bool take_due(uint64_t now_ms, std::vector<Entry*>& due);

  // Shows each entry that is due, once; nothing changes.
  void each_due(uint64_t now_ms, FunctionRef<void(const Entry& entry)> fn) const;

  // For samples of the entries with a deadline: the heap's items, some of them stale, an early one
  // at the front.
  size_t item_count() const { return heap_.size(); }
  const ExpiryHeap::Item& item(size_t index) const { return heap_.at(index); }
  // Has the first item tell the truth, so that earliest_ms() does, unless that takes long.
  void settle_first();

 private:
  static constexpr size_t kStaleMin = 64;
  static constexpr int kSettledMax = 16;

  void compact();

  const BucketIndex* const index_;
  EarliestDeadline* const of_all_;
  ExpiryHeap heap_;
  size_t count_ = 0;  // entries with a deadline
  std::atomic<uint64_t> earliest_{0};
  std::vector<Entry*> found_;  // kept for its memory
};

}  // namespace kvorum::engine
