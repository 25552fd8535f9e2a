// SPDX-License-Identifier: Apache-2.0
// One test per claim of the Dynamo paper, named by its section, and the worked examples that go
// with it. Driven over whole coordinators; the random counterpart is tests/sim.
#include <gmock/gmock.h>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Puts at a chosen coordinator: its context names it as the fastest of the read before.
struct Put {
  std::string key;
  const Context& context;
  std::string value;
};

Answer put_at(TestCluster& cluster, size_t node, const Put& put) {
  Request request = test_edits::request(test_edits::kSet, put.value);
  request.has_context = true;
  request.context = &put.context;
  request.wants_context = true;
  request.preferred = cluster.view->members[node].id;
  return cluster.run(node, request, put.key);
}

TEST(Paper, Section44EvolutionOfAnObject) {
  TestCluster cluster(3);
  const size_t sx = cluster.node_for("k", 0);
  const size_t sy = cluster.node_for("k", 1);
  const size_t sz = cluster.node_for("k", 2);
  put_at(cluster, sx, {"k", Context{}, "D1"});
  const Answer d1 = cluster.get(sx, "k");
  put_at(cluster, sx, {"k", d1.context, "D2"});
  const Answer d2 = cluster.get(sx, "k");
  EXPECT_THAT(d2.values, ElementsAre("D2"));
  EXPECT_EQ(d2.context.vector.size(), 1u);

  // Sy and Sz each handle a write with D2's context, cut off from each other.
  cluster.cut(sy, sz);
  put_at(cluster, sy, {"k", d2.context, "D3"});
  put_at(cluster, sz, {"k", d2.context, "D4"});
  cluster.heal_all();
  cluster.pass_ms(100);
  const Answer both = cluster.get(sx, "k");
  EXPECT_THAT(both.values, UnorderedElementsAre("D3", "D4"));
  EXPECT_EQ(both.context.vector.size(), 3u) << "[Sx, Sy, Sz]";

  put_at(cluster, sx, {"k", both.context, "D5"});
  cluster.settle();
  for (const size_t node : {sx, sy, sz}) {
    EXPECT_THAT(cluster.own_values(node, "k"), ElementsAre("D5"));
  }
}

TEST(Paper, Section44APartitionMakesTwoVersionsAndAContextMakesOne) {
  TestCluster cluster(4, [](Founding& founding) {
    for (KeyspacePolicy& policy : founding.keyspaces) {
      policy.n = 2;
      policy.r = 1;
      policy.w = 1;
    }
  });
  const size_t a = cluster.node_for("k", 0);
  const size_t b = cluster.node_for("k", 1);
  cluster.set(a, "k", "foo");
  cluster.set(a, "k", "bar");
  EXPECT_THAT(cluster.own_values(b, "k"), ElementsAre("bar"));
  cluster.cut(a, b);
  cluster.set(a, "k", "baz");
  cluster.set(b, "k", "bax");
  EXPECT_THAT(cluster.own_values(a, "k"), ElementsAre("baz"));
  EXPECT_THAT(cluster.own_values(b, "k"), ElementsAre("bax"));
  cluster.heal_all();
  cluster.pass_ms(200);
  const Answer at_a = cluster.get(a, "k");
  EXPECT_THAT(at_a.values, UnorderedElementsAre("baz", "bax"));
  EXPECT_THAT(cluster.get(b, "k").values, UnorderedElementsAre("baz", "bax"));
  cluster.put(a, "k", at_a.context, "one");
  for (const size_t node : {a, b}) EXPECT_THAT(cluster.own_values(node, "k"), ElementsAre("one"));
}

TEST(Paper, Section44AnAddToTheCartIsNeverLost) {
  TestCluster cluster(3);
  const size_t a = cluster.node_for("cart", 0);
  const size_t b = cluster.node_for("cart", 1);
  cluster.isolate(b);
  put_at(cluster, a, {"cart", Context{}, "book"});
  put_at(cluster, b, {"cart", Context{}, "dvd"});
  cluster.heal_all();
  cluster.pass_ms(200);
  const Answer both = cluster.get(a, "cart");
  EXPECT_THAT(both.values, UnorderedElementsAre("book", "dvd"));
  put_at(cluster, b, {"cart", both.context, "book,dvd"});
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.own_values(node, "cart"), ElementsAre("book,dvd"));
  }
}

TEST(Paper, Section45AWriteNeedsWAndAReadNeedsR) {
  TestCluster cluster(5, [](Founding& founding) {
    for (KeyspacePolicy& policy : founding.keyspaces) {
      policy.sloppy = false;
      policy.writes_when_short = WritesWhenShort::kReject;
    }
  });
  const size_t first = cluster.node_for("k", 0);
  cluster.cut(first, cluster.node_for("k", 1));
  const Answer two = cluster.set(first, "k", "v");
  EXPECT_EQ(two.outcome, Outcome::kOk);
  EXPECT_EQ(two.service.fallbacks, 0);
  cluster.cut(first, cluster.node_for("k", 2));
  EXPECT_EQ(cluster.set(first, "k", "w").outcome, Outcome::kNoQuorum);
  EXPECT_EQ(cluster.get(first, "k").outcome, Outcome::kNoQuorum);
}

