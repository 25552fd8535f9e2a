// SPDX-License-Identifier: Apache-2.0
// A new run hears from another member before it mints: its clock may be behind what the
// runs before it vouched for.
#include "cluster/frontier/first_contact.h"

#include <gmock/gmock.h>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kSetBackMs = -60'000;

TEST(FirstContact, ALoneMemberHasNobodyToHearFrom) {
  FirstContact contact(nullptr);
  EXPECT_TRUE(contact.made({1, 1}));
}

class FirstContactTest : public ::testing::Test {
 protected:
  FirstContactTest() : cluster(3, {}, with_quick_rounds()) {
    forgetful = cluster.node_for("k", 0);
    cluster.set(forgetful, "k", "before");
    cluster.pass_ms(20'000);
  }
  void restart_without_data_and_with_an_old_clock() {
    cluster.restart_wiped_unlinked(forgetful);
    cluster.nodes[forgetful]->skew_ms = kSetBackMs;
  }
  bool made() { return cluster.nodes[forgetful]->frontier->heard(); }

  TestCluster cluster;
  size_t forgetful = 0;
};

TEST_F(FirstContactTest, AWriteWaitsForItAndIsNotDeadThen) {
  restart_without_data_and_with_an_old_clock();
  Request request;
  request.kind = Request::Kind::kEdit;
  request.edit = test_edits::kSet;
  request.value = "after";
  const std::string key = "k";  // the request borrows its bytes
  request.key = cluster.ref(key);
  constexpr uint64_t kTag = 1'000'000;
  TestNode& node = *cluster.nodes[forgetful];
  node.coordinator->submit(request, kTag, cluster.now_of(forgetful));
  cluster.pass_ms(100);
  EXPECT_FALSE(made());
  EXPECT_FALSE(node.answers.contains(kTag));
  cluster.heal_all();
  cluster.pass_ms(100);
  EXPECT_TRUE(made());
  ASSERT_TRUE(node.answers.contains(kTag));
  EXPECT_EQ(node.answers.at(kTag).outcome, Outcome::kOk);
  cluster.pass_ms(5000);
  for (size_t other = 0; other < cluster.nodes.size(); ++other) {
    EXPECT_THAT(cluster.own_values(other, "k"), ElementsAre("after")) << other;
  }
}

TEST_F(FirstContactTest, WhoReachesNobodyRefusesForAMomentAndThenWrites) {
  restart_without_data_and_with_an_old_clock();
  const Answer early = cluster.set(forgetful, "k", "early");
  EXPECT_EQ(early.outcome, Outcome::kNoQuorum);
  EXPECT_THAT(early.text, HasSubstr("has not heard of another member yet, nothing was written"));
  cluster.pass_ms(FirstContact::kGraceUs / 1000);
  EXPECT_EQ(cluster.set(forgetful, "k", "alone").outcome, Outcome::kOk);
}

TEST_F(FirstContactTest, ReadsDoNotWait) {
  restart_without_data_and_with_an_old_clock();
  cluster.heal_all();
  EXPECT_THAT(cluster.get(forgetful, "k").values, ElementsAre("before"));
}

}  // namespace
}  // namespace kvorum::cluster
