// SPDX-License-Identifier: Apache-2.0
// The part of PartitionTable that only a table without a store needs: what goes for want of memory.
//
// A stretch of a few buckets is looked at, or a few of those that have a deadline. By last use the
// hand goes round and gives what was used a second chance; else the stretch is a sample, of which
// the lowest in the order of the policy goes. What has no value any more goes before all that has.
#include <algorithm>

#include "base/check.h"
#include "engine/partition/partition_table.h"

namespace kvorum::engine {
namespace {

constexpr uint64_t kEvictionBuckets = 8;  // of one partition, before the hand moves on
constexpr size_t kEvictionStretch = 32;   // entries of a long bucket looked at together
constexpr size_t kSample = 16;            // entries of which one goes
constexpr size_t kHastySample = 2;        // where the limit is passed
constexpr uint64_t kPlacesPerBucket = 4;  // as much work
constexpr size_t kExpiringSample = 16;    // deadlines that are drawn
constexpr size_t kSoonestLooked = 8;

}  // namespace

void PartitionTable::follow_policy() {
  policy_ = shared_->eviction.load(std::memory_order_relaxed);
  const EvictionOrder order = order_of(policy_);
  const bool evicts = shared_->evicts(keyspace_) && policy_ != EvictionPolicy::kNone;
  const bool by_use =
      order == EvictionOrder::kLeastRecent || order == EvictionOrder::kLeastFrequent;
  notes_use_ = has_store() || (evicts && by_use);
  const bool counts = evicts && order == EvictionOrder::kLeastFrequent;
  if (!counts) {
    uses_.reset();
  } else if (uses_ == nullptr) {
    const uint64_t seed = shared_->options.hash_seed + (uint64_t{partition_} << 8) + keyspace_;
    uses_ = std::make_unique<UseCounters>(&index_, seed, minute());
  }
}

void PartitionTable::note_first_use(Entry* entry) {
  if (uses_ != nullptr) return uses_->start(entry, minute());
  if (notes_use_ && !has_store()) entry->set(Entry::kReferenced);
}

std::optional<uint8_t> PartitionTable::use_count(const KeyPlace& at) const {
  if (uses_ == nullptr) return {};
  const Entry* const entry = index_.find(at);
  if (entry == nullptr) return {};
  return uses_->count_of(*entry, minute());
}

void PartitionTable::evict(Eviction& eviction, EvictionJudge fn) {
  if (policy_ != shared_->eviction.load(std::memory_order_relaxed)) follow_policy();
  const uint64_t end = eviction.buckets + kEvictionBuckets;
  while (eviction.buckets < end && shared_->crowded() && evict_stretch(eviction, fn)) {
  }
}

// False where the partition's end was reached.
bool PartitionTable::evict_stretch(Eviction& eviction, EvictionJudge fn) {
  const EvictionOrder order = order_of(policy_);
  found_.clear();
  bool goes_on = true;
  if (takes_expiring_only(policy_)) {
    gather_expiring(eviction, order);
  } else {
    goes_on = gather(eviction, order);
  }
  if (order == EvictionOrder::kLeastRecent) {
    drop_unused(eviction, fn);
  } else {
    ranked_.clear();
    for (Entry* entry : found_) ranked_.push_back({rank_of(*entry, order), entry});
    drop_first(eviction, fn);
    if (order == EvictionOrder::kSoonest) deadlines_.settle_first();
  }
  return goes_on;
}

bool PartitionTable::gather(Eviction& eviction, EvictionOrder order) {
  const size_t wanted = order == EvictionOrder::kLeastFrequent ? kSample : 1;
  if (order == EvictionOrder::kRandom) hand_ = shared_->next_random() >> 32;
  bool goes_on = true;
  do {
    hand_ = index_.collect_bucket(static_cast<uint32_t>(hand_), kEvictionStretch, found_);
    ++eviction.buckets;
    goes_on = hand_ < BucketIndex::kPlacesEnd;
  } while (goes_on && found_.size() < wanted);
  if (!goes_on) hand_ = 0;
  for (const Entry* entry : found_) __builtin_prefetch(entry, 1);
  return goes_on;
}

// The items of the deadlines name places: several may name one, and a place have several entries.
// Neighbours among them often came together, so they are drawn.
void PartitionTable::gather_expiring(Eviction& eviction, EvictionOrder order) {
  if (order == EvictionOrder::kSoonest) gather_soonest();
  const size_t items = deadlines_.item_count();
  const size_t looked = std::min(items, kExpiringSample);
  for (size_t i = 0; i < looked; ++i) {
    const size_t drawn = items == looked ? i : shared_->next_random() % items;
    index_.collect_place(deadlines_.item(drawn).place, found_);
  }
  eviction.buckets += 1 + looked / kPlacesPerBucket;
  std::sort(found_.begin(), found_.end());
  found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
  std::erase_if(found_, [](const Entry* entry) {
    return !entry->has(Entry::kLive) || !entry->has(Entry::kDeadline);
  });
}

// The first items of the heap are early ones, where they tell the truth.
void PartitionTable::gather_soonest() {
  deadlines_.settle_first();
  std::vector<Entry*> at_place;
  for (size_t i = 0; i < std::min(deadlines_.item_count(), kSoonestLooked); ++i) {
    const ExpiryHeap::Item item = deadlines_.item(i);
    at_place.clear();
    index_.collect_place(item.place, at_place);
    for (Entry* entry : at_place) {
      if (entry->deadline_ms() == item.deadline_ms) found_.push_back(entry);
    }
  }
}

uint64_t PartitionTable::rank_of(const Entry& entry, EvictionOrder order) {
  if (is_tombstone(entry)) return 0;
  switch (order) {
    case EvictionOrder::kLeastRecent:
      return entry.has(Entry::kReferenced) ? 2 : 1;
    case EvictionOrder::kLeastFrequent:
      return 1 + (uses_ == nullptr ? uint64_t{0} : uses_->count_of(entry, minute()));
    case EvictionOrder::kRandom:
      return 1 + (shared_->next_random() >> 1);
    case EvictionOrder::kSoonest:
      return 1 + entry.deadline_ms();
  }
  return 1;
}

void PartitionTable::drop_unused(Eviction& eviction, EvictionJudge fn) {
  for (Entry* entry : found_) {
    const bool used = entry->has(Entry::kReferenced) && !is_tombstone(*entry);
    entry->set(Entry::kReferenced, false);
    // A large one would be gone before anybody read it: it is seldom met, and makes much room.
    const bool in_haste = eviction.past_limit && !entry->has(Entry::kApart);
    if (!used || in_haste) drop(entry, eviction, fn);
  }
}

// One of each kSample that were found; where the limit is passed, more haste is better.
void PartitionTable::drop_first(Eviction& eviction, EvictionJudge fn) {
  const auto later = [](const Ranked& a, const Ranked& b) { return a.rank > b.rank; };
  std::make_heap(ranked_.begin(), ranked_.end(), later);
  const size_t of = eviction.past_limit ? kHastySample : kSample;
  size_t left = std::max<size_t>(ranked_.size() / of, 1);
  while (left > 0 && !ranked_.empty()) {
    std::pop_heap(ranked_.begin(), ranked_.end(), later);
    if (drop(ranked_.back().entry, eviction, fn)) --left;
    ranked_.pop_back();
  }
}

bool PartitionTable::drop(Entry* entry, Eviction& eviction, EvictionJudge fn) {
  KVORUM_CHECK(!entry->has(Entry::kAbsent));  // without a store there are no marks
  ++eviction.shown;
  const Position place{position_of_place(entry->place()), 0};
  const RecordChange change = fn(KeyRef{entry->key(), place, keyspace_}, entry->record());
  if (change.action != RecordChange::Action::kErase) return false;
  eviction.freed_bytes += EntryPool::class_bytes(entry->size()) + entry->bytes_apart();
  apply_swept(entry, change);
  ++eviction.dropped;
  return true;
}

}  // namespace kvorum::engine
