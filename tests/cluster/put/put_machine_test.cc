// SPDX-License-Identifier: Apache-2.0
// Writes, and reads, with fewer nodes than they ask for: what each policy of a keyspace makes of
// them. And two nodes that coordinate one key, as each holds the other for dead.
#include "cluster/put/put_machine.h"

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

// Both reach the third node, and not each other. What they submit is under way at the same time.
class TwoCoordinators : public ::testing::Test {
 protected:
  TwoCoordinators() { cluster.cut(first, second); }

  uint64_t submit(size_t node, const Request& wanted) {
    Request request = wanted;
    request.key = cluster.ref(key);
    cluster.nodes[node]->coordinator->submit(request, ++tag_, cluster.now_of(node));
    return tag_;
  }
  uint64_t increment(size_t node) {
    return submit(node, test_edits::request(test_edits::kIncrement));
  }
  uint64_t set(size_t node, std::string_view value) {
    return submit(node, test_edits::request(test_edits::kSet, value));
  }
  const Answer& answer(size_t node, uint64_t tag) { return cluster.nodes[node]->answers.at(tag); }
  std::vector<std::string> values_in_the_end() {
    cluster.pass_ms(500);
    cluster.heal_all();
    cluster.pass_ms(500);
    return cluster.get(third, "k").values;
  }

  TestCluster cluster{3};
  const std::string key = "k";
  const size_t first = cluster.node_for("k", 0);
  const size_t second = cluster.node_for("k", 1);
  const size_t third = cluster.node_for("k", 2);

 private:
  uint64_t tag_ = 1'000'000;
};

TEST_F(TwoCoordinators, CountAsOne) {
  const uint64_t a = increment(first);
  const uint64_t b = increment(second);
  EXPECT_THAT(values_in_the_end(), ElementsAre("2"));
  EXPECT_EQ(answer(first, a).outcome, Outcome::kOk);
  EXPECT_EQ(answer(second, b).outcome, Outcome::kOk);
  EXPECT_EQ(answer(first, a).number + answer(second, b).number, 1 + 2);
}

TEST_F(TwoCoordinators, CountAsOneHoweverManyAreUnderWay) {
  constexpr int kEach = 20;
  for (int round = 0; round < kEach; ++round) {
    increment(first);
    increment(second);
    if (round % 5 == 4) cluster.pass_ms(10);
  }
  EXPECT_THAT(values_in_the_end(), ElementsAre(std::to_string(2 * kEach)));
  EXPECT_GT(cluster.nodes[second]->coordinator->counters().edits_contended +
                cluster.nodes[first]->coordinator->counters().edits_contended,
            0u);
}

TEST_F(TwoCoordinators, ABlindWriteBesideAnEditLeavesOneVersion) {
  for (int round = 0; round < 20; ++round) {
    if (round % 2 == 0) set(first, "7");
    increment(second);
    if (round % 2 == 1) set(first, "7");
    cluster.pass_ms(20);
    EXPECT_EQ(cluster.get(third, "k").values.size(), 1u) << round;
  }
  EXPECT_EQ(values_in_the_end().size(), 1u);
}

TEST_F(TwoCoordinators, TwoBlindWritesLeaveOneVersion) {
  set(first, "a");
  set(second, "b");
  EXPECT_EQ(values_in_the_end().size(), 1u);
}

// It has claimed the key, and stands still: a claim ends with its time.
TEST_F(TwoCoordinators, OneThatFallsSilentDoesNotKeepTheKey) {
  increment(first);
  for (const size_t node : {second, third}) cluster.cut(first, node, true);
  cluster.pass_ms(50);
  EXPECT_EQ(cluster.increment(second, "k").outcome, Outcome::kOk);
}

// What was read is no quorum of the primaries, and nobody refuses: writable all the same.
TEST_F(TwoCoordinators, NoOtherPrimaryIsNeededWhereRAndWAreSmall) {
  TestCluster alone(5);
  const size_t only = alone.node_for("k", 0);
  for (size_t place = 1; place < 3; ++place) alone.isolate(alone.node_for("k", place));
  EXPECT_EQ(alone.increment(only, "k").outcome, Outcome::kOk);
  EXPECT_EQ(alone.set(only, "k", "v").outcome, Outcome::kOk);
}

}  // namespace
}  // namespace kvorum::cluster
