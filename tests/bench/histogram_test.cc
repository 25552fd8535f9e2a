// SPDX-License-Identifier: Apache-2.0
#include "bench/histogram.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"

namespace kvorum::bench {
namespace {

TEST(Histogram, IsZeroWhenEmpty) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.percentile(0.99), 0u);
  EXPECT_EQ(empty.min(), 0u);
  EXPECT_EQ(empty.max(), 0u);
  EXPECT_EQ(empty.mean(), 0.0);
}

TEST(Histogram, KeepsSmallValuesExactly) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 1000; ++value) histogram.record(value);
  EXPECT_EQ(histogram.percentile(0.5), 500u);
  EXPECT_EQ(histogram.percentile(0.99), 990u);
  EXPECT_EQ(histogram.percentile(0.999), 999u);
  EXPECT_EQ(histogram.percentile(1), 1000u);
  EXPECT_EQ(histogram.percentile(0), 1u);
  EXPECT_DOUBLE_EQ(histogram.mean(), 500.5);
}

TEST(Histogram, ShowsOneSlowRequestInAThousandOnlyBeyondTheP99) {
  Histogram histogram;
  histogram.record_times(100, 998);
  histogram.record_times(50'000'000, 2);
  EXPECT_EQ(histogram.percentile(0.99), 100u);
  EXPECT_EQ(histogram.percentile(0.999), 50'000'000u);
}

TEST(Histogram, NeverReportsAboveTheMaximum) {
  Histogram histogram;
  histogram.record(1'000'001);
  EXPECT_EQ(histogram.percentile(0.5), 1'000'001u);
}

TEST(Histogram, KeepsTheMaximumOfValuesBeyondItsRange) {
  constexpr uint64_t kHuge = uint64_t{1} << 50;
  Histogram histogram;
  histogram.record(5);
  histogram.record(kHuge);
  EXPECT_EQ(histogram.max(), kHuge);
  EXPECT_EQ(histogram.percentile(1), kHuge);
}

TEST(Histogram, MergesToTheHistogramOfBoth) {
  Rng rng(7);
  Histogram left, right, both;
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t value = rng.below(uint64_t{1} << rng.between(1, 39));
    (i % 3 == 0 ? left : right).record(value);
    both.record(value);
  }
  left.merge(right);
  EXPECT_EQ(left.count(), both.count());
  EXPECT_EQ(left.min(), both.min());
  EXPECT_EQ(left.max(), both.max());
  for (const double fraction : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0})
    EXPECT_EQ(left.percentile(fraction), both.percentile(fraction)) << fraction;
}

RC_GTEST_PROP(Histogram, PercentilesAreWithinOneInAThousandOfTheSortedSample,
              (std::vector<uint32_t> sample, uint16_t thousandths)) {
  RC_PRE(!sample.empty());
  const double fraction = (thousandths % 1000 + 1) / 1000.0;
  Histogram histogram;
  for (const uint32_t value : sample) histogram.record(value);
  std::sort(sample.begin(), sample.end());
  const auto rank = static_cast<size_t>(std::ceil(fraction * static_cast<double>(sample.size())));
  const auto exact = static_cast<double>(sample[std::max<size_t>(rank, 1) - 1]);
  const auto reported = static_cast<double>(histogram.percentile(fraction));
  RC_ASSERT(reported >= exact);
  RC_ASSERT(reported <= exact * 1.001);
}

}  // namespace
}  // namespace kvorum::bench
