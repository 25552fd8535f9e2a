// SPDX-License-Identifier: Apache-2.0
// Threads for work that may take for ever, and is then told to end: scripts. They have a lower
// priority than others. Any thread, but for stop().
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "base/work_threads.h"

namespace kvorum {

class EndableWork {
 public:
  virtual ~EndableWork() = default;
  virtual void run() = 0;
  // It is wanted no more: run() ends soon. Any thread.
  virtual void end() = 0;
};

class EndableWorkThreads {
 public:
  static constexpr int kThreads = 2;
  static constexpr size_t kWaitingMax = 64;

  // `done` is called by one of its threads. False, with nothing done, where too much waits.
  bool add(std::shared_ptr<EndableWork> work, std::function<void()> done);
  // What runs or waits.
  size_t open() const;
  // Tells all of it to end; how much that was.
  size_t end_all();
  // Ends all of it, and the threads. Nothing is added any more.
  void stop();

 private:
  void forget(const std::shared_ptr<EndableWork>& work);

  mutable Mutex mutex_;
  std::vector<std::shared_ptr<EndableWork>> open_ KVORUM_GUARDED_BY(mutex_);
  bool stopping_ KVORUM_GUARDED_BY(mutex_) = false;
  WorkThreads threads_{kThreads};  // last: ended first
};

}  // namespace kvorum
