// SPDX-License-Identifier: Apache-2.0
#include "base/endable_work.h"

#include <utility>

namespace kvorum {

bool EndableWorkThreads::add(std::shared_ptr<EndableWork> work, std::function<void()> done) {
  {
    const MutexLock lock(mutex_);
    if (stopping_ || open_.size() >= kThreads + kWaitingMax) return false;
    open_.push_back(work);
  }
  threads_.add([this, work = std::move(work), done = std::move(done)] {
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
