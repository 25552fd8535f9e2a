// SPDX-License-Identifier: Apache-2.0
#include "cluster/health/replay_pace.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

void answer(ReplayPace& pace, size_t times, uint64_t latency_us) {
  for (size_t n = 0; n < times; ++n) pace.answered(latency_us);
}

TEST(ReplayPace, GrowsByOnePerWindowOfQuickAnswers) {
  ReplayPace pace;
  EXPECT_EQ(pace.window(), ReplayPace::kWindowFirst);
  answer(pace, ReplayPace::kWindowFirst, 500);
  EXPECT_EQ(pace.window(), ReplayPace::kWindowFirst + 1);
  answer(pace, 1'000'000, 500);
  EXPECT_EQ(pace.window(), ReplayPace::kWindowMax);
}

TEST(ReplayPace, ASlowAnswerHalvesItOncePerWindow) {
  ReplayPace pace;
  answer(pace, 5000, 500);
  const size_t before = pace.window();
  answer(pace, before, 50'000);
  EXPECT_EQ(pace.window(), before / 2) << "those on their way do not count again";
  answer(pace, 1, 50'000);
  EXPECT_EQ(pace.window(), before / 4);
  answer(pace, 100'000, 500'000);
  EXPECT_GE(pace.window(), 1u);
}

TEST(ReplayPace, ASilenceLeavesOne) {
  ReplayPace pace;
  answer(pace, 5000, 500);
  pace.silent();
  EXPECT_EQ(pace.window(), 1u);
  answer(pace, 5000, 500);
  EXPECT_GT(pace.window(), 50u) << "and it comes back";
}

TEST(ReplayPace, ALinkThatBecameSlowForGoodIsNotABusyReceiverForEver) {
  ReplayPace pace;
  answer(pace, 5000, 500);
  answer(pace, 500, 60'000);
  EXPECT_LT(pace.window(), 10u);
  answer(pace, 100'000, 60'000);
  EXPECT_EQ(pace.window(), ReplayPace::kWindowMax);
}

}  // namespace
}  // namespace kvorum::cluster
