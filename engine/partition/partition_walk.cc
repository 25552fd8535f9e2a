// SPDX-License-Identifier: Apache-2.0
#include "engine/partition/partition_walk.h"

#include <algorithm>
#include <mutex>

namespace kvorum::engine {
namespace {

constexpr size_t kLongBucketStretch = 64;  // entries of a long bucket under one lock

}  // namespace

PartitionWalk::PartitionWalk(const PartitionTable& table, Position from)
    : table_(table), from_(from.high), place_(table.place_from(from)) {}

std::vector<PartitionWalk::Shown>& PartitionWalk::next() {
  entries_.clear();
  shown_.clear();
  place_ =
      table_.index().collect_bucket(static_cast<uint32_t>(place_), kLongBucketStretch, entries_);
  for (Entry* entry : entries_) {
    if (entry->has(Entry::kAbsent)) continue;
    const KeyRef key = table_.key_of(*entry);
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
    if (range.end != 0 && walk.position() >= range.end) break;
    const std::lock_guard guard(table.lock());
    const bool complete = table.complete();
    if (count > 0 && (count >= range.count_min || !complete)) {
      return {Access::kDone, false, {walk.position(), 0}};
    }
    if (!complete) return {Access::kNotResident, false, range.from};
    for (const PartitionWalk::Shown& item : walk.next()) {
      if (range.end != 0 && item.key.position.high >= range.end) break;
      fn({item.key, item.entry->record()});
      ++count;
    }
  }
  return {};
}

}  // namespace kvorum::engine
