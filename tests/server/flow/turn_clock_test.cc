// SPDX-License-Identifier: Apache-2.0
#include "server/flow/turn_clock.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;

TEST(TurnClockTest, ATurnHasOneTime) {
  TurnClock clock(0);
  const uint64_t began = clock.now().steady_us;
  while (clock.read().steady_us == began) {
  }
  EXPECT_EQ(clock.now().steady_us, began);
  clock.end_turn(0);
  EXPECT_GT(clock.now().steady_us, began);
}

TEST(TurnClockTest, AnIdleTimeIsNoPause) {
  TurnClock clock(0);
  const uint64_t now_us = clock.now().steady_us;
  for (const uint64_t due_us : {uint64_t{0}, now_us, now_us + kSecondUs}) {
    clock.end_turn(due_us);
    EXPECT_FALSE(clock.just_woke());
    EXPECT_EQ(clock.woke_us(), 0u);
  }
}

TEST(TurnClockTest, ATurnLongAfterItsTimerIsAPause) {
  TurnClock clock(0);
  const uint64_t now_us = clock.now().steady_us;
  clock.end_turn(now_us - kSecondUs);
  EXPECT_TRUE(clock.just_woke());
  EXPECT_GE(clock.woke_us(), now_us);
  EXPECT_GE(clock.paused_us(), kSecondUs);
  EXPECT_LT(clock.paused_us(), 60 * kSecondUs);
  EXPECT_EQ(clock.woke_from_long_us(), clock.woke_us());
  const uint64_t woke_us = clock.woke_us();
  while (clock.read().steady_us == woke_us) {
  }
  clock.end_turn(clock.now().steady_us + kSecondUs);
  EXPECT_FALSE(clock.just_woke());
  EXPECT_EQ(clock.woke_us(), woke_us);
}

TEST(TurnClockTest, AShortPauseMakesNobodySilent) {
  TurnClock clock(0);
  const uint64_t now_us = clock.now().steady_us;
  clock.end_turn(now_us - TurnClock::kPauseLeastUs);
  EXPECT_TRUE(clock.just_woke());
  EXPECT_EQ(clock.woke_from_long_us(), 0u);
}

TEST(TurnClockTest, TheWallClockIsShifted) {
  const uint64_t plain = TurnClock(0).now().wall_ms;
  EXPECT_NEAR(static_cast<double>(TurnClock(3600'000).now().wall_ms - plain), 3600e3, 60e3);
}

}  // namespace
}  // namespace kvorum::server
