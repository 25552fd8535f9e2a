// SPDX-License-Identifier: Apache-2.0
#include "bench/histogram.h"

#include <algorithm>

namespace kvorum::bench {

Histogram::Histogram() : buckets_(kBuckets, 0) {}

void Histogram::merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

double Histogram::mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

uint64_t Histogram::percentile(double fraction) const {
  if (count_ == 0) return 0;
  const size_t bucket = bucket_of_quantile(buckets_, count_, fraction);
  return bucket + 1 >= kBuckets ? max_ : std::min(Buckets::top(bucket), max_);
}

}  // namespace kvorum::bench
