// SPDX-License-Identifier: Apache-2.0
#include "server/membership/moves_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "tests/server/membership/founded.h"

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MovesStatusTest : public ::testing::Test {
 protected:
  MovesStatusTest() : history(testing::founding(3)) {
    EXPECT_TRUE(history.add(testing::join_of("f", 77)));
  }

  MovesStatus moves(const std::set<std::string>& dead = {}) {
    const cluster::ClusterView view = testing::view_at(history, "a");
    MembersSeen seen;
    seen.told.resize(view.members.size());
    for (size_t at = 0; at < view.members.size(); ++at) {
      seen.reachable.push_back(!dead.contains(view.members[at].name));
      const auto held = told.find(view.members[at].name);
      if (held == told.end()) continue;
      seen.told[at] = std::make_shared<const cluster::HeldCopies>(held->second);
    }
    return moves_of(view, history, seen);
  }
  // The member says so of the first partition.
  void tell(const std::string& name, uint64_t keys, uint64_t bytes, uint8_t percent = 100) {
    told[name] = {history.newest(), percent, {{partition(), keys, bytes}}};
  }
  MovesStatus::Row first() { return moves().rows.front(); }
  void confirm() {
    EXPECT_TRUE(history.add(
        cluster::Fact::confirmed(partition(), 77, history.newest(), {history.cluster_id()})));
  }
  void vote(std::string_view name) {
    EXPECT_TRUE(history.add(
        cluster::Fact::vote(partition(), testing::id_of(history, name), history.newest())));
  }
  uint32_t partition() { return moves().rows.front().partition; }

  cluster::History history;
  std::map<std::string, cluster::HeldCopies> told;
};

TEST_F(MovesStatusTest, ARowSaysWhoCopiesFromWhom) {
  const MovesStatus all = moves();
  EXPECT_NEAR(static_cast<double>(all.rows.size()), 48, 4);
  EXPECT_EQ(all.newest_set.size(), 16u);
  const MovesStatus::Row& row = all.rows.front();
  EXPECT_EQ(row.from.size(), 3u);
  EXPECT_THAT(row.to, ElementsAre("f"));
  EXPECT_EQ(row.waits, "f copies it");
  EXPECT_EQ(moves({"f"}).rows.front().waits, "f cannot be reached");
  EXPECT_THAT(all.lost, IsEmpty());
}

TEST_F(MovesStatusTest, ThenItWaitsForVotes) {
  confirm();
  const MovesStatus::Row row = moves().rows.front();
  EXPECT_THAT(row.confirmed, ElementsAre("f"));
  EXPECT_EQ(row.waits, "the vote of " + row.from.front());
  const std::string first = row.from.front(), second = row.from[1];
  vote(first);
  EXPECT_THAT(moves().rows.front().voted, ElementsAre(first));
  EXPECT_EQ(moves({second}).rows.front().waits,
            "the vote of " + second + ", which cannot be reached: bring it back, or remove it");
}

TEST_F(MovesStatusTest, HowMuchIsCopiedIsKnownOnceBothSidesSaidSo) {
  const std::vector<std::string> from = first().from;
  tell(from[0], 90, 8000);
  EXPECT_FALSE(first().is_counted);
  EXPECT_EQ(first().percent(), 0u);
  tell("f", 30, 2500);
  tell(from[1], 100, 9000);
  const MovesStatus::Row row = first();
  EXPECT_TRUE(row.is_counted);
  EXPECT_EQ(row.copied.keys, 30u);
  EXPECT_EQ(row.copied.bytes, 2500u);
  EXPECT_EQ(row.of.keys, 100u);  // the largest copy
  EXPECT_EQ(row.of.bytes, 9000u);
  EXPECT_EQ(row.percent(), 30u);
  told.erase(from[0]);
  told.erase(from[1]);
  EXPECT_FALSE(first().is_counted);
}

TEST_F(MovesStatusTest, ThisNodesOwnCopyIsShown) {
  tell("a", 17, 100);
  EXPECT_EQ(first().keys, 17u);
}

TEST_F(MovesStatusTest, ACopyHasComeWhenItsOwnerSaysSo) {
  const std::string source = first().from.front();
  tell(source, 100, 9000);
  tell("f", 120, 9500);  // with what was deleted meanwhile
  EXPECT_EQ(first().copied.keys, 100u);
  tell("f", 98, 8000);
  EXPECT_EQ(first().percent(), 98u);
  confirm();
  EXPECT_EQ(first().copied.keys, 100u);
  EXPECT_EQ(first().copied.bytes, 9000u);
  EXPECT_EQ(first().percent(), 100u);
}

TEST_F(MovesStatusTest, AnEmptyPartitionIsDoneOnceItIsConfirmed) {
  const std::string source = first().from.front();
  told[source] = {history.newest(), 100, {}};
  told["f"] = told[source];
  EXPECT_TRUE(first().is_counted);
  EXPECT_EQ(first().percent(), 0u);
  confirm();
  EXPECT_EQ(first().percent(), 100u);
}

TEST_F(MovesStatusTest, ItWaitsForOwnersWithoutWhomTooFewKnowAll) {
  const std::vector<std::string> from = first().from;  // of 3, r and w 2: two know all
  EXPECT_EQ(moves({from[0]}).rows.front().waits, "f copies it");
  EXPECT_EQ(moves({from[0], from[1]}).rows.front().waits,
            "f copies it, and " + from[0] + " cannot be reached: bring it back, or remove it");
}

TEST_F(MovesStatusTest, ItWaitsForTheBackgroundBudget) {
  tell("f", 1, 10, 12);
  EXPECT_EQ(first().waits, "the background budget of f: clients come first, it has 12 %");
  tell("f", 1, 10);
  EXPECT_EQ(first().waits, "f copies it");
}

TEST_F(MovesStatusTest, WhoKnowsAnotherSetIsBehindAndItsCountsAreNone) {
  const std::string source = first().from.front();
  tell(source, 100, 9000);
  tell("f", 1, 10, 12);
  told["f"].newest_set = history.cluster_id();
  EXPECT_EQ(first().waits, "f, whose view is behind");
  EXPECT_FALSE(first().is_counted);
  told[source].newest_set = history.cluster_id();
  confirm();
  EXPECT_EQ(first().waits, "the vote of " + source + ", whose view is behind");
  EXPECT_THAT(moves({source}).rows.front().waits, HasSubstr("cannot be reached"));
}

TEST_F(MovesStatusTest, WhatMayBeLostIsNamed) {
  const uint32_t at = partition();
  EXPECT_TRUE(history.add(cluster::Fact::lost(at, history.cluster_id(), {5, 6})));
  EXPECT_THAT(moves().lost, ElementsAre(at));
}

}  // namespace
}  // namespace kvorum::server
