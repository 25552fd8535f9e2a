// SPDX-License-Identifier: Apache-2.0
#include "base/work_threads.h"

#include <utility>

namespace kvorum {

WorkThreads::WorkThreads(int count) {
  for (int i = 0; i < count; ++i) threads_.emplace_back([this] { run(); });
}

void WorkThreads::add(std::function<void()> work) {
  {
    const MutexLock guard(mutex_);
    work_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void WorkThreads::stop() {
  {
    const MutexLock guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WorkThreads::run() {
  while (const std::function<void()> work = next()) work();
}

std::function<void()> WorkThreads::next() {
  const MutexLock guard(mutex_);
  while (!stopping_ && work_.empty()) wake_.wait(mutex_);
  if (work_.empty()) return {};
  std::function<void()> work = std::move(work_.front());
  work_.pop_front();
  return work;
}

}  // namespace kvorum
