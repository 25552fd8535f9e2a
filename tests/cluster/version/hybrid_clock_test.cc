// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/hybrid_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "base/rng.h"

namespace kvorum::cluster {
namespace {

TEST(HybridClock, FollowsWallTimeAndNeverGoesBackWhenThatDoes) {
  HybridClock clock;
  EXPECT_EQ(clock.tick(1000), Hlc::from_ms(1000));
  EXPECT_EQ(clock.tick(1000), Hlc::from_ms(1000).next());
  EXPECT_EQ(clock.tick(2000), Hlc::from_ms(2000));
  EXPECT_EQ(clock.tick(500), Hlc::from_ms(2000).next());
  EXPECT_EQ(clock.reading(500), Hlc::from_ms(2000).next());
  EXPECT_EQ(clock.reading(3000), Hlc::from_ms(3000));
  EXPECT_EQ(clock.tick(2500), Hlc::from_ms(2500));  // a reading mints nothing
}

TEST(HybridClock, EveryTickIsAboveAllBeforeUnderAnyWallClock) {
  Rng rng(1);
  HybridClock clock;
  Hlc last;
  for (int round = 0; round < 10000; ++round) {
    const uint64_t wall_ms = rng.below(50);
    if (rng.chance(0.2)) clock.observe(Hlc{rng.below(600) << 16}, wall_ms);
    const Hlc tick = clock.tick(wall_ms);
    ASSERT_GT(tick, last);
    ASSERT_GE(tick, Hlc::from_ms(wall_ms));
    last = tick;
  }
}

TEST(HybridClock, IsAboveTheRemoteReadingsThatItAccepted) {
  HybridClock clock;
  EXPECT_TRUE(clock.observe(Hlc::from_ms(1000 + HybridClock::kAheadMaxMs), 1000));
  EXPECT_GT(clock.tick(1000), Hlc::from_ms(1000 + HybridClock::kAheadMaxMs));
  EXPECT_EQ(clock.far_ahead_count(), 0U);
}

TEST(HybridClock, OneNodeWithAWrongClockDoesNotDragTheOthersAlong) {
  HybridClock clock;
  const Hlc far = Hlc::from_ms(1001 + HybridClock::kAheadMaxMs);
  EXPECT_FALSE(clock.observe(far, 1000));
  EXPECT_FALSE(clock.observe(Hlc{UINT64_MAX}, 1000));
  EXPECT_EQ(clock.tick(1000), Hlc::from_ms(1000));
  EXPECT_EQ(clock.far_ahead_count(), 2U);
}

TEST(HybridClock, StartsAndIsRaisedAboveWhatItIsGiven) {
  HybridClock clock(Hlc::from_ms(5000));
  EXPECT_GT(clock.tick(10), Hlc::from_ms(5000));
  clock.raise(Hlc::from_ms(9000));
  clock.raise(Hlc::from_ms(8000));
  EXPECT_EQ(clock.tick(10), Hlc::from_ms(9000).next());
}

TEST(HybridClock, DotsRunAheadOfItAndItDoesNotFollow) {
  HybridClock clock;
  const Hlc ahead = Hlc::from_ms(300'000);
  EXPECT_EQ(clock.mint(clock.tick(1000)), Hlc::from_ms(1000));
  EXPECT_EQ(clock.mint(ahead), ahead);
  EXPECT_EQ(clock.mint(clock.tick(1001)), ahead.next());
  EXPECT_EQ(clock.reading(1001), Hlc::from_ms(1001));
  clock.mint_above(Hlc::from_ms(400'000));
  clock.mint_above(Hlc::from_ms(350'000));
  EXPECT_EQ(clock.mint(clock.tick(1002)), Hlc::from_ms(400'000).next());
  EXPECT_EQ(clock.reading(1002), Hlc::from_ms(1002));
}

TEST(HybridClock, ThreadsNeverGetTheSameReading) {
  constexpr int kThreads = 4;
  constexpr int kTicks = 20000;
  HybridClock clock;
  std::vector<std::vector<uint64_t>> readings(kThreads);
  std::vector<std::thread> threads;
  for (auto& mine : readings) {
    threads.emplace_back([&clock, &mine] {
      for (int n = 0; n < kTicks; ++n)
        mine.push_back(clock.tick(static_cast<uint64_t>(n) / 100).value);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<uint64_t> all;
  for (const auto& mine : readings) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(all.end(), mine.begin(), mine.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

}  // namespace
}  // namespace kvorum::cluster
