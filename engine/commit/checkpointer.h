// SPDX-License-Identifier: Apache-2.0
// The thread that makes the checkpoints of a table with a journal. It goes as fast as the journal
// fills, so that the store beneath is written evenly and no write finds the journal full; a
// checkpoint that nothing hurries takes kSlowest, and one that writes wait for does not rest. Owned
// by a Committer.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "base/mutex.h"
#include "engine/commit/checkpoint.h"
#include "engine/journal/journaled_store.h"
#include "engine/table/object_table.h"

namespace kvorum::engine {

class Checkpointer {
 public:
  struct Options {
    uint32_t retry_ms = 1000;  // after the store beneath failed
    // Called on its thread where a step failed, and with ok once it goes on.
    std::function<void(const Status&)> on_trouble = {};
  };

  // `table` has a journal, and outlives it.
  Checkpointer(ObjectTable* table, Options options);
  ~Checkpointer();  // where a checkpoint is under way, it stays so

  // A round was committed. By the thread that commits.
  void note_round();
  // How long the next round has to wait, because the journal fills faster than it is emptied.
  std::chrono::milliseconds slow_down() const;
  // The last call: ends the thread, then puts everything below. Nobody commits any more. False
  // where it could not be done; then it stands in the journal.
  bool finish();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kSlowest = std::chrono::seconds(30);
  static constexpr auto kPause = std::chrono::milliseconds(5);
  static constexpr auto kSlowDownMax = std::chrono::milliseconds(50);
  static constexpr size_t kBatchBytes = 512 * 1024;
  // A checkpoint has ended when so much of the journal was written meanwhile.
  static constexpr uint64_t kJournalShare = 6;

  static void on_begun(void* self) { static_cast<Checkpointer*>(self)->note_begun(); }
  void note_begun();
  bool is_begun() const { return table_->directory().shared().epochs.now().pending != 0; }
  void run();
  bool wait_for_checkpoint();
  void wait(Clock::duration time);
  bool rest();
  void make_checkpoint();
  bool is_ahead(Clock::time_point begun_at, uint64_t appended_at) const;
  void note_fault(const Status& failure);
  bool recover(const Status& failure);
  bool complete();
  bool stopping() {
    const MutexLock guard(mutex_);
    return stopping_;
  }

  ObjectTable* const table_;
  JournaledStore* const journal_;
  const Options options_;
  Checkpoint checkpoint_;  // of the thread, and of finish()
  Mutex mutex_;
  ConditionVariable wake_;
  std::atomic<bool> asleep_{false};
  bool stopping_ KVORUM_GUARDED_BY(mutex_) = false;
  bool noted_ KVORUM_GUARDED_BY(mutex_) = false;  // note_round() was called while it slept
  std::thread thread_;                            // the last: it uses all the others
};

}  // namespace kvorum::engine
