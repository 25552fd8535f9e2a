// SPDX-License-Identifier: Apache-2.0
// The hand that goes round over the partitions of a table and makes room, a few buckets of each at
// a time. With a store what is clean and was not used since the hand came by goes, and is loaded
// again when it is asked for; without one what goes is forgotten, and the policy says what that is
// (partition_table_evict.cc). Any thread, without a partition's lock.
#pragma once

#include <atomic>
#include <cstddef>

#include "base/function_ref.h"
#include "base/position.h"
#include "engine/index/record_view.h"
#include "engine/partition/table_directory.h"

namespace kvorum::engine {

class EvictionHand {
 public:
  // `directory` outlives it.
  explicit EvictionHand(TableDirectory& directory) : directory_(directory) {}

  // Memory may have grown. With a store only: objects that are clean make room.
  void after_growth() {
    const TableShared& shared = directory_.shared();
    if (shared.options.store != nullptr && shared.over_memory()) evict_clean();
  }

  // ObjectTable::evict() and eviction_waits(). Without a store only.
  size_t evict(FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn);
  bool waits() const;

 private:
  void evict_clean();
  void want_checkpoint();
  // The next partition's table, round and round; null where it is just being made. Not before the
  // first one is.
  PartitionTable* next();
  PartitionTable* next_evicting();
  PartitionTable* next_expiring_soonest();

  TableDirectory& directory_;
  std::atomic<size_t> turns_{0};
  std::atomic<uint32_t> vain_{0};               // calls of evict_clean() since memory was not full
  std::atomic<bool> nothing_evictable_{false};  // as the last evict() saw it
};

}  // namespace kvorum::engine
