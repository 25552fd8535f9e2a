// SPDX-License-Identifier: Apache-2.0
#include "base/endable_work.h"

#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace kvorum {
namespace {

// Of this thread, once: whoever answers at once comes first.
void lower_priority() {
  constexpr int kNice = 5;
  thread_local bool is_low = false;
  if (!is_low) ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  is_low = true;
}

}  // namespace

bool EndableWorkThreads::add(std::shared_ptr<EndableWork> work, std::function<void()> done) {
  {
    const MutexLock lock(mutex_);
    if (stopping_ || open_.size() >= kThreads + kWaitingMax) return false;
    open_.push_back(work);
  }
  threads_.add([this, work = std::move(work), done = std::move(done)] {
    lower_priority();
    work->run();
    forget(work);
    done();
  });
  return true;
}

void EndableWorkThreads::forget(const std::shared_ptr<EndableWork>& work) {
  const MutexLock lock(mutex_);
  std::erase(open_, work);
}

size_t EndableWorkThreads::open() const {
  const MutexLock lock(mutex_);
  return open_.size();
}

size_t EndableWorkThreads::end_all() {
  const MutexLock lock(mutex_);
  for (const auto& work : open_) work->end();
  return open_.size();
}

void EndableWorkThreads::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  end_all();
  threads_.stop();
}

}  // namespace kvorum
