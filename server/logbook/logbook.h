// SPDX-License-Identifier: Apache-2.0
// What an operator looks back at, and sets, while a node runs: slow commands, events that took
// long, parameters without a meaning, and whether DEBUG is allowed. One of a node, which outlives
// its reactors. Any thread.
#pragma once

#include <atomic>

#include "server/config/config.h"
#include "server/logbook/error_counts.h"
#include "server/logbook/idle_settings.h"
#include "server/logbook/latency_log.h"
#include "server/logbook/latency_percentiles.h"
#include "server/logbook/slow_log.h"

namespace kvorum::server {

struct Logbook {
  SlowLog slow_log;
  LatencyLog latency;
  LatencyPercentiles percentiles;
  ErrorCounts errors;
  IdleSettings idle;
  DebugAccess debug = DebugAccess::kNobody;  // set before the reactors run
  std::atomic<bool> expiry_rests{false};     // DEBUG SET-ACTIVE-EXPIRE 0
  std::atomic<bool> scripts_debug{false};    // DEBUG SET-DISABLE-DENY-SCRIPTS 1

  // The bound for commands is so low that all of them are measured; else only those that may take
  // long are.
  bool measures_all() const {
    const int64_t bound = slow_log.slower_than_us();
    return (bound >= 0 && bound < kMeasuredAllUs) || latency.threshold_ms() == 1;
  }
  static constexpr int64_t kMeasuredAllUs = 1000;
};

}  // namespace kvorum::server
