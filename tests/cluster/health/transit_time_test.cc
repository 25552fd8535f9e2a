// SPDX-License-Identifier: Apache-2.0
#include "cluster/health/transit_time.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

constexpr uint64_t kSecond = 1'000'000;

TEST(TransitTime, IsWhatAFrameTookBeyondTheFastest) {
  for (const uint64_t ahead : {uint64_t{0}, 1000 * kSecond, ~uint64_t{0} - 500 * kSecond}) {
    TransitTime link;
    EXPECT_EQ(link.excess_us(100 * kSecond + ahead, 100 * kSecond + 50), 0u) << "nothing known";
    EXPECT_EQ(link.excess_us(101 * kSecond + ahead, 101 * kSecond + 350), 300u);
    EXPECT_EQ(link.excess_us(102 * kSecond + ahead, 102 * kSecond + 20), 0u);
    EXPECT_EQ(link.excess_us(102 * kSecond + ahead, 105 * kSecond), 3 * kSecond - 20);
  }
}

TEST(TransitTime, SlowFramesDoNotHideTheFastOnesBefore) {
  TransitTime link;
  link.excess_us(100 * kSecond, 100 * kSecond);
  for (int frame = 0; frame < 100; ++frame) {
    EXPECT_EQ(link.excess_us(101 * kSecond, 104 * kSecond), 3 * kSecond);
  }
  EXPECT_EQ(link.excess_us(105 * kSecond, 108 * kSecond), 3 * kSecond);
}

// Clocks drift, and a sender that was suspended is behind from then on.
TEST(TransitTime, FollowsAClockThatFellBehind) {
  TransitTime link;
  link.excess_us(100 * kSecond, 100 * kSecond);
  EXPECT_EQ(link.excess_us(101 * kSecond, 103 * kSecond), 2 * kSecond);
  uint64_t excess = 1;
  for (uint64_t now = 104; now < 116; ++now) {
    excess = link.excess_us((now - 2) * kSecond, now * kSecond);
  }
  EXPECT_EQ(excess, 0u);
}

TEST(TransitTime, AfterALongSilenceNothingIsKnown) {
  TransitTime link;
  link.excess_us(100 * kSecond, 100 * kSecond);
  EXPECT_EQ(link.excess_us(100 * kSecond, 130 * kSecond), 0u);
}

TEST(TransitTime, AnotherClockIsTakenAtOnce) {
  TransitTime link;
  link.excess_us(1'000'000 * kSecond, 1'000'000 * kSecond);
  EXPECT_EQ(link.excess_us(5 * kSecond, 1'000'001 * kSecond), 0u);
  EXPECT_EQ(link.excess_us(6 * kSecond, 1'000'003 * kSecond), kSecond);
}

}  // namespace
}  // namespace kvorum::cluster
