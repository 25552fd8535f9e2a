// SPDX-License-Identifier: Apache-2.0
#include "server/status/traffic_counts.h"

#include <gtest/gtest.h>

#include <memory>

namespace kvorum::server {
namespace {

TEST(CallTimes, PercentilesLieInTheirBucket) {
  CallTimes times;
  EXPECT_EQ(times.percentile_us(50), 0);
  times.times[0] = 50;  // less than 1 us
  times.times[4] = 49;  // 8 to 16 us
  times.times[10] = 1;  // 512 to 1024 us
  EXPECT_DOUBLE_EQ(times.percentile_us(50), 1);
  EXPECT_DOUBLE_EQ(times.percentile_us(25), 0.5);
  EXPECT_DOUBLE_EQ(times.percentile_us(99), 16);
  EXPECT_DOUBLE_EQ(times.percentile_us(100), 1024);
  EXPECT_GT(times.percentile_us(0), 0);
  EXPECT_LT(times.percentile_us(75), 16);
}

TEST(CallTimes, AddUpAndBegunAnewAreCountedFromThere) {
  const auto counts = std::make_unique<TrafficCounts>();
  counts->commands[7].calls.add(3);
  counts->note_time(7, 5000);
  std::vector<CallTimes> times;
  add_times(*counts, &times);
  add_times(*counts, &times);
  EXPECT_EQ(times[7].calls, 6u);
  EXPECT_EQ(times[7].times[3], 2u);
  std::vector<CallTimes> once;
  add_times(*counts, &once);
  subtract_times(once, &times);
  EXPECT_EQ(times[7].calls, 3u);
  EXPECT_EQ(times[7].times[3], 1u);
  subtract_times({}, &times);
  EXPECT_EQ(times[7].calls, 3u);
}

TEST(CallSampler, WantsTheFirstCallsAndThenSome) {
  CallSampler sampler;
  CommandCounts counts;
  uint64_t wanted = 0;
  for (uint64_t call = 0; call < 10'000; ++call) {
    wanted += sampler.wants(counts);
    counts.calls.add();
  }
  EXPECT_EQ(wanted, TrafficCounts::kAlwaysTimed +
                        (10'000 - TrafficCounts::kAlwaysTimed) / TrafficCounts::kTimedEvery);
}

}  // namespace
}  // namespace kvorum::server
