// SPDX-License-Identifier: Apache-2.0
#include "engine/commit/sync_thread.h"

#include <utility>

#include "base/check.h"

namespace kvorum::engine {

SyncThread::SyncThread(Store* store, std::function<void()> on_done)
    : store_(store), on_done_(std::move(on_done)), thread_([this] { loop(); }) {}

SyncThread::~SyncThread() {
  {
    const std::lock_guard guard(mutex_);
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
    const std::lock_guard guard(mutex_);
    asked_ = ticket;
  }
  changed_.notify_all();
}

std::optional<SyncThread::Done> SyncThread::take() {
  if (!busy_) return {};
  const std::lock_guard guard(mutex_);
  busy_ = !done_.has_value();
  return std::exchange(done_, {});
}

std::optional<SyncThread::Done> SyncThread::finish() {
  if (!busy_) return {};
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [this] { return done_.has_value(); });
  busy_ = false;
  return std::exchange(done_, {});
}

void SyncThread::loop() {
  std::unique_lock guard(mutex_);
  for (;;) {
    changed_.wait(guard, [this] { return stopping_ || asked_; });
    if (!asked_) return;
    const Ticket ticket = *std::exchange(asked_, {});
    guard.unlock();
    Status status = store_->sync();
    guard.lock();
    done_ = Done{ticket, std::move(status)};
    changed_.notify_all();
    guard.unlock();
    on_done_();
    guard.lock();
  }
}

}  // namespace kvorum::engine
