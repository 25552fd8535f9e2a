// SPDX-License-Identifier: Apache-2.0
// A cluster whose configuration changed over its data, as its clients see it: no key is hidden, no
// write is lost, whoever holds it.
#include <gmock/gmock.h>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

using Adjust = std::function<void(Founding&)>;

struct Quorum {
  uint8_t n, r, w;
};

Adjust quorum(Quorum wanted) {
  return [wanted](Founding& founding) {
    for (KeyspacePolicy& policy : founding.keyspaces) {
      policy.n = wanted.n;
      policy.r = wanted.r;
      policy.w = wanted.w;
    }
  };
}

Adjust conflicts(ConflictPolicy wanted) {
  return [wanted](Founding& founding) { founding.keyspaces[0].conflicts = wanted; };
}

CoordinatorOptions some_anti_entropy() {
  CoordinatorOptions options;
  options.anti_entropy_ms = 1000;
  options.gossip_ms = 200;
  return options;
}

std::string key(int number) { return "k" + std::to_string(number); }

void change_all(TestCluster& cluster, const Adjust& adjust) {
  for (size_t node = 0; node < cluster.nodes.size(); ++node) {
    cluster.restart_changed_unlinked(node, adjust);
  }
  cluster.heal_all();
  cluster.settle();
}

bool all_whole(const TestCluster& cluster) {
  for (const auto& node : cluster.nodes) {
    if (node->whole->missing() != 0 || node->former.any()) return false;
  }
  return true;
}

void expect_whole_soon(TestCluster& cluster) {
  for (int wait = 0; wait < 200 && !all_whole(cluster); ++wait) cluster.pass_ms(100);
  EXPECT_TRUE(all_whole(cluster));
}

constexpr int kKeys = 40;
constexpr uint64_t kContactMs = 30;  // then puts wait for nothing (first_contact.h)

void fill(TestCluster& cluster) {
  cluster.pass_ms(kContactMs);
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_EQ(cluster.set(static_cast<size_t>(i) % cluster.nodes.size(), key(i), "v").outcome,
              Outcome::kOk);
  }
}

void expect_all(TestCluster& cluster) {
  for (size_t node = 0; node < cluster.nodes.size(); ++node) {
    for (int i = 0; i < kKeys; ++i) {
      EXPECT_THAT(cluster.get(node, key(i)).values, ElementsAre("v")) << node << key(i);
    }
  }
}

TEST(ChangedConfiguration, MoreCopiesAreRightFromTheFirstRequestOn) {
  TestCluster cluster(3, quorum({1, 1, 1}), some_anti_entropy());
  fill(cluster);
  ASSERT_EQ(cluster.set(0, "count", "101").outcome, Outcome::kOk);
  change_all(cluster, quorum({3, 2, 2}));
  expect_all(cluster);
  cluster.pass_ms(kContactMs);
  EXPECT_EQ(cluster.increment(1, "count").number, 102);
  EXPECT_EQ(cluster.set(2, key(0), "w").outcome, Outcome::kOk);
  EXPECT_THAT(cluster.get(1, key(0)).values, ElementsAre("w")) << "no sibling";
  cluster.set(2, key(0), "v");
  expect_whole_soon(cluster);
  expect_all(cluster);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.own_values(node, key(1)), ElementsAre("v"));
  }
}

