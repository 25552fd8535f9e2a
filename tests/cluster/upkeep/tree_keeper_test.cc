// SPDX-License-Identifier: Apache-2.0
// The keeper of hash trees, turn by turn: which tree it builds, when, and what it says of it.
#include "cluster/upkeep/tree_keeper.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_core.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr uint32_t kPartition = 5;
constexpr uint64_t kTurnUs = TreeKeeper::kTurnUs, kLookUs = TreeKeeper::kLookUs;
constexpr uint64_t kScrubMs = 1'000'000'000;  // none in a test that is not about it

using Copies = std::vector<std::pair<uint8_t, uint32_t>>;

struct NotedDamage final : DamageSink {
  void on_damage(uint8_t keyspace, uint32_t partition, Now) override {
    told.emplace_back(keyspace, partition);
  }
  Copies told;
};

struct NotedLosses final : engine::LossListener {
  void on_loss(uint8_t keyspace, uint32_t partition) override {
    told.emplace_back(keyspace, partition);
  }
  void on_loss_of_all() override { ADD_FAILURE() << "not all was lost"; }
  Copies told;
};

CoordinatorOptions scrubbing(uint64_t scrub_ms) {
  CoordinatorOptions options;
  options.scrub_ms = scrub_ms;
  return options;
}

struct LoneKeeper : LoneCore {
  explicit LoneKeeper(const LoneShape& shape) : LoneCore(shape) {}

  void put_many(uint32_t partition, size_t count, uint8_t keyspace = 0) {
    for (const std::string& key : keys_in(partition, count))
      put(key, object_of(0, 1, "v"), keyspace);
  }
  int depth_of(uint32_t partition, uint8_t keyspace = 0) const {
    return table.trees().depth(keyspace, partition);
  }
  uint64_t built() const { return core.counters.trees_built; }
  // One turn when it is due, however long that takes.
  void turn() {
    ASSERT_NE(keeper.next_deadline_us(), 0u);
    if (keeper.next_deadline_us() > now.steady_us) {
      pass_us(keeper.next_deadline_us() - now.steady_us);
    }
    keeper.on_time(now);
  }
  uint64_t due_in_us() const { return keeper.next_deadline_us() - now.steady_us; }

  NotedDamage damaged;
  TreeKeeper keeper{core, damaged};
};

struct TreeKeeperTest : ::testing::Test {
  NotedLosses losses;
  NotedBudget budget;
  LoneShape shape(uint64_t scrub_ms = kScrubMs) {
    return {.options = scrubbing(scrub_ms), .adjust_parts = [this](NodeParts& parts) {
              parts.losses = &losses;
              parts.budget = &budget;
            }};
  }
};

TEST_F(TreeKeeperTest, ThoseWhoKeepNone) {
  CoordinatorOptions without_exchanges;
  without_exchanges.anti_entropy_ms = 0;
  for (const LoneShape& idle : {LoneShape{.options = without_exchanges}, LoneShape{.members = 1},
                                LoneShape{.is_member = false}}) {
    LoneKeeper lone(idle);
    lone.put_many(kPartition, 40);
    lone.keeper.on_time(lone.now);
    EXPECT_EQ(lone.keeper.next_deadline_us(), 0u);
    EXPECT_EQ(lone.depth_of(kPartition), 0);
  }
}

TEST_F(TreeKeeperTest, LooksOnceASecondWhereThereIsNothingToDo) {
  LoneKeeper lone(shape());
  EXPECT_EQ(lone.keeper.next_deadline_us(), 1u) << "at once";
  lone.put_many(kPartition, 32);
  lone.turn();
  EXPECT_EQ(lone.due_in_us(), kLookUs);
  EXPECT_EQ(budget.questions, 0);
  lone.put_many(kPartition, 33);
  lone.pass_us(kLookUs - 1);
  lone.keeper.on_time(lone.now);
  EXPECT_EQ(lone.built(), 0u) << "not before it is due";
  lone.pass_us(1);
  lone.keeper.on_time(lone.now);
  EXPECT_EQ(lone.built(), 1u);
  EXPECT_EQ(lone.depth_of(kPartition), 1);
}

