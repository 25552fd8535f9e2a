// SPDX-License-Identifier: Apache-2.0
// What the partitions of one ObjectTable share: its options, the bytes in use, the earliest
// deadline, the list of partitions with dirty objects and the numbers of commit rounds. Lock order:
// a partition's lock, then a lock in here; never the other way round.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/spin_lock.h"
#include "engine/index/bucket_index.h"
#include "engine/index/entry_pool.h"
#include "engine/table/body_filing.h"
#include "engine/table/object_table.h"

namespace kvorum::engine {

class PartitionTable;

// The least of all partitions' earliest deadlines: may be too early, never too late.
class EarliestDeadline {
 public:
  uint64_t get() const { return earliest_.load(std::memory_order_relaxed); }

  // A partition's earliest deadline moved down to this.
  void lower(uint64_t deadline_ms) {
    const std::lock_guard guard(lock_);
    ++changes_;
    const uint64_t now = get();
    if (now == 0 || deadline_ms < now) earliest_.store(deadline_ms, std::memory_order_relaxed);
  }
  // To raise it: read changes(), look at all partitions, then replace(), which does nothing when a
  // partition's deadline moved down in between.
  uint64_t changes() {
    const std::lock_guard guard(lock_);
    return changes_;
  }
  void replace(uint64_t changes, uint64_t deadline_ms) {
    const std::lock_guard guard(lock_);
    if (changes == changes_) earliest_.store(deadline_ms, std::memory_order_relaxed);
  }

 private:
  SpinLock lock_;
  uint64_t changes_ = 0;
  std::atomic<uint64_t> earliest_{0};
};

// Partitions with dirty objects, each once, and the ticket of the round that will take them. any()
// is sequentially consistent: the committer decides by it whether to sleep.
class DirtyQueue {
 public:
  // Returns the ticket; *turned_dirty where the queue was empty.
  Ticket push(PartitionTable* partition, bool* turned_dirty) {
    const std::lock_guard guard(lock_);
    *turned_dirty = partitions_.empty();
    partitions_.push_back(partition);
    dirty_.store(true);
    return next_ticket_;
  }
  // Begins a round: what is pushed from now on belongs to the next.
  Ticket take(std::vector<PartitionTable*>& partitions) {
    const std::lock_guard guard(lock_);
    partitions.swap(partitions_);
    partitions_.clear();
    dirty_.store(false);
    return next_ticket_++;
  }
  bool any() const { return dirty_.load(); }
  // The ticket of the latest push.
  Ticket issued() {
    const std::lock_guard guard(lock_);
    return partitions_.empty() ? next_ticket_ - 1 : next_ticket_;
  }

 private:
  SpinLock lock_;
  std::vector<PartitionTable*> partitions_;
  Ticket next_ticket_ = 1;
  std::atomic<bool> dirty_{false};
};

struct TableShared {
  explicit TableShared(const TableOptions& table_options) : options(table_options) {
    if (options.large_files != nullptr) filing.emplace(options.large_files);
  }

  static constexpr uint32_t kNoBatch = ~0u;
  // Of the limit: eviction begins so far below it, that it seldom has to take what is in use.
  static constexpr uint64_t kRoomShare = 64;
  static constexpr uint64_t kLargeGrowth = 128 * 1024;

  bool over_memory() const {
    return options.memory_bytes_max != 0 && memory_bytes.load(std::memory_order_relaxed) >
                                                static_cast<int64_t>(options.memory_bytes_max);
  }

  // Whether a table without a store may grow by so much. One that is full refuses any growth; what
  // is large must fit before it is taken, or with eviction into all of the memory.
  bool has_room_for(uint64_t bytes) const {
    if (over_memory()) return false;
    if (options.memory_bytes_max == 0 || bytes <= kLargeGrowth) return true;
    return options.evicting_keyspaces != 0 ? bytes <= options.memory_bytes_max : fits(bytes);
  }

  // Whether memory takes so many bytes without eviction.
  bool fits(uint64_t bytes) const {
    if (over_memory()) return false;
    const int64_t used = memory_bytes.load(std::memory_order_relaxed);
    const uint64_t taken = used < 0 ? 0 : static_cast<uint64_t>(used);
    return options.memory_bytes_max == 0 || taken + bytes <= options.memory_bytes_max;
  }

  bool evicts(uint8_t keyspace) const { return options.evicting_keyspaces >> keyspace & 1; }
  bool crowded() const {
    if (options.evicting_keyspaces == 0 || options.memory_bytes_max == 0) return false;
    const uint64_t most = options.memory_bytes_max - options.memory_bytes_max / kRoomShare;
    return memory_bytes.load(std::memory_order_relaxed) > static_cast<int64_t>(most);
  }

  // How far above the limit.
  uint64_t excess_bytes() const {
    if (!over_memory()) return 0;
    const auto bytes = static_cast<uint64_t>(memory_bytes.load(std::memory_order_relaxed));
    return bytes - std::min(bytes, options.memory_bytes_max);
  }

  const TableOptions options;
  std::optional<BodyFiling> filing;
  PageSource entry_pages{EntryPool::kPageBytes};
  PageSource index_pages{BucketIndex::kSegmentBytes};
  alignas(64) std::atomic<int64_t> memory_bytes{0};
  alignas(64) EarliestDeadline deadlines;
  DirtyQueue dirty;
  std::atomic<bool> failed{false};
  std::atomic<bool> trees_changed{false};  // pages of kept trees are due
  std::atomic<bool> warmed{false};         // the partitions' counts cover what stands in the store
  std::atomic<uint32_t> batch_in_flight{kNoBatch};  // number of the batch being written
};

}  // namespace kvorum::engine
