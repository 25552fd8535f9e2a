// SPDX-License-Identifier: Apache-2.0
// Writes, and reads, with fewer nodes than they ask for: what each policy of a keyspace makes of
// them.
#include "cluster/put_machine.h"

#include <gmock/gmock.h>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::function<void(Founding&)> with(void (*change)(KeyspacePolicy& policy)) {
  return [change](Founding& founding) {
    for (KeyspacePolicy& policy : founding.keyspaces) change(policy);
  };
}

Answer set_with_w(TestCluster& cluster, size_t node, uint8_t w) {
  Request request = test_edits::request(test_edits::kSet, "explicit");
  request.w = w;
  request.strict_w = true;
  return cluster.run(node, request, "k");
}

TEST(ShortWrites, HintTellsHowManyCopiesThereAre) {
  TestCluster cluster(3);
  cluster.isolate(0);
  const Answer soft = cluster.set(0, "k", "v");
  EXPECT_EQ(soft.outcome, Outcome::kOk);
  EXPECT_EQ(soft.service.answered, 1);
  EXPECT_EQ(soft.service.short_of_w, 1);
  EXPECT_EQ(soft.service.hints, 2);
  EXPECT_EQ(cluster.nodes[0]->coordinator->counters().writes_softened, 1u);
  cluster.heal_all();
  cluster.pass_ms(100);
  EXPECT_EQ(cluster.set(0, "k", "w").service.short_of_w, 0);
  EXPECT_EQ(cluster.nodes[0]->coordinator->counters().writes_softened, 1u);
}

TEST(ShortWrites, TheirNumberTravelsToTheNodeThatWasAsked) {
  TestCluster cluster(5);
  const size_t asked = cluster.node_for("k", 4);
  const size_t primary = cluster.node_for("k", 0);
  for (size_t place = 1; place < 4; ++place) cluster.isolate(cluster.node_for("k", place));
  cluster.nodes[asked]->hints->store_moved({99, cluster.ref("x")}, Object{});
  const Answer answer = cluster.set(asked, "k", "v");
  EXPECT_EQ(answer.outcome, Outcome::kOk);
  EXPECT_EQ(answer.service.coordinator, cluster.view->members[primary].id);
  EXPECT_EQ(answer.service.answered + answer.service.short_of_w, 2);
}

TEST(ShortWrites, RejectTouchesNothing) {
  TestCluster cluster(
      3, with([](KeyspacePolicy& policy) { policy.writes_when_short = WritesWhenShort::kReject; }));
  cluster.isolate(0);
  EXPECT_EQ(cluster.set(0, "k", "v").outcome, Outcome::kNoQuorum);
  EXPECT_THAT(cluster.own_values(0, "k"), IsEmpty());
  EXPECT_EQ(cluster.nodes[0]->hints->pending(), 0u);
}

TEST(ShortWrites, AnExplicitWIsNeverSoftened) {
  TestCluster cluster(3);
  cluster.isolate(0);
  EXPECT_EQ(set_with_w(cluster, 0, 2).outcome, Outcome::kNoQuorum);
  EXPECT_EQ(set_with_w(cluster, 0, 3).outcome, Outcome::kNoQuorum);
  EXPECT_THAT(cluster.own_values(0, "k"), IsEmpty());
  EXPECT_EQ(set_with_w(cluster, 0, 1).outcome, Outcome::kOk);
}

TEST(StrictQuorum, CountsPrimariesOnlyAndKeepsAHintThatDoesNotCount) {
  TestCluster cluster(5, with([](KeyspacePolicy& policy) { policy.sloppy = false; }));
  const size_t first = cluster.node_for("k", 0);
  const size_t dead = cluster.node_for("k", 1);
  cluster.isolate(dead);
  const Answer two = cluster.set(first, "k", "v");
  EXPECT_EQ(two.outcome, Outcome::kOk);
  EXPECT_EQ(two.service.fallbacks, 0);
  EXPECT_EQ(cluster.nodes[cluster.node_for("k", 3)]->hints->pending(), 0u);
  EXPECT_EQ(cluster.nodes[first]->hints->pending(), 1u) << "for the one that is away";
  EXPECT_EQ(set_with_w(cluster, first, 3).outcome, Outcome::kNoQuorum);
  cluster.isolate(cluster.node_for("k", 2));
  EXPECT_EQ(cluster.set(first, "k", "w").outcome, Outcome::kNoQuorum)
      << "writes_when_short does not make a quorum of hints here";
  EXPECT_THAT(cluster.own_values(first, "k"), ElementsAre("v"));
  cluster.heal_all();
  cluster.pass_ms(100);
  EXPECT_THAT(cluster.own_values(dead, "k"), ElementsAre("v"));
}

TEST(ShortReads, FailByDefault) {
  TestCluster cluster(3);
  cluster.set(0, "k", "v");
  cluster.isolate(0);
  EXPECT_EQ(cluster.get(0, "k").outcome, Outcome::kNoQuorum);
}

TEST(ShortReads, ServeTheBestThatIsKnownButNeverGuessForAnEdit) {
  TestCluster cluster(
      3, with([](KeyspacePolicy& policy) { policy.reads_when_short = ReadsWhenShort::kServe; }));
  cluster.set(0, "k", "v");
  cluster.isolate(0);
  const Answer one = cluster.get(0, "k");
  EXPECT_EQ(one.outcome, Outcome::kOk);
  EXPECT_THAT(one.values, ElementsAre("v"));
  EXPECT_EQ(one.service.answered, 1);
  EXPECT_EQ(cluster.get(0, "absent").outcome, Outcome::kOk);
  EXPECT_EQ(cluster.increment(0, "k").outcome, Outcome::kNoQuorum);
}

TEST(ShortReads, FallbacksWithoutAHintKnowNothingToServe) {
  TestCluster cluster(
      5, with([](KeyspacePolicy& policy) { policy.reads_when_short = ReadsWhenShort::kServe; }));
  cluster.set(0, "k", "v");
  const size_t fallback = cluster.node_for("k", 3);
  cluster.isolate(fallback);
  EXPECT_EQ(cluster.get(fallback, "k").outcome, Outcome::kNoQuorum)
      << "an empty answer would hide the data";
}

}  // namespace
}  // namespace kvorum::cluster
