// SPDX-License-Identifier: Apache-2.0
// latency-tracking and latency-tracking-info-percentiles: whether, and of which percentiles, INFO
// latencystats tells. That calls are timed does not end with it. In memory alone, one of a node.
// Any thread.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"

namespace kvorum::server {

class LatencyPercentiles {
 public:
  static constexpr size_t kMost = 100;

  bool is_shown() const { return shown_.load(std::memory_order_relaxed); }
  void show(bool shown) { shown_.store(shown, std::memory_order_relaxed); }
  std::vector<double> get() const;
  void set(std::vector<double> percents);

 private:
  std::atomic<bool> shown_{true};
  mutable Mutex mutex_;
  std::vector<double> percents_ KVORUM_GUARDED_BY(mutex_) = {50, 99, 99.9};
};

// "99.9": at most six digits behind the point, without zeros at their end.
std::string percent_text(double percent);

// Why the words are none, in Redis's words; empty, with what they say, where they are.
std::string read_percents(const std::vector<std::string_view>& words,
                          std::vector<double>* percents);

}  // namespace kvorum::server
