// SPDX-License-Identifier: Apache-2.0
// Eviction over whole clusters: a cache may forget, not lie. What is evicted lay below the
// frontier; whoever comes with something older than what was evicted is not believed.
#include <gmock/gmock.h>

#include "cluster/own/own_copies.h"
#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint32_t kPartitions = 16;
constexpr uint64_t kLongEnoughMs = 20'000;
constexpr uint64_t kMemoryBytes = 1 << 20;
constexpr uint8_t kOtherKeyspace = 5;

void last_writes(Founding& founding) {
  for (KeyspacePolicy& policy : founding.keyspaces) policy.conflicts = ConflictPolicy::kLww;
}

class EvictionTest : public ::testing::Test {
 protected:
  explicit EvictionTest(size_t count = 3) : cluster(count, last_writes, with_quick_rounds()) {
    cluster.open_caches(kMemoryBytes);
    cluster.pass_ms(kLongEnoughMs);
  }

  TestNode& node(size_t index) { return *cluster.nodes[index]; }
  void set_many(const std::string& prefix, int count) {
    for (int key = 0; key < count; ++key) cluster.set(0, prefix + std::to_string(key), "v");
  }
  // As if so much else were there that there is no room: of a keyspace that nothing is evicted of.
  void press(size_t index, bool on) {
    const std::string bytes(2 * kMemoryBytes, 'x');
    node(index).table->update(cluster.ref("ballast", kOtherKeyspace), [&](std::string_view) {
      engine::RecordChange change;
      using Action = engine::RecordChange::Action;
      change.action = on ? Action::kStore : Action::kErase;
      change.frees = true;
      change.body = bytes;
      return change;
    });
  }
  std::string key_led_by(size_t index) const {
    for (int salt = 0;; ++salt) {
      std::string key = "trigger" + std::to_string(salt);
      if (cluster.node_for(key, 0) == index) return key;
    }
  }
  // Has a node evict all that it may, as writes find no room: they are larger than what is freed
  // for them. After one in vain the next looks at few objects, so it takes several.
  void evict_all(size_t index) {
    const std::string large(kMemoryBytes / 4, 'x');
    press(index, true);
    for (int write = 0; write < 4; ++write) {
      EXPECT_EQ(cluster.set(index, key_led_by(index), large).outcome, Outcome::kOutOfMemory);
    }
    press(index, false);
  }
  // The same, and nobody is told.
  void evict_all_unheard(size_t index) {
    cluster.isolate(index);
    evict_all(index);
    cluster.heal_all();
  }
  // The third primary of "k" hears nothing of what its others write.
  size_t isolate_third() {
    const size_t away = cluster.node_for("k", 2);
    cluster.isolate(away, true);
    return away;
  }
  // Its others evict all that they may, twice, and it comes back.
  void evict_beside_third() {
    for (size_t place = 0; place < 2; ++place) evict_all(cluster.node_for("k", place));
    cluster.pass_ms(3000);
    for (size_t place = 0; place < 2; ++place) evict_all(cluster.node_for("k", place));
    cluster.heal_all();
  }
  uint64_t repairs() const {
    uint64_t sum = 0;
    for (const auto& one : cluster.nodes) {
      const CoordinatorCounters& counters = one->coordinator->counters();
      sum += counters.keys_pulled + counters.keys_pushed + counters.read_repairs;
    }
    return sum;
  }
  uint64_t evicted() const {
    uint64_t sum = 0;
    for (const auto& one : cluster.nodes) sum += one->coordinator->counters().evicted_keys;
    return sum;
  }
  uint64_t quarantined() const {
    uint64_t sum = 0;
    for (const auto& one : cluster.nodes) sum += one->coordinator->outbox().quarantined.size();
    return sum;
  }
  void expect_no_records() {
    for (size_t index = 0; index < cluster.nodes.size(); ++index) {
      EXPECT_EQ(cluster.records_of(index), 0u) << index;
    }
  }
  void expect_gone(const std::string& key) {
    for (size_t index = 0; index < cluster.nodes.size(); ++index) {
      EXPECT_THAT(cluster.get(index, key).values, IsEmpty()) << index;
      EXPECT_THAT(cluster.own_values(index, key), IsEmpty()) << index;
    }
  }

