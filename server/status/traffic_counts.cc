// SPDX-License-Identifier: Apache-2.0
#include "server/status/traffic_counts.h"

#include <algorithm>
#include <cmath>

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

double CallTimes::percentile_us(double percent) const {
  uint64_t timed = 0;
  for (const uint64_t bucket : times) timed += bucket;
  double left = std::max(percent / 100 * static_cast<double>(timed), 1.0);
  for (size_t at = 0; at < kTimeBuckets; ++at) {
    const auto here = static_cast<double>(times[at]);
    if (here > 0 && left <= here) {
      const double high = std::exp2(static_cast<double>(at)), low = at == 0 ? 0 : high / 2;
      return low + (high - low) * left / here;
    }
    left -= here;
  }
  return 0;
}

void add_times(const TrafficCounts& counts, std::vector<CallTimes>* times) {
  times->resize(TrafficCounts::kCommandsMax);
  for (size_t at = 0; at < times->size(); ++at) {
    (*times)[at].calls += counts.commands[at].calls.get();
    for (size_t bucket = 0; bucket < kTimeBuckets; ++bucket) {
      (*times)[at].times[bucket] += counts.times[at][bucket].get();
    }
  }
}

void subtract_times(const std::vector<CallTimes>& earlier, std::vector<CallTimes>* times) {
  for (size_t at = 0; at < std::min(earlier.size(), times->size()); ++at) {
    (*times)[at].calls -= earlier[at].calls;
    for (size_t bucket = 0; bucket < kTimeBuckets; ++bucket) {
      (*times)[at].times[bucket] -= earlier[at].times[bucket];
    }
  }
}

}  // namespace kvorum::server
