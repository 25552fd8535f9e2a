// SPDX-License-Identifier: Apache-2.0
#include "server/status/traffic_counts.h"

namespace kvorum::server {

void TrafficTotals::add(const TrafficCounts& counts) {
  for (size_t at = 0; at < kCacheCounts; ++at) cache[at] += counts.cache[at].get();
  for (size_t at = 0; at < commands.size(); ++at) {
    commands[at].calls += counts.commands[at].calls.get();
    commands[at].rejected += counts.commands[at].rejected.get();
    commands[at].failed += counts.commands[at].failed.get();
    commands[at].timed += counts.commands[at].timed.get();
    commands[at].timed_ns += counts.commands[at].timed_ns.get();
  }
}

void TrafficTotals::subtract(const TrafficTotals& earlier) {
  for (size_t at = 0; at < kCacheCounts; ++at) cache[at] -= earlier.cache[at];
  for (size_t at = 0; at < commands.size(); ++at) {
    commands[at].calls -= earlier.commands[at].calls;
    commands[at].rejected -= earlier.commands[at].rejected;
    commands[at].failed -= earlier.commands[at].failed;
    commands[at].timed -= earlier.commands[at].timed;
    commands[at].timed_ns -= earlier.commands[at].timed_ns;
  }
}

}  // namespace kvorum::server
