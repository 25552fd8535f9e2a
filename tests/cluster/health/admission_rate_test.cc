// SPDX-License-Identifier: Apache-2.0
#include "cluster/health/admission_rate.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

constexpr uint64_t kTargetUs = 10'000;
constexpr uint64_t kHalfSecondUs = 500'000;

// So many operations, all of one latency.
AdmissionRate::Foreground all_take(uint64_t latency_us, uint64_t operations = 10'000) {
  AdmissionRate::Foreground seen;
  seen.minute_operations = operations;
  seen.latest_operations = operations / 120;
  seen.minute_p99_us = seen.latest_p99_us = latency_us;
  return seen;
}

// Background work that uses what it may.
void decide(AdmissionRate& rate, const AdmissionRate::Foreground& seen, int times = 1) {
  for (int n = 0; n < times; ++n) {
    rate.decide(seen, {rate.rate() * kHalfSecondUs / 1'000'000, kHalfSecondUs});
  }
}

TEST(AdmissionRate, WithoutClientsNothingWaits) {
  AdmissionRate rate(kTargetUs);
  EXPECT_TRUE(rate.unlimited());
  decide(rate, {});
  EXPECT_TRUE(rate.unlimited());
  decide(rate, all_take(50'000), 20);
  EXPECT_FALSE(rate.unlimited());
  decide(rate, {});
  EXPECT_TRUE(rate.unlimited()) << "they are gone";
}

TEST(AdmissionRate, OnceClientsAreGoneForAWhileNothingWaitsForTheRestOfTheMinute) {
  AdmissionRate rate(kTargetUs);
  decide(rate, all_take(50'000), 20);
  EXPECT_EQ(rate.rate(), AdmissionRate::kLeast);
  AdmissionRate::Foreground gone = all_take(50'000);  // of the minute
  gone.latest_operations = 0;
  decide(rate, gone, AdmissionRate::kQuietUs / kHalfSecondUs - 1);
  EXPECT_FALSE(rate.unlimited()) << "they may come again at once";
  decide(rate, gone);
  EXPECT_TRUE(rate.unlimited());
  EXPECT_FALSE(rate.slowed());
  decide(rate, all_take(50'000));
  EXPECT_LE(rate.rate(), AdmissionRate::kBusyMax) << "they are back";
  decide(rate, gone);
  EXPECT_FALSE(rate.unlimited());
}

TEST(AdmissionRate, AFewOperationsAreNoForeground) {
  AdmissionRate rate(kTargetUs);
  decide(rate, all_take(50'000, AdmissionRate::kOperationsMin - 1));
  EXPECT_TRUE(rate.unlimited());
  decide(rate, all_take(50'000, AdmissionRate::kOperationsMin));
  EXPECT_FALSE(rate.unlimited());
}

TEST(AdmissionRate, BesideQuickOperationsItIsBoundedAllTheSame) {
  AdmissionRate rate(kTargetUs);
  decide(rate, all_take(100), 100);
  EXPECT_EQ(rate.rate(), AdmissionRate::kBusyMax);
  EXPECT_FALSE(rate.slowed());
}

TEST(AdmissionRate, WhoOnlyServesOthersIsBoundedToo) {
  AdmissionRate rate(kTargetUs);
  AdmissionRate::Foreground seen;
  seen.serves_others = true;
  decide(rate, seen);
  EXPECT_EQ(rate.rate(), AdmissionRate::kUnmeasuredMax);
}

TEST(AdmissionRate, SlowOperationsHalveItDownToTheFloor) {
  AdmissionRate rate(kTargetUs);
  decide(rate, all_take(100));
  decide(rate, all_take(kTargetUs + 1));
  EXPECT_EQ(rate.rate(), AdmissionRate::kBusyMax / 2);
  EXPECT_TRUE(rate.slowed());
  decide(rate, all_take(kTargetUs + 1));
  EXPECT_EQ(rate.rate(), AdmissionRate::kBusyMax / 4);
  decide(rate, all_take(kTargetUs + 1), 1000);
  EXPECT_EQ(rate.rate(), AdmissionRate::kLeast) << "and no further: work never starves";
}

TEST(AdmissionRate, WhatIsNotUsedIsCutAtOnce) {
  AdmissionRate rate(kTargetUs);
  decide(rate, all_take(100));
  rate.decide(all_take(kTargetUs + 1), {AdmissionRate::kBusyMax / 4 / 2, kHalfSecondUs});
  EXPECT_EQ(rate.rate(), AdmissionRate::kBusyMax / 8) << "half of the quarter that was used";
}

TEST(AdmissionRate, AMinuteWithAPastPeakHoldsIt) {
  AdmissionRate rate(kTargetUs);
  decide(rate, all_take(100));
  decide(rate, all_take(kTargetUs + 1), 2);
  const uint64_t held = rate.rate();
  AdmissionRate::Foreground seen = all_take(kTargetUs + 1);
  seen.latest_p99_us = 100;
  decide(rate, seen, 50);
  EXPECT_EQ(rate.rate(), held);
  EXPECT_TRUE(rate.slowed());
  seen.latest_operations = AdmissionRate::kLatestMin - 1;
  decide(rate, seen);
  EXPECT_LT(rate.rate(), held) << "too few to tell that it is over";
}

TEST(AdmissionRate, ItComesBackInTwentySeconds) {
  AdmissionRate rate(kTargetUs);
  decide(rate, all_take(kTargetUs + 1), 100);
  decide(rate, all_take(100), 10);
  EXPECT_EQ(rate.rate(), AdmissionRate::kLeast + AdmissionRate::kBusyMax / 4);
  decide(rate, all_take(100), 30);
  EXPECT_EQ(rate.rate(), AdmissionRate::kBusyMax);
}

}  // namespace
}  // namespace kvorum::cluster
