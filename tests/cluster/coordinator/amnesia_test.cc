// SPDX-License-Identifier: Apache-2.0
// A node that forgot what it acknowledged: wiped, restarted under its name, written through and
// read from at once, before anti-entropy has brought anything back. No acknowledged element is
// lost.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

CoordinatorOptions late_anti_entropy() {
  CoordinatorOptions options;
  options.anti_entropy_ms = 1000;
  return options;
}

// Adds an element as a client does: reads, adds, writes back with the context.
void add_element(TestCluster& cluster, size_t node, const std::string& element) {
  const Answer read = cluster.get(node, "set");
  ASSERT_EQ(read.outcome, Outcome::kOk);
  std::set<std::string> elements;
  for (const std::string& value : read.values) {
    for (size_t at = 0; at < value.size(); ++at) elements.insert(value.substr(at, 1));
  }
  elements.insert(element);
  std::string value;
  for (const std::string& one : elements) value += one;
  ASSERT_EQ(cluster.put(node, "set", read.context, value).outcome, Outcome::kOk);
}

std::set<char> elements_of(const std::vector<std::string>& values) {
  std::set<char> elements;
  for (const std::string& value : values) elements.insert(value.begin(), value.end());
  return elements;
}

struct Primaries {
  size_t wiped, stale, holder;
};

// All of them are linked, and one alone has the "k" that two acknowledged: the first one forgot it,
// and that at `stale_place` (1 or 2) got neither the write nor a hint.
Primaries leave_one_holder(TestCluster& cluster, size_t stale_place) {
  const Primaries roles{cluster.node_for("k", 0), cluster.node_for("k", stale_place),
                        cluster.node_for("k", 3 - stale_place)};
  cluster.isolate(roles.stale, true);
  EXPECT_EQ(cluster.set(roles.wiped, "k", "v").outcome, Outcome::kOk);
  cluster.restart_wiped_unlinked(roles.wiped);
  cluster.heal_all();
  return roles;
}

// The scenario known as kv679: the wiped node counts anew, others must not take its new counter for
// knowledge of what it had counted before.
TEST(Amnesia, AWipedNodeThatIsWrittenThroughLosesNoAcknowledgedElement) {
  TestCluster cluster(3, {}, late_anti_entropy());
  cluster.pass_ms(100);
  const size_t first = cluster.node_for("set", 0);
  const size_t second = cluster.node_for("set", 1);
  for (const char* element : {"a", "b", "c"}) add_element(cluster, first, element);
  cluster.restart_wiped(first);
  add_element(cluster, first, "d");
  cluster.restart_wiped(first);
  add_element(cluster, first, "e");
  add_element(cluster, second, "f");
  cluster.pass_ms(5000);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(elements_of(cluster.get(node, "set").values),
              (std::set<char>{'a', 'b', 'c', 'd', 'e', 'f'}));
    EXPECT_EQ(elements_of(cluster.own_values(node, "set")),
              (std::set<char>{'a', 'b', 'c', 'd', 'e', 'f'}));
  }
}

TEST(Amnesia, AWriteThatOnlyTheWipedNodeAndOneOtherHadIsStillRead) {
  TestCluster cluster(3, {}, late_anti_entropy());
  cluster.pass_ms(100);
  const auto [wiped, stale, holder] = leave_one_holder(cluster, 2);
  // Two answers of copies that know nothing must not outvote the one that knows.
  EXPECT_THAT(cluster.get(stale, "k").values, ElementsAre("v"));
  EXPECT_THAT(cluster.get(wiped, "k").values, ElementsAre("v"));
  EXPECT_THAT(cluster.get(holder, "k").values, ElementsAre("v"));
}

TEST(Amnesia, CopiesThatForgotDoNotMakeAQuorum) {
  TestCluster cluster(3, {}, without_anti_entropy());
  const auto [wiped, stale, holder] = leave_one_holder(cluster, 1);
  cluster.isolate(holder);
  EXPECT_EQ(cluster.get(stale, "k").outcome, Outcome::kNoQuorum) << "R = 2, one copy is whole";
  cluster.heal_all();
  EXPECT_THAT(cluster.get(stale, "k").values, ElementsAre("v"));
}

// A primary on a busy machine is silent for some seconds, and its link may break: it may be the
// only one that still has what the wiped one acknowledged.
TEST(Amnesia, ACopyThatForgotWaitsForAPrimaryThatIsSlow) {
  TestCluster cluster(3, {}, late_anti_entropy());
  cluster.pass_ms(100);
  const auto [wiped, stale, holder] = leave_one_holder(cluster, 1);
  cluster.isolate(holder, true);
  for (int second = 0; second < 20; ++second) {
    cluster.pass_ms(1000);
    EXPECT_EQ(cluster.get(stale, "k").outcome, Outcome::kNoQuorum) << second;
  }
  cluster.isolate(holder);  // now its links are known to be broken
  cluster.pass_ms(3000);
  EXPECT_EQ(cluster.get(stale, "k").outcome, Outcome::kNoQuorum);
  cluster.heal_all();
  EXPECT_THAT(cluster.get(stale, "k").values, ElementsAre("v"));
}

TEST(Amnesia, WhereNoCopyIsWholeAllCount) {
  TestCluster cluster(3, {}, without_anti_entropy());
  for (size_t node = 0; node < 3; ++node) cluster.restart_wiped(node);
  EXPECT_EQ(cluster.get(0, "k").outcome, Outcome::kOk);
  EXPECT_EQ(cluster.set(0, "k", "v").outcome, Outcome::kOk);
  cluster.isolate(2);
  EXPECT_THAT(cluster.get(0, "k").values, ElementsAre("v"));
}

