// SPDX-License-Identifier: Apache-2.0
// Work that other threads give to a reactor, done in its order within a turn. Whoever adds some
// wakes the reactor only if it waits: one that runs looks by itself before it waits again.
//
//   other threads: add() --> queue --(asleep? one write)--> the reactor's PollSet --> run()
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "base/mutex.h"
#include "server/net/poll_set.h"

namespace kvorum::server {

class Posts final : private Pollable {
 public:
  using Work = std::function<void()>;

  // `polls` outlives it. Fails as a check where the process has no descriptor left.
  explicit Posts(PollSet& polls);
  ~Posts();
  Posts(const Posts&) = delete;

  // Any thread.
  void add(Work work);

  // The reactor's thread, from here on.
  bool empty() const { return !any_.load(std::memory_order_relaxed); }
  // Does what was there when it began. True where that was something.
  bool run();
  // Whether the reactor may wait now; where it may, add() wakes it until stay_awake().
  bool fall_asleep();
  void stay_awake() { asleep_.store(false, std::memory_order_relaxed); }

 private:
  void on_ready(bool, bool) override {}  // the reactor is awake: that was all

  PollSet::Watched watched_;
  // add() sets the first and looks at the second, fall_asleep() the other way round.
  std::atomic<bool> any_{false}, asleep_{false};
  Mutex lock_;
  std::vector<Work> queue_ KVORUM_GUARDED_BY(lock_);
  std::vector<Work> running_;
};

}  // namespace kvorum::server
