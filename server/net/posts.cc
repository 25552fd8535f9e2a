// SPDX-License-Identifier: Apache-2.0
#include "server/net/posts.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "base/check.h"

namespace kvorum::server {

// Each write is an event by itself: the counter is never read.
Posts::Posts(PollSet& polls) {
  watched_.socket = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  watched_.pollable = this;
  KVORUM_CHECK(watched_.socket >= 0 && polls.watch(watched_, EPOLLIN | EPOLLET));
}

Posts::~Posts() { ::close(watched_.socket); }

void Posts::add(Work work) {
  {
    const MutexLock lock(lock_);
    queue_.push_back(std::move(work));
  }
  any_.store(true, std::memory_order_seq_cst);
  if (!asleep_.exchange(false, std::memory_order_seq_cst)) return;
  const uint64_t one = 1;
  const ssize_t written = ::write(watched_.socket, &one, sizeof one);
  KVORUM_CHECK(written == sizeof one);
}

bool Posts::run() {
  if (empty()) return false;
  any_.store(false, std::memory_order_seq_cst);  // what comes from here on sets it again
  {
    const MutexLock lock(lock_);
    running_.swap(queue_);
  }
  for (Work& work : running_) std::exchange(work, nullptr)();
  running_.clear();
  return true;
}

bool Posts::fall_asleep() {
  asleep_.store(true, std::memory_order_seq_cst);
  if (!any_.load(std::memory_order_seq_cst)) return true;
  stay_awake();
  return false;
}

}  // namespace kvorum::server
