// SPDX-License-Identifier: Apache-2.0
// What the partitions of one ObjectTable share: its options, the bytes in use, the earliest
// deadline and the list of partitions with dirty objects. Lock order: a partition's lock, then a
// lock in here; never the other way round.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

#include "engine/index/bucket_index.h"
#include "engine/index/entry_pool.h"
#include "engine/index/page_source.h"
#include "engine/partition/body_filing.h"
#include "engine/partition/dirty_queue.h"
#include "engine/partition/earliest_deadline.h"
#include "engine/partition/table_options.h"

namespace kvorum::engine {

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
  std::atomic<bool> trees_changed{false};  // pages of kept trees are due
  std::atomic<bool> warmed{false};         // the partitions' counts cover what stands in the store
  std::atomic<uint32_t> batch_in_flight{kNoBatch};  // number of the batch being written
};

}  // namespace kvorum::engine
