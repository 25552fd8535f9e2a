// SPDX-License-Identifier: Apache-2.0
// Anti-entropy over whole clusters: copies that differ become equal, in both directions, with bytes
// in proportion to the differences; copies that forgot do not count until they are whole again.
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr uint32_t kPartitions = 16;

CoordinatorOptions with_anti_entropy(uint32_t interval_ms = 1000) {
  CoordinatorOptions options;
  options.anti_entropy_ms = interval_ms;
  return options;
}

class AntiEntropyCluster : public ::testing::Test {
 protected:
  explicit AntiEntropyCluster(size_t count = 3) : cluster(count, {}, with_anti_entropy()) {
    cluster.pass_ms(100);  // the rounds of the links that came up
  }

  // Stores directly at one node, as if the messages to the others had been lost.
  void store_at(size_t node, const std::string& key, const std::string& value) {
    TestNode& there = *cluster.nodes[node];
    cluster.change_own(node, key, [&](Record& record) {
      Version version;
      const Hlc tick =
          age_ms == 0 ? there.clock.tick(cluster.wall_ms) : Hlc::from_ms(cluster.wall_ms - age_ms);
      if (record.own_birth == Hlc{}) record.own_birth = tick;
      version.dot = {
          {there.coordinator->view().members[node].id, there.incarnation, record.own_birth}, tick};
      version.bytes = value;
      update(record.object, Context{record.object.vector, {}}, version);
    });
  }

  CoordinatorCounters counters() const {
    CoordinatorCounters sum;
    for (const auto& node : cluster.nodes) sum += node->coordinator->counters();
    return sum;
  }

  // Whether all primaries of each partition have the same root.
  bool roots_are_equal(uint8_t keyspace = 0) const {
    for (uint32_t partition = 0; partition < kPartitions; ++partition) {
      const auto list = cluster.view->ring.preference_list(partition);
      const size_t n = cluster.view->quorum(keyspace).n;
      for (size_t at = 1; at < n; ++at) {
        if (cluster.nodes[list[at]]->table->digest(keyspace, partition) !=
            cluster.nodes[list[0]]->table->digest(keyspace, partition)) {
          return false;
        }
      }
    }
    return true;
  }

  bool converge_within_ms(uint64_t ms) {
    for (uint64_t passed = 0; passed < ms; passed += 50) {
      if (roots_are_equal()) return true;
      cluster.pass_ms(50);
    }
    return roots_are_equal();
  }

  TestCluster cluster;
  uint64_t age_ms = 0;  // of what store_at() stores
};

TEST_F(AntiEntropyCluster, WhatOneReplicaMissedReachesItWithoutARead) {
  store_at(0, "k", "v");
  EXPECT_FALSE(roots_are_equal());
  EXPECT_TRUE(converge_within_ms(5000));
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.own_values(node, "k"), ElementsAre("v"));
  }
  cluster.pass_ms(2000);
  EXPECT_EQ(counters().operations_in_flight, 0u);
  EXPECT_EQ(counters().exchanges_failed, 0u);
  EXPECT_EQ(counters().malformed_frames, 0u);
}

TEST_F(AntiEntropyCluster, ConcurrentVersionsBecomeSiblingsEverywhere) {
  store_at(0, "k", "of a");
  store_at(1, "k", "of b");
  EXPECT_TRUE(converge_within_ms(5000));
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.own_values(node, "k"), UnorderedElementsAre("of a", "of b"));
  }
}

TEST_F(AntiEntropyCluster, AStaleReplicaGetsTheNewVersionAndNotTheOtherWayRound) {
  cluster.set(0, "k", "old");
  cluster.cut(0, 1, true);
  cluster.cut(0, 2, true);
  store_at(1, "k", "new");
  cluster.heal_all();
  EXPECT_TRUE(converge_within_ms(10'000));
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.own_values(node, "k"), ElementsAre("new"));
  }
}

