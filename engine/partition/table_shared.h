// SPDX-License-Identifier: Apache-2.0
// What the partitions of one ObjectTable share: its options, the bytes in use, the earliest
// deadline and the list of partitions with dirty objects. Lock order: a partition's lock, then a
// lock in here; never the other way round.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/rng.h"
#include "base/spin_lock.h"
#include "base/thread_safety.h"
#include "engine/index/bucket_index.h"
#include "engine/index/entry_pool.h"
#include "engine/index/journal_epochs.h"
#include "engine/index/page_source.h"
#include "engine/partition/dirty_queue.h"
#include "engine/partition/earliest_deadline.h"
#include "engine/partition/table_options.h"
#include "engine/store/body_filing.h"

namespace kvorum::engine {

struct TableShared {
  explicit TableShared(const TableOptions& table_options) : options(table_options) {
    if (options.large_files != nullptr) filing.emplace(options.large_files);
    set_limit(options.memory_bytes_max, options.eviction);
  }

  // What bounds the memory of the objects, and what is done about it. Any thread.
  void set_limit(uint64_t bytes_max, EvictionPolicy policy) {
    const SpinLockGuard guard(limit_lock);
    wanted_bytes_max = bytes_max;
    eviction.store(policy, std::memory_order_relaxed);
    apply_limit();
  }
  // As it was set; 0: none.
  uint64_t wanted_limit() const {
    const SpinLockGuard guard(limit_lock);
    return wanted_bytes_max;
  }
  // So much memory is lost between objects: where objects may be evicted there is less for them.
  void set_lost_bytes(uint64_t bytes) {
    const SpinLockGuard guard(limit_lock);
    lost_bytes = bytes;
    apply_limit();
  }

  static constexpr uint32_t kNoBatch = ~0u;
  // Of the limit: eviction begins so far below it, that it seldom has to take what is in use.
  static constexpr int64_t kRoomShare = 64;
  static constexpr int64_t kLostShare = 16;  // may be lost: where all have one size some is, too
  static constexpr int64_t kLeastShare = 8;  // for objects, whatever is lost between them
  static constexpr uint64_t kLargeGrowth = 128 * 1024;

  bool over_memory() const { return used() > limit(); }

  // Whether a table without a store may grow by so much. What is large must fit before it is taken,
  // or with eviction into all of the memory. One that is full refuses any growth but what eviction
  // has just freed for it: so others are served while a large object pushes many small ones out.
  bool take_room(uint64_t bytes) {
    if (over_memory()) return take_freed(static_cast<int64_t>(bytes));
    if (bytes <= kLargeGrowth) return true;
    return evicts_now() ? bytes <= static_cast<uint64_t>(limit()) : fits(bytes);
  }
  void note_freed(uint64_t bytes) {
    const bool past = over_memory() && evicts_now();
    freed_bytes.store(past ? static_cast<int64_t>(bytes) : 0, std::memory_order_relaxed);
  }

  // Whether memory takes so many bytes without eviction.
  bool fits(uint64_t bytes) const {
    if (over_memory()) return false;
    const auto taken = static_cast<uint64_t>(std::max<int64_t>(used(), 0));
    return taken + bytes <= static_cast<uint64_t>(limit());
  }

  // Objects of the keyspace may have been evicted, by the policy that holds or one before.
  bool evicts(uint8_t keyspace) const { return options.evicting_keyspaces >> keyspace & 1; }
  bool evicts_now() const { return evict_above.load(std::memory_order_relaxed) != kNoLimit; }
  bool crowded() const { return used() > evict_above.load(std::memory_order_relaxed); }

  // For samples, not for secrets. Any thread.
  uint64_t next_random() {
    constexpr uint64_t kStep = 0x9e3779b97f4a7c15;
    const uint64_t number = random.fetch_add(kStep, std::memory_order_relaxed) + kStep;
    return Rng(number).next();
  }

  // How far above the limit.
  uint64_t excess_bytes() const {
    return over_memory() ? static_cast<uint64_t>(used() - limit()) : 0;
  }

  const TableOptions options;
  std::optional<BodyFiling> filing;
  PageSource entry_pages{EntryPool::kPageBytes};
  PageSource index_pages{BucketIndex::kSegmentBytes};
  alignas(64) std::atomic<int64_t> memory_bytes{0};
  std::atomic<int64_t> freed_bytes{0};  // by the last eviction past the limit, and not taken again
  std::atomic<int64_t> spare_bytes{0};  // in pages of entries that are not full
  alignas(64) std::atomic<int64_t> memory_bytes_max{kNoLimit};
  std::atomic<int64_t> evict_above{kNoLimit};
  std::atomic<EvictionPolicy> eviction{EvictionPolicy::kNone};
  mutable SpinLock limit_lock;
  uint64_t wanted_bytes_max KVORUM_GUARDED_BY(limit_lock) = 0;  // 0: no limit
  uint64_t lost_bytes KVORUM_GUARDED_BY(limit_lock) = 0;
  std::atomic<uint64_t> random{options.hash_seed};
  std::atomic<uint32_t> minute{0};  // of a steady clock; use counts decay by it
  alignas(64) EarliestDeadline deadlines;
  DirtyQueue dirty;
  std::atomic<bool> trees_changed{false};  // pages of kept trees are due
  std::atomic<bool> warmed{false};         // the partitions' counts cover what stands in the store
  std::atomic<uint32_t> batch_in_flight{kNoBatch};  // number of the batch being written
  JournalEpochs epochs;
  std::atomic<bool> checkpoint_wanted{false};  // memory is full of what has to stay in it

 private:
  static constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

  void apply_limit() KVORUM_REQUIRES(limit_lock) {
    const bool evicting = options.evicting_keyspaces != 0 &&
                          eviction.load(std::memory_order_relaxed) != EvictionPolicy::kNone;
    const auto wanted = static_cast<int64_t>(std::min<uint64_t>(wanted_bytes_max, kNoLimit));
    const auto lost = static_cast<int64_t>(std::min<uint64_t>(lost_bytes, kNoLimit));
    const int64_t unusual = std::max<int64_t>(lost - wanted / kLostShare, 0);
    const int64_t least = wanted / kLeastShare;
    const int64_t most = evicting ? std::max(wanted - unusual, least) : wanted;
    memory_bytes_max.store(wanted == 0 ? kNoLimit : most, std::memory_order_relaxed);
    evict_above.store(wanted == 0 || !evicting ? kNoLimit : most - most / kRoomShare,
                      std::memory_order_relaxed);
  }
  bool take_freed(int64_t bytes) {
    if (freed_bytes.fetch_sub(bytes, std::memory_order_relaxed) >= bytes) return true;
    freed_bytes.fetch_add(bytes, std::memory_order_relaxed);
    return false;
  }
  int64_t used() const { return memory_bytes.load(std::memory_order_relaxed); }
  int64_t limit() const { return memory_bytes_max.load(std::memory_order_relaxed); }
};

}  // namespace kvorum::engine