  TestCluster cluster;
};

TEST_F(EvictionTest, WhatAllHaveIsForgottenByAll) {
  set_many("k", 50);
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_EQ(cluster.records_of(1), 50u);
  evict_all(0);
  expect_no_records();
  expect_gone("k7");
  EXPECT_EQ(evicted(), 50u);
  EXPECT_EQ(quarantined(), 0u);
}

TEST_F(EvictionTest, WhoWantsToIsToldByTheNodeThatChose) {
  cluster.set(0, "before", "v");
  cluster.pass_ms(kLongEnoughMs);
  evict_all(0);
  EXPECT_THAT(node(0).coordinator->take_evicted(true), IsEmpty()) << "nobody wanted to know";
  cluster.set(0, "k", "value");
  cluster.pass_ms(kLongEnoughMs);
  evict_all(0);
  const std::vector<EvictedKey> told = node(0).coordinator->take_evicted(true);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].key, "k");
  EXPECT_EQ(told[0].bytes, 5u);
  EXPECT_GT(told[0].written_ms, 0u);
  EXPECT_EQ(told[0].deadline_ms, 0u);
  for (size_t other : {1u, 2u}) {
    EXPECT_THAT(node(other).coordinator->take_evicted(true), IsEmpty()) << other;
  }
}

TEST_F(EvictionTest, ItIsWrittenAnewLikeAnyOther) {
  cluster.set(0, "k", "old");
  cluster.pass_ms(kLongEnoughMs);
  evict_all_unheard(0);
  EXPECT_EQ(cluster.set(0, "k", "new").outcome, Outcome::kOk);
  for (size_t index = 0; index < 3; ++index) {
    EXPECT_THAT(cluster.get(index, "k").values, ElementsAre("new"));
    EXPECT_THAT(cluster.own_values(index, "k"), ElementsAre("new"));
    EXPECT_EQ(node(index).coordinator->counters().concurrent_dropped, 0u)
        << "it is no concurrent write";
  }
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_THAT(cluster.get(2, "k").values, ElementsAre("new"));
}

TEST_F(EvictionTest, WhatIsYoungerThanTheFrontierStays) {
  cluster.set(0, "k", "v");
  evict_all(0);
  EXPECT_THAT(cluster.own_values(0, "k"), ElementsAre("v"));
  EXPECT_EQ(evicted(), 0u);
}

TEST_F(EvictionTest, ItWaitsForAMemberThatIsDown) {
  cluster.set(0, "before", "v");
  cluster.pass_ms(kLongEnoughMs);
  cluster.isolate(2);
  cluster.set(0, "k", "v");
  cluster.pass_ms(kLongEnoughMs);
  evict_all(0);
  EXPECT_THAT(cluster.own_values(0, "before"), IsEmpty());
  EXPECT_THAT(cluster.own_values(0, "k"), ElementsAre("v"));
  press(0, true);
  EXPECT_EQ(cluster.set(0, key_led_by(0), "x").outcome, Outcome::kOutOfMemory);
  EXPECT_TRUE(node(0).table->eviction_waits());
  press(0, false);
  cluster.heal_all();
  cluster.pass_ms(kLongEnoughMs);
  evict_all(0);
  expect_gone("k");
}

// The lies that could be told.

TEST_F(EvictionTest, AReplicaThatMissedTheOverwriteDoesNotShowTheOldValue) {
  cluster.set(0, "k", "old");
  cluster.pass_ms(kLongEnoughMs);
  const size_t away = isolate_third();
  ASSERT_EQ(cluster.set(cluster.node_for("k", 0), "k", "new").outcome, Outcome::kOk);
  evict_beside_third();
  for (size_t index = 0; index < 3; ++index) {
    EXPECT_THAT(cluster.get(index, "k").values, ElementsAre("new"));
  }
  cluster.pass_ms(kLongEnoughMs);
  evict_all(away);
  expect_gone("k");
}

