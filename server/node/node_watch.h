// SPDX-License-Identifier: Apache-2.0
// A thread of a node that looks at it once a second: it writes what StatusWatch finds worth a line,
// measures the disk, and notices a reactor that does not run any more. Ten times a second it
// measures the memory. Owned by the node, which it must not outlive.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "server/status/node_status.h"
#include "server/status/status_watch.h"

namespace kvorum::server {

class NodeWatch {
 public:
  struct Sources {
    std::function<NodeStatus()> status;
    std::function<uint64_t()> wall_ms;
    std::function<std::vector<uint64_t>()> turns;  // of each reactor, since its start
    std::function<void()> measure_disk, measure_memory;
  };
  // A reactor has a turn ten times a second at least.
  static constexpr uint32_t kStuckLooks = 5;
  static constexpr int kNobody = -1;

  explicit NodeWatch(Sources sources);
  ~NodeWatch();
  NodeWatch(const NodeWatch&) = delete;

  // Any thread.
  void expect_repair();
  int stuck_reactor() const { return stuck_; }

 private:
  struct Turns {
    uint64_t seen = 0;
    uint32_t looks = 0;  // without a new one
  };

  bool waits();
  void run();
  void look();
  void look_at_turns();

  const Sources sources_;
  Mutex lock_;
  ConditionVariable wake_;
  bool ending_ KVORUM_GUARDED_BY(lock_) = false;
  bool repair_expected_ KVORUM_GUARDED_BY(lock_) = false;
  StatusWatch watch_;  // of the thread, as the next
  std::vector<Turns> turns_;
  std::atomic<int> stuck_{kNobody};
  std::thread thread_;
};

}  // namespace kvorum::server
