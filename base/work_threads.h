// SPDX-License-Identifier: Apache-2.0
// Threads that take work off one queue, in the order in which it was added. Any thread may add.
#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace kvorum {

class WorkThreads {
 public:
  explicit WorkThreads(int count);
  ~WorkThreads() { stop(); }

  void add(std::function<void()> work);
  // Does what is queued, then joins. Nothing is added any more.
  void stop();

 private:
  void run();
  // Waits for some; nothing where all is done and it is time to stop.
  std::function<void()> next();

  Mutex mutex_;
  ConditionVariable wake_;
  std::deque<std::function<void()>> work_ KVORUM_GUARDED_BY(mutex_);
  bool stopping_ KVORUM_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace kvorum