TEST(Amnesia, ABlindWriteThroughACopyThatForgotLeavesNoSibling) {
  TestCluster cluster(3, {}, without_anti_entropy());
  const size_t first = cluster.node_for("k", 0);
  ASSERT_EQ(cluster.set(first, "k", "old").outcome, Outcome::kOk);
  cluster.restart_wiped(first);
  ASSERT_EQ(cluster.set(first, "k", "new").outcome, Outcome::kOk);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.own_values(node, "k"), ElementsAre("new"));
  }
  EXPECT_EQ(cluster.nodes[first]->coordinator->counters().second_writes, 0u) << "it asked first";
}

TEST(Amnesia, ADeleteIsNotUndoneByTheNodeThatForgotIt) {
  TestCluster cluster(3, {}, late_anti_entropy());
  cluster.pass_ms(100);
  const size_t first = cluster.node_for("k", 0);
  cluster.set(first, "k", "v");
  cluster.remove(first, "k");
  cluster.restart_wiped(first);
  EXPECT_THAT(cluster.get(first, "k").values, IsEmpty());
  cluster.pass_ms(5000);
  for (size_t node = 0; node < 3; ++node) EXPECT_THAT(cluster.own_values(node, "k"), IsEmpty());
}

// A cluster of memory engines that are restarted one after the other keeps everything, if each had
// the time to become whole before the next one went.
TEST(Amnesia, MemoryNodesRestartedInTurnLoseNothing) {
  TestCluster cluster(3, {}, late_anti_entropy());
  cluster.pass_ms(100);
  for (int n = 0; n < 200; ++n) cluster.set(0, "k" + std::to_string(n), "v");
  for (size_t node = 0; node < 3; ++node) {
    cluster.restart_wiped(node);
    for (int wait = 0; wait < 100 && cluster.nodes[node]->whole->missing() > 0; ++wait) {
      cluster.pass_ms(100);
    }
    ASSERT_EQ(cluster.nodes[node]->whole->missing(), 0u);
  }
  for (int n = 0; n < 200; ++n) {
    EXPECT_THAT(cluster.get(1, "k" + std::to_string(n)).values, ElementsAre("v"));
  }
}

// W was met with a hint: one primary and a fallback. The fallback and its directory are gone for
// ever.
class HintHolderGone : public ::testing::Test {
 protected:
  HintHolderGone() { cluster.pass_ms(100); }

  // Acknowledged by the primaries that are there, the others' copies being hints.
  void write_past(std::initializer_list<size_t> away) {
    for (const size_t node : away) cluster.isolate(node);
    const Answer answer = cluster.set(primary(0), "k", "v");
    ASSERT_EQ(answer.outcome, Outcome::kOk);
    ASSERT_EQ(answer.service.short_of_w, 0);
    hints_left = answer.service.hints;
  }
  void holders_go() {
    size_t lost = 0;
    for (const size_t holder : {cluster.node_for("k", 3), cluster.node_for("k", 4)}) {
      lost += cluster.nodes[holder]->hints->pending();
      cluster.restart_wiped_unlinked(holder);
    }
    EXPECT_EQ(lost, hints_left);
  }
  // All but those that are gone.
  void return_to_each_other(std::initializer_list<size_t> here) {
    for (const size_t a : here) {
      for (const size_t b : here) {
        if (a < b) cluster.heal(a, b);
      }
    }
    cluster.pass_ms(5000);
  }
  size_t primary(size_t place) const { return cluster.node_for("k", place); }

  TestCluster cluster{5, {}, late_anti_entropy()};
  size_t hints_left = 0;
};

TEST_F(HintHolderGone, ThePrimaryThatMissedTheWriteGetsItFromTheOthers) {
  write_past({primary(2)});
  EXPECT_EQ(hints_left, 1u);
  holders_go();
  return_to_each_other({primary(0), primary(1), primary(2)});
  EXPECT_THAT(cluster.own_values(primary(2), "k"), ElementsAre("v"));
  EXPECT_THAT(cluster.get(primary(2), "k").values, ElementsAre("v"));
}

TEST_F(HintHolderGone, OnePrimaryThatHasItIsEnough) {
  write_past({primary(1), primary(2)});
  EXPECT_EQ(hints_left, 2u);
  holders_go();
  return_to_each_other({primary(0), primary(1), primary(2)});
  for (const size_t place : {0u, 1u, 2u}) {
    EXPECT_THAT(cluster.own_values(primary(place), "k"), ElementsAre("v"));
  }
}

// The counterpart: a hint is a copy like any other, while its holder lives.
TEST_F(HintHolderGone, AHintOutlivesThePrimaryThatWroteIt) {
  write_past({primary(1), primary(2)});
  cluster.restart_wiped_unlinked(primary(0));
  return_to_each_other({0, 1, 2, 3, 4});
  for (const size_t place : {0u, 1u, 2u}) {
    EXPECT_THAT(cluster.own_values(primary(place), "k"), ElementsAre("v"));
  }
}

// W copies, W disks gone for ever: this is what docs/CONSISTENCY.md says is lost.
TEST_F(HintHolderGone, WhatOnlyTheDeadPrimaryAndItsHintsHadIsLost) {
  write_past({primary(1), primary(2)});
  holders_go();
  cluster.restart_wiped_unlinked(primary(0));
  return_to_each_other({0, 1, 2, 3, 4});
  EXPECT_EQ(cluster.get(primary(1), "k").outcome, Outcome::kOk);
  EXPECT_THAT(cluster.get(primary(1), "k").values, IsEmpty());
}

}  // namespace
}  // namespace kvorum::cluster