TEST(Paper, Section46ASloppyQuorumTakesTheFirstNHealthyNodes) {
  TestCluster cluster(5);
  cluster.isolate(cluster.node_for("k", 1));
  cluster.isolate(cluster.node_for("k", 2));
  const Answer answer = cluster.set(cluster.node_for("k", 0), "k", "v");
  EXPECT_EQ(answer.outcome, Outcome::kOk);
  EXPECT_EQ(answer.service.hints, 2) << "both stand-ins keep a hint";
}

TEST(Paper, Section46AWriteIsTakenWhileOneNodeIsAlive) {
  TestCluster cluster(5);
  for (size_t node = 1; node < 5; ++node) cluster.isolate(node);
  EXPECT_EQ(cluster.set(0, "k", "v").outcome, Outcome::kOk);
  cluster.heal_all();
  cluster.pass_ms(200);
  for (size_t place = 0; place < 3; ++place) {
    EXPECT_THAT(cluster.own_values(cluster.node_for("k", place), "k"), ElementsAre("v"));
  }
}

// "there are scenarios under which hinted replicas become unavailable before they can be returned
// to the original replica node. To handle this ... Dynamo implements an anti-entropy protocol"
TEST(Paper, Section47AHintThatIsLostIsMadeUpForByTheOtherReplicas) {
  CoordinatorOptions options;
  options.anti_entropy_ms = 1000;
  TestCluster cluster(5, {}, options);
  cluster.pass_ms(100);
  const size_t away = cluster.node_for("k", 0);
  const size_t fallback = cluster.node_for("k", 3);
  cluster.isolate(away);
  ASSERT_EQ(cluster.set(cluster.node_for("k", 1), "k", "v").outcome, Outcome::kOk);
  cluster.restart_wiped(fallback);
  cluster.heal_all();
  EXPECT_THAT(cluster.own_values(away, "k"), IsEmpty());
  cluster.pass_ms(3000);
  EXPECT_THAT(cluster.own_values(away, "k"), ElementsAre("v"));
}

// "If the hash values of the root of two trees are equal, then the values of the leaf nodes in the
// tree are equal and the nodes require no synchronization."
TEST(Paper, Section47EqualRootsNeedNoSynchronization) {
  CoordinatorOptions options;
  options.anti_entropy_ms = 1000;
  TestCluster cluster(3, {}, options);
  for (int n = 0; n < 100; ++n) cluster.set(0, "k" + std::to_string(n), "v");
  cluster.pass_ms(5000);
  for (const auto& node : cluster.nodes) {
    EXPECT_GT(node->coordinator->counters().exchange_rounds, 0u);
    EXPECT_EQ(node->coordinator->counters().keys_pulled, 0u);
    EXPECT_EQ(node->coordinator->counters().keys_pushed, 0u);
  }
}

TEST(Paper, Section483FailureIsLocalKnowledge) {
  TestCluster cluster(3);
  const size_t a = cluster.node_for("k", 0);
  const size_t b = cluster.node_for("k", 1);
  const size_t c = cluster.node_for("k", 2);
  cluster.cut(a, b);
  EXPECT_EQ(cluster.nodes[a]->coordinator->peer_state(static_cast<MemberIndex>(b)),
            PeerState::kDown);
  EXPECT_EQ(cluster.nodes[c]->coordinator->peer_state(static_cast<MemberIndex>(b)), PeerState::kUp);
}

TEST(Paper, Section483BIsFailedForAWhenBDoesNotAnswerA) {
  TestCluster cluster(3);
  const auto state = [&](size_t at, size_t of) {
    return cluster.nodes[at]->coordinator->peer_state(static_cast<MemberIndex>(of));
  };
  cluster.cut_way(0, 1);  // 1 does not hear what 0 asks, nor what 0 answers
  cluster.pass_ms(3000);
  EXPECT_EQ(state(0, 1), PeerState::kSuspected);
  EXPECT_EQ(state(1, 0), PeerState::kSuspected) << "its questions arrive, the answers do not";
  for (const size_t other : {0, 1}) {
    EXPECT_EQ(state(2, other), PeerState::kUp) << "nobody is told";
    EXPECT_EQ(state(other, 2), PeerState::kUp);
  }
  for (int key = 0; key < 10; ++key) {
    const std::string name = "k" + std::to_string(key);
    EXPECT_EQ(cluster.set(0, name, "v").outcome, Outcome::kOk);
    EXPECT_THAT(cluster.get(1, name).values, ElementsAre("v"));
  }
}

TEST(Paper, Section6TheContextNamesTheFastestAnswerAndThePutGoesThere) {
  TestCluster cluster(5);
  const size_t reader = cluster.node_for("k", 2);
  cluster.set(reader, "k", "v");
  const Answer read = cluster.get(reader, "k");
  EXPECT_EQ(read.fastest, cluster.view->members[reader].id) << "its own copy answered first";
  const Answer written = put_at(cluster, reader, {"k", read.context, "w"});
  EXPECT_EQ(written.service.coordinator, read.fastest);
  EXPECT_THAT(cluster.get(reader, "k").values, ElementsAre("w")) << "read your writes";
}

}  // namespace
}  // namespace kvorum::cluster
