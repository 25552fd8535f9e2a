// SPDX-License-Identifier: Apache-2.0
#include "server/node/node_self.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

NodeSelf self_of(const std::string& text) {
  const ConfigReport report = load_config(text, "f.yaml");
  EXPECT_TRUE(report.ok()) << report.to_text();
  return NodeSelf(report.config);
}

TEST(NodeSelf, AMemberHasTheIdOfItsRow) {
  const NodeSelf self = self_of("node: {name: a}\nreactors: 3\n");
  EXPECT_TRUE(self.is_alone());
  EXPECT_EQ(self.id, self.view->members[self.view->self].id);
  EXPECT_EQ(self.reactors, 3u);
  EXPECT_EQ(self.run_id.size(), 40u);
}

TEST(NodeSelf, TheWallClockHasTheOffsetOfTheConfiguration) {
  Config config = self_of("").config;
  const NodeSelf now(config);
  config.clock_offset_ms = 3'600'000;
  const NodeSelf ahead(config);
  EXPECT_GE(ahead.started_wall_ms, now.started_wall_ms + 3'600'000);
  EXPECT_LT(ahead.started_wall_ms, now.started_wall_ms + 7'200'000);
  EXPECT_NE(ahead.run_id, now.run_id);
}

}  // namespace
}  // namespace kvorum::server
