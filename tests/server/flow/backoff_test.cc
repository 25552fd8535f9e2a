// SPDX-License-Identifier: Apache-2.0
#include "server/flow/backoff.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

TEST(BackoffTest, DoublesWithJitterUpToTheLongest) {
  Rng rng(1);
  Backoff backoff;
  for (uint64_t step = Backoff::kFirstUs; step < Backoff::kLongestUs; step *= 2) {
    const uint64_t pause = backoff.next_us(rng);
    EXPECT_GE(pause, step / 2);
    EXPECT_LE(pause, step);
  }
  for (int i = 0; i < 10; ++i) {
    const uint64_t pause = backoff.next_us(rng);
    EXPECT_GE(pause, Backoff::kLongestUs / 2);
    EXPECT_LE(pause, Backoff::kLongestUs);
  }
}

TEST(BackoffTest, StartsAnewAfterASuccess) {
  Rng rng(2);
  Backoff backoff;
  for (int i = 0; i < 10; ++i) backoff.next_us(rng);
  backoff.reset();
  EXPECT_LE(backoff.next_us(rng), Backoff::kFirstUs);
}

TEST(BackoffTest, TwoNodesDoNotKnockTogether) {
  Rng one(1), other(2);
  Backoff first, second;
  int same = 0;
  for (int i = 0; i < 20; ++i) same += first.next_us(one) == second.next_us(other) ? 1 : 0;
  EXPECT_LE(same, 1);
}

}  // namespace
}  // namespace kvorum::server
