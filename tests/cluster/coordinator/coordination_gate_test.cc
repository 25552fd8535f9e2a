// SPDX-License-Identifier: Apache-2.0
// A node that stops hands over what it coordinates, and one that returns takes it up: no request of
// anybody fails, and no two nodes coordinate one key.
#include <gmock/gmock.h>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;

class CoordinatorStop : public ::testing::Test {
 protected:
  CoordinatorStop()
      : first(cluster.node_for("k", 0)),
        second(cluster.node_for("k", 1)),
        third(cluster.node_for("k", 2)) {}

  Coordinator& at(size_t node) { return *cluster.nodes[node]->coordinator; }
  void set(size_t node, Coordination coordination) {
    at(node).set_coordination(coordination, cluster.now_of(node));
    cluster.settle();
  }
  // As its links tell the others.
  void say_stopping(size_t node) {
    for (size_t other = 0; other < cluster.nodes.size(); ++other) {
      if (other == node) continue;
      at(other).on_stopping(static_cast<MemberIndex>(node), cluster.now_of(other));
    }
    cluster.settle();
  }
  // Without delivering anything.
  uint64_t submit(size_t node, EditCode edit, std::string_view value = {}) {
    Request request = test_edits::request(edit, value);
    request.key = cluster.ref(key);
    at(node).submit(request, ++tag_, cluster.now_of(node));
    return tag_;
  }
  const std::map<uint64_t, Answer>& answers(size_t node) { return cluster.nodes[node]->answers; }

  const std::string key = "k";  // requests borrow its bytes
  TestCluster cluster{3};
  const size_t first, second, third;
  uint64_t tag_ = 1'000'000;
};

TEST_F(CoordinatorStop, WhatIsHeldRunsElsewhereOnceItIsHandedBack) {
  set(first, Coordination::kHolds);
  const uint64_t own = submit(first, test_edits::kIncrement);
  const uint64_t forwarded = submit(second, test_edits::kIncrement);
  cluster.settle();
  EXPECT_TRUE(answers(first).empty() && answers(second).empty());
  EXPECT_EQ(at(first).unfinished_edits(), 0u);
  EXPECT_EQ(at(first).unfinished(), 2u);
  set(first, Coordination::kHandsBack);
  ASSERT_TRUE(answers(first).contains(own) && answers(second).contains(forwarded));
  EXPECT_EQ(answers(first).at(own).outcome, Outcome::kOk);
  EXPECT_EQ(answers(second).at(forwarded).outcome, Outcome::kOk);
  EXPECT_EQ(answers(first).at(own).service.coordinator, cluster.view->members[second].id);
  EXPECT_THAT(cluster.get(third, "k").values, ElementsAre("2"));
  EXPECT_EQ(at(first).unfinished(), 0u);
}

// An edit that is under way is finished where it was begun, before others begin.
TEST_F(CoordinatorStop, WhatWasBegunIsFinished) {
  const uint64_t begun = submit(first, test_edits::kIncrement);
  EXPECT_EQ(at(first).unfinished_edits(), 1u);
  set(first, Coordination::kHolds);
  EXPECT_EQ(answers(first).at(begun).outcome, Outcome::kOk);
  EXPECT_EQ(at(first).unfinished_edits(), 0u);
  set(first, Coordination::kHandsBack);
  say_stopping(first);
  EXPECT_EQ(cluster.increment(third, "k").outcome, Outcome::kOk);
  EXPECT_THAT(cluster.get(second, "k").values, ElementsAre("2"));
}

TEST_F(CoordinatorStop, TheOthersAskItNothingMore) {
  set(first, Coordination::kHandsBack);
  say_stopping(first);
  const CoordinatorCounters before = at(first).counters();
  for (size_t node : {second, third}) {
    EXPECT_EQ(cluster.set(node, "k", "v").outcome, Outcome::kOk);
    EXPECT_EQ(cluster.increment(node, "n").outcome, Outcome::kOk);
    EXPECT_THAT(cluster.get(node, "k").values, ElementsAre("v"));
  }
  EXPECT_EQ(at(first).counters().replica_reads, before.replica_reads);
  EXPECT_EQ(at(first).counters().replica_writes, before.replica_writes);
  EXPECT_EQ(at(first).peer_state(static_cast<MemberIndex>(second)), PeerState::kUp);
  EXPECT_EQ(at(second).peer_state(static_cast<MemberIndex>(first)), PeerState::kDown);
}

