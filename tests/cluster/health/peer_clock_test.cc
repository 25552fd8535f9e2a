// SPDX-License-Identifier: Apache-2.0
#include "cluster/health/peer_clock.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace kvorum::cluster {
namespace {

using Change = PeerClock::Change;

// Two clocks and a link between them.
struct Link {
  int64_t offset_ms = 0;
  uint64_t now_us = 5'000'000;

  // `there` and `back`: how long question and answer were on their way.
  PeerClock::Answer ask(uint64_t there_us, uint64_t back_us) {
    PeerClock::Answer answer;
    answer.sent_us = now_us;
    now_us += there_us;
    answer.peer_wall_ms = static_cast<uint64_t>(static_cast<int64_t>(wall_ms()) + offset_ms);
    now_us += back_us;
    answer.received_us = now_us;
    answer.our_wall_ms = wall_ms();
    now_us += 2'000'000;
    return answer;
  }
  uint64_t wall_ms() const { return 1'700'000'000'000 + now_us / 1000; }
};

TEST(PeerClockTest, NothingIsKnownBeforeTheFirstAnswer) {
  const PeerClock clock;
  EXPECT_FALSE(clock.report().has_value());
}

TEST(PeerClockTest, AnOffsetOfTenMinutesIsToldOnceAndItsEndToo) {
  for (const int64_t offset_ms : {600'000, -600'000}) {
    PeerClock clock;
    Link link{offset_ms};
    EXPECT_EQ(clock.add(link.ask(500, 500)), Change::kOff);
    EXPECT_EQ(clock.add(link.ask(500, 500)), Change::kNone);
    EXPECT_NEAR(static_cast<double>(clock.report()->offset_us),
                static_cast<double>(offset_ms * 1000), 1500);
    EXPECT_TRUE(clock.report()->is_off);
    link.offset_ms = 0;  // somebody set it right
    EXPECT_EQ(clock.add(link.ask(500, 500)), Change::kBack);
    EXPECT_FALSE(clock.report()->is_off);
    EXPECT_NEAR(static_cast<double>(clock.report()->offset_us), 0, 1500);
  }
}

TEST(PeerClockTest, TheTruthLiesWithinTheErrorWhateverTheLinkDoes) {
  Rng rng(11);
  for (int round = 0; round < 200; ++round) {
    PeerClock clock;
    Link link{static_cast<int64_t>(rng.below(4000)) - 2000};
    for (int i = 0; i < 20; ++i) {
      clock.add(link.ask(rng.below(200'000), rng.below(200'000)));
      const ClockReport report = *clock.report();
      const int64_t wrong_us = std::abs(report.offset_us - link.offset_ms * 1000);
      ASSERT_LE(wrong_us, static_cast<int64_t>(report.error_us)) << round;
    }
  }
}

TEST(PeerClockTest, OneAnswerWithALongWayDoesNotCallAClockWrong) {
  PeerClock clock;
  Link link;
  EXPECT_EQ(clock.add(link.ask(2'000'000, 100)), Change::kNone);  // it seems a second off
  EXPECT_GT(std::abs(clock.report()->offset_us), PeerClock::kOffUs);
  EXPECT_FALSE(clock.report()->is_off);
}

TEST(PeerClockTest, TheShortestWayOfTheLastFewCounts) {
  PeerClock clock;
  Link link{100};
  clock.add(link.ask(300, 300));
  for (size_t i = 0; i + 1 < PeerClock::kSamplesMax; ++i) clock.add(link.ask(90'000, 10'000));
  EXPECT_EQ(clock.report()->error_us, 300 + PeerClock::kMillisecondUs);
  clock.add(link.ask(90'000, 10'000));
  EXPECT_GT(clock.report()->error_us, 300 + PeerClock::kMillisecondUs);
}

TEST(PeerClockTest, AtTheLimitItIsNotToldAgainAndAgain) {
  PeerClock clock;
  Link link{260};
  EXPECT_EQ(clock.add(link.ask(100, 100)), Change::kOff);
  for (int i = 0; i < 50; ++i) {
    link.offset_ms = i % 2 == 0 ? 240 : 260;
    EXPECT_EQ(clock.add(link.ask(100, 100)), Change::kNone);
  }
}

}  // namespace
}  // namespace kvorum::cluster
