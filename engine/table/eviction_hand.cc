// SPDX-License-Identifier: Apache-2.0
#include "engine/table/eviction_hand.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::engine {
namespace {

// Looked at before one update. Enough that the hand comes round, and finds what nobody used, while
// the room that is kept below the limit fills up. More where a large object went past the limit.
constexpr uint64_t kBucketsUsual = 64;
constexpr uint64_t kBucketsMax = 512;
constexpr uint64_t kBytesPerBucket = 32;  // that a bucket is expected to give, at least
constexpr uint64_t kBucketsInVain = 8;    // after there was nothing to evict
constexpr int kTablesCompared = 7;        // coprime to their number; the one that expires soonest
constexpr int kCleanTablesMax = 4;        // a bounded amount of work: the next update goes on

}  // namespace

PartitionTable* EvictionHand::next() {
  KVORUM_CHECK(directory_.count() > 0);
  const size_t turn = turns_.fetch_add(1, std::memory_order_relaxed);
  return directory_.at(turn % directory_.count());
}

void EvictionHand::evict_clean() {
  for (int i = 0; i < kCleanTablesMax && directory_.shared().over_memory(); ++i) {
    PartitionTable* table = next();
    if (table == nullptr) continue;
    const SpinLockGuard guard(table->lock());
    table->evict_some();
  }
  want_checkpoint();
}

// Where memory stays full a round of the hand is in vain: what it holds has to be put below.
void EvictionHand::want_checkpoint() {
  TableShared& shared = directory_.shared();
  if (shared.options.journal == nullptr) return;
  const uint32_t in_vain = shared.over_memory() ? vain_.load(std::memory_order_relaxed) + 1 : 0;
  vain_.store(in_vain, std::memory_order_relaxed);
  if (in_vain < directory_.count()) return;
  vain_.store(0, std::memory_order_relaxed);
  if (!shared.checkpoint_wanted.exchange(true)) shared.dirty.call_back();
}

// Null where none of the tables may lose objects.
PartitionTable* EvictionHand::next_evicting() {
  const TableShared& shared = directory_.shared();
  const bool expiring = takes_expiring_only(shared.eviction.load(std::memory_order_relaxed));
  const size_t count = directory_.count();
  for (size_t i = 0; i < count; ++i) {
    PartitionTable* table = next();
    if (table == nullptr || !shared.evicts(table->keyspace())) continue;
    if (!expiring || table->earliest_deadline_ms() != 0) return table;
  }
  return nullptr;
}

PartitionTable* EvictionHand::next_expiring_soonest() {
  PartitionTable* soonest = nullptr;
  for (int i = 0; i < kTablesCompared; ++i) {
    PartitionTable* const table = next_evicting();
    if (table == nullptr) break;
    const uint64_t deadline = table->earliest_deadline_ms();
    if (soonest == nullptr || deadline < soonest->earliest_deadline_ms()) soonest = table;
  }
  return soonest;
}

bool EvictionHand::waits() const {
  return directory_.shared().crowded() && nothing_evictable_.load(std::memory_order_relaxed);
}

size_t EvictionHand::evict(FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn) {
  TableShared& shared = directory_.shared();
  KVORUM_CHECK(shared.options.store == nullptr);
  const EvictionPolicy policy = shared.eviction.load(std::memory_order_relaxed);
  const bool soonest = order_of(policy) == EvictionOrder::kSoonest;
  PartitionTable::Eviction eviction;
  const uint64_t excess = shared.excess_bytes();
  eviction.past_limit = excess > 0;
  uint64_t buckets_max = std::min(kBucketsUsual + excess / kBytesPerBucket, kBucketsMax);
  if (nothing_evictable_.load(std::memory_order_relaxed)) buckets_max = kBucketsInVain;
  while (eviction.buckets < buckets_max && shared.crowded()) {
    PartitionTable* table = soonest ? next_expiring_soonest() : next_evicting();
    if (table == nullptr) break;
    const SpinLockGuard guard(table->lock());
    table->evict(eviction, fn);
  }
  const bool looked = eviction.shown > 0 || eviction.buckets == 0 || takes_expiring_only(policy);
  const bool nothing = eviction.dropped == 0 && looked;
  shared.note_freed(eviction.freed_bytes);
  if (nothing || eviction.dropped > 0) {
    nothing_evictable_.store(nothing, std::memory_order_relaxed);
  }
  return eviction.dropped;
}

}  // namespace kvorum::engine
