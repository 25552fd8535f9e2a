// SPDX-License-Identifier: Apache-2.0
// The membership of a node over its disk, without sockets.
#include "server/node/node_membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "server/storage/membership_file.h"
#include "tests/engine/scratch_directory.h"

namespace kvorum::server {
namespace {

NodeSelf lone_node(const std::string& directory) {
  const ConfigReport report = load_config(
      "cluster: {name: demo, partitions: 16}\n"
      "node: {name: a, data: " +
          directory +
          "}\n"
          "engine: {type: leveldb}\n",
      "f.yaml");
  EXPECT_TRUE(report.ok()) << report.to_text();
  return NodeSelf(report.config, {});
}

MembershipWish weight_of_a(uint32_t weight) {
  MembershipWish wish;
  wish.kind = MembershipWish::Kind::kWeight;
  wish.name = "a";
  wish.weight = weight;
  return wish;
}

// There are two store threads, and look() asks again for what is being written just then.
TEST(NodeMembership, WhatIsWrittenTwiceIsWrittenOneAfterTheOther) {
  engine::testing::ScratchDirectory directory;
  const NodeSelf self = lone_node(directory.path());
  NodeStores stores({self.config, *self.view, founding_of(self.config), self.id, true});
  ASSERT_TRUE(stores.open().ok());
  ASSERT_TRUE(stores.read().ok());
  stores.start_commits({[](engine::Ticket, bool) {}, [](engine::Ticket, bool) {}});
  NodeCopies copies(self, stores);
  copies.judge();
  NodeMembership membership(self, stores, copies);
  membership.begin({[] {}, [](cluster::MemberIndex) { return true; }});
  for (uint32_t weight = 2; weight <= 100; ++weight) {
    const auto taken = membership.take(weight_of_a(weight), "");
    ASSERT_TRUE(taken.ok()) << taken.status().message();
    while (!membership.has_effect(taken.value().change)) membership.look();
    const auto kept = read_membership(directory.path());
    ASSERT_TRUE(kept.ok()) << kept.status().message();
    EXPECT_TRUE(kept.value()->history->changes().contains(taken.value().change));
  }
  stores.close();
  EXPECT_EQ(stores.last_error(), "");
  EXPECT_EQ(read_membership(directory.path()).value()->history->changes().size(), 99u);
}

}  // namespace
}  // namespace kvorum::server
