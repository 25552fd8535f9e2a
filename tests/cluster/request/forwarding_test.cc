// SPDX-License-Identifier: Apache-2.0
// Who coordinates a put when a primary's store takes nothing, or nodes disagree about who is there.
#include "cluster/request/forwarding.h"

#include <gmock/gmock.h>

#include "tests/cluster/test_cluster.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;

class RefusingStore : public ::testing::Test {
 protected:
  RefusingStore() : first(cluster.node_for("k", 0)), second(cluster.node_for("k", 1)) {}
  void fail(size_t node) { cluster.nodes[node]->table->store_health().fail(); }

  TestCluster cluster{3};
  const size_t first, second;
};

TEST_F(RefusingStore, ItsOwnClientsWriteThroughAnother) {
  fail(first);
  EXPECT_EQ(cluster.set(first, "k", "v").outcome, Outcome::kOk);
  EXPECT_THAT(cluster.get(first, "k").values, ElementsAre("v"));
  EXPECT_EQ(cluster.nodes[first]->coordinator->counters().forwards, 1u);
  EXPECT_EQ(cluster.nodes[first]->coordinator->counters().forward_retries, 0u);
}

TEST_F(RefusingStore, WhoeverAsksItFirstIsToldAndAsksAnother) {
  fail(first);
  EXPECT_EQ(cluster.set(second, "k", "v").outcome, Outcome::kOk);
  EXPECT_EQ(cluster.nodes[second]->coordinator->counters().forward_retries, 1u);
  EXPECT_THAT(cluster.get(second, "k").values, ElementsAre("v"));
}

// It certainly ran nothing: that holds for an edit that may run only once, too.
TEST_F(RefusingStore, AnIncrementIsRunOnce) {
  fail(first);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(cluster.increment(node, "k").outcome, Outcome::kOk) << node;
  }
  EXPECT_THAT(cluster.get(second, "k").values, ElementsAre("3"));
}

TEST_F(RefusingStore, WhereAllRefuseTheClientIsTold) {
  for (size_t node = 0; node < 3; ++node) fail(node);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(cluster.set(node, "k", "v").outcome, Outcome::kStoreFailed) << node;
  }
}

TEST_F(RefusingStore, ItGetsWhatItMissed) {
  fail(first);
  ASSERT_EQ(cluster.set(first, "k", "v").outcome, Outcome::kOk);
  cluster.nodes[first]->table->store_health().recover();
  cluster.pass_ms(20'000);
  EXPECT_THAT(cluster.own_values(first, "k"), ElementsAre("v"));
}

// A client's node does not reach the first primary; the second one does.
TEST(Disagreement, PutsOfAKeyMeetAtTheFirstPrimaryAllTheSame) {
  TestCluster cluster{3};
  const size_t first = cluster.node_for("k", 0);
  const size_t asked = cluster.node_for("k", 2);
  cluster.cut(first, asked);
  cluster.get(cluster.node_for("k", 1), "k");  // so that it heard the first one just now
  const NodeId wanted = cluster.view->members[first].id;
  EXPECT_EQ(cluster.increment(asked, "k").service.coordinator, wanted);
  EXPECT_EQ(cluster.set(asked, "k", "v").service.coordinator, wanted);
  EXPECT_THAT(cluster.get(first, "k").values, ElementsAre("v"));
}

// A put has to know its object. Where the disk does not give it, another primary has it.
TEST(UnreadableStore, WritesThroughAnother) {
  constexpr int kKeys = 1000;
  constexpr uint64_t kSmallMemory = 40 * 1024;  // a few hundred of the keys
  engine::testing::MapStore store;
  TestCluster cluster{3, {}, with_quick_rounds()};
  cluster.open_objects(0, &store, kSmallMemory);
  cluster.pass_ms(3000);
  const auto name = [](int key) { return "k" + std::to_string(key); };
  for (int key = 0; key < kKeys; ++key) cluster.set(1, name(key), "1");
  cluster.pass_ms(3000);
  store.fail_reads(true);
  for (int key = 0; key < kKeys; ++key) {
    ASSERT_EQ(cluster.increment(static_cast<size_t>(key) % 3, name(key)).outcome, Outcome::kOk);
  }
  EXPECT_GE(cluster.nodes[0]->coordinator->counters().forward_retries, 50u);
  EXPECT_GE(cluster.nodes[1]->coordinator->counters().forward_retries, 50u);
  for (int key = 0; key < kKeys; ++key) {
    ASSERT_THAT(cluster.get(0, name(key)).values, ElementsAre("2"));
  }
  store.fail_reads(false);
  cluster.nodes[0]->coordinator.reset();
  cluster.nodes[0]->table.reset();
}

}  // namespace
}  // namespace kvorum::cluster
