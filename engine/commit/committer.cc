// SPDX-License-Identifier: Apache-2.0
#include "engine/commit/committer.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/turn_wakes.h"

namespace kvorum::engine {
namespace {

// A pass over the kept trees writes so much at a time: a quarter of a megabyte a second.
constexpr size_t kTreeBytesPerTurn = 64 * 1024;
constexpr auto kTreeTurn = std::chrono::milliseconds(250);

}  // namespace

// The commit thread's life:
//
//          +--- dirty ---> round --ok--> (sync due? begin it) ---+
//   wait --+                 |                                   +--> wait
//     ^    +--- trees due ---|--------------> write some pages --+
//     |    +--- sync due ----|--------------> begin it ----------+
//     |    +--- sync done ---|--------------> note it -----------+
//     |                      | error, also of a sync
//     |                      |        or damage that a read met
//     +--- reopened --- failed: reopen(), or salvage() where it is damaged, every reopen_retry_ms
//
// Syncs by interval are made by a thread beside this one, and rounds go on meanwhile.
//
// `asleep` is true only while the thread waits and nobody woke it: an update pays for a wake-up
// only then, at the end of its thread's turn if that has turns. It and the table's dirty mark are
// sequentially consistent, so that one of both sides sees the other.
Committer::Committer(ObjectTable* table, Store* store, CommitterOptions options)
    : table_(table), store_(store), options_(std::move(options)) {
  KVORUM_CHECK(table_ != nullptr && store_ != nullptr);
  table_->commits().set_dirty_callback(&on_dirty, this);
  trees_due_ = Clock::now() + std::chrono::milliseconds(options_.keep_trees_ms);
  if (syncs_by_interval(options_.sync)) {
    beside_.emplace(store_, [this] {
      const MutexLock guard(mutex_);
      sync_ended_ = true;
      wake_.notify_one();
    });
  }
  if (table_->journal() != nullptr) {
    checkpointer_.emplace(
        table_, Checkpointer::Options{options_.reopen_retry_ms, options_.on_checkpoint_trouble});
  }
  commit_thread_ = std::thread([this] { commit_loop(); });
}

Committer::~Committer() {
  file_threads_.stop();
  store_threads_.stop();
  {
    const MutexLock guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  commit_thread_.join();
  if (checkpointer_) checkpointer_->finish();
  table_->commits().set_dirty_callback(nullptr, nullptr);
}

void Committer::on_dirty(void* self) {
  if (!TurnWakes::keep(&wake, self)) wake(self);
}

void Committer::wake(void* self) { static_cast<Committer*>(self)->wake_if_asleep(); }

// Not with the lock held, which the thread that wakes would wait for at once.
void Committer::wake_if_asleep() {
  if (!asleep_.exchange(false)) return;
  { const MutexLock it_waits(mutex_); }
  wake_.notify_one();
}

// Returns whether to stop.
bool Committer::wait_for_work() {
  const MutexLock guard(mutex_);
  const std::optional<Clock::time_point> due = next_due();
  for (bool in_time = true; in_time;) {
    asleep_.store(true);
    if (has_work()) break;
    if (due) {
      in_time = wake_.wait_until(mutex_, *due);
    } else {
      wake_.wait(mutex_);
    }
  }
  asleep_.store(false);
  sync_ended_ = false;
  return stopping_;
}

auto Committer::next_due() const -> std::optional<Clock::time_point> {
  std::optional<Clock::time_point> due;
  if (unsynced_ && beside_ && !beside_->busy()) due = sync_due_;
  if (!table_->trees().kept()) due = due ? std::min(*due, trees_due_) : trees_due_;
  return due;
}

void Committer::commit_loop() {
  pthread_setname_np(pthread_self(), "commit");
  for (bool stop = false;;) {
    stop = wait_for_work();
    if (is_damaged()) stop_for_damage();
    bool good = !table_->store_health().failed() && end_sync(stop);
    if (good && table_->commits().has_dirty()) good = round();
    if (good && table_->commits().checkpoint_is_due()) table_->commits().begin_checkpoint();
    if (good && trees_are_due(stop)) good = keep_trees(stop);
    if (good && sync_is_due(stop)) good = sync(stop);
    if (!good) good = reopen();
    if (stop && (!good || !table_->commits().has_dirty())) return;
  }
}

bool Committer::round() {
  if (checkpointer_) {
    const auto pause = checkpointer_->slow_down();
    if (pause.count() != 0) {
      std::this_thread::sleep_for(pause);
      table_->journal()->note_slowed(pause);
    }
  }
  const bool synced = options_.sync == SyncPolicy::kAlways;
  const Result<size_t> written = table_->commits().commit(synced);
  if (!written.ok()) {
    fail_round(written.status());
    return false;
  }
  rounds_.fetch_add(1, std::memory_order_relaxed);
  if (checkpointer_) checkpointer_->note_round();
  if (options_.sync == SyncPolicy::kNever) {
    table_->commits().note_synced(table_->commits().committed());
  }
  if (!synced && !unsynced_) {
    unsynced_ = true;
    sync_due_ = Clock::now() + std::chrono::milliseconds(options_.sync_interval_ms);
  }
  if (options_.on_round) options_.on_round(table_->commits().committed(), {});
  return true;
}

// A store refuses a round when the sync beside it has just failed: that is the failure to tell of.
void Committer::fail_round(const Status& status) {
  std::optional<SyncThread::Done> done;
  if (beside_ && status.code() == Code::kUnavailable) done = beside_->finish();
  const bool of_sync = done && !done->status.ok();
  fail(of_sync ? done->status : status, of_sync);
}

bool Committer::trees_are_due(bool stop) const {
  return !table_->trees().kept() && (stop || Clock::now() >= trees_due_);
}

// Their pages need no sync of their own; a stop makes them durable with all the rest.
bool Committer::keep_trees(bool stop) {
  for (bool done = false; !done;) {
    const Result<bool> kept = table_->trees().keep(kTreeBytesPerTurn);
    if (!kept.ok()) {
      fail_round(kept.status());
      return false;
    }
    done = kept.value();
    trees_due_ = Clock::now() + (done ? std::chrono::milliseconds(options_.keep_trees_ms)
                                      : std::chrono::milliseconds(kTreeTurn));
    if (!stop) break;
  }
  unsynced_ |= stop;
  return true;
}

bool Committer::sync_is_due(bool stop) const {
  if (!unsynced_) return false;
  return stop || (beside_ && !beside_->busy() && Clock::now() >= sync_due_);
}

bool Committer::sync(bool stop) {
  KVORUM_CHECK(unsynced_);
  unsynced_ = false;
  const Ticket committed = table_->commits().committed();
  if (stop) return note_sync({committed, store_->sync()});
  beside_->begin(committed);
  return true;
}

// Takes the outcome of the sync beside, if there is one; waits for it only where it must.
bool Committer::end_sync(bool stop) {
  if (!beside_ || !beside_->busy()) return true;
  const bool waits = stop || Clock::now() - beside_->begun_at() >=
                                 std::chrono::milliseconds(options_.sync_late_ms);
  const std::optional<SyncThread::Done> done = waits ? beside_->finish() : beside_->take();
  return !done || note_sync(*done);
}

bool Committer::note_sync(const SyncThread::Done& done) {
  KVORUM_CHECK(done.ticket <= table_->commits().committed());
  if (done.status.ok()) {
    table_->commits().note_synced(done.ticket);
    return true;
  }
  table_->store_health().fail();
  fail(done.status, true);
  return false;
}

void Committer::stop_for_damage() {
  table_->store_health().fail();
  if (options_.on_round) {
    options_.on_round(table_->commits().committed(), {Code::kCorruption, "the store is damaged"});
  }
}

void Committer::fail(const Status& status, bool of_sync) {
  failures_.fetch_add(1, std::memory_order_relaxed);
  table_->store_health().note_fault(status, of_sync);
  if (options_.on_round) options_.on_round(table_->commits().committed(), status);
}

// False where the committer is stopped first: what is dirty then is lost with the process.
bool Committer::reopen() {
  if (beside_) beside_->finish();  // of the store as it was
  for (bool told = false;;) {
    if (recover_store(&told)) {
      table_->store_health().recover();
      return true;
    }
    const auto again = Clock::now() + std::chrono::milliseconds(options_.reopen_retry_ms);
    const MutexLock guard(mutex_);
    while (!stopping_ && wake_.wait_until(mutex_, again)) {
    }
    if (stopping_) return false;
  }
}

// Nobody may see the salvaged store before its copies are known to have lost something.
bool Committer::recover_store(bool* told) {
  const Status status = store_->reopen();
  if (!status.ok() && (status.code() != Code::kCorruption || !options_.salvages)) return false;
  if (!status.ok()) {
    if (!*told) table_->store_health().lose_all();
    *told = true;
    const Result<std::string> done = store_->salvage(status);
    if (!done.ok()) return false;
    table_->store_health().note_salvage();
    if (options_.on_salvage) options_.on_salvage(done.value());
  }
  if (table_->journal() != nullptr && table_->journal()->take_doubt()) {
    table_->commits().write_journaled_again();
  }
  return true;
}

}  // namespace kvorum::engine
