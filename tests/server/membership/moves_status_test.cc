// SPDX-License-Identifier: Apache-2.0
#include "server/membership/moves_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/membership/founded.h"

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MovesStatusTest : public ::testing::Test {
 protected:
  MovesStatusTest() : history(testing::founding(3)) {
    EXPECT_TRUE(history.add(testing::join_of("f", 77)));
  }

  MovesStatus moves(const std::set<std::string>& dead = {}) {
    const cluster::ClusterView view = testing::view_at(history, "a");
    std::vector<bool> reachable;
    for (const cluster::Member& member : view.members) {
      reachable.push_back(!dead.contains(member.name));
    }
    return moves_of(view, history, reachable);
  }
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

TEST_F(MovesStatusTest, WhatMayBeLostIsNamed) {
  const uint32_t at = partition();
  EXPECT_TRUE(history.add(cluster::Fact::lost(at, history.cluster_id(), {5, 6})));
  EXPECT_THAT(moves().lost, ElementsAre(at));
}

}  // namespace
}  // namespace kvorum::server
