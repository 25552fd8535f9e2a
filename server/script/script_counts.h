// SPDX-License-Identifier: Apache-2.0
// What the commands that scripts call count for INFO commandstats, as those that clients send do.
// Each interpreter counts for itself, on its own thread; whoever shows the counts sums over all of
// this process. They end with their interpreter, which is that of a thread.
#pragma once

#include "base/function_ref.h"
#include "server/status/traffic_counts.h"

namespace kvorum::server {

class ScriptCounts {
 public:
  ScriptCounts();
  ~ScriptCounts();
  ScriptCounts(const ScriptCounts&) = delete;

  // Its own thread. A call begins: when, or 0 where it is not timed; and it ended.
  uint64_t begin(size_t command);
  void reject(size_t command) { counts_.commands[command].rejected.add(); }
  void end(size_t command, bool failed, uint64_t began_ns);
  TrafficCounts& counts() { return counts_; }

  // Any thread.
  static void each(FunctionRef<void(const TrafficCounts&)> fn);
  // Without a clock no call is timed.
  static void set_clock(uint64_t (*steady_ns)());

 private:
  TrafficCounts counts_;
  CallSampler sampler_;
};

}  // namespace kvorum::server
