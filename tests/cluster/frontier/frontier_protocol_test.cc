// SPDX-License-Identifier: Apache-2.0
// The frontier over whole clusters: tombstones go once it is proved that nobody needs them, not
// before, and what they deleted stays deleted whoever comes back with it.
#include "cluster/frontier/frontier_protocol.h"

#include <gmock/gmock.h>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kLongEnoughMs = 20'000;

class FrontierTest : public ::testing::Test {
 protected:
  explicit FrontierTest(size_t count = 3) : cluster(count, {}, with_quick_rounds()) {
    cluster.pass_ms(100);
  }

  uint64_t records() const {
    uint64_t records = 0;
    for (size_t node = 0; node < cluster.nodes.size(); ++node) records += cluster.records_of(node);
    return records;
  }
  void restart(size_t node, uint64_t incarnation) {
    const auto view = std::make_shared<const ClusterView>(cluster.nodes[node]->coordinator->view());
    cluster.isolate(node);
    cluster.nodes[node]->wipe(incarnation);
    cluster.nodes[node]->start(view, with_quick_rounds());
  }

  TestCluster cluster;
};

TEST_F(FrontierTest, TombstonesOfAQuietClusterAreForgottenEverywhere) {
  for (int key = 0; key < 50; ++key) cluster.set(0, "k" + std::to_string(key), "v");
  cluster.set(0, "stays", "v");
  for (int key = 0; key < 50; ++key) cluster.remove(1, "k" + std::to_string(key));
  EXPECT_EQ(records(), 3u * 51);
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_EQ(records(), 3u);
  EXPECT_THAT(cluster.get(2, "k7").values, IsEmpty());
  EXPECT_THAT(cluster.get(2, "stays").values, ElementsAre("v"));
}

TEST_F(FrontierTest, TheFrontierFollowsTheClocksOfWhoWrites) {
  for (int second = 0; second < 20; ++second) {
    cluster.set(0, "k", std::to_string(second));
    cluster.pass_ms(1000);
  }
  for (const auto& node : cluster.nodes) {
    const uint64_t frontier_ms = node->frontier->status().frontier.ms();
    EXPECT_GT(frontier_ms + 5000, cluster.wall_ms);
    EXPECT_LE(frontier_ms, cluster.wall_ms);
    EXPECT_FALSE(node->frontier->status().rests);
  }
}

// It comes to all of them while they have nothing else to do.
TEST_F(FrontierTest, NobodyRestsWithAMarkOfAFlush) {
  cluster.set(0, "k", "v");
  cluster.pass_ms(kLongEnoughMs);
  ASSERT_TRUE(cluster.nodes[1]->frontier->status().rests);
  const FlushMark mark{
      {cluster.nodes[0]->coordinator->view().members[0].id, 1, Hlc::from_ms(cluster.wall_ms)}};
  cluster.nodes[1]->marks.merge(3, mark);
  cluster.pass_ms(100);
  EXPECT_TRUE(cluster.nodes[1]->marks.any(3));
  cluster.pass_ms(kLongEnoughMs);
  for (const auto& node : cluster.nodes) {
    EXPECT_FALSE(node->marks.any(3));
    EXPECT_TRUE(node->frontier->status().rests);
  }
}

// Gossip has nothing to carry then.
TEST_F(FrontierTest, RoundsEndWhereNothingChangesAndGoOnWithTheNextWrite) {
  cluster.set(0, "k", "v");
  const uint64_t written_ms = cluster.wall_ms;
  cluster.pass_ms(kLongEnoughMs);
  const FrontierStatus before = cluster.nodes[0]->frontier->status();
  EXPECT_TRUE(before.rests);
  EXPECT_GT(before.frontier, Hlc::from_ms(written_ms));
  cluster.pass_ms(kLongEnoughMs);
  for (const auto& node : cluster.nodes) {
    EXPECT_EQ(node->frontier->status().round, before.round);
    EXPECT_EQ(node->frontier->gossip_digest(), cluster.nodes[0]->frontier->gossip_digest());
  }
  cluster.remove(1, "k");
  const uint64_t removed_ms = cluster.wall_ms;
  cluster.pass_ms(kLongEnoughMs);
  for (const auto& node : cluster.nodes) {
    EXPECT_GT(node->frontier->status().round, before.round);
    EXPECT_GT(node->frontier->status().frontier, Hlc::from_ms(removed_ms));
  }
  EXPECT_EQ(records(), 0u);
}