TEST(ChangedConfiguration, WhereTheOnlyFormerPrimaryIsAwayNobodySaysThereIsNothing) {
  TestCluster cluster(3, quorum({1, 1, 1}), some_anti_entropy());
  fill(cluster);
  for (size_t node = 0; node < 3; ++node) {
    cluster.restart_changed_unlinked(node, quorum({3, 2, 2}));
  }
  cluster.heal(0, 1);
  cluster.pass_ms(20'000);
  size_t refused = 0;
  for (int i = 0; i < kKeys; ++i) {
    const Answer answer = cluster.get(0, key(i));
    if (answer.outcome == Outcome::kNoQuorum) {
      ++refused;
    } else {
      EXPECT_THAT(answer.values, ElementsAre("v")) << key(i);
    }
  }
  EXPECT_GT(refused, 0u) << "node 2 alone has some";
  EXPECT_LT(refused, size_t{kKeys});
  cluster.heal_all();
  expect_whole_soon(cluster);
  expect_all(cluster);
}

// W was met by two of three, and what they kept for the third is gone; it may be the only primary
// now.
TEST(ChangedConfiguration, FewerCopiesGetWhatOnlyOthersAcknowledged) {
  TestCluster cluster(3, quorum({3, 2, 2}), some_anti_entropy());
  cluster.pass_ms(kContactMs);
  for (int i = 0; i < kKeys; ++i) {
    const size_t away = static_cast<size_t>(i) % 3;
    cluster.isolate(away);
    ASSERT_EQ(cluster.set((away + 1) % 3, key(i), "v").outcome, Outcome::kOk);
    cluster.heal_all();
  }
  for (size_t node = 0; node < 3; ++node) cluster.open_hints(node, nullptr);
  change_all(cluster, quorum({1, 1, 1}));
  expect_all(cluster);
  cluster.pass_ms(kContactMs);
  EXPECT_EQ(cluster.set(0, key(0), "w").outcome, Outcome::kOk);
  EXPECT_THAT(cluster.get(1, key(0)).values, ElementsAre("w"));
  EXPECT_EQ(cluster.remove(2, key(0)).number, 1);
  cluster.set(2, key(0), "v");
  expect_whole_soon(cluster);
  expect_all(cluster);
}

TEST(ChangedConfiguration, PartitionsThatMoveAreReadWhereTheyWere) {
  TestCluster cluster(4, quorum({1, 1, 1}), some_anti_entropy());
  fill(cluster);
  cluster.pass_ms(3000);
  change_all(cluster, [](Founding& founding) {
    quorum({1, 1, 1})(founding);
    founding.members[2].weight = 6;
    founding.members[0].rack = "r";
  });
  expect_all(cluster);
  cluster.pass_ms(kContactMs);
  EXPECT_EQ(cluster.remove(1, key(7)).number, 1);
  EXPECT_THAT(cluster.get(3, key(7)).values, IsEmpty());
  cluster.set(3, key(7), "v");
  expect_whole_soon(cluster);
  expect_all(cluster);
}

TEST(ChangedConfiguration, InARollingChangeTheChangedOneWaitsAndNothingIsWrong) {
  TestCluster cluster(3, quorum({2, 1, 2}), some_anti_entropy());
  for (size_t node = 0; node < 3; ++node) {
    cluster.restart_changed(node, quorum({2, 1, 2}));  // all have an agreement
  }
  fill(cluster);
  cluster.pass_ms(1000);
  cluster.restart_changed(0, quorum({3, 2, 2}));
  cluster.pass_ms(200);
  const Answer refused = cluster.get(0, key(0));
  EXPECT_EQ(refused.outcome, Outcome::kClusterDown);
  EXPECT_THAT(refused.text, HasSubstr("n 2, r 1 at b, c, n 3, r 2 here"));
  for (int i = 0; i < kKeys; ++i) {
    EXPECT_THAT(cluster.get(1, key(i)).values, ElementsAre("v"));
    EXPECT_EQ(cluster.set(2, key(i), "v").outcome, Outcome::kOk)
        << "the first primary may be node 0";
  }
  cluster.restart_changed(1, quorum({3, 2, 2}));
  cluster.pass_ms(200);
  EXPECT_EQ(cluster.get(2, key(0)).outcome, Outcome::kClusterDown) << "overtaken";
  for (int i = 0; i < kKeys; ++i) {
    EXPECT_THAT(cluster.get(0, key(i)).values, ElementsAre("v")) << key(i);
    EXPECT_THAT(cluster.get(1, key(i)).values, ElementsAre("v")) << key(i);
  }
  cluster.restart_changed(2, quorum({3, 2, 2}));
  cluster.pass_ms(200);
  expect_all(cluster);
  expect_whole_soon(cluster);
}

TEST(ChangedConfiguration, NoSiblingVanishesInANodeOfTheLastWrite) {
  TestCluster cluster(3, {}, some_anti_entropy());
  for (size_t node = 0; node < 3; ++node) {
    cluster.restart_changed(node, conflicts(ConflictPolicy::kSiblings));
  }
  cluster.pass_ms(500);
  cluster.set(0, "k", "base");
  const Context context = cluster.get(0, "k").context;
  cluster.restart_changed(2, conflicts(ConflictPolicy::kLww));
  cluster.pass_ms(kContactMs);
  EXPECT_EQ(cluster.set(2, "k", "x").outcome, Outcome::kClusterDown);
  EXPECT_EQ(cluster.put(0, "k", context, "one").outcome, Outcome::kOk);
  EXPECT_EQ(cluster.put(1, "k", context, "two").outcome, Outcome::kOk);
  cluster.pass_ms(5000);
  EXPECT_THAT(cluster.own_values(2, "k"), ElementsAre("base")) << "it takes no copy";
  for (size_t node = 0; node < 2; ++node) {
    EXPECT_THAT(cluster.get(node, "k").values, UnorderedElementsAre("one", "two"));
  }
  cluster.restart_changed(2, conflicts(ConflictPolicy::kSiblings));
  cluster.pass_ms(5000);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.get(node, "k").values, UnorderedElementsAre("one", "two"));
    EXPECT_THAT(cluster.own_values(node, "k"), UnorderedElementsAre("one", "two"));
  }
}

}  // namespace
}  // namespace kvorum::cluster
