// SPDX-License-Identifier: Apache-2.0
// Threads that take work off one queue, in the order in which it was added. Any thread may add.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

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

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> work_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kvorum
