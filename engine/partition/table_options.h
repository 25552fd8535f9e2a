// SPDX-License-Identifier: Apache-2.0
// How an ObjectTable is made, and what it stands on.
#pragma once

#include <cstdint>

#include "base/position.h"

namespace kvorum::engine {

class JournaledStore;
class LargeFiles;
class RecordCodec;
class Store;

// Which objects a table without a store forgets for want of memory: of all, or of those that have a
// deadline, and in which order.
enum class EvictionPolicy : uint8_t {
  kNone,
  kAllLru,
  kAllLfu,
  kAllRandom,
  kExpiringLru,
  kExpiringLfu,
  kExpiringRandom,
  kExpiringSoonest,
};
enum class EvictionOrder : uint8_t { kLeastRecent, kLeastFrequent, kRandom, kSoonest };

constexpr bool takes_expiring_only(EvictionPolicy policy) {
  return policy >= EvictionPolicy::kExpiringLru;
}
constexpr EvictionOrder order_of(EvictionPolicy policy) {
  switch (policy) {
    case EvictionPolicy::kNone:
    case EvictionPolicy::kAllLru:
    case EvictionPolicy::kExpiringLru:
      return EvictionOrder::kLeastRecent;
    case EvictionPolicy::kAllLfu:
    case EvictionPolicy::kExpiringLfu:
      return EvictionOrder::kLeastFrequent;
    case EvictionPolicy::kAllRandom:
    case EvictionPolicy::kExpiringRandom:
      return EvictionOrder::kRandom;
    case EvictionPolicy::kExpiringSoonest:
      return EvictionOrder::kSoonest;
  }
  return EvictionOrder::kLeastRecent;
}

struct TableOptions {
  int partition_bits = 8;
  Partitioner partitioner =
      Partitioner::kMd5;   // positions of keys found in the store are recomputed
  uint64_t hash_seed = 0;  // of long buckets; random per process
  // At first: ObjectTable::set_limit().
  uint64_t memory_bytes_max = 0;  // 0: no limit
  EvictionPolicy eviction = EvictionPolicy::kAllLru;
  // Without a store: the keyspaces, one bit each, whose objects may be evicted (evict()).
  uint16_t evicting_keyspaces = 0;
  Store* store = nullptr;  // not owned; null: memory engine
  // The same, where it has a journal: what was written stays in memory until a checkpoint.
  JournaledStore* journal = nullptr;
  // Not owned. Needed with a store; without it hash trees stay at their root alone. Keys that it
  // is shown for digest() have no position.
  const RecordCodec* codec = nullptr;
  // Not owned, and only with a store: large bodies that are shared have files of their own, and
  // their records in the store refer to them. Null: the store holds all.
  LargeFiles* large_files = nullptr;
  // The store was salvaged: records that are missing may come back, so warm() removes no files.
  bool keeps_unnamed_files = false;
  // Hash trees are kept in the store, and its objects compared with them at start (kept_trees.h).
  bool keeps_trees = false;
  // That read the store in ObjectTable's warm(): a power of two, at most the partitions.
  uint32_t start_threads = 1;
};

}  // namespace kvorum::engine
