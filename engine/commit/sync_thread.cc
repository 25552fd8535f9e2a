// SPDX-License-Identifier: Apache-2.0
#include "engine/commit/sync_thread.h"

#include <pthread.h>

#include <utility>

#include "base/check.h"

namespace kvorum::engine {

SyncThread::SyncThread(Store* store, std::function<void()> on_done)
    : store_(store), on_done_(std::move(on_done)), thread_([this] { loop(); }) {}

SyncThread::~SyncThread() {
  {
    const MutexLock guard(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void SyncThread::begin(Ticket ticket) {
  KVORUM_CHECK(!busy_);
  busy_ = true;
  begun_at_ = std::chrono::steady_clock::now();
  {
    const MutexLock guard(mutex_);
    KVORUM_CHECK(!asked_ && !done_);
    asked_ = ticket;
  }
  changed_.notify_all();
}

std::optional<SyncThread::Done> SyncThread::take() {
  if (!busy_) return {};
  const MutexLock guard(mutex_);
  busy_ = !done_.has_value();
  return std::exchange(done_, {});
}

std::optional<SyncThread::Done> SyncThread::finish() {
  if (!busy_) return {};
  const MutexLock guard(mutex_);
  while (!done_) changed_.wait(mutex_);
  busy_ = false;
  return std::exchange(done_, {});
}

void SyncThread::loop() {
  pthread_setname_np(pthread_self(), "sync");
  while (const std::optional<Ticket> ticket = next()) {
    Status status = store_->sync();
    {
      const MutexLock guard(mutex_);
      KVORUM_CHECK(!done_);
      done_ = Done{*ticket, std::move(status)};
    }
    changed_.notify_all();
    on_done_();
  }
}

std::optional<Ticket> SyncThread::next() {
  const MutexLock guard(mutex_);
  while (!stopping_ && !asked_) changed_.wait(mutex_);
  return std::exchange(asked_, {});
}

}  // namespace kvorum::engine
