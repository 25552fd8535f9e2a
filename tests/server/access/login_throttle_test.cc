// SPDX-License-Identifier: Apache-2.0
#include "server/access/login_throttle.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

constexpr uint64_t kSecond = 1'000'000;
constexpr uint64_t kNow = 1'000 * kSecond;

TEST(LoginThrottleTest, AFewMistakesAreFreeThenEachDoublesTheWaitUpToASecond) {
  LoginThrottle throttle;
  for (uint32_t i = 0; i < LoginThrottle::kFreeFailures; ++i) {
    EXPECT_EQ(throttle.delay_us("10.0.0.1", kNow), 0u) << i;
    throttle.failed("10.0.0.1", kNow);
  }
  uint64_t expected = LoginThrottle::kDelayFirstUs;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(throttle.delay_us("10.0.0.1", kNow), expected);
    throttle.failed("10.0.0.1", kNow);
    expected = std::min(2 * expected, LoginThrottle::kDelayMaxUs);
  }
  EXPECT_EQ(expected, kSecond);
}

TEST(LoginThrottleTest, OtherAddressesDoNotWait) {
  LoginThrottle throttle;
  for (int i = 0; i < 100; ++i) throttle.failed("10.0.0.1", kNow);
  EXPECT_EQ(throttle.delay_us("10.0.0.2", kNow), 0u);
}

TEST(LoginThrottleTest, AMinuteWithoutAMistakeForgets) {
  LoginThrottle throttle;
  for (int i = 0; i < 100; ++i) throttle.failed("10.0.0.1", kNow);
  EXPECT_EQ(throttle.delay_us("10.0.0.1", kNow + 59 * kSecond), kSecond);
  EXPECT_EQ(throttle.delay_us("10.0.0.1", kNow + 60 * kSecond), 0u);
  throttle.failed("10.0.0.1", kNow + 61 * kSecond);
  EXPECT_EQ(throttle.delay_us("10.0.0.1", kNow + 61 * kSecond), 0u);
}

TEST(LoginThrottleTest, TheTableIsBoundedAndForgetsTheOldestMistake) {
  LoginThrottle throttle;
  for (int i = 0; i < 10; ++i) throttle.failed("first", kNow);
  for (int i = 0; i < 10; ++i) throttle.failed("second", kNow + 1);
  for (size_t i = 0; i < LoginThrottle::kAddressesMax - 1; ++i) {
    throttle.failed("address" + std::to_string(i), kNow + 2);
  }
  EXPECT_EQ(throttle.size(), LoginThrottle::kAddressesMax);
  EXPECT_EQ(throttle.delay_us("first", kNow + 2), 0u);
  EXPECT_NE(throttle.delay_us("second", kNow + 2), 0u);
  throttle.failed("late", kNow + 200 * kSecond);
  EXPECT_EQ(throttle.size(), 1u);
}

}  // namespace
}  // namespace kvorum::server
