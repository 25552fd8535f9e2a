// SPDX-License-Identifier: Apache-2.0
// The reaper, turn by turn: which tombstones go, and how many at a time.
#include "cluster/upkeep/reaper.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_core.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;

constexpr uint64_t kFrontierMs = 10;

struct ReaperTest : ::testing::Test {
  ReaperTest() { lone.raise_frontier(Hlc::from_ms(LoneCore::kWallMs + kFrontierMs)); }

  // All that is to be done of a pass.
  void reap() {
    reaper.begin();
    reaper.on_time(lone.now);
    while (reaper.next_deadline_us() != 0) turn();
  }
  void turn() {
    lone.pass_us(reaper.next_deadline_us() - lone.now.steady_us);
    reaper.on_time(lone.now);
  }
  uint64_t reaped() const { return lone.core.counters.tombstones_reaped; }
  void put_tombstones(uint32_t partition, uint64_t count) {
    for (const std::string& key : lone.keys_in(partition, count)) {
      lone.put(key, lone.tombstone_of(1, 1));
    }
  }

  NotedBudget budget;
  LoneCore lone{
      {.has_frontier = true, .adjust_parts = [this](NodeParts& parts) { parts.budget = &budget; }}};
  Reaper reaper{lone.core};
};

TEST_F(ReaperTest, DoesNothingUnasked) {
  lone.put("k", lone.tombstone_of(1, 1));
  reaper.on_time(lone.now);
  EXPECT_EQ(reaper.next_deadline_us(), 0u);
  EXPECT_TRUE(lone.holds("k"));
}

TEST_F(ReaperTest, WhatLiesBelowTheFrontierAndHasNoValueGoes) {
  struct Case {
    const char* key;
    Object object;
    bool stays;
  };
  Object bare = lone.object_of(1, kFrontierMs - 1, "v");
  bare.versions.clear();
  Version tombstone = lone.version_of(2, 2, {});
  tombstone.type = TypeTag::kTombstone;
  Object beside_value = lone.object_of(1, 1, "v");
  update(beside_value, {}, tombstone);
  const std::vector<Case> cases = {
      {"below", lone.tombstone_of(1, kFrontierMs - 1), false},
      {"at", lone.tombstone_of(1, kFrontierMs), true},
      {"above", lone.tombstone_of(1, kFrontierMs + 1), true},
      {"value", lone.object_of(1, 1, "v"), true},
      {"beside a value", beside_value, true},
      {"a bare vector", bare, false},
  };
  for (const Case& one : cases) lone.put(one.key, one.object, 3);
  reap();
  for (const Case& one : cases) EXPECT_EQ(lone.holds(one.key, 3), one.stays) << one.key;
  EXPECT_EQ(reaped(), 2u);
}

TEST_F(ReaperTest, TheHashTreeFollows) {
  const std::string gone = lone.key_in(4, 0), stays = lone.key_in(4, 1);
  lone.put(stays, lone.object_of(1, 1, "v"));
  const uint64_t alone = lone.table.digest(0, 4);
  lone.put(gone, lone.tombstone_of(1, 1));
  ASSERT_NE(lone.table.digest(0, 4), alone);
  reap();
  EXPECT_EQ(lone.table.digest(0, 4), alone);
  EXPECT_THAT(lone.own(stays), ElementsAre("v"));
}

TEST_F(ReaperTest, ACopyThatKnowsNothingKeepsAll) {
  const std::string unknown = lone.key_in(4), known = lone.key_in(5);
  lone.put(unknown, lone.tombstone_of(1, 1));
  lone.put(known, lone.tombstone_of(1, 1));
  lone.frontier->lose(0, 4, 1);
  reap();
  EXPECT_TRUE(lone.holds(unknown));
  EXPECT_FALSE(lone.holds(known));
}

TEST_F(ReaperTest, AFullTableIsReapedToo) {
  LoneCore full({.has_frontier = true, .memory_bytes_max = 1});
  full.raise_frontier(Hlc::from_ms(LoneCore::kWallMs + kFrontierMs));
  full.put("a", full.tombstone_of(1, 1));
  full.put("b", full.tombstone_of(1, 1));
  Reaper its{full.core};
  its.begin();
  its.on_time(full.now);
  EXPECT_FALSE(full.holds("a"));
  EXPECT_FALSE(full.holds("b"));
}

TEST_F(ReaperTest, SoManyRecordsATurn) {
  constexpr uint64_t kEach = Reaper::kRecordsPerTurn / 2;
  for (const uint32_t partition : {2u, 6u, 11u, 12u}) put_tombstones(partition, kEach);
  reaper.begin();
  reaper.on_time(lone.now);
  EXPECT_EQ(reaped(), 2 * kEach);
  EXPECT_EQ(reaper.next_deadline_us(), lone.now.steady_us + Reaper::kTurnUs);
  lone.pass_us(Reaper::kTurnUs - 1);
  reaper.on_time(lone.now);
  EXPECT_EQ(reaped(), 2 * kEach) << "requests come first";
  lone.pass_us(1);
  reaper.on_time(lone.now);
  EXPECT_EQ(reaped(), 4 * kEach);
  turn();
  EXPECT_EQ(reaper.next_deadline_us(), 0u);
}

// What has values alone is not even looked at.
TEST_F(ReaperTest, PartitionsWithoutTombstonesCostNothing) {
  for (int number = 0; number < 6000; ++number) {
    lone.put("v" + std::to_string(number), lone.object_of(1, 1, "v"));
  }
  lone.put("gone", lone.tombstone_of(1, 1), 15);
  reaper.begin();
  reaper.on_time(lone.now);
  EXPECT_EQ(reaped(), 1u) << "in the first turn";
}

TEST_F(ReaperTest, NorDoCopiesThatKnowNothing) {
  put_tombstones(2, Reaper::kRecordsPerTurn);
  lone.frontier->lose(0, 2, 1);
  put_tombstones(6, 1);
  reaper.begin();
  reaper.on_time(lone.now);
  EXPECT_EQ(reaped(), 1u) << "in the first turn";
}

TEST_F(ReaperTest, AFrontierThatRisesMeanwhileMeansOneMorePass) {
  constexpr uint64_t kEach = Reaper::kRecordsPerTurn;
  put_tombstones(2, kEach);
  put_tombstones(6, kEach);
  const std::string late = lone.key_in(2, kEach);
  lone.put(late, lone.tombstone_of(1, kFrontierMs + 5));
  reaper.begin();
  reaper.on_time(lone.now);
  EXPECT_EQ(reaped(), kEach);
  lone.raise_frontier(Hlc::from_ms(LoneCore::kWallMs + kFrontierMs + 10));
  reaper.begin();
  turn();
  EXPECT_EQ(reaped(), 2 * kEach) << "this pass goes on";
  EXPECT_TRUE(lone.holds(late));
  while (reaper.next_deadline_us() != 0) turn();
  EXPECT_FALSE(lone.holds(late));
}

TEST_F(ReaperTest, TheBudgetIsWaitedFor) {
  lone.put("k", lone.tombstone_of(1, 1));
  budget.wait = 9000;
  reaper.begin();
  reaper.on_time(lone.now);
  EXPECT_EQ(budget.work, BackgroundWork::kReaping);
  EXPECT_EQ(reaper.next_deadline_us(), lone.now.steady_us + 9000);
  EXPECT_TRUE(lone.holds("k"));
  budget.wait = 0;
  turn();
  EXPECT_FALSE(lone.holds("k"));
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
