// SPDX-License-Identifier: Apache-2.0
// The same properties that `kvorum-sim --scale` shows for 500 nodes, for as many as a test can
// afford.
#include "tests/sim/scale/gossip.h"

#include <gtest/gtest.h>

#include <cmath>

namespace kvorum::sim {
namespace {

constexpr uint64_t kSecond = 1'000'000;
constexpr uint32_t kPartitions = 64;

// Push and pull: each round more than doubles those who know (paper 4.8.1).
TEST(ScaleOfGossip, AChangeSpreadsInAFewTimesLogRounds) {
  for (const size_t nodes : {10, 60}) {
    for (uint64_t seed = 1; seed <= 2; ++seed) {
      const double rounds = seconds_to_spread({nodes, kPartitions, 0}, seed, false);
      EXPECT_LE(rounds, 2 * std::log2(static_cast<double>(nodes)) + 2) << nodes << " " << seed;
      EXPECT_GT(rounds, 0.5) << "nobody is told at once";
    }
  }
}

TEST(ScaleOfGossip, WhoIsToldAtOnceTellsOthers) {
  EXPECT_LT(seconds_to_spread({60, kPartitions, 0}, 1, true), 2.5);
}

TEST(ScaleOfGossip, AtRestManyNodesSendNoMoreThanFew) {
  const RestSpan span{60 * kSecond, 20 * kSecond};
  const RestBytes few = rest_bytes({10, kPartitions, 0}, span);
  const RestBytes many = rest_bytes({60, kPartitions, 0}, span);
  EXPECT_GT(few.gossip, 0);
  EXPECT_NEAR(many.gossip, few.gossip, few.gossip / 10);
  EXPECT_LE(many.probes, few.probes * 1.2);
}

TEST(ScaleOfGossip, ManyJoinAtOnceAndEverythingSettles) {
  const JoinFigures figures = join_at_once({6, 16, 4}, 1, 120 * kSecond);
  EXPECT_GT(figures.known_s, 0);
  EXPECT_LT(figures.known_s, 5);
  EXPECT_GT(figures.settled_s, figures.known_s);
}

}  // namespace
}  // namespace kvorum::sim
