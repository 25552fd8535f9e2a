// SPDX-License-Identifier: Apache-2.0
#include "engine/commit/checkpointer.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvorum::engine {

using Step = Checkpoint::Step;

Checkpointer::Checkpointer(ObjectTable* table, Options options)
    : table_(table), journal_(table->journal()), options_(std::move(options)), checkpoint_(*table) {
  KVORUM_CHECK(journal_ != nullptr);
  table_->commits().set_checkpoint_callback(&on_begun, this);
  thread_ = std::thread([this] { run(); });
}

Checkpointer::~Checkpointer() {
  table_->commits().set_checkpoint_callback(nullptr, nullptr);
  if (!thread_.joinable()) return;
  {
    const MutexLock guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

// The round that begins one may be the first that waits for its end.
void Checkpointer::note_begun() {
  const MutexLock guard(mutex_);
  wake_.notify_one();
}

void Checkpointer::note_round() {
  if (!asleep_.load()) return;
  {
    const MutexLock guard(mutex_);
    noted_ = true;
  }
  wake_.notify_one();
}

std::chrono::milliseconds Checkpointer::slow_down() const {
  const double pressure = journal_->pressure();
  return std::chrono::duration_cast<std::chrono::milliseconds>(kSlowDownMax * pressure * pressure);
}

void Checkpointer::run() {
  pthread_setname_np(pthread_self(), "checkpoint");
  while (wait_for_checkpoint()) make_checkpoint();
}

// False where it is time to stop. A checkpoint is begun by its epoch, which comes last.
bool Checkpointer::wait_for_checkpoint() {
  const MutexLock guard(mutex_);
  while (!stopping_ && !is_begun()) wake_.wait(mutex_);
  return !stopping_;
}

// Or until a round was committed.
void Checkpointer::wait(Clock::duration time) {
  const Clock::time_point until = Clock::now() + time;
  const MutexLock guard(mutex_);
  noted_ = false;
  asleep_.store(true);
  while (!stopping_ && !noted_ && wake_.wait_until(mutex_, until)) {
  }
  asleep_.store(false);
}

// However many rounds are committed meanwhile. False where it is time to stop.
bool Checkpointer::rest() {
  const MutexLock guard(mutex_);
  if (!stopping_) wake_.wait_until(mutex_, Clock::now() + kPause);
  return !stopping_;
}

// Whether it may rest: nobody is slowed down until it ends, as after a start with a full journal,
// nor is memory full, and more of it is done than the journal has filled since, and than time
// passed.
bool Checkpointer::is_ahead(Clock::time_point begun_at, uint64_t appended_at) const {
  const JournalStats stats = journal_->stats();
  const TableShared& shared = table_->directory().shared();
  if (stats.pressure > 0 || shared.checkpoint_wanted.load(std::memory_order_relaxed)) return false;
  // One that goes as slowly as it may ends before anybody is slowed down, although a segment that
  // was nearly empty may have been closed when it began.
  static_assert(1.0 / kJournalShare + 1.0 / Journal::kSegmentsInCapacity <=
                static_cast<double>(JournaledStore::kSlowEighths - JournaledStore::kDueEighths) /
                    JournaledStore::kEighths);
  const auto filled = static_cast<double>(stats.appended_bytes - appended_at) /
                      (static_cast<double>(stats.capacity_bytes) / kJournalShare);
  const auto passed = std::chrono::duration<double>(Clock::now() - begun_at) /
                      std::chrono::duration<double>(kSlowest);
  return checkpoint_.progress() > std::max(filled, passed);
}

void Checkpointer::make_checkpoint() {
  const Clock::time_point begun_at = Clock::now();
  const uint64_t appended_at = journal_->stats().appended_bytes;
  while (!stopping()) {
    const Result<Step> step = checkpoint_.advance(kBatchBytes);
    if (!step.ok()) {
      if (!recover(step.status())) return;
    } else if (step.value() == Step::kDone) {
      return;
    } else if (step.value() == Step::kAwaitsCommits) {
      wait(kPause);
    } else {
      while (is_ahead(begun_at, appended_at) && rest()) {
      }
    }
  }
}

// Damage is for the thread that commits, which can salvage. Of kUnavailable it is told elsewhere.
void Checkpointer::note_fault(const Status& failure) {
  if (failure.code() == Code::kCorruption) {
    static_cast<void>(table_->store_health().note_read(failure));
  } else if (failure.code() != Code::kUnavailable) {
    table_->store_health().note_fault(failure, false);
  }
}

// False where it is to stop first.
bool Checkpointer::recover(const Status& failure) {
  note_fault(failure);
  Status status = failure;
  while (!status.ok()) {
    if (options_.on_trouble) options_.on_trouble(status);
    wait(std::chrono::milliseconds(options_.retry_ms));
    if (stopping()) return false;
    status = journal_->recover_below();
    if (status.code() == Code::kCorruption) note_fault(status);
  }
  if (options_.on_trouble) options_.on_trouble({});
  return true;
}

bool Checkpointer::complete() {
  while (journal_->checkpoint_runs()) {
    const Result<Step> step = checkpoint_.advance(kBatchBytes);
    if (!step.ok() || (step.value() == Step::kAwaitsCommits && table_->commits().has_dirty())) {
      return false;
    }
  }
  return true;
}

bool Checkpointer::finish() {
  {
    const MutexLock guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  if (!complete()) return false;
  if (!journal_->holds_objects()) return true;
  table_->commits().begin_checkpoint();
  return journal_->checkpoint_runs() && complete();
}

}  // namespace kvorum::engine
