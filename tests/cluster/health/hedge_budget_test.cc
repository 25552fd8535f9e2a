// SPDX-License-Identifier: Apache-2.0
#include "cluster/health/hedge_budget.h"

#include <gtest/gtest.h>

#include <set>

namespace kvorum::cluster {
namespace {

TEST(HedgeBudget, OneReadInTwentyMayAskOneMore) {
  HedgeBudget budget;
  EXPECT_FALSE(budget.spend()) << "nothing is given in advance";
  int spent = 0;
  for (int read = 0; read < 1000; ++read) {
    budget.earn();
    spent += budget.spend();
  }
  EXPECT_EQ(spent, 50);
}

TEST(HedgeBudget, QuietTimesDoNotPayForAStorm) {
  HedgeBudget budget;
  for (int read = 0; read < 1'000'000; ++read) budget.earn();
  int spent = 0;
  while (budget.spend()) ++spent;
  EXPECT_EQ(spent, 10);
}

TEST(HedgeDelay, IsAtLeastTheTailAndAMillisecond) {
  EXPECT_EQ(hedge_delay_us(0), 1024u);
  std::set<uint64_t> delays;
  for (uint64_t tail_us = 0; tail_us < 300'000; tail_us += 7) {
    const uint64_t delay_us = hedge_delay_us(tail_us);
    EXPECT_GE(delay_us, std::max(tail_us, kHedgeLeastUs));
    EXPECT_LE(delay_us, std::max(tail_us, kHedgeLeastUs) * 3 / 2 + 24);
    delays.insert(delay_us);
  }
  EXPECT_LE(delays.size(), 20u) << "each has a lane of timers";
}

}  // namespace
}  // namespace kvorum::cluster
