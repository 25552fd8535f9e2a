// SPDX-License-Identifier: Apache-2.0
// Eviction without a store: what goes is forgotten. A hand goes round over all partitions, a few
// buckets of each at a time (second chance): what was used since it came by last stays.
#include <algorithm>

#include "engine/table/object_table_impl.h"

namespace kvorum::engine {
namespace {

constexpr uint64_t kBucketsPerTable = 8;
// Looked at before one update. Enough that the hand comes round, and finds what nobody used, while
// the room that is kept below the limit fills up. More where a large object went past the limit.
constexpr uint64_t kBucketsUsual = 64;
constexpr uint64_t kBucketsMax = 4096;
constexpr uint64_t kBytesPerBucket = 128;  // that a bucket is expected to give, at least
constexpr uint64_t kBucketsInVain = 8;     // after there was nothing to evict
constexpr size_t kLongBucketStretch = 32;

}  // namespace

// False where the partition's end was reached.
bool PartitionTable::evict_bucket(Eviction& eviction, EvictionJudge fn) {
  found_.clear();
  hand_ = index_.collect_bucket(static_cast<uint32_t>(hand_), kLongBucketStretch, found_);
  for (const Entry* entry : found_) __builtin_prefetch(entry, 1);
  for (Entry* entry : found_) {
    const bool used = entry->has(Entry::kReferenced) && !is_tombstone(*entry);
    entry->set(Entry::kReferenced, false);
    if (used && !eviction.used_too) continue;
    ++eviction.shown;
    const Position place{position_of_place(entry->place()), 0};
    RecordChange change = fn(KeyRef{entry->key(), place, keyspace_}, entry->record());
    if (change.action != RecordChange::Action::kErase) continue;
    apply_swept(entry, change);
    ++eviction.dropped;
  }
  ++eviction.buckets;
  if (hand_ < BucketIndex::kPlacesEnd) return true;
  hand_ = 0;
  return false;
}

void PartitionTable::evict(Eviction& eviction, EvictionJudge fn) {
  const uint64_t end = eviction.buckets + kBucketsPerTable;
  while (eviction.buckets < end && shared_->crowded() && evict_bucket(eviction, fn)) {
  }
}

// Null where none of the tables may lose objects.
PartitionTable* ObjectTable::Impl::next_evicting() {
  const size_t count = table_count.load(std::memory_order_acquire);
  for (size_t i = 0; i < count; ++i) {
    PartitionTable* table = turn_eviction_hand();
    if (table != nullptr && shared.evicts(table->keyspace())) return table;
  }
  return nullptr;
}

bool ObjectTable::evicts(uint8_t keyspace) const { return impl_->shared.evicts(keyspace); }

bool ObjectTable::crowded() const { return impl_->shared.crowded(); }

bool ObjectTable::eviction_waits() const {
  return crowded() && impl_->nothing_evictable.load(std::memory_order_relaxed);
}

size_t ObjectTable::evict(FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn) {
  PartitionTable::Eviction eviction;
  const uint64_t excess = impl_->shared.excess_bytes();
  eviction.used_too = excess > 0;
  uint64_t buckets_max = std::min(kBucketsUsual + excess / kBytesPerBucket, kBucketsMax);
  if (impl_->nothing_evictable.load(std::memory_order_relaxed)) buckets_max = kBucketsInVain;
  while (eviction.buckets < buckets_max && crowded()) {
    PartitionTable* table = impl_->next_evicting();
    if (table == nullptr) break;
    const std::lock_guard guard(table->lock());
    table->evict(eviction, fn);
  }
  const bool nothing = eviction.dropped == 0 && (eviction.shown > 0 || eviction.buckets == 0);
  if (nothing || eviction.dropped > 0) {
    impl_->nothing_evictable.store(nothing, std::memory_order_relaxed);
  }
  return eviction.dropped;
}

}  // namespace kvorum::engine