TEST_F(TreeKeeperTest, TreesThatAreOutgrownAreBuiltOneATurn) {
  LoneKeeper lone(shape());
  lone.put_many(3, 40);
  lone.put_many(9, 70, 2);
  const uint64_t root = lone.table.digest(0, 3);
  lone.turn();
  EXPECT_EQ(lone.depth_of(3), 1);
  EXPECT_EQ(lone.depth_of(9, 2), 0);
  EXPECT_EQ(lone.due_in_us(), kTurnUs);
  lone.turn();
  EXPECT_EQ(lone.depth_of(9, 2), 2);
  EXPECT_EQ(lone.built(), 2u);
  EXPECT_EQ(lone.table.digest(0, 3), root);
  EXPECT_EQ(lone.core.counters.tree_mismatches, 0u);
  EXPECT_THAT(lone.damaged.told, IsEmpty());
  lone.turn();
  EXPECT_EQ(lone.due_in_us(), kLookUs) << "all is done";
}

TEST_F(TreeKeeperTest, ATurnIsBounded) {
  LoneKeeper lone(shape());
  lone.put_many(kPartition, 2000);
  int turns = 0;
  for (; lone.built() == 0 && turns < 100; ++turns) {
    EXPECT_EQ(lone.depth_of(kPartition), 0) << "the tree in use serves on";
    lone.turn();
    EXPECT_EQ(lone.due_in_us(), kTurnUs);
  }
  EXPECT_GE(turns, 2000 / (TreeKeeper::kStretchesPerTurn * 256));
  EXPECT_LE(turns, 2000 / (TreeKeeper::kStretchesPerTurn * 64) + 1);
  EXPECT_GT(lone.depth_of(kPartition), 0);
}

TEST_F(TreeKeeperTest, TheBudgetIsAskedBeforeEachTurn) {
  LoneKeeper lone(shape());
  lone.put_many(kPartition, 40);
  budget.wait = 7000;
  lone.turn();
  EXPECT_EQ(budget.work, BackgroundWork::kScrub);
  EXPECT_EQ(lone.built(), 0u);
  EXPECT_EQ(lone.due_in_us(), 7000u);
  budget.wait = 0;
  lone.turn();
  EXPECT_EQ(lone.built(), 1u);
  EXPECT_EQ(budget.questions, 2);
}

// ---- damage

TEST_F(TreeKeeperTest, ATreeThatDidNotFollowItsObjectsIsALoss) {
  LoneKeeper lone(shape());
  lone.put_many(kPartition, 40);
  lone.lose(lone.key_in(kPartition, 3));
  lone.turn();
  EXPECT_EQ(lone.core.counters.tree_mismatches, 1u);
  EXPECT_THAT(losses.told, ElementsAre(Pair(0, kPartition)));
  EXPECT_THAT(lone.damaged.told, ElementsAre(Pair(0, kPartition)));
}

TEST_F(TreeKeeperTest, WithoutAListenerTheSinkIsToldAllTheSame) {
  LoneKeeper lone({.options = scrubbing(kScrubMs)});
  lone.put_many(kPartition, 40);
  lone.lose(lone.key_in(kPartition, 3));
  lone.turn();
  EXPECT_THAT(lone.damaged.told, ElementsAre(Pair(0, kPartition)));
}