// What was asked before it said so is answered: nothing is uncertain.
TEST_F(CoordinatorStop, WhatWasOnItsWayIsAnswered) {
  const uint64_t edit = submit(second, test_edits::kIncrement);  // on its way to the first
  at(second).on_stopping(static_cast<MemberIndex>(first), cluster.now_of(second));
  cluster.settle();
  ASSERT_TRUE(answers(second).contains(edit));
  EXPECT_EQ(answers(second).at(edit).outcome, Outcome::kOk);
  EXPECT_THAT(cluster.get(third, "k").values, ElementsAre("1"));
}

TEST_F(CoordinatorStop, ItIsBackWithItsLink) {
  say_stopping(first);
  EXPECT_EQ(cluster.set(second, "k", "v").outcome, Outcome::kOk);
  cluster.isolate(first);
  cluster.heal_all();
  EXPECT_EQ(at(second).peer_state(static_cast<MemberIndex>(first)), PeerState::kUp);
  EXPECT_EQ(cluster.increment(third, "n").outcome, Outcome::kOk);
}

// It has a claim on the key, of an edit before, at the one that runs what it handed back.
TEST_F(CoordinatorStop, WhatItHandedBackIsNotPassedOnToItForItsClaim) {
  constexpr uint64_t kClaimMs = 100;
  const uint64_t now_ms = cluster.steady_us / 1000;
  cluster.nodes[second]->claims->take(cluster.ref("k").position,
                                      {static_cast<MemberIndex>(first), now_ms, now_ms + kClaimMs});
  set(first, Coordination::kHandsBack);
  const uint64_t edit = submit(second, test_edits::kIncrement);
  cluster.pass_ms(2 * kClaimMs);
  ASSERT_TRUE(answers(second).contains(edit));
  EXPECT_EQ(answers(second).at(edit).outcome, Outcome::kOk);
}

// All nodes of a cluster start, or stop, at once: each runs what nobody else takes.
TEST_F(CoordinatorStop, WhereAllHandBackEachRunsItsOwn) {
  for (size_t node = 0; node < 3; ++node) set(node, Coordination::kHandsBack);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(cluster.increment(node, "k").outcome, Outcome::kOk) << node;
  }
  EXPECT_THAT(cluster.get(first, "k").values, ElementsAre("3"));
}

TEST_F(CoordinatorStop, WhoIsAloneRunsWhatItIsAsked) {
  cluster.isolate(first);
  set(first, Coordination::kHandsBack);
  EXPECT_EQ(cluster.set(first, "k", "v").outcome, Outcome::kOk);
}

// A node that is no replica of the key asks one that has just started.
TEST(CoordinatorReturn, ReadsAreGivenToAnotherPrimary) {
  TestCluster cluster{5};
  const size_t stranger = cluster.node_for("k", 4);
  ASSERT_EQ(cluster.set(stranger, "k", "v").outcome, Outcome::kOk);
  for (size_t place = 0; place < 2; ++place) {
    const size_t node = cluster.node_for("k", place);
    cluster.nodes[node]->coordinator->set_coordination(Coordination::kHandsBack,
                                                       cluster.now_of(node));
  }
  for (int i = 0; i < 5; ++i) {
    const Answer answer = cluster.get(stranger, "k");
    EXPECT_EQ(answer.outcome, Outcome::kOk);
    EXPECT_THAT(answer.values, ElementsAre("v"));
    EXPECT_EQ(cluster.increment(stranger, "n").outcome, Outcome::kOk);
  }
}

}  // namespace
}  // namespace kvorum::cluster
