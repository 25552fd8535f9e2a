// SPDX-License-Identifier: Apache-2.0
#include "base/rng.h"

#include <gtest/gtest.h>

namespace kvorum {
namespace {

// xoshiro256** seeded through SplitMix64: a trace of the simulator must stay valid for ever.
TEST(Rng, GivesTheReferenceNumbers) {
  Rng zero(0);
  EXPECT_EQ(zero.next(), 0x99ec5f36cb75f2b4u);
  EXPECT_EQ(zero.next(), 0xbf6e1f784956452au);
  EXPECT_EQ(zero.next(), 0x1a5f849d4933e6e0u);
  EXPECT_EQ(zero.next(), 0x6aa594f1262d2d2cu);
  Rng other(42);
  EXPECT_EQ(other.next(), 0x15780b2e0c2ec716u);
  EXPECT_EQ(other.next(), 0x6104d9866d113a7eu);
}

TEST(Rng, StaysWithinItsBounds) {
  Rng rng(1);
  bool low_seen = false, high_seen = false;
  for (int n = 0; n < 1000; ++n) {
    EXPECT_EQ(rng.below(1), 0u);
    const uint64_t value = rng.between(5, 8);
    EXPECT_TRUE(value >= 5 && value <= 8) << value;
    low_seen |= value == 5;
    high_seen |= value == 8;
    const double unit = rng.unit();
    EXPECT_TRUE(unit >= 0 && unit < 1) << unit;
  }
  EXPECT_TRUE(low_seen && high_seen);
}

TEST(Rng, ChancesComeOutAsOftenAsTheyShould) {
  Rng rng(2);
  int hits = 0;
  for (int n = 0; n < 10000; ++n) {
    EXPECT_FALSE(rng.chance(0));
    EXPECT_TRUE(rng.chance(1));
    hits += rng.chance(0.3) ? 1 : 0;
  }
  EXPECT_NEAR(hits, 3000, 230);  // five standard deviations
}

TEST(Rng, BelowIsEven) {
  Rng rng(3);
  int counts[10] = {};
  for (int n = 0; n < 100000; ++n) ++counts[rng.below(10)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 475);
}

}  // namespace
}  // namespace kvorum