TEST_F(TreeKeeperTest, DamagedCopiesComeFirstAndAreLackingThen) {
  LoneKeeper lone(shape());
  lone.put_many(3, 40);
  lone.put_many(kPartition, 5, 1);
  lone.damage(1, kPartition);
  lone.turn();
  EXPECT_EQ(lone.built(), 1u);
  EXPECT_EQ(lone.depth_of(3), 0) << "its turn comes";
  EXPECT_EQ(lone.whole.damage(1, kPartition), 0u);
  EXPECT_FALSE(lone.whole.is_whole(1, kPartition)) << "exchanges make it so";
  EXPECT_THAT(lone.damaged.told, ElementsAre(Pair(1, kPartition)));
  EXPECT_THAT(losses.told, IsEmpty()) << "that was known";
  lone.turn();
  EXPECT_EQ(lone.depth_of(3), 1);
}

TEST_F(TreeKeeperTest, ACopyThatLostItsTreeTooIsNoMismatchOnTop) {
  LoneKeeper lone(shape());
  lone.put_many(kPartition, 40);
  lone.lose(lone.key_in(kPartition, 3));
  lone.damage(0, kPartition);
  lone.turn();
  EXPECT_EQ(lone.core.counters.tree_mismatches, 0u);
  EXPECT_THAT(losses.told, IsEmpty());
  EXPECT_THAT(lone.damaged.told, ElementsAre(Pair(0, kPartition)));
}

TEST_F(TreeKeeperTest, WhatWasDamagedAgainMeanwhileIsBuiltAgain) {
  LoneKeeper lone(shape());
  lone.put_many(kPartition, 2000);
  lone.damage(0, kPartition);
  lone.turn();
  ASSERT_EQ(lone.built(), 0u);
  lone.damage(0, kPartition);
  while (lone.built() == 0) lone.turn();
  EXPECT_NE(lone.whole.damage(0, kPartition), 0u);
  EXPECT_THAT(lone.damaged.told, IsEmpty());
  while (lone.built() == 1) lone.turn();
  EXPECT_EQ(lone.whole.damage(0, kPartition), 0u);
  EXPECT_THAT(lone.damaged.told, ElementsAre(Pair(0, kPartition)));
}

// ---- the scrub

TEST_F(TreeKeeperTest, EachTreeInUseIsBuiltOnceInTheTimeOfAScrub) {
  constexpr uint64_t kScrub = 60'000;
  LoneKeeper lone(shape(kScrub));
  lone.put_many(3, 1);
  lone.put_many(9, 1);
  lone.put_many(4, 1, 7);
  const uint64_t begin_us = lone.now.steady_us;
  lone.turn();
  EXPECT_EQ(lone.built(), 0u) << "not at the start";
  const auto us_until_built = [&](uint64_t count) {
    while (lone.built() < count) lone.turn();
    return lone.now.steady_us - begin_us;
  };
  for (uint64_t round = 1; round <= 6; ++round) {
    const uint64_t after_us = us_until_built(round);
    EXPECT_GE(after_us, round * kScrub * 1000 / 3) << round;
    EXPECT_LE(after_us, round * (kScrub * 1000 / 3 + kLookUs)) << round;
  }
}

TEST_F(TreeKeeperTest, TheScrubTakesOneAfterTheOtherAndBeginsAnew) {
  LoneKeeper lone(shape(3000));
  lone.put_many(3, 2);
  lone.put_many(9, 2);
  lone.put_many(4, 2, 7);
  for (const auto& [keyspace, partition] : Copies{{0, 3}, {0, 9}, {7, 4}}) {
    lone.lose(lone.key_in(partition, 0), keyspace);
  }
  while (lone.built() < 3) lone.turn();
  EXPECT_THAT(losses.told, ElementsAre(Pair(0, 3), Pair(0, 9), Pair(7, 4)));
  lone.lose(lone.key_in(3, 1));
  lone.put_many(3, 1);
  while (lone.built() < 4) lone.turn();
  EXPECT_THAT(losses.told, ElementsAre(Pair(0, 3), Pair(0, 9), Pair(7, 4), Pair(0, 3)));
}

TEST_F(TreeKeeperTest, AnEmptyNodeScrubsNothing) {
  LoneKeeper lone(shape(1));
  for (int look = 0; look < 10; ++look) {
    lone.turn();
    EXPECT_EQ(lone.due_in_us(), kLookUs);
  }
  EXPECT_EQ(lone.built(), 0u);
}

