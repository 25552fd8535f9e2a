// SPDX-License-Identifier: Apache-2.0
#include "cluster/health/admission_controller.h"

#include <gtest/gtest.h>

#include "cluster/coordinator/coordinator.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kMs = 1000;
constexpr uint64_t kSecond = 1'000'000;
constexpr uint64_t kTargetUs = 10 * kMs;
constexpr size_t kBatchBytes = 64 * 1024;

// A node with clients and background work, by the millisecond.
class AdmittedWork : public testing::Test {
 protected:
  AdmittedWork() { controller_.watch(&operations_); }

  // Each millisecond an operation of `latency_us` (none: 0), and each kind asks as often as it may.
  void pass(uint64_t us, uint64_t latency_us, std::initializer_list<BackgroundWork> kinds) {
    for (uint64_t end_us = now_us_ + us; now_us_ < end_us; now_us_ += kMs) {
      if (latency_us != 0) operations_.gets.record(latency_us, now_us_);
      for (const BackgroundWork kind : kinds) {
        const auto at = static_cast<size_t>(kind);
        if (now_us_ < free_at_us_[at]) continue;
        for (int batch = 0; batch < 1000; ++batch) {
          const uint64_t wait_us = controller_.wait_us(kind, kBatchBytes, {now_us_, 0});
          free_at_us_[at] = now_us_ + wait_us;
          if (wait_us != 0) break;
        }
      }
    }
  }
  // Thread time a second that a kind of work got since the last question.
  uint64_t got_us(BackgroundWork kind) {
    const auto at = static_cast<size_t>(kind);
    const uint64_t done_us = report().works[at].done_us;
    const uint64_t since_us = now_us_ - seen_at_us_[at];
    seen_at_us_[at] = now_us_;
    return (done_us - std::exchange(seen_us_[at], done_us)) * kSecond / since_us;
  }
  BackgroundReport report() { return controller_.report({now_us_, 0}); }

  AdmissionController controller_{kTargetUs};
  OperationLatency operations_;
  uint64_t now_us_ = 1000 * kSecond;
  uint64_t free_at_us_[kBackgroundWorks] = {};
  uint64_t seen_us_[kBackgroundWorks] = {}, seen_at_us_[kBackgroundWorks] = {};
};

TEST_F(AdmittedWork, IsNotBoundedWithoutClients) {
  pass(kSecond, 0, {BackgroundWork::kHints});
  EXPECT_EQ(report().works[0].waits, 0u);
  EXPECT_TRUE(report().unlimited);
}

TEST_F(AdmittedWork, GetsItsRateBesideClients) {
  pass(2 * kSecond, 1 * kMs, {BackgroundWork::kAntiEntropy});
  got_us(BackgroundWork::kAntiEntropy);
  pass(10 * kSecond, 1 * kMs, {BackgroundWork::kAntiEntropy});
  const double got = static_cast<double>(got_us(BackgroundWork::kAntiEntropy));
  EXPECT_NEAR(got, AdmissionRate::kBusyMax, AdmissionRate::kBusyMax * 0.05);
  EXPECT_TRUE(report().works[static_cast<size_t>(BackgroundWork::kAntiEntropy)].waiting);
  EXPECT_FALSE(report().works[static_cast<size_t>(BackgroundWork::kHints)].waiting);
}

TEST_F(AdmittedWork, SaysAtWhichPartOfFullSpeedItIsPutOff) {
  const auto percent = [&](BackgroundWork kind) { return controller_.percent(kind, {now_us_, 0}); };
  pass(kSecond, 0, {BackgroundWork::kAntiEntropy});
  EXPECT_EQ(percent(BackgroundWork::kAntiEntropy), 100);
  pass(2 * kSecond, 1 * kMs, {BackgroundWork::kAntiEntropy});
  EXPECT_EQ(percent(BackgroundWork::kAntiEntropy), static_cast<int>(report().percent()));
  EXPECT_LT(percent(BackgroundWork::kAntiEntropy), 10);
  EXPECT_EQ(percent(BackgroundWork::kHints), 100);  // nobody asked for them
  pass(2 * kSecond, 1 * kMs, {});
  EXPECT_EQ(percent(BackgroundWork::kAntiEntropy), 100);
}

TEST_F(AdmittedWork, IsSlowedByTheP99OfTheLastMinuteAndNeverStarves) {
  pass(2 * kSecond, 1 * kMs, {BackgroundWork::kHints});
  pass(10 * kSecond, 2 * kTargetUs, {BackgroundWork::kHints});
  EXPECT_TRUE(report().slowed);
  EXPECT_NEAR(static_cast<double>(report().p99_us), 2 * kTargetUs, kTargetUs / 4.0);
  EXPECT_EQ(report().rate, AdmissionRate::kLeast);
  got_us(BackgroundWork::kHints);
  pass(20 * kSecond, 2 * kTargetUs, {BackgroundWork::kHints});
  const double got = static_cast<double>(got_us(BackgroundWork::kHints));
  EXPECT_NEAR(got, AdmissionRate::kLeast, AdmissionRate::kLeast * 0.1);

  pass(55 * kSecond, 1 * kMs, {BackgroundWork::kHints});
  EXPECT_TRUE(report().slowed) << "the minute still knows the slow ones";
  pass(30 * kSecond, 1 * kMs, {BackgroundWork::kHints});
  EXPECT_FALSE(report().slowed);
  EXPECT_EQ(report().rate, AdmissionRate::kBusyMax);
}

TEST_F(AdmittedWork, SharesEquallyBetweenTheKindsThatAreBusy) {
  const auto all = {BackgroundWork::kHints, BackgroundWork::kAntiEntropy, BackgroundWork::kScrub,
                    BackgroundWork::kReaping};
  pass(2 * kSecond, 1 * kMs, all);
  for (const BackgroundWork kind : all) got_us(kind);
  pass(10 * kSecond, 1 * kMs, all);
  for (const BackgroundWork kind : all) {
    EXPECT_NEAR(static_cast<double>(got_us(kind)), AdmissionRate::kBusyMax / 4.0,
                AdmissionRate::kBusyMax * 0.02)
        << background_work_name(kind);
  }
}

TEST_F(AdmittedWork, RunsAheadByAMillisecondAtMost) {
  pass(2 * kSecond, 1 * kMs, {});
  report();
  uint64_t batches = 0;
  while (controller_.wait_us(BackgroundWork::kHints, 0, {now_us_, 0}) == 0) ++batches;
  EXPECT_GT(batches, 10u);
  EXPECT_LT(batches, 100u);
  now_us_ += 2 * kSecond;
  report();
  uint64_t later = 0;
  while (controller_.wait_us(BackgroundWork::kHints, 0, {now_us_, 0}) == 0) ++later;
  EXPECT_EQ(later, batches) << "what was not used is not saved up";
}

TEST_F(AdmittedWork, CountsWhatTheNodeServesForOthers) {
  pass(kSecond, 0, {BackgroundWork::kHints});
  EXPECT_TRUE(report().unlimited);
  for (int n = 0; n < 100; ++n) operations_.count_served();
  pass(kSecond, 0, {BackgroundWork::kHints});
  EXPECT_TRUE(report().unlimited) << "it was one burst";
  for (int n = 0; n < 1000; ++n) {
    operations_.count_served();
    pass(kMs, 0, {BackgroundWork::kHints});
  }
  EXPECT_EQ(report().rate, AdmissionRate::kUnmeasuredMax);
}

}  // namespace
}  // namespace kvorum::cluster
