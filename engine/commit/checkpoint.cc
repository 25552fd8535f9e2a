// SPDX-License-Identifier: Apache-2.0
#include "engine/commit/checkpoint.h"

#include <utility>

#include "base/check.h"
#include "engine/journal/journaled_store.h"

namespace kvorum::engine {

Checkpoint::Checkpoint(ObjectTable& table)
    : directory_(table.directory()),
      commits_(table.commits()),
      journal_(*table.journal()),
      walk_(table.directory()) {}

// What goes below is what was journaled before the checkpoint began: from here on it is synced.
Status Checkpoint::begin() {
  KVORUM_CHECK(journal_.checkpoint_runs() && directory_.shared().epochs.now().pending != 0);
  generation_ = journal_.generation();
  walk_.begin();
  return journal_.sync();
}

auto Checkpoint::put_objects(size_t bytes_max) -> Result<Step> {
  if (walk_.next(batch_, bytes_max)) {
    Status status = batch_.empty() ? Status() : journal_.put_below(batch_);
    batch_.clear();
    if (!status.ok()) return status;
    return Step::kMore;
  }
  // Those that were dirty when the walk came by are in old segments of the journal alone, until
  // the round that takes them.
  awaited_ = commits_.issued();
  journal_.let_through();
  at_ = At::kCommits;
  return Step::kAwaitsCommits;
}

auto Checkpoint::end() -> Result<Step> {
  Status status = journal_.sync();
  if (status.ok()) status = journal_.end_checkpoint(generation_);
  if (!status.ok()) return status;
  directory_.shared().epochs.end();
  walk_.end();
  at_ = At::kBegin;
  return Step::kDone;
}

auto Checkpoint::advance(size_t bytes_max) -> Result<Step> {
  Result<Step> done = Step::kMore;
  switch (at_) {
    case At::kBegin: {
      at_ = At::kObjects;
      if (Status status = begin(); !status.ok()) done = status;
      break;
    }
    case At::kObjects:
      done = put_objects(bytes_max);
      break;
    case At::kCommits:
      if (commits_.committed() < awaited_) return Step::kAwaitsCommits;
      at_ = At::kEnd;
      break;
    case At::kEnd:
      done = end();
      break;
  }
  if (!done.ok()) at_ = At::kBegin;
  return done;
}

}  // namespace kvorum::engine