// It aborted, for it was not among those that are counted (moving seed in a run from 5376).
TEST_F(FrontierTest, WhoHasDepartedStartsAllTheSame) {
  ClusterView departed = cluster.nodes[1]->coordinator->view();
  departed.members[departed.self].standing = Standing::kGone;
  departed.newest_set = departed.cluster_id + 1;
  cluster.isolate(1);
  cluster.nodes[1]->wipe(77);
  cluster.nodes[1]->start(std::make_shared<const ClusterView>(std::move(departed)),
                          with_quick_rounds());
  cluster.pass_ms(1000);
  EXPECT_EQ(cluster.get(1, "k").outcome, Outcome::kClusterDown);
}

TEST_F(FrontierTest, NothingIsForgottenWhileAMemberIsDown) {
  cluster.set(0, "k", "v");
  cluster.isolate(2);
  cluster.remove(0, "k");
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_EQ(cluster.records_of(0), 1u);
  EXPECT_EQ(cluster.nodes[0]->frontier->status().awaited.size(), 1u);
  cluster.heal_all();
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_EQ(records(), 0u);
  EXPECT_THAT(cluster.get(2, "k").values, IsEmpty());
}

// The matrix of deletes that must not come back: the replica that slept through the delete.
TEST_F(FrontierTest, AReplicaThatWasAwayDoesNotBringTheValueBack) {
  cluster.set(0, "k", "v");
  const size_t away = cluster.node_for("k", 2);
  cluster.isolate(away, true);
  cluster.remove(cluster.node_for("k", 0), "k");
  cluster.pass_ms(5000);
  cluster.heal_all();
  cluster.pass_ms(kLongEnoughMs);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.get(node, "k").values, IsEmpty());
    EXPECT_THAT(cluster.own_values(node, "k"), IsEmpty());
  }
  EXPECT_EQ(records(), 0u);
}

TEST_F(FrontierTest, ARestoredOldCopyIsDeadAndQuarantined) {
  cluster.set(0, "k", "v");
  const std::string copy = cluster.copy_of(2, "k");
  cluster.remove(0, "k");
  cluster.pass_ms(kLongEnoughMs);
  ASSERT_EQ(records(), 0u);
  restart(2, 777);
  cluster.restore(2, "k", copy);
  ASSERT_THAT(cluster.own_values(2, "k"), ElementsAre("v"));
  cluster.heal_all();
  EXPECT_THAT(cluster.get(0, "k").values, IsEmpty());
  cluster.pass_ms(kLongEnoughMs);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.get(node, "k").values, IsEmpty());
    EXPECT_THAT(cluster.own_values(node, "k"), IsEmpty());
  }
  EXPECT_GE(cluster.nodes[2]->coordinator->counters().dead_versions +
                cluster.nodes[1]->coordinator->counters().dead_versions +
                cluster.nodes[0]->coordinator->counters().dead_versions,
            1u);
  size_t put_aside = 0;
  for (const auto& node : cluster.nodes) {
    const Outbox& outbox = node->coordinator->outbox();
    put_aside += outbox.quarantined.size();
    EXPECT_EQ(outbox.empty(), outbox.quarantined.empty()) << "or the shell would not look";
  }
  EXPECT_GE(put_aside, 1u);
}

TEST_F(FrontierTest, AWipedNodeVouchesForNothingUntilItIsWholeAgain) {
  cluster.set(0, "k", "v");
  cluster.pass_ms(kLongEnoughMs);
  restart(1, 778);
  EXPECT_EQ(cluster.nodes[1]->frontier->copies().of(cluster.ref("k")), Hlc{});
  cluster.pass_ms(2000);  // rounds whose reports were on their way
  const Hlc before = cluster.nodes[0]->frontier->status().frontier;
  ASSERT_GT(before, Hlc{});
  cluster.pass_ms(2000);
  EXPECT_EQ(cluster.nodes[0]->frontier->status().frontier, before);  // no report of its run
  cluster.heal_all();
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_GT(cluster.nodes[1]->frontier->copies().of(cluster.ref("k")), before);
  EXPECT_THAT(cluster.own_values(1, "k"), ElementsAre("v"));
}

