// SPDX-License-Identifier: Apache-2.0
// The membership of a node over its disk, without sockets.
#include "server/node/node_membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>

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
  NodeStores stores({self.config, *self.view, self.history.founding(), self.id, true});
  ASSERT_TRUE(stores.open().ok());
  ASSERT_TRUE(stores.read().ok());
  stores.start_commits({[](engine::Ticket, bool) {}, [](engine::Ticket, bool) {}});
  NodeCopies copies(self, stores);
  copies.judge();
  NodeMembership membership(self, stores, copies);
  membership.begin({[] {}, [](cluster::MemberIndex) { return true; }, {}});
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

// Node a of three that found a cluster, over its disk.
class Founder {
 public:
  explicit Founder(const std::string& directory, std::optional<KeptMembership> kept = {})
      : self(config_in(directory), std::move(kept)),
        stores({self.config, *self.view, self.history.founding(), self.id, false,
                self.founded.is_firm}),
        copies(self, stores),
        membership(self, stores, copies) {
    EXPECT_TRUE(stores.open().ok());
    EXPECT_TRUE(stores.read().ok());
    stores.start_commits({[](engine::Ticket, bool) {}, [](engine::Ticket, bool) {}});
    copies.judge();
    membership.begin({[] {}, [](cluster::MemberIndex) { return true; }, {}});
  }

  ~Founder() { stop(); }

  // What the store threads have to do comes first.
  void stop() {
    if (!std::exchange(stopped, true)) stores.close(&copies.whole());
  }
  static Config config_in(const std::string& directory) {
    const ConfigReport report = load_config(
        "cluster: {name: demo, partitions: 16, members: [{name: a, peer: 127.0.0.1:7379}, {name: "
        "b, peer: 127.0.0.2:7379}, {name: c, peer: 127.0.0.3:7379}]}\n"
        "node: {name: a, data: " +
            directory + "}\n",
        "f.yaml");
    EXPECT_TRUE(report.ok()) << report.to_text();
    return report.config;
  }
  cluster::NodeId id_of(std::string_view name) const {
    return self.view->members[self.view->find_name(name)].id;
  }

  NodeSelf self;
  NodeStores stores;
  NodeCopies copies;
  NodeMembership membership;
  bool stopped = false;
};

FoundedPlacement on_disk(const std::string& directory) {
  return read_membership(directory).value()->founded;
}

TEST(NodeMembership, AFoundingIsFirmOnceEveryFounderWasMet) {
  engine::testing::ScratchDirectory directory;
  Founder founder(directory.path());
  EXPECT_EQ(on_disk(directory.path()), (FoundedPlacement{2, false}));
  founder.membership.on_same_founding(founder.id_of("b"), false);
  founder.membership.on_same_founding(founder.id_of("b"), false);
  EXPECT_FALSE(founder.membership.founded().is_firm);
  founder.membership.on_same_founding(founder.id_of("c"), false);
  EXPECT_TRUE(founder.membership.founded().is_firm);
  founder.stop();
  EXPECT_EQ(on_disk(directory.path()), (FoundedPlacement{2, true}));
  founder.membership.on_founded_as({1, false});
  EXPECT_FALSE(founder.membership.begins_anew());
}

TEST(NodeMembership, AFirmFounderMakesItFirm) {
  engine::testing::ScratchDirectory directory;
  Founder founder(directory.path());
  founder.membership.on_same_founding(founder.id_of("b"), true);
  EXPECT_TRUE(founder.membership.founded().is_firm);
}

TEST(NodeMembership, AFreshFounderYieldsAndForgetsTheOtherPlacement) {
  engine::testing::ScratchDirectory directory;
  KeptMembership kept;
  {
    Founder founder(directory.path());
    founder.membership.on_founded_as({1, false});
    EXPECT_TRUE(founder.membership.begins_anew());
    kept = founder.membership.kept();
  }
  EXPECT_EQ(kept.founded, (FoundedPlacement{1, false}));
  Founder again(directory.path(), kept);
  EXPECT_EQ(again.self.view->ring.shape().placement, 1);
  EXPECT_EQ(on_disk(directory.path()), (FoundedPlacement{1, false}));
  // It held nothing, so no copy follows what it began with; and it still lacks what others have.
  EXPECT_EQ(again.stores.session().configurations.size(), 1u);
  EXPECT_EQ(again.stores.session().configurations[0].placement, 1);
  EXPECT_GT(again.copies.whole().missing(), 0u);
}

}  // namespace
}  // namespace kvorum::server
