// SPDX-License-Identifier: Apache-2.0
// A store with a journal before it. What is written is appended to the journal; now and then a
// checkpoint puts what changed into the store beneath, in key order, and then the journal is no
// longer needed from its beginning. Between the two an object is in the table, which keeps it
// (TableOptions::journal), and in the journal; what else is written, the node's own facts, is kept
// here.
//
//   write() --> journal --> ok                    (the thread that commits)
//   begin_checkpoint()                            (the same thread, between two batches)
//   sync(), put_below() ..., end_checkpoint()     (the thread that makes checkpoints)
//
// A checkpoint puts into the store beneath nothing that was not synced in the journal, and the
// journal is given up no sooner than the store beneath was synced. So after a power cut the two
// together are what a prefix of the writes had made, which holds all that was synced.
//
// Threads as in store.h, but that write() may be called by several.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/journal/journal.h"
#include "engine/journal/journal_recovery.h"
#include "engine/journal/journal_stats.h"
#include "engine/store/store.h"

namespace kvorum::engine {

struct JournalOptions {
  uint64_t capacity_bytes = 256 * 1024 * 1024;
  uint64_t fresh_id = 0;  // random
  // write() waits for the end of a checkpoint where the journal is full; else it goes beyond its
  // capacity.
  bool waits_for_room = true;
  bool keeps_damaged = true;        // a copy of a damaged journal, beside it
  bool below_was_salvaged = false;  // when it was opened: what it says of the journal counts not
  std::string salvage_erases;       // as LevelDbOptions has it
  std::string written_through;      // a fact that earlier releases have to see in the store beneath
};

class JournaledStore final : public Store {
 public:
  // Of the capacity, in eighths: a checkpoint begins; writers are slowed down.
  static constexpr uint64_t kDueEighths = 5, kSlowEighths = 7, kEighths = 8;

  // Reads the journal. Where it or the store beneath is damaged, *damage says what was done, as a
  // salvage says it.
  static Result<std::unique_ptr<JournaledStore>> open(const JournalOptions& options,
                                                      std::unique_ptr<JournalDisk> disk,
                                                      std::unique_ptr<Store> below,
                                                      std::string* damage);

  Status write(const StoreBatch& batch, bool sync) override;
  Status sync() override;
  // Of an object that is not in the table: the store beneath has its last version.
  Status read(std::string_view key, std::string* value) const override;
  Status scan(std::string_view begin, std::string_view end,
              FunctionRef<bool(std::string_view key, std::string_view value)> fn) const override;
  Status scan_at_start(std::string_view begin, std::string_view end,
                       FunctionRef<void(const StoredItem& item)> fn) const override;
  void end_start() override;
  Status reopen() override;
  Result<std::string> salvage(const Status& damage) override;

  // A checkpoint is to be begun: the journal is so full, and none is under way.
  bool checkpoint_due() const { return due_.load(std::memory_order_relaxed) && !checkpoint_runs(); }
  bool checkpoint_runs() const { return runs_.load(std::memory_order_acquire); }
  // Nothing was written since the last checkpoint began that only the journal has.
  bool holds_objects() const { return holds_objects_.load(std::memory_order_acquire); }
  // What was written until now belongs to it. After an error none is due for a while.
  Status begin_checkpoint();
  // In key order. After an error recover_below(), and the checkpoint's objects all over again.
  Status put_below(const StoreBatch& batch);
  // All objects of the checkpoint were put below; those that changed since are in the journal
  // again. Its facts follow, and the journal is given up to its beginning.
  // kUnavailable where the store beneath was reopened or salvaged since then: all over again.
  Status end_checkpoint(uint64_t generation);
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  Status recover_below();
  // From the end of a checkpoint's objects on the commits that it waits for find room.
  void let_through();
  // The last call, after a checkpoint that nothing was written behind: the journal is empty then.
  Status close();

