// SPDX-License-Identifier: Apache-2.0
// Hints whose target is no primary of their key any more.
#include "cluster/upkeep/hint_move.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "cluster/upkeep/hint_replay.h"
#include "tests/cluster/lone_history.h"
#include "tests/cluster/test_cluster.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr NodeId kDeparted = 4711;

Object object_of(std::string_view bytes) {
  Version version;
  version.dot = {{1, 2, Hlc{3}}, Hlc{10}};
  version.bytes = bytes;
  Object object;
  update(object, Context{}, version);
  return object;
}

struct DepartedTarget : ::testing::Test {
  TestNode& node(size_t place) { return *cluster.nodes[cluster.node_for("k", place)]; }
  void leave_at(size_t place) {
    node(place).hints->store({kDeparted, cluster.ref("k")}, object_of("v"));
  }
  void expect_on_all_primaries() {
    for (size_t place = 0; place < 3; ++place) {
      EXPECT_THAT(cluster.own_values(cluster.node_for("k", place), "k"), ElementsAre("v"));
      EXPECT_EQ(node(place).hints->pending(), 0u);
    }
  }
  TestCluster cluster{5};
};

TEST_F(DepartedTarget, AFallbacksHintGoesToThePrimariesOfToday) {
  leave_at(4);
  cluster.pass_ms(6000);
  EXPECT_EQ(node(4).hints->pending(), 0u);
  EXPECT_EQ(node(4).coordinator->counters().hints_moved, 1u);
  EXPECT_THAT(cluster.own_values(cluster.node_for("k", 4), "k"), IsEmpty());
  expect_on_all_primaries();
}

TEST_F(DepartedTarget, APrimarysHintGoesIntoItsOwnCopyToo) {
  leave_at(1);
  cluster.pass_ms(6000);
  expect_on_all_primaries();
}

TEST_F(DepartedTarget, WhoeverIsAwayGetsItLater) {
  leave_at(4);
  cluster.isolate(cluster.node_for("k", 0));
  cluster.pass_ms(6000);
  EXPECT_EQ(node(4).hints->pending(), 1u);
  EXPECT_EQ(node(4).hints->ledger().count_for(kDeparted), 0u);
  EXPECT_THAT(cluster.own_values(cluster.node_for("k", 1), "k"), ElementsAre("v"));
  cluster.heal_all();
  cluster.pass_ms(6000);
  expect_on_all_primaries();
}

TEST_F(DepartedTarget, AMemberThatIsNoPrimaryOfTheKeyHasDepartedFromIt) {
  const NodeId other = cluster.view->members[cluster.node_for("k", 3)].id;
  cluster.isolate(cluster.node_for("k", 3));
  node(4).hints->store({other, cluster.ref("k")}, object_of("v"));
  cluster.pass_ms(6000);
  EXPECT_EQ(node(4).hints->pending(), 0u) << "though it cannot be reached";
  EXPECT_THAT(cluster.own_values(cluster.node_for("k", 3), "k"), IsEmpty());
  expect_on_all_primaries();
}

TEST_F(DepartedTarget, ANewViewMovesWhatWasForTheNodeThatIsGone) {
  const size_t gone = cluster.node_for("k", 1);
  const size_t keeper = cluster.node_for("k", 3);
  TestNode& holder = *cluster.nodes[keeper];
  cluster.isolate(gone);
  cluster.set(cluster.node_for("k", 0), "k", "v");
  const NodeId gone_id = cluster.view->members[gone].id;
  ASSERT_EQ(holder.hints->ledger().count_for(gone_id), 1u);

  auto view = std::make_shared<ClusterView>(holder.coordinator->view());
  const std::string name = view->members[keeper].name;
  view->members.erase(view->members.begin() + static_cast<std::ptrdiff_t>(gone));
  view->ring = Ring::found(view->members, view->ring.shape());
  view->self = view->find_name(name);
  ASSERT_EQ(view->find_id(gone_id), kNoMember);
  holder.start(view, {});  // not linked to anybody
  const auto list = view->ring.preference_list(view->ring.partition_of(cluster.ref("k").position));
  const bool primary = std::find(list.begin(), list.begin() + 3, view->self) != list.begin() + 3;
  holder.coordinator->on_time(cluster.now_of(keeper));

  EXPECT_EQ(holder.coordinator->counters().hints_moved, 1u);
  EXPECT_EQ(holder.hints->ledger().count_for(gone_id), 0u);
  EXPECT_EQ(holder.hints->pending(), primary ? 2u : 3u) << "one per primary of the new ring";
  for (size_t place = 0; place < 3; ++place) {
    const bool own = list[place] == view->self;
    EXPECT_EQ(holder.hints->ledger().count_for(view->members[list[place]].id), own ? 0u : 1u);
  }
  EXPECT_EQ(cluster.own_values(keeper, "k").size(), primary ? 1u : 0u);
}

