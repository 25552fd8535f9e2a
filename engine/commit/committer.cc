// SPDX-License-Identifier: Apache-2.0
#include "engine/commit/committer.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "base/check.h"
#include "base/mutex.h"
#include "base/work_threads.h"
#include "engine/commit/sync_thread.h"

namespace kvorum::engine {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kStoreThreads = 2;
constexpr int kFileThreads = 2;
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
// `asleep` is true only while the thread waits: an update pays for a wake-up only then. It and the
// table's dirty mark are sequentially consistent, so that one of both sides sees the other.
struct Committer::Impl {
  Impl(ObjectTable* object_table, Store* object_store, CommitterOptions committer_options);
  ~Impl();

  static void on_dirty(void* self) { static_cast<Impl*>(self)->wake_if_asleep(); }
  void wake_if_asleep();
  void commit_loop();
  bool wait_for_work();
  bool has_work() const KVORUM_REQUIRES(mutex) {
    return stopping || sync_ended || table->commits().has_dirty() || is_damaged();
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
  bool is_damaged() const { return options.salvages && table->store_health().damaged(); }
  void stop_for_damage();
  bool reopen();
  bool recover_store(bool* told);

  ObjectTable* const table;
  Store* const store;
  const CommitterOptions options;
  std::atomic<uint64_t> rounds{0};
  std::atomic<uint64_t> failures{0};

  Mutex mutex;
  ConditionVariable wake;
  std::atomic<bool> asleep{false};
  bool stopping KVORUM_GUARDED_BY(mutex) = false;
  bool sync_ended KVORUM_GUARDED_BY(mutex) = false;  // the thread beside has an outcome
  bool unsynced = false;                             // of the commit thread, as are the next two
  Clock::time_point sync_due;        // with the interval policy, while something is not synced
  Clock::time_point trees_due;       // of the commit thread
  std::optional<SyncThread> beside;  // with the interval policy

  WorkThreads store_threads{kStoreThreads};
  WorkThreads file_threads{kFileThreads};
  std::thread commit_thread;
};

Committer::Impl::Impl(ObjectTable* object_table, Store* object_store,
                      CommitterOptions committer_options)
    : table(object_table), store(object_store), options(std::move(committer_options)) {
  KVORUM_CHECK(table != nullptr && store != nullptr);
  table->commits().set_dirty_callback(&on_dirty, this);
  trees_due = Clock::now() + std::chrono::milliseconds(options.keep_trees_ms);
  if (options.sync == SyncPolicy::kInterval) {
    beside.emplace(store, [this] {
      const MutexLock guard(mutex);
      sync_ended = true;
      wake.notify_one();
    });
  }
  commit_thread = std::thread([this] { commit_loop(); });
}

Committer::Impl::~Impl() {
  file_threads.stop();
  store_threads.stop();
  {
    const MutexLock guard(mutex);
    stopping = true;
  }
  wake.notify_one();
  commit_thread.join();
  table->commits().set_dirty_callback(nullptr, nullptr);
}

void Committer::Impl::wake_if_asleep() {
  if (!asleep.load()) return;
  const MutexLock guard(mutex);
  wake.notify_one();
}

// Returns whether to stop.
bool Committer::Impl::wait_for_work() {
  const MutexLock guard(mutex);
  asleep.store(true);
  const std::optional<Clock::time_point> due = next_due();
  while (!has_work()) {
    if (!due) {
      wake.wait(mutex);
    } else if (!wake.wait_until(mutex, *due)) {
      break;
    }
  }
  asleep.store(false);
  sync_ended = false;
  return stopping;
}

std::optional<Clock::time_point> Committer::Impl::next_due() const {
  std::optional<Clock::time_point> due;
  if (unsynced && beside && !beside->busy()) due = sync_due;
  if (!table->trees().kept()) due = due ? std::min(*due, trees_due) : trees_due;
  return due;
}

void Committer::Impl::commit_loop() {
  for (bool stop = false;;) {
    stop = wait_for_work();
    if (is_damaged()) stop_for_damage();
    bool good = !table->store_health().failed() && end_sync(stop);
    if (good && table->commits().has_dirty()) good = round();
    if (good && trees_are_due(stop)) good = keep_trees(stop);
    if (good && sync_is_due(stop)) good = sync(stop);
    if (!good) good = reopen();
    if (stop && (!good || !table->commits().has_dirty())) return;
  }
}

bool Committer::Impl::round() {
  const bool synced = options.sync == SyncPolicy::kAlways;
  const Result<size_t> written = table->commits().commit(synced);
  if (!written.ok()) {
    fail_round(written.status());
    return false;
  }
  rounds.fetch_add(1, std::memory_order_relaxed);
  if (options.sync == SyncPolicy::kNever) {
    table->commits().note_synced(table->commits().committed());
  }
  if (!synced && !unsynced) {
    unsynced = true;
    sync_due = Clock::now() + std::chrono::milliseconds(options.sync_interval_ms);
  }
  if (options.on_round) options.on_round(table->commits().committed(), {});
  return true;
}

// A store refuses a round when the sync beside it has just failed: that is the failure to tell of.
void Committer::Impl::fail_round(const Status& status) {
  std::optional<SyncThread::Done> done;
  if (beside && status.code() == Code::kUnavailable) done = beside->finish();
  const bool of_sync = done && !done->status.ok();
  fail(of_sync ? done->status : status, of_sync);
}

bool Committer::Impl::trees_are_due(bool stop) const {
  return !table->trees().kept() && (stop || Clock::now() >= trees_due);
}

// Their pages need no sync of their own; a stop makes them durable with all the rest.
bool Committer::Impl::keep_trees(bool stop) {
  for (bool done = false; !done;) {
    const Result<bool> kept = table->trees().keep(kTreeBytesPerTurn);
    if (!kept.ok()) {
      fail_round(kept.status());
      return false;
    }
    done = kept.value();
    trees_due = Clock::now() + (done ? std::chrono::milliseconds(options.keep_trees_ms)
                                     : std::chrono::milliseconds(kTreeTurn));
    if (!stop) break;
  }
  unsynced |= stop;
  return true;
}

bool Committer::Impl::sync_is_due(bool stop) const {
  if (!unsynced) return false;
  return stop || (beside && !beside->busy() && Clock::now() >= sync_due);
}

bool Committer::Impl::sync(bool stop) {
  KVORUM_CHECK(unsynced);
  unsynced = false;
  const Ticket committed = table->commits().committed();
  if (stop) return note_sync({committed, store->sync()});
  beside->begin(committed);
  return true;
}

// Takes the outcome of the sync beside, if there is one; waits for it only where it must.
bool Committer::Impl::end_sync(bool stop) {
  if (!beside || !beside->busy()) return true;
  const bool waits =
      stop || Clock::now() - beside->begun_at() >= std::chrono::milliseconds(options.sync_late_ms);
  const std::optional<SyncThread::Done> done = waits ? beside->finish() : beside->take();
  return !done || note_sync(*done);
}

bool Committer::Impl::note_sync(const SyncThread::Done& done) {
  KVORUM_CHECK(done.ticket <= table->commits().committed());
  if (done.status.ok()) {
    table->commits().note_synced(done.ticket);
    return true;
  }
  table->store_health().fail();
  fail(done.status, true);
  return false;
}

void Committer::Impl::stop_for_damage() {
  table->store_health().fail();
  if (options.on_round) {
    options.on_round(table->commits().committed(), {Code::kCorruption, "the store is damaged"});
  }
}

void Committer::Impl::fail(const Status& status, bool of_sync) {
  failures.fetch_add(1, std::memory_order_relaxed);
  table->store_health().note_fault(status, of_sync);
  if (options.on_round) options.on_round(table->commits().committed(), status);
}

// False where the committer is stopped first: what is dirty then is lost with the process.
bool Committer::Impl::reopen() {
  if (beside) beside->finish();  // of the store as it was
  for (bool told = false;;) {
    if (recover_store(&told)) {
      table->store_health().recover();
      return true;
    }
    const auto again = Clock::now() + std::chrono::milliseconds(options.reopen_retry_ms);
    const MutexLock guard(mutex);
    while (!stopping && wake.wait_until(mutex, again)) {
    }
    if (stopping) return false;
  }
}

// Nobody may see the salvaged store before its copies are known to have lost something.
bool Committer::Impl::recover_store(bool* told) {
  const Status status = store->reopen();
  if (status.code() != Code::kCorruption || !options.salvages) return status.ok();
  if (!*told) table->store_health().lose_all();
  *told = true;
  const Result<std::string> done = store->salvage(status);
  if (!done.ok()) return false;
  table->store_health().note_salvage();
  if (options.on_salvage) options.on_salvage(done.value());
  return true;
}

Committer::Committer(ObjectTable* table, Store* store, CommitterOptions options)
    : impl_(std::make_unique<Impl>(table, store, std::move(options))) {}
Committer::~Committer() = default;

void Committer::run_on_store_thread(std::function<void()> work) {
  impl_->store_threads.add(std::move(work));
}

void Committer::run_on_file_thread(std::function<void()> work) {
  impl_->file_threads.add(std::move(work));
}

uint64_t Committer::rounds() const { return impl_->rounds.load(std::memory_order_relaxed); }
uint64_t Committer::failures() const { return impl_->failures.load(std::memory_order_relaxed); }

}  // namespace kvorum::engine
