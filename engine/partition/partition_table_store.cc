// SPDX-License-Identifier: Apache-2.0
// The part of PartitionTable that only a table with a store needs: dirty lists, eviction, loading.
#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"
#include "engine/partition/partition_table.h"
#include "engine/partition/record_codec.h"
#include "engine/store/store.h"

namespace kvorum::engine {
namespace {

constexpr int kEvictionBuckets = 8;
constexpr size_t kLongBucketStretch = 32;
constexpr size_t kEncodedUnderLockMax = 64;
constexpr uint64_t kEncodedBytesUnderLockMax = 256 * 1024;

}  // namespace

void PartitionTable::warm(const KeyRef& key, const RecordChange& found, bool resident) {
  counts_ += {uint64_t{found.live}, uint64_t{found.live && found.deadline_ms != 0}, 1};
  oldest_changed_ = std::min(oldest_changed_, found.oldest_changed);
  tree_.fold(place_of(key).place, found.digest_change);
  KVORUM_DEBUG_CHECK(index_.find(place_of(key)) == nullptr && counts_.hold());
  if (!resident) return;
  ++resident_count_;
  write_record(place_of(key), nullptr, found)->set(Entry::kStored);
  publish();
}

void PartitionTable::warm_journaled(const KeyRef& key, const RecordChange* found) {
  Entry* entry;
  if (found != nullptr) {
    warm(key, *found, true);
    entry = index_.find(place_of(key));
  } else {
    entry = write_record(place_of(key), nullptr, {});
    entry->set(Entry::kAbsent);
    entry->set(Entry::kStored);
    publish();
  }
  KVORUM_CHECK(entry != nullptr);
  mark_epoch(entry, shared_->epochs.now().current);
}

void PartitionTable::install(const KeyRef& key, const RecordChange* found) {
  const KeyPlace at = place_of(key);
  if (find(at) != nullptr) return;
  if (found != nullptr) ++resident_count_;
  Entry* entry = write_record(at, nullptr, found == nullptr ? RecordChange{} : *found);
  entry->set(Entry::kAbsent, found == nullptr);
  entry->set(Entry::kStored, found != nullptr);
  entry->set(Entry::kReferenced);
  publish();
}

PartitionTable::Outcome PartitionTable::forget(const KeyRef& key, const FileReference& file) {
  Outcome outcome;
  const KeyPlace at = place_of(key);
  if (find(at) != nullptr) return outcome;
  Entry* entry = write_record(at, nullptr, {});
  entry->set(Entry::kAbsent);
  entry->set(Entry::kStored);
  outcome.result.ticket = mark_dirty(entry, at.tag, &outcome.turned_dirty);
  if (file.exists()) shared_->filing->part_with(file, outcome.result.ticket);
  publish();
  return outcome;
}

bool PartitionTable::rewrite(Entry* entry) {
  bool turned_dirty = false;
  if (!entry->has(Entry::kDirty)) mark_dirty(entry, place_of(entry).tag, &turned_dirty);
  return turned_dirty;
}

bool PartitionTable::rewrite_all() {
  bool turned_dirty = false;
  for (uint64_t place = 0; place < BucketIndex::kPlacesEnd;) {
    std::vector<Entry*> entries;
    place = index_.collect_bucket(static_cast<uint32_t>(place), kLongBucketStretch, entries);
    for (Entry* entry : entries) turned_dirty |= rewrite(entry);
  }
  return turned_dirty;
}

void PartitionTable::evict_some() {
  for (int bucket = 0; bucket < kEvictionBuckets; ++bucket) {
    found_.clear();
    hand_ = index_.collect_bucket(static_cast<uint32_t>(hand_), kLongBucketStretch, found_);
    if (hand_ >= BucketIndex::kPlacesEnd) hand_ = 0;
    for (Entry* entry : found_) {
      const bool held = planted(PlantedBug::kEvictJournaled)
                            ? entry->has(Entry::kDirty) || in_flight(*entry)
                            : is_held(*entry);
      if (is_tombstone(*entry) || held) continue;
      if (entry->has(Entry::kReferenced)) {
        entry->set(Entry::kReferenced, false);
        continue;
      }
      if (!entry->has(Entry::kAbsent)) {
        KVORUM_CHECK(resident_count_ > 0);
        --resident_count_;
      }
      ++departures_;
      remove(entry);
    }
  }
  publish();
}

bool PartitionTable::in_flight(const Entry& entry) const {
  return entry.has(Entry::kWriting) &&
         entry.batch_number() == shared_->batch_in_flight.load(std::memory_order_relaxed);
}

Ticket PartitionTable::pending_ticket(const Entry& entry) const {
  if (entry.has(Entry::kDirty)) {
    return entry.has(Entry::kDirtyOdd) == odd_ ? dirty_ticket_ : taken_ticket_;
  }
  return in_flight(entry) ? taken_ticket_ : 0;
}

Ticket PartitionTable::mark_dirty(Entry* entry, uint16_t tag, bool* turned_dirty) {
  if (entry->has(Entry::kDirty)) return pending_ticket(*entry);
  entry->set(Entry::kDirty);
  entry->set(Entry::kDirtyOdd, odd_);
  dirty_.push_back({entry->place(), tag});
  if (!queued_) {
    queued_ = true;
    const Ticket ticket = shared_->dirty.push(this, turned_dirty);
    KVORUM_CHECK(ticket > dirty_ticket_ && ticket > taken_ticket_);
    dirty_ticket_ = ticket;
  }
  return dirty_ticket_;
}

void PartitionTable::begin_round(Ticket ticket) {
  KVORUM_CHECK(taken_.empty() && queued_);
  KVORUM_CHECK(ticket == dirty_ticket_ && ticket > taken_ticket_);
  taken_.swap(dirty_);
  for (const DirtyPlace& dirty : taken_) index_.prefetch_bucket(dirty.place);
  taken_ticket_ = ticket;
  odd_ = !odd_;
  queued_ = false;
}

void PartitionTable::prefetch_taken() const {
  const size_t count = std::min(taken_.size(), kEncodedUnderLockMax);
  for (size_t at = taken_.size() - count; at < taken_.size(); ++at) {
    index_.prefetch_entry(taken_[at].place, taken_[at].tag);
  }
}

void PartitionTable::append_change(StoreBatch& batch, const Entry& entry) const {
  const bool erase = entry.has(Entry::kAbsent);
  batch.begin_change(erase);
  append_open_store_key(batch.buffer(), keyspace_, entry.key());
  batch.end_key();
  if (erase) return;
  const RecordView record = entry.record();
  const FileReference file = entry.file();
  if (file.exists()) put_file_reference(batch.buffer(), file);
  shared_->options.codec->to_portable(record, batch.buffer());
  if (record.body != nullptr && !file.exists()) batch.set_tail(*record.body);
}

bool PartitionTable::encode_some(StoreBatch& batch) {
  const size_t bytes_before = batch.bytes();
  const uint32_t batch_number = shared_->batch_in_flight.load(std::memory_order_relaxed);
  KVORUM_CHECK(batch_number < Entry::kBatchNumbers);  // a round is under way
  const bool journaled = shared_->options.journal != nullptr;
  const uint8_t epoch = shared_->epochs.now().current;
  for (size_t count = 0; count < kEncodedUnderLockMax && !taken_.empty(); ++count) {
    if (batch.bytes() - bytes_before > kEncodedBytesUnderLockMax) break;
    found_.clear();
    index_.collect_tagged(taken_.back().place, taken_.back().tag, found_);
    taken_.pop_back();
    for (Entry* entry : found_) {
      if (!entry->has(Entry::kDirty) || entry->has(Entry::kDirtyOdd) == odd_) continue;
      tree_.note_change(entry->place());
      append_change(batch, *entry);
      entry->set(Entry::kDirty, false);
      entry->set_writing(batch_number);
      if (journaled) mark_epoch(entry, epoch);
    }
  }
  return !taken_.empty();
}

void PartitionTable::forget_erased(const KeyRef& key) {
  KVORUM_CHECK(has_store());
  Entry* entry = index_.find(place_of(key));
  if (entry == nullptr || !entry->has(Entry::kAbsent)) return;
  if (entry->has(Entry::kDirty) || in_flight(*entry)) return;
  // With a journal the store may still have it: then a checkpoint erases it there.
  const bool stored = entry->has(Entry::kStored) || doubts_stored_;
  if (stored && is_journaled(*entry)) return;
  ++departures_;
  remove(entry);
  publish();
}

void PartitionTable::redirty(const KeyRef& key) {
  const KeyPlace at = place_of(key);
  Entry* entry = index_.find(at);
  KVORUM_CHECK(entry != nullptr);  // it was in flight, so it was not evicted
  bool turned_dirty = false;       // the store failed: recover() will tell
  mark_dirty(entry, at.tag, &turned_dirty);
}

void PartitionTable::redirty_taken() {
  bool turned_dirty = false;
  std::vector<DirtyPlace> places;
  places.swap(taken_);
  for (const DirtyPlace& dirty : places) {
    found_.clear();
    index_.collect_tagged(dirty.place, dirty.tag, found_);
    for (Entry* entry : found_) {
      if (!entry->has(Entry::kDirty) || entry->has(Entry::kDirtyOdd) == odd_) continue;
      entry->set(Entry::kDirty, false);
      mark_dirty(entry, dirty.tag, &turned_dirty);
    }
  }
}

bool PartitionTable::write_tree_page(std::string& page) {
  if (!tree_.begin_page()) return false;
  for (const DirtyPlace& dirty : dirty_) tree_.note_change(dirty.place);
  tree_.write_page(page);
  return true;
}

}  // namespace kvorum::engine
