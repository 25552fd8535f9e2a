// SPDX-License-Identifier: Apache-2.0
// The commit thread of a leveldb node: waits until the table is dirty, writes one batch for all
// reactors, syncs as the policy says (by interval on a thread of its own: sync_thread.h) and tells
// each reactor once per round. A store that failed is reopened, one that is damaged salvaged. Also
// owns the store threads that load objects. Started and stopped by the server; the simulator has
// its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/work_threads.h"
#include "engine/commit/checkpointer.h"
#include "engine/commit/sync_thread.h"
#include "engine/table/object_table.h"

namespace kvorum::engine {

// kBuffered is kInterval to the engine: who acknowledges what sooner is cluster/'s business
// (CoordinatorOptions::buffers_writes).
enum class SyncPolicy : uint8_t { kAlways, kInterval, kNever, kBuffered };

constexpr bool syncs_by_interval(SyncPolicy policy) {
  return policy == SyncPolicy::kInterval || policy == SyncPolicy::kBuffered;
}

struct CommitterOptions {
  SyncPolicy sync = SyncPolicy::kInterval;
  uint32_t sync_interval_ms = 1000;
  // Rounds wait for a sync by interval that lasts so long: else a power cut would take more and
  // more (Redis waits as long).
  uint32_t sync_late_ms = 2000;
  uint32_t reopen_retry_ms = 1000;
  // Between two passes over the hash trees that the table keeps (TreeAccess::keep).
  uint32_t keep_trees_ms = 10'000;
  // Called on the commit thread after each round: (committed ticket, status of the round).
  std::function<void(Ticket, const Status&)> on_round = {};
  // Damage is mended by Store::salvage() at once; else that waits for the next start.
  bool salvages = false;
  // Called on the commit thread with what was done.
  std::function<void(const std::string&)> on_salvage = {};
  // With a journal: called on the thread that makes checkpoints where the store beneath fails, and
  // with ok once it does not. Commits go on.
  std::function<void(const Status&)> on_checkpoint_trouble = {};
};

class Committer {
 public:
  Committer(ObjectTable* table, Store* store, CommitterOptions options);
  ~Committer();  // commits and syncs what is dirty, then joins

  // Queues work for the store threads (loads, scans of partitions that are not complete).
  void run_on_store_thread(std::function<void()> work) { store_threads_.add(std::move(work)); }
  // The same for loads that write large files first (StoreReader::awaits_file): other loads do not
  // wait behind megabytes.
  void run_on_file_thread(std::function<void()> work) { file_threads_.add(std::move(work)); }

  uint64_t rounds() const { return rounds_.load(std::memory_order_relaxed); }
  uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kStoreThreads = 2;
  static constexpr int kFileThreads = 2;

  static void on_dirty(void* self);
  static void wake(void* self);
  void wake_if_asleep();

  // Of the commit thread.
  void commit_loop();
  bool wait_for_work();
  bool has_work() const KVORUM_REQUIRES(mutex_) {
    return stopping_ || sync_ended_ || table_->commits().has_dirty() || is_damaged() ||
           table_->commits().checkpoint_is_due();
  }
  std::optional<Clock::time_point> next_due() const;
  bool round();
  void fail_round(const Status& status);
  bool trees_are_due(bool stop) const;
  bool keep_trees(bool stop);
  bool sync_is_due(bool stop) const;
  bool sync(bool stop);
  bool end_sync(bool stop);
  bool note_sync(const SyncThread::Done& done);
  void fail(const Status& status, bool of_sync = false);
  bool is_damaged() const { return options_.salvages && table_->store_health().damaged(); }
  void stop_for_damage();
  bool reopen();
  bool recover_store(bool* told);

  ObjectTable* const table_;
  Store* const store_;
  const CommitterOptions options_;
  std::atomic<uint64_t> rounds_{0};
  std::atomic<uint64_t> failures_{0};

  Mutex mutex_;
  ConditionVariable wake_;
  std::atomic<bool> asleep_{false};  // while the commit thread waits and was not woken
  bool stopping_ KVORUM_GUARDED_BY(mutex_) = false;
  bool sync_ended_ KVORUM_GUARDED_BY(mutex_) = false;  // the thread beside has an outcome
  bool unsynced_ = false;                              // of the commit thread, as are the next two
  Clock::time_point sync_due_;  // with the interval policy, while something is not synced
  Clock::time_point trees_due_;
  std::optional<SyncThread> beside_;          // with the interval policy
  std::optional<Checkpointer> checkpointer_;  // with a journal

  WorkThreads store_threads_{kStoreThreads};
  WorkThreads file_threads_{kFileThreads};
  std::thread commit_thread_;  // last: it uses all the others
};

}  // namespace kvorum::engine