TEST_F(EvictionTest, AReplicaThatMissedTheDeleteDoesNotShowTheValue) {
  cluster.set(0, "k", "v");
  cluster.pass_ms(kLongEnoughMs);
  isolate_third();
  ASSERT_EQ(cluster.remove(cluster.node_for("k", 0), "k").outcome, Outcome::kOk);
  evict_beside_third();
  for (size_t index = 0; index < 3; ++index) {
    EXPECT_THAT(cluster.get(index, "k").values, IsEmpty());
  }
  cluster.pass_ms(kLongEnoughMs);
  expect_gone("k");
}

// What this copy forgot another one still has: the delete must reach it all the same.
TEST_F(EvictionTest, ADeleteThatFindsNothingIsADelete) {
  cluster.set(0, "k", "v");
  cluster.pass_ms(kLongEnoughMs);
  const size_t first = cluster.node_for("k", 0);
  evict_all_unheard(first);
  ASSERT_THAT(cluster.own_values(cluster.node_for("k", 1), "k"), ElementsAre("v"));
  const Answer answer = cluster.remove(first, "k");
  EXPECT_EQ(answer.outcome, Outcome::kOk);
  EXPECT_EQ(answer.number, 0);
  cluster.isolate(first);
  for (size_t place = 1; place < 3; ++place) {
    EXPECT_THAT(cluster.get(cluster.node_for("k", place), "k").values, IsEmpty());
  }
}

// Or clients that delete what is not there would fill the memory for as long as a member is down.
TEST_F(EvictionTest, DeletesOfNothingAreRefusedWhereMemoryIsFull) {
  cluster.set(0, "k", "v");
  const std::string missing = key_led_by(0);
  press(0, true);
  const uint64_t records = cluster.records_of(0);
  EXPECT_EQ(cluster.remove(0, missing).outcome, Outcome::kOutOfMemory);
  EXPECT_EQ(cluster.records_of(0), records);
  press(0, false);
  EXPECT_EQ(cluster.remove(0, missing).outcome, Outcome::kOk);
}

// A read that one copy answers with nothing has the others forget.
TEST_F(EvictionTest, AReadSpreadsIt) {
  cluster.set(0, "k", "v");
  cluster.pass_ms(kLongEnoughMs);
  const size_t first = cluster.node_for("k", 0);
  evict_all_unheard(first);
  for (int read = 0; read < 3; ++read) {
    EXPECT_THAT(cluster.get(first, "k").values, AnyOf(IsEmpty(), ElementsAre("v")));
  }
  cluster.pass_ms(200);
  expect_gone("k");
  EXPECT_EQ(quarantined(), 0u);
}

TEST_F(EvictionTest, ExchangesEndInForgettingAndThenRest) {
  set_many("k", 50);
  cluster.pass_ms(kLongEnoughMs);
  evict_all_unheard(1);
  ASSERT_EQ(cluster.records_of(1), 0u);
  ASSERT_EQ(cluster.records_of(0), 50u);
  cluster.pass_ms(kLongEnoughMs);
  expect_no_records();
  const uint64_t before = repairs();
  const Hlc frontier = node(0).frontier->status().frontier;
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_EQ(repairs(), before) << "repairs go on for ever";
  EXPECT_GE(node(0).frontier->status().frontier, frontier);
  EXPECT_TRUE(node(0).frontier->status().rests);
  EXPECT_EQ(quarantined(), 0u);
}

