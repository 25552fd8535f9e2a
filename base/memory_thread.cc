// SPDX-License-Identifier: Apache-2.0
#include "base/memory_thread.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace kvorum {
namespace {

constexpr int kNice = 5;
constexpr size_t kStepBytes = 1024 * 1024;

// Lives as long as the process.
class MemoryThread {
 public:
  static MemoryThread& instance() {
    static MemoryThread* const thread = new MemoryThread;
    return *thread;
  }

  void post(std::function<void()> work) {
    {
      const std::lock_guard guard(mutex_);
      waiting_.push_back(std::move(work));
    }
    wake_.notify_one();
  }

 private:
  MemoryThread() {
    std::thread thread([this] { run(); });
    pthread_setname_np(thread.native_handle(), "memory");
    thread.detach();
  }

  void run() {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
    std::unique_lock guard(mutex_);
    for (;;) {
      wake_.wait(guard, [this] { return !waiting_.empty(); });
      std::function<void()> work = std::move(waiting_.front());
      waiting_.pop_front();
      guard.unlock();
      work();
      work = nullptr;
      guard.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;
};

}  // namespace

void populate_pages(void* memory, size_t bytes) {
  constexpr uintptr_t kPage = 4096;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + kPage - 1) & ~(kPage - 1);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + bytes) & ~(kPage - 1);
  for (uintptr_t at = begin; at < end; at += kStepBytes) {
    const size_t step = std::min<size_t>(kStepBytes, end - at);
    if (::madvise(reinterpret_cast<void*>(at), step, MADV_POPULATE_WRITE) != 0) return;
  }
}

void post_to_memory_thread(std::function<void()> work) {
  MemoryThread::instance().post(std::move(work));
}

void PagesAhead::go_ahead(const char* at, const char* end) {
  const char* const from = std::max(at, until_);
  until_ = static_cast<size_t>(end - at) > kMostAhead ? at + kMostAhead : end;
  if (from >= until_) return;
  char* const first = const_cast<char*>(from);
  const auto bytes = static_cast<size_t>(until_ - from);
  post_to_memory_thread([first, bytes] { populate_pages(first, bytes); });
}

}  // namespace kvorum
