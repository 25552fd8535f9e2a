// SPDX-License-Identifier: Apache-2.0
// What a checkpoint puts into the store beneath a journal: the objects of the epoch before the
// current one, in key order. Of the thread that makes checkpoints; updates go on meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/partition/table_directory.h"
#include "engine/store/store.h"

namespace kvorum::engine {

class CheckpointWalk {
 public:
  // It outlives it.
  explicit CheckpointWalk(TableDirectory& directory) : directory_(directory) {}

  // From the first key on.
  void begin();
  // The next batch, sorted, of about so many bytes. False where there was nothing more.
  bool next(StoreBatch& batch, size_t bytes_max);
  // Of the partitions, those that were seen: 0 to 1.
  double progress() const;
  // The checkpoint has ended: that what it erased is in no store is known no more.
  void end();

 private:
  TableDirectory& directory_;
  std::vector<PartitionTable*> tables_;  // in key order
  std::vector<PartitionTable*> erased_;  // of those, some objects were erased
  size_t table_ = 0;                     // where next() goes on
  uint64_t place_ = 0;
};

}  // namespace kvorum::engine
