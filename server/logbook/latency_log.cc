// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/latency_log.h"

#include <algorithm>
#include <utility>

namespace kvorum::server {
namespace {

size_t place_of(LatencyEvent event) { return static_cast<size_t>(event); }

}  // namespace

void LatencyLog::add(LatencyEvent event, LatencySample sample) {
  const MutexLock lock(mutex_);
  Series& series = series_[place_of(event)];
  series.longest_ms = std::max(series.longest_ms, sample.took_ms);
  if (!series.samples.empty() && series.samples.back().at_s == sample.at_s) {
    LatencySample& last = series.samples.back();
    last.took_ms = std::max(last.took_ms, sample.took_ms);
    return;
  }
  series.samples.push_back(sample);
  if (series.samples.size() > kSamplesMax) series.samples.pop_front();
}

std::vector<LatencySample> LatencyLog::samples(LatencyEvent event) const {
  const MutexLock lock(mutex_);
  const std::deque<LatencySample>& kept = series_[place_of(event)].samples;
  return {kept.begin(), kept.end()};
}

uint64_t LatencyLog::longest_ms(LatencyEvent event) const {
  const MutexLock lock(mutex_);
  return series_[place_of(event)].longest_ms;
}

bool LatencyLog::reset(LatencyEvent event) {
  const MutexLock lock(mutex_);
  const Series dropped = std::exchange(series_[place_of(event)], {});
  return !dropped.samples.empty();
}

}  // namespace kvorum::server
