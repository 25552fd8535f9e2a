// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scale/load.h"

#include <gtest/gtest.h>

namespace kvorum::sim {
namespace {

TEST(ScaleOfLoad, ASpreadKnowsItsWorstNode) {
  const Spread spread = spread_of({8, 10, 13, 9});
  EXPECT_EQ(spread.least, 8);
  EXPECT_EQ(spread.mean, 10);
  EXPECT_EQ(spread.most, 13);
  EXPECT_DOUBLE_EQ(spread.deviation(), 0.3);
}

// The paper calls a node out of balance that is more than 15 % from the mean (section 6.2).
TEST(ScaleOfLoad, CopiesOfAHundredNodesAreInBalance) {
  const Spread copies = copies_per_node({100, 1024, 0}, 3);
  EXPECT_DOUBLE_EQ(copies.mean, 30.72);
  EXPECT_LT(copies.deviation(), 0.15);
}

TEST(ScaleOfLoad, RequestsAreAnsweredWhileNodesDie) {
  LoadPlan plan;
  plan.shape = {12, 64, 0};
  plan.peak_per_second = 300;
  plan.duration_us = 40'000'000;
  plan.keys = 1000;
  const LoadFigures figures = run_load(plan);
  EXPECT_GT(figures.requests, 4000u);
  EXPECT_GT(figures.deaths, 0u);
  EXPECT_GT(figures.asked_again + figures.deaths, 0u);
  EXPECT_EQ(figures.failed, 0u);
  // A node of twelve that stands still holds up more than one client in a thousand for half a
  // second.
  EXPECT_LT(figures.p99_ms, 300);
  EXPECT_LT(figures.most_ms, 1500);
  EXPECT_GT(figures.p50_ms, 0.4) << "both ways to the node";
}

}  // namespace
}  // namespace kvorum::sim
