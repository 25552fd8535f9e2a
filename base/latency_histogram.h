// SPDX-License-Identifier: Apache-2.0
// Counts of latencies in buckets that grow with them (log_buckets.h: eight to a power of two, so at
// most one eighth too high), since the start and for the last minute in six windows of ten seconds.
// record() costs a few nanoseconds and allocates nothing. One thread records; any thread reads, and
// may miss or see twice what is recorded meanwhile. The time is handed in: steady microseconds.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/log_buckets.h"

namespace kvorum {

inline constexpr size_t kLatencyBuckets = 200;  // up to 134 s, what is longer goes to the last

constexpr size_t latency_bucket(uint64_t latency_us) {
  return std::min(LogBuckets<3>::of(latency_us), kLatencyBuckets - 1);
}

// The longest latency of a bucket, in microseconds.
constexpr uint64_t latency_bucket_max_us(size_t bucket) { return LogBuckets<3>::top(bucket); }

// A sum of histograms, to ask about.
struct LatencyCounts {
  std::array<uint64_t, kLatencyBuckets> buckets{};
  uint64_t total = 0;

  // Microseconds that a share `quantile` (0..1) of the latencies did not exceed; 0 where there are
  // none.
  uint64_t quantile_us(double quantile) const {
    const size_t bucket = bucket_of_quantile(buckets, total, quantile);
    return bucket < buckets.size() ? latency_bucket_max_us(bucket) : 0;
  }
  // How many did not exceed it, as far as the buckets tell.
  uint64_t count_up_to(uint64_t latency_us) const {
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < buckets.size(); ++bucket) {
      if (latency_bucket_max_us(bucket) <= latency_us) seen += buckets[bucket];
    }
    return seen;
  }
};

class LatencyHistogram {
 public:
  static constexpr uint64_t kWindowUs = 10'000'000;
  static constexpr size_t kWindows = 6;

  void record(uint64_t latency_us, uint64_t now_us) {
    if (now_us >= window_end_us_) turn(now_us);
    const size_t bucket = latency_bucket(latency_us);
    add(ever_[bucket], uint64_t{1});
    add(current_->counts[bucket], uint32_t{1});
    add(sum_us_, latency_us);
  }

  // Adds what was recorded in the window of `now_us` and the five before it.
  void add_recent(uint64_t now_us, LatencyCounts* sum) const {
    const uint64_t now_period = period_of(now_us);
    for (const Window& window : windows_) {
      const uint64_t period = window.period.load(std::memory_order_acquire);
      if (period == 0 || period + kWindows <= now_period) continue;
      for (size_t bucket = 0; bucket < kLatencyBuckets; ++bucket) {
        const uint32_t count = window.counts[bucket].load(std::memory_order_relaxed);
        sum->buckets[bucket] += count;
        sum->total += count;
      }
    }
  }
  // Adds everything since the start.
  void add_ever(LatencyCounts* sum) const {
    for (size_t bucket = 0; bucket < kLatencyBuckets; ++bucket) {
      const uint64_t count = ever_[bucket].load(std::memory_order_relaxed);
      sum->buckets[bucket] += count;
      sum->total += count;
    }
  }
  uint64_t sum_us() const { return sum_us_.load(std::memory_order_relaxed); }

 private:
  struct Window {
    std::atomic<uint64_t> period{0};  // 0: empty
    std::array<std::atomic<uint32_t>, kLatencyBuckets> counts{};
  };

  // The first period is 1.
  static constexpr uint64_t period_of(uint64_t now_us) { return now_us / kWindowUs + 1; }

  // There is one writer: a load and a store are enough, and cheaper than an atomic addition.
  template <class Number>
  static void add(std::atomic<Number>& counter, Number amount) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  void turn(uint64_t now_us) {
    const uint64_t period = period_of(now_us);
    current_ = &windows_[period % kWindows];
    window_end_us_ = period * kWindowUs;
    if (current_->period.load(std::memory_order_relaxed) == period) return;
    current_->period.store(0, std::memory_order_relaxed);
    for (auto& count : current_->counts) count.store(0, std::memory_order_relaxed);
    current_->period.store(period, std::memory_order_release);
  }

  std::array<std::atomic<uint64_t>, kLatencyBuckets> ever_{};
  std::array<Window, kWindows> windows_;
  std::atomic<uint64_t> sum_us_{0};
  Window* current_ = windows_.data();
  uint64_t window_end_us_ = 0;
};

}  // namespace kvorum
