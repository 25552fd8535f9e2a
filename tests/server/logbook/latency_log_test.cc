// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/latency_log.h"

#include <gmock/gmock.h>

namespace kvorum::server {
namespace {

using ::testing::SizeIs;

TEST(LatencyLog, KeepsTheWorstOfASecond) {
  LatencyLog log;
  EXPECT_FALSE(log.is_long(1000));
  log.set_threshold_ms(10);
  EXPECT_TRUE(log.is_long(10));
  EXPECT_FALSE(log.is_long(9));
  log.add(LatencyEvent::kCommand, {100, 20});
  log.add(LatencyEvent::kCommand, {100, 50});
  log.add(LatencyEvent::kCommand, {100, 30});
  log.add(LatencyEvent::kCommand, {101, 10});
  const auto samples = log.samples(LatencyEvent::kCommand);
  ASSERT_THAT(samples, SizeIs(2));
  EXPECT_EQ(samples[0].took_ms, 50u);
  EXPECT_EQ(samples[1].at_s, 101u);
  EXPECT_EQ(log.longest_ms(LatencyEvent::kCommand), 50u);
  EXPECT_THAT(log.samples(LatencyEvent::kFastCommand), SizeIs(0));
}

TEST(LatencyLog, IsBoundedAndReset) {
  LatencyLog log;
  for (uint64_t second = 0; second < 500; ++second) {
    log.add(LatencyEvent::kFastCommand, {second, 500 - second});
  }
  EXPECT_THAT(log.samples(LatencyEvent::kFastCommand), SizeIs(LatencyLog::kSamplesMax));
  EXPECT_EQ(log.samples(LatencyEvent::kFastCommand).back().at_s, 499u);
  EXPECT_EQ(log.longest_ms(LatencyEvent::kFastCommand), 500u);  // of one that is gone
  EXPECT_FALSE(log.reset(LatencyEvent::kCommand));
  EXPECT_TRUE(log.reset(LatencyEvent::kFastCommand));
  EXPECT_EQ(log.longest_ms(LatencyEvent::kFastCommand), 0u);
}

}  // namespace
}  // namespace kvorum::server
