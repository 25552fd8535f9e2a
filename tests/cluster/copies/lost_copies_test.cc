// SPDX-License-Identifier: Apache-2.0
// A node whose disk is damaged while it runs: what it says until it has everything again.
#include "cluster/copies/lost_copies.h"

#include <gmock/gmock.h>

#include "tests/cluster/test_cluster.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LostCopies, ACopyIsDamagedOnceUntilItsTreeWasBuilt) {
  WholeReplicas whole(4, true);
  uint64_t incarnation = 7;
  LostCopies losses(&whole, nullptr, [&] { return incarnation++; });
  losses.on_loss(0, 3);
  EXPECT_FALSE(whole.is_whole(0, 3));
  EXPECT_EQ(whole.missing(), 1u);
  EXPECT_EQ(incarnation, 8u);
  const uint32_t first = whole.damage(0, 3);
  ASSERT_NE(first, 0u);
  losses.on_loss(0, 3);
  EXPECT_EQ(incarnation, 8u) << "it counts nothing that could be lost yet";
  EXPECT_FALSE(whole.mend(0, 3, first)) << "there was more damage since";
  whole.set(0, 3, true);
  EXPECT_FALSE(whole.is_whole(0, 3)) << "an exchange says nothing of a tree that is wrong";
  EXPECT_TRUE(whole.mend(0, 3, whole.damage(0, 3)));
  EXPECT_EQ(whole.damaged(), 0u);
  EXPECT_FALSE(whole.is_whole(0, 3));
  whole.set(0, 3, true);
  EXPECT_EQ(whole.missing(), 0u);
  EXPECT_EQ(losses.count(), 1u);
}

TEST(LostCopies, AllAtOnce) {
  WholeReplicas whole(4, false);
  whole.set(1, 1, true);
  LostCopies losses(&whole, nullptr, [] { return uint64_t{1}; });
  losses.on_loss_of_all();
  EXPECT_EQ(whole.missing(), 256u);
  EXPECT_EQ(whole.damaged(), 256u);
}

class DamagedDisk : public ::testing::Test {
 protected:
  static constexpr int kKeys = 1000;
  static constexpr uint64_t kSmallMemory = 40 * 1024;  // a few hundred of the keys

  DamagedDisk() {
    cluster.open_objects(damaged, &store, kSmallMemory);
    cluster.pass_ms(3000);
    for (int key = 0; key < kKeys; ++key) cluster.set(0, name(key), value(key));
    cluster.pass_ms(3000);
  }
  ~DamagedDisk() override {
    cluster.nodes[damaged]->coordinator.reset();
    cluster.nodes[damaged]->table.reset();
  }
  TestNode& node() { return *cluster.nodes[damaged]; }
  static std::string name(int key) { return "k" + std::to_string(key); }
  static std::string value(int key) { return "value of " + std::to_string(key); }
  std::string in_store(const std::string& key) { return engine::store_key(cluster.ref(key)); }
  void damage_every(int nth) {
    for (int key = 0; key < kKeys; key += nth) store.damage(in_store(name(key)));
  }
  std::vector<std::string> own(const std::string& key) {
    EXPECT_TRUE(node().table->store_reader().load(cluster.ref(key)).ok());
    return cluster.own_values(damaged, key);
  }
  void expect_all_back() {
    for (int wait = 0; wait < 300 && node().whole->missing() > 0; ++wait) cluster.pass_ms(100);
    EXPECT_EQ(node().whole->missing(), 0u);
    for (uint32_t partition = 0; partition < 16; ++partition) {
      const engine::ObjectTable& other = *cluster.nodes[0]->table;
      EXPECT_EQ(node().table->digest(0, partition), other.digest(0, partition));
      EXPECT_EQ(node().table->record_count(0, partition), other.record_count(0, partition));
      EXPECT_EQ(node().table->live_count(0, partition), other.live_count(0, partition));
    }
    for (int key = 0; key < kKeys; ++key) ASSERT_THAT(own(name(key)), ElementsAre(value(key)));
  }

  engine::testing::MapStore store;
  TestCluster cluster{3, {}, with_quick_rounds()};
  const size_t damaged = 2;
};

