// SPDX-License-Identifier: Apache-2.0
// A thread of low priority for what the system does with large memory, which takes it milliseconds:
// clearing pages before they are written for the first time, taking them back. One per process.
#pragma once

#include <cstddef>
#include <functional>

namespace kvorum {

// Runs on that thread, after what was posted before. Any thread.
void post_to_memory_thread(std::function<void()> work);

// Gives memory its pages, zeroed where they were not there. A wish: where it is not granted, or the
// memory is gone, nothing is lost. Takes its time.
void populate_pages(void* memory, size_t bytes);

// Sees to it that memory which is written from its front to its end has its pages when they are
// needed: a few megabytes ahead, so that what is never written is never there. The memory may be
// given back at any time.
class PagesAhead {
 public:
  // Written up to `at`; `end` is where the memory ends.
  void wrote(const char* at, const char* end) {
    if (until_ < end && at + kLeastAhead > until_) go_ahead(at, end);
  }
  // Another memory, which has its pages up to `until`.
  void reset(const char* until) { until_ = until; }

 private:
  static constexpr size_t kLeastAhead = 2 * 1024 * 1024;
  static constexpr size_t kMostAhead = 6 * 1024 * 1024;

  void go_ahead(const char* at, const char* end);

  const char* until_ = nullptr;
};

}  // namespace kvorum
