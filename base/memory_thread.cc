// SPDX-License-Identifier: Apache-2.0
#include "base/memory_thread.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/large_memory.h"
#include "base/work_threads.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace kvorum {
namespace {

constexpr int kNice = 19;
constexpr size_t kStepBytes = 2 * 1024 * 1024;  // a large page
// Between steps. The scheduler lets even this thread finish its slice of some milliseconds while
// others wait; who has slept in between has no more than a step's worth of it.
constexpr std::chrono::microseconds kRest(500);

void begin_memory_thread() {
  pthread_setname_np(pthread_self(), "memory");
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
}

// Lives as long as the process.
WorkThreads& memory_thread() {
  static WorkThreads* const thread = [] {
    auto* const created = new WorkThreads(1);
    created->add(&begin_memory_thread);
    return created;
  }();
  return *thread;
}

}  // namespace

void populate_pages(void* memory, size_t bytes) {
  const auto [first, size] = whole_pages_in(memory, bytes);
  for (size_t at = 0; at < size; at += kStepBytes) {
    const size_t step = std::min(kStepBytes, size - at);
    if (::madvise(first + at, step, MADV_POPULATE_WRITE) != 0) return;
    std::this_thread::sleep_for(kRest);
  }
}

void post_to_memory_thread(std::function<void()> work) { memory_thread().add(std::move(work)); }

void PagesAhead::go_ahead(const char* at, const char* end) {
  const char* const from = std::max(at, until_);
  until_ = static_cast<size_t>(end - at) > kMostAhead ? at + kMostAhead : end;
  if (from >= until_) return;
  char* const first = const_cast<char*>(from);
  const auto bytes = static_cast<size_t>(until_ - from);
  post_to_memory_thread([first, bytes] { populate_pages(first, bytes); });
}

}  // namespace kvorum
