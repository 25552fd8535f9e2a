// SPDX-License-Identifier: Apache-2.0
#include "base/latency_histogram.h"

#include <gtest/gtest.h>

#include <memory>

namespace kvorum {
namespace {

constexpr uint64_t kSecond = 1'000'000;

LatencyCounts recent(const LatencyHistogram& histogram, uint64_t now_us) {
  LatencyCounts counts;
  histogram.add_recent(now_us, &counts);
  return counts;
}

TEST(LatencyHistogram, EveryLatencyFallsIntoABucketThatIsAtMostAnEighthTooHigh) {
  size_t before = 0;
  for (uint64_t us = 0; us < 130 * kSecond; us += us / 50 + 1) {
    const size_t bucket = latency_bucket(us);
    ASSERT_LT(bucket, kLatencyBuckets);
    ASSERT_GE(bucket, before);
    ASSERT_GE(latency_bucket_max_us(bucket), us);
    ASSERT_LE(latency_bucket_max_us(bucket), us + us / 8);
    ASSERT_TRUE(bucket == 0 || latency_bucket_max_us(bucket - 1) < us) << us;
    before = bucket;
  }
  EXPECT_EQ(latency_bucket(~uint64_t{0}), kLatencyBuckets - 1);
}

TEST(LatencyHistogram, QuantilesAreThoseOfWhatWasRecorded) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  for (uint64_t us = 1; us <= 1000; ++us) histogram->record(us, kSecond);
  const LatencyCounts counts = recent(*histogram, kSecond);
  EXPECT_EQ(counts.total, 1000u);
  EXPECT_NEAR(static_cast<double>(counts.quantile_us(0.5)), 500, 63);
  EXPECT_NEAR(static_cast<double>(counts.quantile_us(0.99)), 990, 124);
  EXPECT_EQ(counts.quantile_us(0.001), 1u);
  EXPECT_EQ(counts.count_up_to(127), 127u);
  EXPECT_EQ(histogram->sum_us(), 500'500u);
  EXPECT_EQ(LatencyCounts{}.quantile_us(0.99), 0u);
}

TEST(LatencyHistogram, ForgetsAfterAMinuteButTheCountSinceTheStartStays) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  for (uint64_t second = 0; second < 300; ++second) {
    const uint64_t now_us = second * kSecond;
    histogram->record(second < 100 ? 100'000 : 100, now_us);
    const LatencyCounts counts = recent(*histogram, now_us);
    EXPECT_LE(counts.total, 60u);
    EXPECT_GE(counts.total, std::min<uint64_t>(second + 1, 51));
    if (second >= 160) {
      EXPECT_LT(counts.quantile_us(1.0), 1000u) << second;
    }
  }
  EXPECT_EQ(recent(*histogram, 299 * kSecond + 70 * kSecond).total, 0u) << "nothing came since";
  LatencyCounts ever;
  histogram->add_ever(&ever);
  EXPECT_EQ(ever.total, 300u);
  EXPECT_EQ(ever.buckets[latency_bucket(100'000)], 100u);
}

TEST(LatencyHistogram, AWindowThatIsUsedAgainForgetsItsOldCounts) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  histogram->record(7, 5 * kSecond);
  histogram->record(3, 65 * kSecond);
  const LatencyCounts counts = recent(*histogram, 65 * kSecond);
  EXPECT_EQ(counts.total, 1u);
  EXPECT_EQ(counts.quantile_us(1.0), 3u);
}

}  // namespace
}  // namespace kvorum
