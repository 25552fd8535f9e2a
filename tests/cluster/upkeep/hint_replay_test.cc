// SPDX-License-Identifier: Apache-2.0
// Durable hints through whole clusters: when they are votes, what a kill leaves of them, their
// order and pace, their quota.
#include "cluster/upkeep/hint_replay.h"

#include <gmock/gmock.h>

#include "tests/cluster/test_cluster.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster {
namespace {

using engine::testing::MapStore;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Five nodes; the second primary of "k" is away, and its fallback keeps its hints in a store.
struct FallbackHints : ::testing::Test {
  FallbackHints() {
    cluster.open_hints(fallback, &store);
    cluster.isolate(dead);
  }
  ~FallbackHints() override { cluster.nodes[fallback]->open_hints(nullptr); }

  TestNode& holder() { return *cluster.nodes[fallback]; }
  uint64_t pending() { return holder().hints->pending(); }

  // A write that needs the fallback's vote, under way.
  void submit_to_all(const std::string& value) {
    Request request = test_edits::request(test_edits::kSet, value);
    request.w = 3;
    request.strict_w = true;
    const std::string key = "k";  // only seen by the request
    request.key = cluster.ref(key);
    cluster.nodes[first]->coordinator->submit(request, kTag, cluster.now_of(first));
    cluster.settle();
  }
  const Answer* answer() {
    const auto found = cluster.nodes[first]->answers.find(kTag);
    return found == cluster.nodes[first]->answers.end() ? nullptr : &found->second;
  }

