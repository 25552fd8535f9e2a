// SPDX-License-Identifier: Apache-2.0
#include "server/node/node_self.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <utility>

#include "tests/engine/scratch_directory.h"
#include "tests/server/node/grown_cluster.h"

namespace kvorum::server {
namespace {

using testing::HasSubstr;

NodeSelf self_of(const std::string& text, std::optional<KeptMembership> kept = {}) {
  const ConfigReport report = load_config(text, "f.yaml");
  EXPECT_TRUE(report.ok()) << report.to_text();
  return NodeSelf(report.config, std::move(kept));
}

TEST(NodeSelf, AMemberHasTheIdOfItsRow) {
  const NodeSelf self = self_of("node: {name: a}\nreactors: 3\n");
  EXPECT_TRUE(self.is_alone());
  EXPECT_EQ(self.id, self.view->members[self.view->self].id);
  EXPECT_EQ(self.reactors, 3u);
  EXPECT_EQ(self.run_id.size(), 40u);
}

constexpr const char* kThree =
    "cluster: {name: demo, members: [{name: a, peer: 127.0.0.1:7379}, {name: b, peer: "
    "127.0.0.2:7379}, {name: c, peer: 127.0.0.3:7379}]}\n";

KeptMembership grown(const std::string& node) {
  return grown_by_f(load_config(kThree, "f.yaml", "a").config, node);
}

TEST(NodeSelf, WhoIsNotInTheFileHasAnIdOfItsOwn) {
  const std::string text = std::string(kThree) + "node: {name: f, weight: 2}\n";
  const NodeSelf one = self_of(text), other = self_of(text);
  EXPECT_FALSE(one.view->is_member());
  EXPECT_NE(one.id, other.id);
  EXPECT_EQ(self_of(text, KeptMembership{5, "f", {}}).id, 5u);
  EXPECT_EQ(one.described().weight, 2u);
}

TEST(NodeSelf, TheHistoryRulesOverTheFile) {
  const std::string text = std::string(kThree) + "node: {name: f}\n";
  const NodeSelf joined = self_of(text, grown("f"));
  ASSERT_TRUE(joined.view->is_member());
  EXPECT_EQ(joined.view->members.size(), 4u);
  EXPECT_EQ(joined.view->members[joined.view->self].name, "f");
  const NodeSelf founder = self_of(std::string(kThree) + "node: {name: a}\n", grown("a"));
  EXPECT_EQ(founder.view->members.size(), 4u);
  EXPECT_EQ(founder.view->newest_set, joined.view->newest_set);
  EXPECT_FALSE(founder.is_alone());
}

std::string founder_in(const std::string& directory) {
  return std::string(kThree) + "node: {name: a, data: " + directory + "}\n";
}

TEST(NodeSelf, AFreshFounderBeginsWithTheNewestPlacement) {
  engine::testing::ScratchDirectory directory;
  const NodeSelf self = self_of(founder_in(directory.path()));
  EXPECT_EQ(self.founded, (FoundedPlacement{cluster::kPlacementNewest, false}));
  EXPECT_EQ(self.view->ring.shape().placement, cluster::kPlacementNewest);
  EXPECT_EQ(self.history.founding().placement, cluster::kPlacementNewest);
}

TEST(NodeSelf, ADirectoryOfBeforeHasTheFirstPlacement) {
  engine::testing::ScratchDirectory directory;
  std::filesystem::create_directory(directory.path() + "/objects");
  const NodeSelf self = self_of(founder_in(directory.path()));
  EXPECT_EQ(self.founded, (FoundedPlacement{cluster::kPlacementUnmended, false}));
  EXPECT_EQ(self.view->ring.shape().placement, cluster::kPlacementUnmended);
}

TEST(NodeSelf, WhatIsKeptSaysThePlacement) {
  engine::testing::ScratchDirectory directory;
  KeptMembership kept{5, "a", {}};
  kept.founded = {cluster::kPlacementMended, true};
  const NodeSelf self = self_of(founder_in(directory.path()), kept);
  EXPECT_EQ(self.founded, kept.founded);
  EXPECT_EQ(self.view->ring.shape().placement, cluster::kPlacementMended);
}

TEST(NodeSelf, WhoFoundedAloneHasNobodyToAgreeWithUnlessItLostItsDisk) {
  engine::testing::ScratchDirectory directory;
  const std::string alone = "node: {name: a, data: " + directory.path() + "}\n";
  EXPECT_EQ(self_of(alone).founded, (FoundedPlacement{cluster::kPlacementNewest, false}));
  KeptMembership kept{5, "a", {}};
  kept.founded = {cluster::kPlacementMended, false};
  EXPECT_TRUE(self_of(alone, kept).founded.is_firm);
  std::filesystem::create_directory(directory.path() + "/objects");
  EXPECT_EQ(self_of(alone).founded, (FoundedPlacement{cluster::kPlacementUnmended, true}));
}

TEST(NodeSelf, AFileOfAnotherClusterIsRefused) {
  const auto refusal = [](const std::string& text, const std::string& name) {
    return membership_refusal(load_config(text, "f.yaml", "a").config, grown(name));
  };
  EXPECT_EQ(refusal(kThree, "a"), "");
  EXPECT_THAT(refusal(kThree, "b"), HasSubstr("belongs to node b"));
  std::string other = kThree;
  other.replace(other.find("demo"), 4, "test");
  EXPECT_THAT(refusal(other, "a"), HasSubstr("founded with cluster.name demo"));
  other = kThree;
  other.insert(other.find("members:"), "partitions: 64, ");
  EXPECT_THAT(refusal(other, "a"), HasSubstr("cluster.partitions 256, the configuration says 64"));
  other = kThree;
  other.replace(other.find("{name: c"), std::string("{name: c, peer: 127.0.0.3:7379}").size(),
                "{name: d, peer: 127.0.0.4:7379}");
  EXPECT_EQ(refusal(other, "a"), "");  // who they are says the history
}

TEST(NodeSelf, TheWallClockHasTheOffsetOfTheConfiguration) {
  Config config = self_of("").config;
  const NodeSelf now(config, {});
  config.clock_offset_ms = 3'600'000;
  const NodeSelf ahead(config, {});
  EXPECT_GE(ahead.started_wall_ms, now.started_wall_ms + 3'600'000);
  EXPECT_LT(ahead.started_wall_ms, now.started_wall_ms + 7'200'000);
  EXPECT_NE(ahead.run_id, now.run_id);
}

}  // namespace
}  // namespace kvorum::server
