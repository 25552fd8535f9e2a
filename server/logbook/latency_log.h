// SPDX-License-Identifier: Apache-2.0
// Events that took longer than latency-monitor-threshold, as LATENCY shows them: of each kind the
// worst of a second, for the last kSamplesMax seconds that had one. In memory alone, one of a node.
// Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "base/mutex.h"

namespace kvorum::server {

// Of commands: those that never take long are the fast ones.
enum class LatencyEvent : uint8_t { kCommand, kFastCommand };
inline constexpr std::array<std::string_view, 2> kLatencyEventNames = {"command", "fast-command"};

struct LatencySample {
  uint64_t at_s = 0;  // Unix time
  uint64_t took_ms = 0;
};

class LatencyLog {
 public:
  static constexpr size_t kSamplesMax = 160;

  // Milliseconds; 0: nothing is kept.
  uint64_t threshold_ms() const { return threshold_ms_.load(std::memory_order_relaxed); }
  void set_threshold_ms(uint64_t ms) { threshold_ms_.store(ms, std::memory_order_relaxed); }

  bool is_long(uint64_t took_ms) const {
    const uint64_t bound = threshold_ms();
    return bound != 0 && took_ms >= bound;
  }
  void add(LatencyEvent event, LatencySample sample);
  // The oldest first.
  std::vector<LatencySample> samples(LatencyEvent event) const;
  // Since the event was reset.
  uint64_t longest_ms(LatencyEvent event) const;
  // False where there was nothing of the event.
  bool reset(LatencyEvent event);

 private:
  struct Series {
    std::deque<LatencySample> samples;
    uint64_t longest_ms = 0;
  };

  std::atomic<uint64_t> threshold_ms_{0};
  mutable Mutex mutex_;
  std::array<Series, kLatencyEventNames.size()> series_ KVORUM_GUARDED_BY(mutex_);
};

}  // namespace kvorum::server
