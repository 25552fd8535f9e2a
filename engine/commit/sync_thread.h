// SPDX-License-Identifier: Apache-2.0
// The thread that syncs a store by interval, beside the commit thread's writes: an fsync may take a
// second, and no client has to wait for it. One sync at a time. Owned by a Committer, whose commit
// thread makes all calls.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <thread>

#include "base/mutex.h"
#include "engine/store/store.h"
#include "engine/table/object_table.h"

namespace kvorum::engine {

class SyncThread {
 public:
  struct Done {
    Ticket ticket = 0;  // up to which everything was written before the sync
    Status status;
  };

  // `on_done` is called on the sync thread after each sync.
  SyncThread(Store* store, std::function<void()> on_done);
  ~SyncThread();  // waits for the sync that is under way

  // Not while it is busy.
  void begin(Ticket ticket);
  // From begin() until its outcome was taken.
  bool busy() const { return busy_; }
  std::chrono::steady_clock::time_point begun_at() const { return begun_at_; }
  // The outcome, once; nothing while the sync is under way.
  std::optional<Done> take();
  // Waits for the outcome; nothing where it is not busy.
  std::optional<Done> finish();

 private:
  void loop();
  // Waits until a sync is asked for; nothing where it is time to stop.
  std::optional<Ticket> next();

  Store* const store_;
  const std::function<void()> on_done_;
  bool busy_ = false;  // of the commit thread, as is the next
  std::chrono::steady_clock::time_point begun_at_;

  Mutex mutex_;
  ConditionVariable changed_;
  std::optional<Ticket> asked_ KVORUM_GUARDED_BY(mutex_);
  std::optional<Done> done_ KVORUM_GUARDED_BY(mutex_);
  bool stopping_ KVORUM_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace kvorum::engine
