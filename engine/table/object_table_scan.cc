// SPDX-License-Identifier: Apache-2.0
// Walking a partition in position order: scan() and sweep(). The lock is held for one bucket at a
// time; between buckets the walk goes on by place, so growth and updates in between do no harm.
#include <algorithm>

#include "engine/table/object_table.h"
#include "engine/table/object_table_impl.h"

namespace kvorum::engine {
namespace {

constexpr size_t kLongBucketStretch = 64;  // entries of a long bucket under one lock

struct Shown {
  KeyRef key;
  Entry* entry;
};

// The entries that hold a record and stand at or behind `from`, in the order of positions.
void sort_shown(const PartitionTable& table, const std::vector<Entry*>& entries, uint64_t from,
                std::vector<Shown>& shown) {
  shown.clear();
  for (Entry* entry : entries) {
    if (entry->has(Entry::kAbsent)) continue;
    const KeyRef key = table.key_of(*entry);
    if (key.position.high >= from) shown.push_back({key, entry});
  }
  std::sort(shown.begin(), shown.end(), [](const Shown& a, const Shown& b) {
    if (a.key.position.high != b.key.position.high) {
      return a.key.position.high < b.key.position.high;
    }
    return a.key.key < b.key.key;
  });
}

// The place to begin at, or kPlacesEnd where `from` is behind this partition.
uint64_t first_place(const PartitionTable& table, Position from, uint32_t partition, int bits) {
  if (partition_of(from, bits) > partition) return BucketIndex::kPlacesEnd;
  if (partition_of(from, bits) < partition) return 0;
  return table.place_of({{}, from, 0}).place;
}

}  // namespace

ScanEnd ObjectTable::scan(const ScanRange& range, FunctionRef<void(const ScanItem&)> fn) const {
  PartitionTable* table = impl_->find(range.keyspace, range.partition);
  if (table == nullptr) {
    return {impl_->absent_is_known() ? Access::kDone : Access::kNotResident, true, {}};
  }
  std::vector<Entry*> entries;
  std::vector<Shown> shown;
  size_t count = 0;
  uint64_t place = first_place(*table, range.from, range.partition, partition_bits());
  while (place < BucketIndex::kPlacesEnd) {
    if (range.end != 0 && table->position_of_place(place) >= range.end) break;
    const std::lock_guard guard(table->lock());
    const bool complete = table->complete();
    if (count > 0 && (count >= range.count_min || !complete)) {
      return {Access::kDone, false, {table->position_of_place(place), 0}};
    }
    if (!complete) return {Access::kNotResident, false, range.from};
    entries.clear();
    place =
        table->index().collect_bucket(static_cast<uint32_t>(place), kLongBucketStretch, entries);
    sort_shown(*table, entries, range.from.high, shown);
    if (range.end != 0) {
      std::erase_if(shown, [&](const Shown& item) { return item.key.position.high >= range.end; });
    }
    for (const Shown& item : shown) fn({item.key, item.entry->record()});
    count += shown.size();
  }
  return {};
}

bool ObjectTable::sweep(uint8_t keyspace, uint32_t partition,
                        FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn) {
  PartitionTable* table = impl_->find(keyspace, partition);
  if (table == nullptr) return impl_->absent_is_known();
  bool all = true;
  std::vector<Entry*> entries;
  std::vector<Shown> shown;
  for (uint64_t place = 0; place < BucketIndex::kPlacesEnd;) {
    PartitionTable::Outcome outcome;
    {
      const std::lock_guard guard(table->lock());
      if (failed()) return false;
      all &= table->complete();
      entries.clear();
      place =
          table->index().collect_bucket(static_cast<uint32_t>(place), kLongBucketStretch, entries);
      sort_shown(*table, entries, 0, shown);
      for (const Shown& item : shown) {
        const RecordChange change = fn(item.key, item.entry->record());
        outcome.turned_dirty |= table->apply_swept(item.entry, change).turned_dirty;
      }
    }
    impl_->after_update(outcome);
  }
  return all;
}

}  // namespace kvorum::engine