// ---- from the store

class TreeKeeperOverStore : public ::testing::Test {
 protected:
  TreeKeeperOverStore() {
    LoneKeeper before({.store = &store});
    before.put_many(kPartition, 700);
    before.put_many(kPartition + 1, 1);
    before.put_many(1, 1);
    KVORUM_CHECK(before.table.commits().commit(true).ok());
    lone = std::make_unique<LoneKeeper>(
        LoneShape{.store = &store, .memory_bytes_max = 1, .options = scrubbing(kScrubMs)});
  }
  RangeLoad take_load() {
    EXPECT_EQ(lone->core.outbox.range_loads.size(), 1u);
    const RangeLoad load = lone->core.outbox.range_loads.at(0);
    lone->core.outbox.range_loads.clear();
    return load;
  }
  ScanPage page_with(engine::TreeBuild tree) {
    ScanPage page;
    page.reader = RangeLoad::Reader::kTreeKeeper;
    page.tree = tree;
    return page;
  }

  engine::testing::MapStore store;
  std::unique_ptr<LoneKeeper> lone;
};

TEST_F(TreeKeeperOverStore, AStretchAtATimeIsReadAndNothingElseMeanwhile) {
  const int outgrown = lone->depth_of(kPartition);
  lone->damage(0, kPartition);
  lone->turn();
  for (int stretch = 0; lone->built() == 0; ++stretch) {
    ASSERT_LT(stretch, 20);
    const RangeLoad load = take_load();
    EXPECT_EQ(load.reader, RangeLoad::Reader::kTreeKeeper);
    EXPECT_EQ(load.partition, kPartition);
    EXPECT_EQ(lone->keeper.next_deadline_us(), 0u) << "it waits for the store";
    lone->pass_us(10 * kLookUs);
    lone->keeper.on_time(lone->now);
    EXPECT_TRUE(lone->sent_nothing());
    lone->keeper.on_scanned(read_stored_page(lone->core.parts, load), lone->now);
    EXPECT_EQ(lone->due_in_us(), kTurnUs);
    if (lone->built() == 0) lone->turn();
  }
  EXPECT_GE(lone->depth_of(kPartition), outgrown);
  EXPECT_THAT(lone->damaged.told, ElementsAre(Pair(0, kPartition)));
}

TEST_F(TreeKeeperOverStore, AfterAFailureItLooksAgainLater) {
  lone->damage(0, kPartition);
  lone->turn();
  take_load();
  ScanPage page = page_with(engine::TreeBuild::kDone);
  page.access = engine::Access::kRefused;
  lone->keeper.on_scanned(page, lone->now);
  EXPECT_EQ(lone->built(), 0u);
  EXPECT_NE(lone->whole.damage(0, kPartition), 0u);
  EXPECT_EQ(lone->due_in_us(), kLookUs);
  lone->damage(0, kPartition + 1);
  lone->turn();
  EXPECT_EQ(take_load().partition, kPartition + 1) << "what is first then";
}

TEST_F(TreeKeeperOverStore, HowABuildEnds) {
  lone->damage(0, kPartition);
  lone->turn();
  take_load();
  lone->keeper.on_scanned(page_with(engine::TreeBuild::kGoesOn), lone->now);
  EXPECT_EQ(lone->built(), 0u);
  lone->turn();
  take_load();
  lone->keeper.on_scanned(page_with(engine::TreeBuild::kMismatch), lone->now);
  EXPECT_EQ(lone->built(), 1u);
  EXPECT_THAT(lone->damaged.told, ElementsAre(Pair(0, kPartition)));
  lone->keeper.on_scanned(page_with(engine::TreeBuild::kDone), lone->now);
  EXPECT_EQ(lone->built(), 1u) << "a page that nobody waits for";
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