TEST_F(DepartedTarget, TheOldHintGoesWhenTheNewOnesAreCommitted) {
  engine::testing::MapStore store;
  const size_t keeper = cluster.node_for("k", 4);
  cluster.open_hints(keeper, &store);
  node(4).commits_hints = false;
  leave_at(4);
  cluster.isolate(keeper);
  cluster.pass_ms(500);
  EXPECT_EQ(node(4).hints->ledger().count_for(kDeparted), 1u);
  EXPECT_EQ(node(4).hints->pending(), 4u);
  cluster.commit_hints(keeper);
  EXPECT_EQ(node(4).hints->ledger().count_for(kDeparted), 0u);
  EXPECT_EQ(node(4).hints->pending(), 3u);
  cluster.commit_hints(keeper);
  cluster.open_hints(keeper, &store);
  EXPECT_EQ(node(4).hints->pending(), 3u);
  node(4).commits_hints = true;
  cluster.heal_all();
  cluster.pass_ms(6000);
  expect_on_all_primaries();
  EXPECT_THAT(store.values(), IsEmpty());
  node(4).open_hints(nullptr);
}

// ---- while the ring changes

struct MovingHint : ::testing::Test {
  // The hint of a key of that partition for somebody who is gone is moved, by n0 of four.
  void move(uint32_t partition) {
    key = lone.key_in(partition);
    const Object object = object_of("v");
    const HintMove move = begin_hint_move(lone.core, {1, lone.ref(key), object}, lone.now);
    ASSERT_EQ(move.state, HintMove::State::kBegun);
  }
  size_t hints_for(uint32_t number) const {
    return lone.hints.ledger().count_for(lone.founder(number));
  }

  fixtures::LoneHistory lone;
  std::string key;
  const uint32_t foreign = lone.partition_of_self(false);
};

TEST_F(MovingHint, GoesToTheOwnersOfAllSetsInPlay) {
  lone.leave(1);
  move(foreign);
  for (const uint32_t old : {1u, 2u, 3u}) EXPECT_EQ(hints_for(old), 1u) << old;
  EXPECT_THAT(lone.own(key), ElementsAre("v")) << "as the new owner";
}

TEST_F(MovingHint, GoesToTheNewOwnersAloneOnceTheyAreSettled) {
  lone.leave(1);
  lone.learn({Fact::settled(foreign, lone.newest())});
  move(foreign);
  EXPECT_EQ(hints_for(1), 0u);
  for (const uint32_t owner : {2u, 3u}) EXPECT_EQ(hints_for(owner), 1u) << owner;
  EXPECT_THAT(lone.own(key), ElementsAre("v"));
}

TEST_F(MovingHint, WhoOwnsNothingThereKeepsNoCopy) {
  lone.touch();
  move(foreign);
  for (const uint32_t owner : {1u, 2u, 3u}) EXPECT_EQ(hints_for(owner), 1u) << owner;
  EXPECT_THAT(lone.own(key), IsEmpty());
}

TEST_F(MovingHint, NobodyWhoWasRemovedIsLeftOne) {
  lone.remove(1);
  move(foreign);
  EXPECT_EQ(hints_for(1), 0u);
  for (const uint32_t owner : {2u, 3u}) EXPECT_EQ(hints_for(owner), 1u) << owner;
}

}  // namespace
}  // namespace kvorum::cluster
