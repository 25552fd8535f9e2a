// SPDX-License-Identifier: Apache-2.0
// The part of PartitionTable that only a table with a journal needs: what a checkpoint puts into
// the store beneath.
#include "base/check.h"
#include "engine/partition/partition_table.h"

namespace kvorum::engine {
namespace {

// Looked at under the lock at a time.
constexpr size_t kEntriesTogether = 96;
constexpr size_t kLongBucketStretch = 64;
constexpr uint64_t kEncodedBytesUnderLockMax = 256 * 1024;

}  // namespace

void PartitionTable::mark_epoch(Entry* entry, uint8_t epoch) {
  const bool was_marked = entry->journal_epoch() != 0;
  KVORUM_CHECK(marked_ >= uint64_t{was_marked});
  marked_ += uint64_t{epoch != 0} - uint64_t{was_marked};
  entry->set_journal_epoch(epoch);
}

uint64_t PartitionTable::encode_checkpoint(uint64_t place, StoreBatch& batch) {
  const JournalEpochs::Now epochs = shared_->epochs.now();
  KVORUM_CHECK(epochs.pending != 0 && place < BucketIndex::kPlacesEnd);
  const size_t bytes_before = batch.bytes();
  found_.clear();
  while (place < BucketIndex::kPlacesEnd && found_.size() < kEntriesTogether) {
    const size_t first = found_.size();
    place = index_.collect_bucket(static_cast<uint32_t>(place), kLongBucketStretch, found_);
    for (size_t at = first; at < found_.size(); ++at) __builtin_prefetch(found_[at]);
    // Of large objects a few are enough.
    if (batch.bytes() - bytes_before > kEncodedBytesUnderLockMax) break;
  }
  for (Entry* entry : found_) {
    const uint8_t epoch = entry->journal_epoch();
    if (epoch == 0 || epoch == epochs.current) continue;
    if (epoch != epochs.pending) {
      mark_epoch(entry, 0);
      continue;
    }
    // One that changed since is journaled once more before the checkpoint ends.
    if (entry->has(Entry::kDirty)) continue;
    append_change(batch, *entry);
    entry->set(Entry::kStored);
  }
  return place;
}

uint64_t PartitionTable::forget_checkpointed(uint64_t place) {
  found_.clear();
  while (place < BucketIndex::kPlacesEnd && found_.size() < kEntriesTogether) {
    place = index_.collect_bucket(static_cast<uint32_t>(place), kLongBucketStretch, found_);
  }
  for (Entry* entry : found_) {
    if (!entry->has(Entry::kAbsent) || entry->journal_epoch() == 0 || is_held(*entry)) continue;
    ++departures_;
    remove(entry);
  }
  publish();
  return place;
}

bool PartitionTable::rewrite_journaled() {
  bool turned_dirty = false;
  for (uint64_t place = 0; place < BucketIndex::kPlacesEnd;) {
    found_.clear();
    place = index_.collect_bucket(static_cast<uint32_t>(place), kLongBucketStretch, found_);
    for (Entry* entry : found_) {
      if (is_journaled(*entry)) turned_dirty |= rewrite(entry);
    }
  }
  return turned_dirty;
}

}  // namespace kvorum::engine
