// SPDX-License-Identifier: Apache-2.0
#include "server/membership/moves_progress.h"

#include <gtest/gtest.h>

#include <utility>

namespace kvorum::server {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;

class MovesProgressTest : public ::testing::Test {
 protected:
  // A partition of which so many keys have come, of 100 bytes each.
  void row(uint32_t partition, uint64_t copied, uint64_t of) {
    MovesStatus::Row row;
    row.partition = partition;
    row.is_counted = true;
    row.copied = {copied, copied * 100};
    row.of = {of, of * 100};
    moves.rows.push_back(row);
  }
  void uncounted_row(uint32_t partition) {
    MovesStatus::Row row;
    row.partition = partition;
    moves.rows.push_back(row);
  }
  // Of the rows so far, so many seconds after the last look.
  MovesStatus look(double seconds = 1) {
    now_us += static_cast<uint64_t>(seconds * kSecondUs);
    progress.look(now_us, &moves);
    return std::exchange(moves, {});
  }

  MovesStatus moves;
  MovesProgress progress;
  uint64_t now_us = 77 * kSecondUs;
};

TEST_F(MovesProgressTest, NothingMoves) {
  const MovesStatus::Total total = look().total;
  EXPECT_EQ(total.partitions_left, 0u);
  EXPECT_TRUE(total.is_counted);
  EXPECT_EQ(total.percent(), 100u);
  EXPECT_FALSE(total.seconds_left);
}

TEST_F(MovesProgressTest, WhereThereAreNoKeysPartitionsCount) {
  for (uint32_t partition = 0; partition < 4; ++partition) row(partition, 0, 0);
  EXPECT_EQ(look().total.percent(), 0u);
  row(2, 0, 0);
  EXPECT_EQ(look().total.percent(), 75u);
}

TEST_F(MovesProgressTest, TheRateIsOfTheLastSeconds) {
  row(3, 100, 1000);
  row(5, 0, 1000);
  const MovesStatus begun = look();
  EXPECT_EQ(begun.total.copied.keys, 100u);
  EXPECT_EQ(begun.total.left.keys, 1900u);
  EXPECT_EQ(begun.total.left.bytes, 190'000u);
  EXPECT_EQ(begun.total.percent(), 5u);
  EXPECT_EQ(begun.total.per_second.keys, 0u);  // nothing is known of the time before
  EXPECT_FALSE(begun.total.seconds_left);

  row(3, 300, 1000);
  row(5, 100, 1000);
  const MovesStatus on = look(2);
  EXPECT_EQ(on.rows[0].per_second.keys, 100u);
  EXPECT_EQ(on.rows[1].per_second.keys, 50u);
  EXPECT_EQ(on.rows[1].per_second.bytes, 5000u);
  EXPECT_EQ(on.total.per_second.keys, 150u);
  EXPECT_EQ(on.total.per_second.bytes, 15'000u);
  EXPECT_EQ(on.total.seconds_left, 11u);  // 1600 keys

  for (int second = 0; second < 6; ++second) {  // nobody goes on
    row(3, 300, 1000);
    row(5, 100, 1000);
    look();
  }
  row(3, 300, 1000);
  row(5, 100, 1000);
  const MovesStatus stuck = look();
  EXPECT_EQ(stuck.rows[0].per_second.keys, 0u);
  EXPECT_EQ(stuck.total.per_second.keys, 0u);
  EXPECT_FALSE(stuck.total.seconds_left);
}

TEST_F(MovesProgressTest, ARateNeedsASecond) {
  row(3, 0, 1000);
  look();
  row(3, 500, 1000);
  EXPECT_EQ(look(0.1).total.per_second.keys, 0u);
  row(3, 500, 1000);
  EXPECT_EQ(look(0.9).total.per_second.keys, 500u);
}

TEST_F(MovesProgressTest, WhatWasSettledCounts) {
  row(3, 900, 1000);
  row(5, 0, 1000);
  look();
  row(5, 100, 1000);
  const MovesStatus::Total total = look().total;
  EXPECT_EQ(total.partitions_moved, 1u);
  EXPECT_EQ(total.partitions_left, 1u);
  EXPECT_EQ(total.copied.keys, 1100u);
  EXPECT_EQ(total.left.keys, 900u);
  EXPECT_EQ(total.percent(), 55u);
  EXPECT_EQ(total.per_second.keys, 200u);
  look();  // all of it
  row(5, 0, 50);
  EXPECT_EQ(look().total.copied.keys, 0u) << "another move begins at nothing";
}

TEST_F(MovesProgressTest, WhatMembersSayLateHasNotComeJustNow) {
  row(3, 0, 1000);
  uncounted_row(5);
  const MovesStatus begun = look();
  EXPECT_FALSE(begun.total.is_counted);
  EXPECT_EQ(begun.total.left.keys, 1000u);
  row(3, 0, 1000);
  row(5, 800, 1000);
  const MovesStatus said = look();
  EXPECT_TRUE(said.total.is_counted);
  EXPECT_EQ(said.total.per_second.keys, 0u);
  row(3, 10, 1000);
  uncounted_row(5);  // it fell silent: what it said last stands
  const MovesStatus silent = look();
  EXPECT_FALSE(silent.total.is_counted);
  EXPECT_EQ(silent.total.copied.keys, 810u);
  EXPECT_EQ(silent.rows[0].per_second.keys, 10u);
  EXPECT_FALSE(silent.total.seconds_left);
}

TEST_F(MovesProgressTest, ACopyThatShrinksHasNoRate) {
  row(3, 500, 1000);
  look();
  row(3, 400, 1000);
  const MovesStatus status = look();
  EXPECT_EQ(status.rows[0].per_second.keys, 0u);
  EXPECT_EQ(status.total.per_second.keys, 0u);
}

}  // namespace
}  // namespace kvorum::server