  // open() found no journal.
  bool is_new() const { return is_new_; }
  JournalStats stats() const;
  // Whether a sync failed before the last reopen(), so that what was appended may be lost. Once.
  bool take_doubt() { return doubt_.exchange(false, std::memory_order_acq_rel); }
  // How full the journal is above kSlowEighths, 0 to 1: writers are slowed down by it, and that
  // is told to note_slowed().
  double pressure() const;
  void note_slowed(std::chrono::microseconds time) {
    slowed_us_.fetch_add(static_cast<uint64_t>(time.count()), std::memory_order_relaxed);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kBeginAgain = std::chrono::seconds(1);
  struct Fact {
    std::optional<std::string> value;  // nothing: erased
    uint64_t sequence;                 // of its last change
  };
  using Facts = std::map<std::string, Fact, std::less<>>;

  JournaledStore(const JournalOptions& options, std::unique_ptr<JournalDisk> disk,
                 std::unique_ptr<Store> below);
  Status recover(std::string* damage);
  Status write_mark(const JournalMark& mark) KVORUM_REQUIRES(below_mutex_);
  Status put_last(const Facts& facts, const JournalMark& mark) KVORUM_REQUIRES(below_mutex_);
  Status erase_facts(std::string_view key);
  Status append(const StoreBatch& batch, bool sync) KVORUM_REQUIRES(mutex_);
  Status wait_for_room(uint64_t bytes) KVORUM_REQUIRES(mutex_);
  bool is_full_for(uint64_t bytes) const KVORUM_REQUIRES(mutex_);
  Status why_full() const;
  Status begin_epoch() KVORUM_REQUIRES(mutex_);
  Status make_room() KVORUM_REQUIRES(mutex_);
  double pressure_now() const KVORUM_REQUIRES(mutex_);
  Status write_through(const StoreBatch& batch);
  void note_facts(const StoreBatch& batch) KVORUM_REQUIRES(mutex_);
  void note_used() KVORUM_REQUIRES(mutex_);
  Status note_below(Status status);
  void end_trouble();
  // What is here of a range, by key.
  struct Overlay {
    std::string key;
    std::optional<std::string> value;
  };
  std::vector<Overlay> overlay(std::string_view begin, std::string_view end) const;
  using Recovered = std::vector<RecoveredJournal::Change>;
  Recovered::const_iterator first_recovered(std::string_view key) const;

  const JournalOptions options_;
  const std::unique_ptr<JournalDisk> disk_;
  const std::unique_ptr<Store> below_;
  // Both are set by open(). The objects are there until end_start(), by key.
  uint64_t store_id_ = 0;
  bool is_new_ = false;
  Recovered recovered_;

  mutable Mutex sync_mutex_;  // before mutex_; held while slots are synced, or go
  mutable Mutex mutex_;
  ConditionVariable room_;
  Journal journal_ KVORUM_GUARDED_BY(mutex_);
  Facts facts_ KVORUM_GUARDED_BY(mutex_);  // that the store beneath may not have
  bool failed_ KVORUM_GUARDED_BY(mutex_) = false;
  uint64_t refused_bytes_ KVORUM_GUARDED_BY(mutex_) = 0;  // of a write that found no room
  bool lets_through_ KVORUM_GUARDED_BY(mutex_) = false;
  // Of the checkpoint under way: its last sequence, the first segment behind it.
  uint64_t checkpoint_sequence_ KVORUM_GUARDED_BY(mutex_) = 0;
  uint64_t checkpoint_number_ KVORUM_GUARDED_BY(mutex_) = 0;
  uint64_t checkpoints_ KVORUM_GUARDED_BY(mutex_) = 0;
  Clock::time_point begun_at_ KVORUM_GUARDED_BY(mutex_);  // that checkpoint
  Clock::duration last_took_ KVORUM_GUARDED_BY(mutex_){};
  // Changes of objects: in all, and of those up to the checkpoints that began, and that ended.
  uint64_t changes_ KVORUM_GUARDED_BY(mutex_) = 0;
  uint64_t changes_begun_ KVORUM_GUARDED_BY(mutex_) = 0;
  uint64_t changes_ended_ KVORUM_GUARDED_BY(mutex_) = 0;
  std::optional<Clock::time_point> begin_again_at_ KVORUM_GUARDED_BY(mutex_);
  std::optional<Clock::time_point> pressed_since_ KVORUM_GUARDED_BY(mutex_);
  Clock::duration stalled_ KVORUM_GUARDED_BY(mutex_){};
  std::atomic<uint64_t> slowed_us_{0};
  std::atomic<bool> due_{false}, runs_{false}, holds_objects_{false}, doubt_{false};

  mutable Mutex below_mutex_;  // of who writes beneath; before mutex_, where both are held
  std::atomic<uint64_t> generation_{0};
  mutable Mutex trouble_mutex_;  // the last
  // Of the store beneath, until a checkpoint ends.
  Status trouble_ KVORUM_GUARDED_BY(trouble_mutex_);
  bool write_waits_ KVORUM_GUARDED_BY(mutex_) = false;  // for room: a batch may need much
};

}  // namespace kvorum::engine
