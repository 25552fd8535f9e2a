// SPDX-License-Identifier: Apache-2.0
#include "server/membership/waiting_nodes.h"

#include <gtest/gtest.h>

#include <string>

namespace kvorum::server {
namespace {

cluster::Member node(const std::string& name, cluster::NodeId id) {
  cluster::Member member;
  member.name = name;
  member.id = id;
  return member;
}

TEST(WaitingNodes, WhoAsksIsThereUntilItIsSilentForLong) {
  WaitingNodes waiting;
  waiting.note(node("f", 1), 1'000);
  waiting.note(node("e", 2), 2'000);
  const auto both = waiting.list(3'000);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].name, "e");
  EXPECT_EQ(both[1].name, "f");
  waiting.note(node("f", 1), 4'000);  // again: it is one
  EXPECT_EQ(waiting.list(5'000).size(), 2u);
  EXPECT_EQ(waiting.list(2'001 + WaitingNodes::kForgetUs).size(), 1u);
  EXPECT_TRUE(waiting.find("f", 4'000 + WaitingNodes::kForgetUs));
  EXPECT_FALSE(waiting.find("f", 4'001 + WaitingNodes::kForgetUs));
}

TEST(WaitingNodes, OfTwoWithOneNameTheLastThatAskedIsMeant) {
  WaitingNodes waiting;
  waiting.note(node("f", 1), 1'000);
  waiting.note(node("f", 2), 2'000);
  EXPECT_EQ(waiting.find("f", 3'000)->id, 2u);
  waiting.note(node("f", 1), 4'000);
  EXPECT_EQ(waiting.find("f", 5'000)->id, 1u);
  EXPECT_FALSE(waiting.find("g", 5'000));
}

TEST(WaitingNodes, ThereAreNeverMoreThanSoMany) {
  WaitingNodes waiting;
  for (size_t at = 0; at < 3 * WaitingNodes::kNodesMax; ++at) {
    waiting.note(node("n" + std::to_string(at), at + 1), 1'000 + at);
  }
  EXPECT_EQ(waiting.list(2'000).size(), WaitingNodes::kNodesMax);
  EXPECT_FALSE(waiting.find("n0", 2'000));
  EXPECT_TRUE(waiting.find("n191", 2'000));
}

}  // namespace
}  // namespace kvorum::server
