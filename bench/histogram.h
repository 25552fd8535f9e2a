// SPDX-License-Identifier: Apache-2.0
// A histogram of latencies in nanoseconds with logarithmic octaves of linear buckets: below 2048
// every value has a bucket of its own, above that each power of two is cut into 1024, so that a
// percentile is exact to 0.1 % (three significant digits) over the whole range. Recording is two
// shifts and an increment and never allocates. The minimum and maximum are kept exactly.
// Used by one thread.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

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

  // The bucket of a value and the greatest value that shares it (public for the tests).
  static size_t bucket_of(uint64_t value);
  static uint64_t bucket_top(size_t bucket);

 private:
  static constexpr unsigned kPrecisionBits = 11;
  static constexpr uint64_t kHalf = uint64_t{1} << (kPrecisionBits - 1);
  static constexpr size_t kBuckets = (kValueBits - kPrecisionBits + 2) * kHalf;

  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
  double sum_ = 0;
};

inline size_t Histogram::bucket_of(uint64_t value) {
  constexpr uint64_t kTop = (uint64_t{1} << kValueBits) - 1;
  if (value > kTop) value = kTop;
  const auto width = static_cast<unsigned>(std::bit_width(value));
  if (width <= kPrecisionBits) return static_cast<size_t>(value);
  const unsigned shift = width - kPrecisionBits;
  return static_cast<size_t>(shift * kHalf + (value >> shift));
}

inline void Histogram::record_times(uint64_t value, uint64_t times) {
  if (times == 0) return;
  buckets_[bucket_of(value)] += times;
  count_ += times;
  sum_ += static_cast<double>(value) * static_cast<double>(times);
  if (value < min_) min_ = value;
  if (value > max_) max_ = value;
}

}  // namespace kvorum::bench
