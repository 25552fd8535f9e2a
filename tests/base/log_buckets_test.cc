// SPDX-License-Identifier: Apache-2.0
#include "base/log_buckets.h"

#include <gtest/gtest.h>

#include <array>

#include "base/rng.h"

namespace kvorum {
namespace {

template <class Buckets>
void expect_neither_gap_nor_overlap(size_t buckets) {
  for (size_t bucket = 0; bucket < buckets; ++bucket) {
    const uint64_t top = Buckets::top(bucket);
    ASSERT_EQ(Buckets::of(top), bucket);
    ASSERT_EQ(Buckets::of(top + 1), bucket + 1);
  }
}

TEST(LogBuckets, FollowEachOtherWithoutGapOrOverlap) {
  expect_neither_gap_nor_overlap<LogBuckets<3>>(400);
  expect_neither_gap_nor_overlap<LogBuckets<10>>(40'000);
}

TEST(LogBuckets, AreAsTightAsTheirBitsSay) {
  Rng rng(3);
  for (int round = 0; round < 100'000; ++round) {
    const uint64_t value = rng.below(uint64_t{1} << rng.between(1, 62));
    const uint64_t coarse = LogBuckets<3>::top(LogBuckets<3>::of(value));
    const uint64_t fine = LogBuckets<10>::top(LogBuckets<10>::of(value));
    ASSERT_GE(fine, value);
    ASSERT_LE(fine - value, value / 1024);
    ASSERT_GE(coarse, value);
    ASSERT_LE(coarse - value, value / 8);
  }
}

TEST(LogBuckets, TheLargestNumberHasABucket) {
  EXPECT_EQ(LogBuckets<3>::top(LogBuckets<3>::of(~uint64_t{0})), ~uint64_t{0});
}

TEST(LogBuckets, AQuantileIsTheFirstBucketThatReachesIt) {
  const std::array<uint64_t, 4> counts{0, 2, 0, 2};
  EXPECT_EQ(bucket_of_quantile(counts, 4, 0), 1u);
  EXPECT_EQ(bucket_of_quantile(counts, 4, 0.5), 1u);
  EXPECT_EQ(bucket_of_quantile(counts, 4, 0.51), 3u);
  EXPECT_EQ(bucket_of_quantile(counts, 4, 1), 3u);
  EXPECT_EQ(bucket_of_quantile(counts, 4, 7), 3u);
  EXPECT_EQ(bucket_of_quantile(std::array<uint64_t, 2>{0, 0}, 0, 0.99), 2u);
}

}  // namespace
}  // namespace kvorum