TEST_F(AntiEntropyCluster, DeletesAreRepairedToo) {
  cluster.set(0, "k", "v");
  cluster.isolate(2);
  EXPECT_EQ(cluster.remove(0, "k").number, 1);
  for (const size_t node : {0, 1}) {  // their hints are lost
    TestNode& there = *cluster.nodes[node];
    const auto view = std::make_shared<const ClusterView>(there.coordinator->view());
    there.open_hints(nullptr, 1 << 20);
    there.start(view, with_anti_entropy());
  }
  cluster.heal_all();
  EXPECT_TRUE(converge_within_ms(5000));
  EXPECT_THAT(cluster.own_values(2, "k"), IsEmpty());
  EXPECT_THAT(cluster.get(2, "k").values, IsEmpty());
}

TEST_F(AntiEntropyCluster, ThousandsOfDifferencesInBothDirections) {
  age_ms = 60'000;
  for (int n = 0; n < 3000; ++n) {
    const std::string key = "k" + std::to_string(n);
    for (size_t node = 0; node < 3; ++node) {
      if (n % 3 == 0 || n % 4 == static_cast<int>(node)) store_at(node, key, "v");
    }
  }
  cluster.pass_ms(3000);
  EXPECT_TRUE(converge_within_ms(60'000));
  EXPECT_EQ(counters().exchanges_failed, 0u);
  EXPECT_EQ(counters().operations_in_flight, 0u);
  uint64_t records = 0;
  for (uint32_t partition = 0; partition < kPartitions; ++partition) {
    records += cluster.nodes[1]->table->record_count(0, partition);
  }
  uint64_t expected = 0;
  for (int n = 0; n < 3000; ++n) expected += n % 3 == 0 || n % 4 < 3;
  EXPECT_EQ(records, expected);
}

TEST_F(AntiEntropyCluster, AQuietClusterExchangesAFewHundredBytesARound) {
  for (int n = 0; n < 500; ++n) cluster.set(0, "k" + std::to_string(n), "v");
  cluster.pass_ms(3000);
  const CoordinatorCounters before = counters();
  cluster.pass_ms(10'000);
  const CoordinatorCounters after = counters();
  EXPECT_EQ(after.exchanges_started, before.exchanges_started);
  EXPECT_EQ(after.keys_compared, before.keys_compared);
  EXPECT_GT(after.exchange_bytes, before.exchange_bytes);
  EXPECT_LT(after.exchange_bytes - before.exchange_bytes, 100'000u) << "of about sixty rounds";
}

TEST_F(AntiEntropyCluster, AnExchangeIsCleanForBothAndNamesItsBeginning) {
  cluster.pass_ms(1500);
  store_at(0, "k", "v");
  const uint32_t partition = partition_of(position_of("k"), 4);
  const Hlc before = cluster.nodes[0]->clock.tick(cluster.wall_ms);
  EXPECT_TRUE(converge_within_ms(5000));
  cluster.pass_ms(2500);  // a round of each with each
  for (size_t node = 0; node < 3; ++node) {
    for (size_t peer = 0; peer < 3; ++peer) {
      if (peer == node) continue;
      const TestNode& here = *cluster.nodes[node];
      const auto exchange = here.exchanges->latest(0, partition, cluster.view->members[peer].id);
      ASSERT_TRUE(exchange);
      EXPECT_GT(exchange->began, Hlc::from_ms(before.ms() - 1));
      EXPECT_EQ(exchange->run, here.incarnation);
      EXPECT_EQ(exchange->peer_run, cluster.nodes[peer]->incarnation);
    }
  }
}

TEST_F(AntiEntropyCluster, AWipedNodeGetsEverythingBackAndIsWholeThen) {
  for (int n = 0; n < 400; ++n) cluster.set(0, "k" + std::to_string(n), "v");
  cluster.restart_wiped(1);
  TestNode& wiped = *cluster.nodes[1];
  EXPECT_GT(wiped.whole->missing(), 0u);
  EXPECT_TRUE(converge_within_ms(10'000));
  cluster.pass_ms(1000);
  EXPECT_EQ(wiped.whole->missing(), 0u);
  for (int n = 0; n < 400; ++n) {
    EXPECT_THAT(cluster.own_values(1, "k" + std::to_string(n)), ElementsAre("v"));
  }
}

TEST_F(AntiEntropyCluster, AFreshClusterIsWholeRightAfterItsLinksAreUp) {
  for (size_t node = 0; node < 3; ++node) cluster.restart_wiped_unlinked(node);
  cluster.heal_all();
  cluster.pass_ms(150);
  for (size_t node = 0; node < 3; ++node) EXPECT_EQ(cluster.nodes[node]->whole->missing(), 0u);
}

TEST_F(AntiEntropyCluster, AMissingPeerIsWaitedForOnlySoLong) {
  cluster.isolate(2);
  cluster.restart_wiped_unlinked(1);
  cluster.heal(0, 1);
  cluster.pass_ms(1000);
  EXPECT_GT(cluster.nodes[1]->whole->missing(), 0u) << "its link may still come up";
  cluster.pass_ms(6000);
  EXPECT_EQ(cluster.nodes[1]->whole->missing(), 0u);
}

TEST_F(AntiEntropyCluster, ACopyWithoutAnyPeerIsNotWhole) {
  cluster.restart_wiped_unlinked(1);
  cluster.pass_ms(20'000);
  EXPECT_GT(cluster.nodes[1]->whole->missing(), 0u);
}

TEST_F(AntiEntropyCluster, ABrokenLinkEndsTheExchangeAndTheNextRoundGoesOn) {
  age_ms = 60'000;
  for (int n = 0; n < 2000; ++n) store_at(0, "k" + std::to_string(n), "v");
  cluster.pass_ms(1500);
  for (int times = 0; times < 5; ++times) {
    cluster.cut(0, 1);
    cluster.heal(0, 1);
    cluster.pass_ms(30);
  }
  EXPECT_TRUE(converge_within_ms(20'000));
  cluster.pass_ms(6000);
  EXPECT_EQ(counters().operations_in_flight, 0u);
}

TEST_F(AntiEntropyCluster, SilenceEndsAnExchangeAndTheNextRoundGoesOn) {
  age_ms = 60'000;
  for (int n = 0; n < 500; ++n) store_at(0, "k" + std::to_string(n), "v");
  cluster.cut(0, 1, true);
  cluster.cut(0, 2, true);
  cluster.pass_ms(12'000);
  EXPECT_FALSE(roots_are_equal());
  cluster.heal_all();
  EXPECT_TRUE(converge_within_ms(20'000));
  cluster.pass_ms(6000);
  EXPECT_EQ(counters().operations_in_flight, 0u);
}

TEST_F(AntiEntropyCluster, ATreeThatDisagreesWithItsObjectsIsFoundAndItsCopyIsWholeAgainSoon) {
  age_ms = 60'000;
  TestNode& damaged = *cluster.nodes[0];
  const uint32_t partition = partition_of(position_of("k"), 4);
  store_at(0, "k", "v");
  damaged.table->update(cluster.ref("k"), [](std::string_view) {
    engine::RecordChange change;  // lost, and the tree was not told
    change.action = engine::RecordChange::Action::kErase;
    return change;
  });
  size_t here = 0;
  for (int n = 0; here < 40; ++n) {  // the tree is built anew for more leaves
    const std::string key = "k" + std::to_string(n);
    if (partition_of(position_of(key), 4) != partition) continue;
    store_at(0, key, "v");
    ++here;
  }
  cluster.pass_ms(10);
  for (int wait = 0; wait < 200 && damaged.whole->missing() == 0; ++wait) cluster.pass_ms(10);
  EXPECT_EQ(damaged.coordinator->counters().tree_mismatches, 1u);
  EXPECT_FALSE(damaged.whole->is_whole(0, partition));
  cluster.pass_ms(3000);
  EXPECT_EQ(damaged.whole->missing(), 0u);
  EXPECT_TRUE(converge_within_ms(3000));
}

TEST_F(AntiEntropyCluster, RepairIsDoneAtOnceWhoeverDrivesIt) {
  cluster.pass_ms(1100);
  age_ms = 60'000;
  for (int n = 0; n < 50; ++n) store_at(2, "k" + std::to_string(n), "v");
  cluster.nodes[0]->coordinator->repair({}, cluster.now_of(0));
  EXPECT_TRUE(cluster.nodes[0]->coordinator->repair_progress().active);
  cluster.pass_ms(100);
  for (int n = 0; n < 50; ++n) {
    EXPECT_THAT(cluster.own_values(0, "k" + std::to_string(n)), ElementsAre("v"));
  }
}

}  // namespace
}  // namespace kvorum::cluster
