// SPDX-License-Identifier: Apache-2.0
// A checkpoint of a table with a journal, step by step: the journal is synced, the objects go into
// the store beneath in key order, what changed meanwhile is journaled once more, and the journal is
// given up to where the checkpoint began. CommitQueue begins it; one thread makes the steps.
//
//   CommitQueue::begin_checkpoint() --> advance() ... kMore ... kAwaitsCommits ... --> kDone
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "engine/commit/checkpoint_walk.h"
#include "engine/table/object_table.h"

namespace kvorum::engine {

class Checkpoint {
 public:
  enum class Step : uint8_t { kMore, kAwaitsCommits, kDone };

  // Of a table with a journal, which outlives it.
  explicit Checkpoint(ObjectTable& table);

  // REQUIRES: one is under way. Blocks on I/O. After an error the next call begins it anew; the
  // store beneath has to be reopened first (JournaledStore::recover_below()).
  Result<Step> advance(size_t bytes_max);
  // Of the objects, those that were put below: 0 to 1.
  double progress() const { return at_ == At::kObjects ? walk_.progress() : at_ > At::kObjects; }

 private:
  enum class At : uint8_t { kBegin, kObjects, kCommits, kEnd };
  Status begin();
  Result<Step> put_objects(size_t bytes_max);
  Result<Step> end();

  TableDirectory& directory_;
  CommitQueue& commits_;
  JournaledStore& journal_;
  CheckpointWalk walk_;
  StoreBatch batch_;  // empty between calls
  At at_ = At::kBegin;
  uint64_t generation_ = 0;
  Ticket awaited_ = 0;
};

}  // namespace kvorum::engine
