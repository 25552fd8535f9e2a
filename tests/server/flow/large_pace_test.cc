// SPDX-License-Identifier: Apache-2.0
#include "server/flow/large_pace.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

constexpr uint64_t kStartUs = 1'000'000;
constexpr size_t kPiece = LargePace::kPieceBytes;

TEST(LargePaceTest, NobodyWaitsWhereNobodyElseIsServed) {
  LargePace pace(1);
  for (int piece = 0; piece < 1000; ++piece) EXPECT_EQ(pace.wait_us(kPiece, kStartUs), 0u);
  pace.served(LargePace::kBusyOperations - 1, kStartUs);
  EXPECT_FALSE(pace.is_busy(kStartUs));
}

TEST(LargePaceTest, BesideOthersPiecesMoveAtTheRateOfTheProcessors) {
  for (const uint32_t cpus : {1u, 4u}) {
    LargePace pace(cpus);
    uint64_t moved = 0;
    for (uint64_t now_us = kStartUs; now_us < kStartUs + 1'000'000; now_us += 50) {
      pace.served(1, now_us);
      if (pace.wait_us(kPiece, now_us) == 0) moved += kPiece;
    }
    const double rate = static_cast<double>(LargePace::kBytesPerSecondPerCpu) * cpus;
    EXPECT_NEAR(static_cast<double>(moved), rate, rate / 10) << cpus << " processors";
  }
}

TEST(LargePaceTest, OnceTheOthersHaveGoneItIsFastAgain) {
  LargePace pace(1);
  pace.served(LargePace::kBusyOperations, kStartUs);
  while (pace.wait_us(kPiece, kStartUs) == 0) {
  }
  EXPECT_GT(pace.wait_us(kPiece, kStartUs), 0u);
  EXPECT_EQ(pace.wait_us(kPiece, kStartUs + LargePace::kWindowUs), 0u);
}

class Counted final : public Paced {
 public:
  explicit Counted(Pacer& pacer) : pacer_(pacer) {}
  void on_pace() override {
    ++told;
    moved += pacer_.may_move(*this, kPiece);
  }

  int told = 0, moved = 0;

 private:
  Pacer& pacer_;
};

class PacerTest : public ::testing::Test {
 protected:
  PacerTest() { pace_.served(1'000'000, now_us()); }

  uint64_t now_us() { return clock_.now().steady_us; }
  // One after the other is asked until nothing may move.
  void exhaust(Counted& who) {
    while (pacer_.may_move(who, kPiece)) {
    }
  }

  TurnClock clock_{0};
  LargePace pace_{1};
  Pacer pacer_{pace_, clock_};
};

TEST_F(PacerTest, WhoWaitsIsToldInTurnAndNobodyOvertakes) {
  Counted first(pacer_), second(pacer_), third(pacer_);
  exhaust(first);
  EXPECT_FALSE(pacer_.may_move(second, kPiece));
  EXPECT_FALSE(pacer_.may_move(third, kPiece));
  ASSERT_NE(pacer_.next_due_us(), 0u);
  pacer_.on_time(pacer_.next_due_us());
  EXPECT_EQ(first.told, 1);
  EXPECT_EQ(second.told, 1);
  EXPECT_EQ(third.told, 1);
  // The clock of the turn has not moved, so all of them wait again.
  EXPECT_EQ(first.moved + second.moved + third.moved, 0);
  EXPECT_NE(pacer_.next_due_us(), 0u);
}

TEST_F(PacerTest, WhoIsForgottenIsNotTold) {
  Counted first(pacer_), second(pacer_);
  exhaust(first);
  EXPECT_FALSE(pacer_.may_move(second, kPiece));
  pacer_.forget(first);
  pacer_.on_time(pacer_.next_due_us());
  EXPECT_EQ(first.told, 0);
  EXPECT_EQ(second.told, 1);
}

TEST_F(PacerTest, NothingIsDueWhereNobodyWaits) {
  EXPECT_EQ(pacer_.next_due_us(), 0u);
  pacer_.on_time(now_us() + 1'000'000);
}

}  // namespace
}  // namespace kvorum::server
