// SPDX-License-Identifier: Apache-2.0
// A histogram of latencies in nanoseconds (base/log_buckets.h: each power of two is cut into 1024
// buckets, so that a percentile is exact to 0.1 %, three significant digits, over the whole range).
// Recording is two shifts and an increment and never allocates. The minimum and maximum are kept
// exactly. Used by one thread; that of a node, which is read while it is written and forgets, is
// base/latency_histogram.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/log_buckets.h"

namespace kvorum::bench {

class Histogram {
 public:
  // Values above (about 18 minutes in nanoseconds) land in the last bucket; max() stays exact.
  static constexpr unsigned kValueBits = 40;

  Histogram();

  void record(uint64_t value) { record_times(value, 1); }
  void record_times(uint64_t value, uint64_t times);
  void merge(const Histogram& other);

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  double mean() const;

  // The least recorded value that at least `fraction` (0..1) of all values do not exceed, to the
  // resolution of the buckets: the upper end of its bucket, never above max(). 0 when empty.
  uint64_t percentile(double fraction) const;

 private:
  using Buckets = LogBuckets<10>;
  static constexpr uint64_t kTop = (uint64_t{1} << kValueBits) - 1;
  static constexpr size_t kBuckets = Buckets::of(kTop) + 1;

  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
  double sum_ = 0;
};

inline void Histogram::record_times(uint64_t value, uint64_t times) {
  if (times == 0) return;
  buckets_[Buckets::of(std::min(value, kTop))] += times;
  count_ += times;
  sum_ += static_cast<double>(value) * static_cast<double>(times);
  if (value < min_) min_ = value;
  if (value > max_) max_ = value;
}

}  // namespace kvorum::bench