TEST_F(DamagedDisk, NoReadIsWrongAndAllComesBack) {
  const uint64_t before = node().renewed_incarnation;
  damage_every(3);
  for (int key = 0; key < kKeys; ++key) {
    for (size_t through = 0; through < 3; ++through) {
      ASSERT_THAT(cluster.get(through, name(key)).values, ElementsAre(value(key)));
    }
  }
  EXPECT_EQ(store.salvages(), 1);
  EXPECT_NE(node().renewed_incarnation, before);
  EXPECT_GE(node().table->store_health().faults().damage_met, 1u);
  expect_all_back();
}

TEST_F(DamagedDisk, ScansAndExchangesMeetItToo) {
  damage_every(7);
  RepairWish wish;
  cluster.nodes[0]->coordinator->repair(wish, cluster.now_of(0));
  cluster.set(0, "one more", "v");
  cluster.isolate(damaged, true);
  cluster.set(0, "another", "v");
  cluster.heal_all();
  cluster.pass_ms(10'000);
  if (store.salvages() == 0) node().salvage();
  expect_all_back();
}

// The answer of the copy that lost it must not help to outvote the one that has it.
TEST_F(DamagedDisk, ACopyThatLostAnObjectDoesNotOutvoteTheOneThatHasIt) {
  cluster.isolate(1, true);
  cluster.set(0, "k", "v");  // not at 1
  cluster.pass_ms(500);
  cluster.isolate(0);  // nobody can repair anything
  store.damage(in_store("k"));
  node().salvage();
  cluster.heal(1, damaged);
  for (const size_t through : {size_t{1}, damaged}) {
    const Answer answer = cluster.get(through, "k");
    if (answer.outcome != Outcome::kOk) continue;
    EXPECT_THAT(answer.values, ElementsAre("v"));
  }
  cluster.heal_all();
  cluster.pass_ms(10'000);
  for (size_t through = 0; through < 3; ++through) {
    EXPECT_THAT(cluster.get(through, "k").values, ElementsAre("v"));
  }
  EXPECT_THAT(own("k"), ElementsAre("v"));
}

TEST_F(DamagedDisk, ItsFrontierFallsToZeroAndRisesOnceItIsWhole) {
  cluster.pass_ms(20'000);
  const Hlc before = node().frontier->copies().of(0, 3);
  ASSERT_NE(before, Hlc{});
  damage_every(5);
  node().salvage();
  EXPECT_EQ(node().frontier->copies().of(0, 3), Hlc{});
  for (int step = 0; step < 3000 && node().frontier->copies().of(0, 3) == Hlc{}; ++step) {
    cluster.pass_ms(10);
  }
  EXPECT_TRUE(node().whole->is_whole(0, 3));
  EXPECT_GT(node().frontier->copies().of(0, 3), before);
  expect_all_back();
}

// The tombstone is forgotten everywhere, and the salvage brings the value back.
TEST_F(DamagedDisk, WhatWasDeletedStaysDeletedWhateverTheSalvageFinds) {
  cluster.set(0, "k", "v");
  const std::string past = store.values().at(in_store("k"));
  cluster.remove(0, "k");
  cluster.pass_ms(20'000);
  ASSERT_FALSE(store.values().contains(in_store("k")));
  store.set(in_store("k"), past);
  node().salvage();
  for (int step = 0; step < 100; ++step) {
    for (size_t through = 0; through < 3; ++through) {
      const Answer answer = cluster.get(through, "k");
      if (answer.outcome != Outcome::kOk) continue;
      ASSERT_THAT(answer.values, IsEmpty()) << step;
    }
    cluster.pass_ms(100);
  }
  EXPECT_THAT(own("k"), IsEmpty());
  expect_all_back();
}

TEST_F(DamagedDisk, WritesThatOthersCoordinateGoOnWhileItIsSalvaged) {
  node().table->store_health().fail();
  std::vector<int> written;
  for (int key = 0; key < 100; ++key) {
    if (cluster.node_for(name(key), 0) == damaged) continue;
    ASSERT_EQ(cluster.set(0, name(key), "new").outcome, Outcome::kOk);
    written.push_back(key);
  }
  EXPECT_FALSE(written.empty());
  node().salvage();
  cluster.pass_ms(5000);
  for (const int key : written) EXPECT_THAT(own(name(key)), ElementsAre("new"));
}

}  // namespace
}  // namespace kvorum::cluster
