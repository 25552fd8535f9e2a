// SPDX-License-Identifier: Apache-2.0
#include "engine/commit/checkpoint_walk.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"

namespace kvorum::engine {

void CheckpointWalk::begin() {
  tables_.clear();
  erased_.clear();
  table_ = 0;
  place_ = 0;
  directory_.for_each([this](PartitionTable& table) { tables_.push_back(&table); });
  std::sort(tables_.begin(), tables_.end(), [](const PartitionTable* a, const PartitionTable* b) {
    return a->tree_place() < b->tree_place();
  });
  if (planted(PlantedBug::kSkipPartition) && !tables_.empty()) tables_.pop_back();
}

bool CheckpointWalk::next(StoreBatch& batch, size_t bytes_max) {
  KVORUM_CHECK(batch.empty());
  while (table_ < tables_.size() && batch.bytes() < bytes_max) {
    PartitionTable& table = *tables_[table_];
    const size_t first = batch.size();
    {
      const SpinLockGuard guard(table.lock());
      place_ = table.is_checkpointed() ? BucketIndex::kPlacesEnd
                                       : table.encode_checkpoint(place_, batch);
    }
    bool erased = false;
    for (size_t at = first; at < batch.size() && !erased; ++at) erased = batch[at].erase;
    if (erased && (erased_.empty() || erased_.back() != &table)) erased_.push_back(&table);
    if (place_ < BucketIndex::kPlacesEnd) continue;
    ++table_;
    place_ = 0;
  }
  fill_positions(batch, directory_.options().partitioner);
  batch.sort();
  return !batch.empty() || table_ < tables_.size();
}

double CheckpointWalk::progress() const {
  if (tables_.empty()) return 1;
  const double part = static_cast<double>(place_) / static_cast<double>(BucketIndex::kPlacesEnd);
  return (static_cast<double>(table_) + part) / static_cast<double>(tables_.size());
}

void CheckpointWalk::end() {
  for (PartitionTable* table : erased_) {
    for (uint64_t place = 0; place < BucketIndex::kPlacesEnd;) {
      const SpinLockGuard guard(table->lock());
      place = table->forget_checkpointed(place);
    }
  }
  erased_.clear();
}

}  // namespace kvorum::engine