// Its clock is far behind the frontier: what it writes is refused by the others, not acknowledged
// and then lost; it follows and the next write stands.
TEST_F(FrontierTest, AWipedNodeWithASlowClockLosesNoAcknowledgedWrite) {
  cluster.pass_ms(kLongEnoughMs);
  const size_t first = cluster.node_for("k", 0);
  restart(first, 779);
  cluster.nodes[first]->skew_ms = -3'600'000;
  cluster.heal_all();
  const Answer answer = cluster.set(first, "k", "v");
  cluster.pass_ms(kLongEnoughMs);
  if (answer.outcome == Outcome::kOk) {
    EXPECT_THAT(cluster.get(first, "k").values, ElementsAre("v"));
  }
  EXPECT_EQ(cluster.set(first, "k", "w").outcome, Outcome::kOk);
  cluster.pass_ms(kLongEnoughMs);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.get(node, "k").values, ElementsAre("w"));
  }
}

// What a node vouched for stays true when its clock is set back: it mints above that.
TEST_F(FrontierTest, AClockThatIsSetBackWritesNothingThatIsDead) {
  cluster.pass_ms(kLongEnoughMs);
  const size_t first = cluster.node_for("k", 0);
  const Hlc vouched = cluster.nodes[first]->frontier->status().frontier;
  ASSERT_GT(vouched, Hlc{});
  cluster.nodes[first]->skew_ms = -3'600'000;
  ASSERT_LT(cluster.now_of(first).wall_ms, vouched.ms());
  EXPECT_EQ(cluster.set(first, "k", "v").outcome, Outcome::kOk);
  cluster.change_own(first, "k", [&](const Record& record) {
    ASSERT_EQ(record.object.versions.size(), 1u);
    EXPECT_GT(record.object.versions[0].dot.hlc, vouched);
  });
  cluster.pass_ms(kLongEnoughMs);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.get(node, "k").values, ElementsAre("v"));
    EXPECT_THAT(cluster.own_values(node, "k"), ElementsAre("v"));
  }
}

// The peer that is asked brings the dead version; the one that asks leaves it out.
TEST_F(FrontierTest, APeersDeadVersionIsNotRead) {
  cluster.set(0, "k", "v");
  const size_t stale = cluster.node_for("k", 2);
  const std::string copy = cluster.copy_of(stale, "k");
  cluster.remove(0, "k");
  cluster.pass_ms(kLongEnoughMs);
  ASSERT_EQ(records(), 0u);
  cluster.restore(stale, "k", copy);  // in the same run: it believes itself to be whole
  const size_t asks = cluster.node_for("k", 0);
  cluster.isolate(cluster.node_for("k", 1));
  EXPECT_THAT(cluster.get(asks, "k").values, IsEmpty());
  EXPECT_THAT(cluster.own_values(asks, "k"), IsEmpty());
  cluster.heal_all();
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_THAT(cluster.own_values(stale, "k"), IsEmpty());
}

// A copy that is the only one has nobody to exchange with.
TEST(FrontierOfSingleCopies, MovesAsWell) {
  TestCluster cluster(
      3,
      [](Founding& founding) {
        for (KeyspacePolicy& policy : founding.keyspaces) policy.n = policy.r = policy.w = 1;
      },
      with_quick_rounds());
  cluster.pass_ms(100);
  cluster.set(0, "k", "v");
  cluster.remove(0, "k");
  const size_t owner = cluster.node_for("k", 0);
  const uint32_t partition =
      partition_of(cluster.ref("k").position, cluster.view->ring.partition_bits());
  EXPECT_EQ(cluster.nodes[owner]->table->record_count(0, partition), 1u);
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_EQ(cluster.nodes[owner]->table->record_count(0, partition), 0u);
}

