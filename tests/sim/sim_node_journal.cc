// SPDX-License-Identifier: Apache-2.0
// A node's stores with their journals, and the checkpoints, as server/storage/node_stores.cc and
// engine/commit/checkpointer.cc make them: here each step is an event, so that a node may die
// between any two.
#include "base/check.h"
#include "tests/sim/sim_journal.h"
#include "tests/sim/sim_node.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kRetryUs = 200'000;
constexpr uint64_t kAwaitUs = 2000;
constexpr uint64_t kStepBytesMax = 4096;
constexpr double kTorn = 0.3;

}  // namespace

// False where the disk fails, or the process dies in the midst of it.
bool SimNode::open_stores(bool* damaged) {
  for (CommitLine* line : {&object_line_, &hint_line_}) {
    *line = {this, line->hinted};
    SimDisk& disk = line->hinted ? hint_disk_ : disk_;
    const bool journaled = !world_.swarm.journal_later || session_ > 1;
    auto below = std::make_unique<SimStore>(&disk, !journaled);
    if (!journaled) {
      line->store = std::move(below);  // as a release without journals does
      continue;
    }
    engine::JournalOptions options;
    options.capacity_bytes = world_.swarm.journal_bytes;
    options.fresh_id = rng_.next();
    options.waits_for_room = false;
    options.keeps_damaged = !world_.swarm.is_replicated();
    if (!line->hinted) options.salvage_erases = server::clean_stop_key();
    if (!line->hinted) options.written_through = server::identity_key();
    std::string damage;
    auto opened = engine::JournaledStore::open(options, std::make_unique<SimJournalDisk>(&disk),
                                               std::move(below), &damage);
    if (!opened.ok()) {
      rng_.chance(0.5) ? disk.lose_power() : disk.lose_memory();
      return false;
    }
    if (!damage.empty()) world_.trace.note(world_.queue.now_us(), {"journal-damage", index_});
    if (!damage.empty() && !disk.was_damaged()) {
      world_.violations.push_back("a journal that nobody damaged is found damaged: " + damage);
    }
    if (!line->hinted) *damaged |= !damage.empty();
    disk.set_journal_found_damaged();
    line->journal = opened.value().get();
    line->store = std::move(opened).value();
  }
  return true;
}

// After a round, which may have begun a checkpoint within.
void SimNode::look_at_journal(CommitLine& line) {
  if (!line.journal) return;
  engine::CommitQueue& commits = line.table().commits();
  if (commits.checkpoint_is_due() && !line.table().store_health().failed()) {
    commits.begin_checkpoint();
  }
  if (line.journal->checkpoint_runs()) schedule_step(line, world_.swarm.disk.commit_delay_us);
}

// After the store was reopened or salvaged.
void SimNode::settle_doubt(CommitLine& line) {
  if (line.journal && line.journal->take_doubt()) line.table().commits().write_journaled_again();
}

void SimNode::schedule_step(CommitLine& line, uint64_t delay_us) {
  if (line.step_scheduled) return;
  line.step_scheduled = true;
  later(rng_.below(delay_us + 1), [this, &line] { step_checkpoint(line); });
}

void SimNode::step_checkpoint(CommitLine& line) {
  line.step_scheduled = false;
  if (!line.journal->checkpoint_runs()) return;
  const auto step = line.checkpoint->advance(1 + rng_.below(kStepBytesMax));
  if (!step.ok()) return recover_checkpoint(line, step.status());
  if (step.value() == engine::Checkpoint::Step::kDone) return;
  const bool awaits = step.value() == engine::Checkpoint::Step::kAwaitsCommits;
  schedule_step(line, awaits ? kAwaitUs : world_.swarm.disk.commit_delay_us);
}

void SimNode::recover_checkpoint(CommitLine& line, const Status& failure) {
  static_cast<void>(line.table().store_health().note_read(failure));
  salvage_if_damaged();
  later(kRetryUs, [this, &line] {
    const Status status = line.journal->recover_below();
    status.ok() ? schedule_step(line, kRetryUs) : recover_checkpoint(line, status);
  });
}

// At a clean stop, behind the last commit. What could not be put below stays in the journal.
void SimNode::finish_checkpoints() {
  for (CommitLine* line : {&object_line_, &hint_line_}) {
    if (line->journal && complete_checkpoint(*line) && line->journal->holds_objects()) {
      line->table().commits().begin_checkpoint();
      complete_checkpoint(*line);
    }
  }
}

bool SimNode::complete_checkpoint(CommitLine& line) {
  while (line.journal->checkpoint_runs()) {
    const auto step = line.checkpoint->advance(kStepBytesMax);
    if (!step.ok() || (step.value() == engine::Checkpoint::Step::kAwaitsCommits &&
                       line.table().commits().has_dirty())) {
      return false;
    }
  }
  return true;
}

bool SimNode::close_journals() {
  for (const CommitLine* line : {&object_line_, &hint_line_}) {
    if (line->journal && !line->journal->close().ok()) return false;
  }
  return true;
}

// The process dies while it writes a batch: half of that is there.
void SimNode::tear_batch() {
  for (CommitLine* line : {&object_line_, &hint_line_}) {
    if (!line->journal || !line->table().commits().has_dirty() || !rng_.chance(kTorn)) continue;
    engine::testing::JournalMedium& medium = (line->hinted ? hint_disk_ : disk_).journal();
    medium.fail_writes = 1;
    static_cast<void>(line->table().commits().commit(false));
    medium.fail_writes = 0;
  }
}

}  // namespace kvorum::sim