TEST_F(EvictionTest, ReplicasThatEvictDifferentKeysConverge) {
  set_many("early", 20);
  cluster.pass_ms(kLongEnoughMs);
  evict_all_unheard(1);  // the early ones
  set_many("late", 20);
  cluster.pass_ms(2000);
  evict_all_unheard(2);
  cluster.pass_ms(2 * kLongEnoughMs);
  for (int key = 0; key < 20; ++key) {
    const std::string late = "late" + std::to_string(key);
    const std::vector<std::string> values = cluster.own_values(0, late);
    EXPECT_EQ(cluster.own_values(1, late), values);
    EXPECT_EQ(cluster.own_values(2, late), values);
  }
  for (uint32_t partition = 0; partition < kPartitions; ++partition) {
    EXPECT_EQ(node(0).table->digest(0, partition), node(1).table->digest(0, partition));
    EXPECT_EQ(node(0).table->digest(0, partition), node(2).table->digest(0, partition));
  }
  expect_gone("early3");
}

TEST_F(EvictionTest, ARestoredOldCopyIsNotBelieved) {
  cluster.set(0, "k", "old");
  const std::string copy = cluster.copy_of(2, "k");
  cluster.set(0, "k", "new");
  cluster.pass_ms(kLongEnoughMs);
  evict_all(0);
  cluster.restart_wiped_unlinked(2);
  cluster.restore(2, "k", copy);
  ASSERT_THAT(cluster.own_values(2, "k"), ElementsAre("old"));
  cluster.heal_all();
  for (size_t index = 0; index < 3; ++index) {
    EXPECT_THAT(cluster.get(index, "k").values, IsEmpty()) << index;
  }
  cluster.pass_ms(kLongEnoughMs);
  expect_gone("k");
  EXPECT_EQ(quarantined(), 0u);
}

// It comes back empty: whatever the others give it, they agree in the end.
TEST_F(EvictionTest, AWipedReplicaFollowsThoseThatForgot) {
  set_many("k", 20);
  cluster.pass_ms(kLongEnoughMs);
  evict_all_unheard(0);
  cluster.restart_wiped(2);
  cluster.pass_ms(2 * kLongEnoughMs);
  expect_no_records();
}

class EvictionAndHintTest : public EvictionTest {
 protected:
  EvictionAndHintTest() : EvictionTest(4) {}
};

TEST_F(EvictionAndHintTest, WhatAHintWillBringIsNotEvictedBefore) {
  const std::string key = "k";
  cluster.set(cluster.node_for(key, 0), key, "old");
  cluster.pass_ms(kLongEnoughMs);
  const size_t away = cluster.node_for(key, 2);
  cluster.isolate(away);
  cluster.set(cluster.node_for(key, 0), key, "new");
  cluster.pass_ms(3000);
  for (size_t place : {0, 1, 3}) evict_all(cluster.node_for(key, place));
  EXPECT_THAT(cluster.own_values(cluster.node_for(key, 0), key), ElementsAre("new"));
  cluster.heal_all();
  for (size_t index = 0; index < 4; ++index) {
    EXPECT_THAT(cluster.get(index, key).values, ElementsAre("new"));
  }
  cluster.pass_ms(kLongEnoughMs);
  evict_all(away);
  for (size_t index = 0; index < 4; ++index) {
    EXPECT_THAT(cluster.get(index, key).values, IsEmpty());
  }
}

class LoneEvictionTest : public EvictionTest {
 protected:
  LoneEvictionTest() : EvictionTest(1) {}
};

TEST_F(LoneEvictionTest, WaitsForNobody) {
  set_many("k", 50);
  evict_all(0);
  expect_no_records();
  EXPECT_EQ(evicted(), 50u);
}

TEST_F(LoneEvictionTest, KeepsWithinItsMemory) {
  for (int key = 0; key < 30'000; ++key) {
    const std::string name = "k" + std::to_string(key);
    ASSERT_EQ(cluster.set(0, name, std::string(100, 'v')).outcome, Outcome::kOk);
    ASSERT_LE(node(0).table->memory_bytes(), kMemoryBytes + 300);
  }
  EXPECT_GT(evicted(), 20'000u);
  EXPECT_THAT(cluster.get(0, "k29999").values, ElementsAre(std::string(100, 'v')));
}

}  // namespace
}  // namespace kvorum::cluster