  static constexpr uint64_t kTag = 1'000'000;
  MapStore store;
  TestCluster cluster{5};
  const size_t first = cluster.node_for("k", 0);
  const size_t dead = cluster.node_for("k", 1);
  const size_t fallback = cluster.node_for("k", 3);
};

TEST_F(FallbackHints, AHintIsAVoteOnceItIsCommitted) {
  holder().commits_hints = false;
  submit_to_all("v");
  EXPECT_EQ(pending(), 1u);
  EXPECT_EQ(answer(), nullptr);
  holder().coordinator->on_committed(1'000'000, true, cluster.now_of(fallback));
  cluster.settle();
  EXPECT_EQ(answer(), nullptr) << "a commit of the objects is none of the hints";
  cluster.commit_hints(fallback);
  cluster.settle();
  ASSERT_NE(answer(), nullptr);
  EXPECT_EQ(answer()->outcome, Outcome::kOk);
  EXPECT_EQ(answer()->service.fallbacks, 1);
}

TEST_F(FallbackHints, AStopDeliversWhatCanBeReached) {
  cluster.nodes[fallback]->coordinator->on_time(cluster.now_of(fallback));
  submit_to_all("v");
  cluster.commit_hints(fallback);
  cluster.settle();
  ASSERT_EQ(pending(), 1u);
  Coordinator& holding = *holder().coordinator;
  EXPECT_EQ(holding.hints_in_reach(cluster.now_of(fallback)), 0u) << "its target is away";
  cluster.heal(fallback, dead);
  EXPECT_EQ(holding.hints_in_reach(cluster.now_of(fallback)), 1u);
  holding.flush_hints(cluster.now_of(fallback));
  holding.on_time(cluster.now_of(fallback));
  cluster.settle();
  cluster.commit_hints(fallback);
  cluster.settle();
  EXPECT_EQ(holding.hints_in_reach(cluster.now_of(fallback)), 0u);
  EXPECT_EQ(pending(), 0u);
}

TEST_F(FallbackHints, AHintWhoseCommitFailsIsARefusal) {
  holder().commits_hints = false;
  submit_to_all("v");
  store.set_broken(true);
  cluster.commit_hints(fallback, false);
  cluster.settle();
  EXPECT_EQ(holder().coordinator->counters().operations_in_flight, 0u);
  // The other fallback has taken its place.
  ASSERT_NE(answer(), nullptr);
  EXPECT_EQ(answer()->outcome, Outcome::kOk);
  EXPECT_EQ(cluster.nodes[cluster.node_for("k", 4)]->hints->pending(), 1u);
  store.set_broken(false);
  holder().hint_table->store_health().recover();
}

TEST_F(FallbackHints, AStandInThatCoordinatesWaitsForItsOwnHint) {
  for (size_t place = 0; place < 3; ++place) cluster.isolate(cluster.node_for("k", place));
  cluster.isolate(cluster.node_for("k", 4));
  holder().commits_hints = false;
  Request request = test_edits::request(test_edits::kSet, "v");
  const std::string key = "k";  // only seen by the request
  request.key = cluster.ref(key);
  holder().coordinator->submit(request, kTag, cluster.now_of(fallback));
  cluster.settle();
  EXPECT_FALSE(holder().answers.contains(kTag));
  cluster.commit_hints(fallback);
  ASSERT_TRUE(holder().answers.contains(kTag));
  const Answer& soft = holder().answers[kTag];
  EXPECT_EQ(soft.outcome, Outcome::kOk);
  EXPECT_EQ(soft.service.answered, 1) << "so many copies it has";
  EXPECT_EQ(soft.service.short_of_w, 1);
  EXPECT_EQ(holder().coordinator->counters().writes_softened, 1u);
}

TEST_F(FallbackHints, AKilledHolderDeliversInItsNextSession) {
  ASSERT_EQ(cluster.set(first, "k", "v").outcome, Outcome::kOk);
  ASSERT_EQ(pending(), 1u);
  cluster.open_hints(fallback, &store);
  EXPECT_EQ(pending(), 1u);
  cluster.heal_all();
  cluster.pass_ms(100);
  EXPECT_THAT(cluster.own_values(dead, "k"), ElementsAre("v"));
  EXPECT_EQ(pending(), 0u);
  EXPECT_THAT(store.values(), IsEmpty());
}

TEST_F(FallbackHints, KilledBetweenDeliveryAndRemovalItDeliversAgainAndNothingChanges) {
  cluster.set(first, "k", "v");
  holder().commits_hints = false;
  cluster.heal_all();
  cluster.pass_ms(100);
  ASSERT_EQ(pending(), 0u);
  ASSERT_FALSE(store.values().empty()) << "the removal is not committed";
  const Context before = cluster.get(dead, "k").context;
  cluster.open_hints(fallback, &store);
  holder().commits_hints = true;
  ASSERT_EQ(pending(), 1u);
  cluster.pass_ms(100);
  EXPECT_EQ(pending(), 0u);
  EXPECT_THAT(store.values(), IsEmpty());
  EXPECT_THAT(cluster.own_values(dead, "k"), ElementsAre("v"));
  EXPECT_TRUE(cluster.get(dead, "k").context.vector == before.vector);
}

TEST_F(FallbackHints, AnOverwrittenHintDoesNotBringTheOldValueBack) {
  cluster.set(first, "k", "old");
  cluster.heal_all();
  cluster.set(first, "k", "new");  // reaches the dead one before its hint does
  cluster.pass_ms(100);
  EXPECT_EQ(pending(), 0u);
  EXPECT_THAT(cluster.own_values(dead, "k"), ElementsAre("new"));
}

TEST_F(FallbackHints, OverItsQuotaAFallbackRefusesAndOldHintsStay) {
  cluster.set(first, "k", "kept");
  cluster.open_hints(fallback, &store, holder().hints->ledger().bytes());
  cluster.isolate(dead);
  cluster.isolate(cluster.node_for("k", 4));  // no other fallback
  submit_to_all(std::string(10'000, 'x'));
  ASSERT_NE(answer(), nullptr);
  EXPECT_EQ(answer()->outcome, Outcome::kUncertain) << "two of three copies are there";
  EXPECT_EQ(pending(), 1u);
  EXPECT_EQ(holder().hints->ledger().refused(), 1u);
  EXPECT_EQ(cluster.set(first, "k", std::string(10'000, 'y')).outcome, Outcome::kOk)
      << "W of 2 needs no hint";
}

TEST(HintQuota, AShortWriteWhoseCopiesCannotBeKeptIsRefusedBeforeAnythingIsTouched) {
  TestCluster cluster(3);
  cluster.open_hints(0, nullptr, 1000);
  cluster.isolate(0);
  ASSERT_EQ(cluster.set(0, "k", "v").outcome, Outcome::kOk);
  EXPECT_EQ(cluster.set(0, "k", std::string(5000, 'x')).outcome, Outcome::kNoQuorum);
  EXPECT_THAT(cluster.own_values(0, "k"), ElementsAre("v"));
  EXPECT_EQ(cluster.nodes[0]->hints->pending(), 2u);
}

// What the key holds already is not known before it is looked at.
TEST(HintQuota, AShortWriteWhoseSiblingsFillTheQuotaIsUncertain) {
  TestCluster cluster(3);
  cluster.put(0, "k", Context{}, std::string(3000, 'x'));
  cluster.open_hints(0, nullptr, 2000);
  cluster.isolate(0);
  EXPECT_EQ(cluster.put(0, "k", Context{}, "v").outcome, Outcome::kUncertain);
  EXPECT_EQ(cluster.nodes[0]->coordinator->counters().operations_in_flight, 0u);
}

TEST(HintQuota, AStandInWithoutRoomRefusesBeforeAnythingIsTouched) {
  TestCluster cluster(5);
  const size_t fallback = cluster.node_for("k", 3);
  cluster.open_hints(fallback, nullptr, 1);
  for (size_t place = 0; place < 3; ++place) cluster.isolate(cluster.node_for("k", place));
  EXPECT_EQ(cluster.set(fallback, "k", "v").outcome, Outcome::kNoQuorum);
  EXPECT_EQ(cluster.nodes[cluster.node_for("k", 4)]->hints->pending(), 0u);
  EXPECT_EQ(cluster.nodes[fallback]->coordinator->counters().operations_in_flight, 0u);
}

// Three nodes, one away, 300 hints for it at another.
struct ManyHints : ::testing::Test {
  ManyHints() {
    cluster.isolate(dead);
    for (int n = 0; n < 300; ++n) {
      cluster.pass_ms(10);
      cluster.set(keeper, name(n), "v");
    }
  }
  static std::string name(int n) { return "key" + std::to_string(n); }
  std::vector<int> delivered() {
    std::vector<int> found;
    for (int n = 0; n < 300; ++n) {
      if (!cluster.own_values(dead, name(n)).empty()) found.push_back(n);
    }
    return found;
  }
  // Moves what is on its way from the keeper, and the answers.
  void link_up() {
    cluster.heal(keeper, dead);
    cluster.steady_us += 20'000;
    cluster.nodes[keeper]->coordinator->on_time(cluster.now_of(keeper));
  }

  TestCluster cluster{3};
  const size_t dead = 0;
  const size_t keeper = 1;
};

TEST_F(ManyHints, GoOldestFirstAndNoMoreThanTheWindowAtOnce) {
  ASSERT_GE(cluster.nodes[keeper]->hints->pending(), 100u);
  std::vector<int> kept;  // by age
  std::optional<HintPlace> place;
  const NodeId target = cluster.view->members[dead].id;
  const auto show = [&](const HintKey& hint, const Object&) {
    kept.push_back(std::stoi(std::string(hint.key.key.substr(3))));
  };
  while (cluster.nodes[keeper]->hints->show_next(target, &place, show)) {
  }
  EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
  link_up();
  EXPECT_EQ(cluster.nodes[keeper]->coordinator->counters().operations_in_flight,
            ReplayPace::kWindowFirst);
  cluster.cut(keeper, dead, true);  // the rest of the pass is lost
  cluster.settle();
  EXPECT_THAT(delivered(), IsEmpty());
  cluster.heal_all();
  cluster.pass_ms(5000);
  EXPECT_EQ(cluster.nodes[keeper]->hints->pending(), 0u);
  EXPECT_EQ(delivered().size(), 300u);
  EXPECT_EQ(cluster.nodes[keeper]->coordinator->counters().operations_in_flight, 0u);
}

TEST_F(ManyHints, ATargetThatRefusesIsLeftAloneForAWhileAndLosesNothing) {
  TestNode& target = *cluster.nodes[dead];
  const uint64_t pending = cluster.nodes[keeper]->hints->pending();
  target.table->store_health().fail();
  cluster.heal_all();
  cluster.pass_ms(2000);
  EXPECT_EQ(cluster.nodes[keeper]->hints->pending(), pending);
  EXPECT_LT(target.coordinator->counters().replica_writes, 200u) << "no storm of retries";
  EXPECT_EQ(cluster.nodes[keeper]->hints->ledger().wait_of(cluster.view->members[dead].id),
            HintWait::kRefused);
  target.table->store_health().recover();
  cluster.pass_ms(2000);
  EXPECT_EQ(cluster.nodes[keeper]->hints->pending(), 0u);
}

TEST_F(ManyHints, ALinkThatBreaksEndsWhatIsInFlightAndTheNextOneGoesOn) {
  link_up();
  cluster.cut(keeper, dead);
  EXPECT_EQ(cluster.nodes[keeper]->coordinator->counters().operations_in_flight, 0u);
  EXPECT_EQ(cluster.nodes[keeper]->hints->ledger().wait_of(cluster.view->members[dead].id),
            HintWait::kUnreachable);
  cluster.heal_all();
  cluster.pass_ms(200);
  EXPECT_EQ(cluster.nodes[keeper]->hints->pending(), 0u);
}

TEST_F(ManyHints, AHolderWhoseStoreFailedDeliversNothingOverAndOver) {
  cluster.nodes[keeper]->hint_table->store_health().fail();
  cluster.heal_all();
  cluster.pass_ms(1000);
  EXPECT_EQ(cluster.nodes[keeper]->coordinator->counters().hints_replayed, 0u);
  cluster.nodes[keeper]->hint_table->store_health().recover();
  cluster.pass_ms(6000);
  EXPECT_EQ(cluster.nodes[keeper]->hints->pending(), 0u);
}

}  // namespace
}  // namespace kvorum::cluster
