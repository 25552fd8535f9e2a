// SPDX-License-Identifier: Apache-2.0
#include "engine/partition/partition_walk.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::engine {
std::vector<PartitionWalk::Shown>& PartitionWalk::next(const PartitionTable& table) {
  KVORUM_CHECK(!done());
  entries_.clear();
  shown_.clear();
  place_ =
      table.index().collect_bucket(static_cast<uint32_t>(place_), kLongBucketStretch, entries_);
  for (Entry* entry : entries_) {
    if (entry->has(Entry::kAbsent)) continue;
    const KeyRef key = table.key_of(*entry);
    if (key.position.high >= from_) shown_.push_back({key, entry});
  }
  std::sort(shown_.begin(), shown_.end(), [](const Shown& a, const Shown& b) {
    if (a.key.position.high != b.key.position.high) {
      return a.key.position.high < b.key.position.high;
    }
    return a.key.key < b.key.key;
  });
  return shown_;
}

ScanEnd scan_resident(const PartitionTable& table, const ScanRange& range,
                      FunctionRef<void(const ScanItem&)> fn) {
  size_t count = 0;
  for (PartitionWalk walk(table, range.from); !walk.done();) {
    const uint64_t position = table.position_of_place(walk.place());
    if (range.end != 0 && position >= range.end) break;
    const SpinLockGuard guard(table.lock());
    const bool complete = table.complete();
    if (count > 0 && (count >= range.count_min || !complete)) {
      return {Access::kDone, false, {position, 0}};
    }
    if (!complete) return {Access::kNotResident, false, range.from};
    for (const PartitionWalk::Shown& item : walk.next(table)) {
      if (range.end != 0 && item.key.position.high >= range.end) break;
      fn({item.key, item.entry->record()});
      ++count;
    }
  }
  return {};
}

}  // namespace kvorum::engine