class FrontierAndFlushTest : public FrontierTest {
 protected:
  void flush(size_t node) {
    KeyspaceRequest request;
    request.kind = KeyspaceRequest::Kind::kFlush;
    cluster.nodes[node]->coordinator->submit(request, 1, cluster.now_of(node));
    cluster.settle();
  }
};

TEST_F(FrontierAndFlushTest, MarksGoOnceNothingCanBringBackWhatTheyCover) {
  cluster.set(0, "k", "v");
  flush(1);
  for (const auto& node : cluster.nodes) EXPECT_TRUE(node->marks.any(0));
  cluster.pass_ms(kLongEnoughMs);
  for (const auto& node : cluster.nodes) EXPECT_FALSE(node->marks.any(0));
  EXPECT_EQ(records(), 0u);
  cluster.set(0, "k", "next");
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_THAT(cluster.get(2, "k").values, ElementsAre("next"));
}

TEST_F(FrontierAndFlushTest, AMarkStaysWhileAMemberDoesNotKnowIt) {
  cluster.set(0, "k", "v");
  cluster.isolate(2);
  flush(0);
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_TRUE(cluster.nodes[0]->marks.any(0));
  cluster.heal_all();
  cluster.pass_ms(kLongEnoughMs);
  for (const auto& node : cluster.nodes) EXPECT_FALSE(node->marks.any(0));
  EXPECT_THAT(cluster.own_values(2, "k"), IsEmpty());
}

TEST_F(FrontierAndFlushTest, WhatAForgottenMarkCoveredIsDead) {
  cluster.set(0, "k", "v");
  const std::string copy = cluster.copy_of(2, "k");
  const FlushMark old_mark = [&] {
    flush(0);
    return cluster.nodes[0]->marks.mark(0);
  }();
  cluster.pass_ms(kLongEnoughMs);
  restart(2, 780);
  cluster.restore(2, "k", copy);
  cluster.heal_all();
  EXPECT_THAT(cluster.get(0, "k").values, IsEmpty());
  cluster.pass_ms(kLongEnoughMs);
  for (size_t node = 0; node < 3; ++node) EXPECT_THAT(cluster.own_values(node, "k"), IsEmpty());
  // A run that read the mark from its directory does not keep the others from agreeing.
  restart(1, 781);
  cluster.nodes[1]->marks.merge(0, old_mark);
  cluster.heal_all();
  const Hlc before = cluster.nodes[0]->frontier->status().frontier;
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_GT(cluster.nodes[0]->frontier->status().frontier, before);
}

class FrontierOfFiveTest : public FrontierTest {
 protected:
  FrontierOfFiveTest() : FrontierTest(5) {}
};

// A hint that waits for its primary holds the frontier back.
TEST_F(FrontierOfFiveTest, AHintHoldsTheFrontierBack) {
  cluster.set(0, "k", "v");
  cluster.pass_ms(kLongEnoughMs);
  const size_t away = cluster.node_for("k", 1);
  cluster.isolate(away);
  cluster.remove(cluster.node_for("k", 0), "k");
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_EQ(cluster.records_of(cluster.node_for("k", 0)), 1u);
  cluster.heal_all();
  cluster.pass_ms(kLongEnoughMs);
  EXPECT_EQ(records(), 0u);
  EXPECT_THAT(cluster.get(away, "k").values, IsEmpty());
}

// Steady traffic does not stop the frontier: what was exchanged long ago does not count again.
TEST_F(FrontierTest, OverwritesOfOldValuesDoNotStallIt) {
  cluster.set(0, "k", "old");
  cluster.pass_ms(kLongEnoughMs);
  const Hlc before = cluster.nodes[0]->frontier->status().frontier;
  for (int turn = 0; turn < 100; ++turn) {
    cluster.set(static_cast<size_t>(turn % 3), "k", std::to_string(turn));
    cluster.pass_ms(200);
  }
  EXPECT_GT(cluster.nodes[0]->frontier->status().frontier.ms(), before.ms() + 10'000);
  EXPECT_THAT(cluster.get(1, "k").values, ElementsAre("99"));
}

}  // namespace
}  // namespace kvorum::cluster
