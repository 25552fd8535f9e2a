// SPDX-License-Identifier: Apache-2.0
#include "server/dev/dev_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/config/config.h"

namespace kvorum::server {
namespace {

TEST(DevLayoutTest, NodeIHasTheUsualPortsPlusI) {
  const auto nodes = dev_nodes(3, 0);
  ASSERT_EQ(nodes.size(), 3u);
  EXPECT_EQ(nodes[0].redis, kRedisPort);
  EXPECT_EQ(nodes[2].name, "c");
  EXPECT_EQ(nodes[2].redis, kRedisPort + 2);
  EXPECT_EQ(nodes[2].memcached, kMemcachedPort + 2);
  EXPECT_EQ(nodes[2].peer, kPeerPort + 2);
  EXPECT_EQ(nodes[2].admin, kAdminPort + 2);
}

TEST(DevLayoutTest, AllPortsAreShiftedAlike) {
  const auto nodes = dev_nodes(1, 1000);
  EXPECT_EQ(nodes[0].redis, kRedisPort + 1000);
  EXPECT_EQ(nodes[0].admin, kAdminPort + 1000);
}

TEST(DevLayoutTest, PortsThatDoNotExistAreNone) {
  EXPECT_TRUE(dev_nodes(3, 60000).empty());
  EXPECT_TRUE(dev_nodes(3, -7000).empty());
}

TEST(DevLayoutTest, TheFileIsAConfigurationForEveryNode) {
  DevLayout layout;
  layout.nodes = layout.founders = dev_nodes(5, 100);
  layout.data_directory = "./some where/dev";
  layout.engine = "memory";
  layout.reactors = 2;
  for (const DevNode& node : layout.nodes) {
    const ConfigReport report = load_config(dev_yaml(layout), "dev.yaml", node.name);
    ASSERT_TRUE(report.ok()) << report.to_text();
    EXPECT_TRUE(report.config.is_founder());
    EXPECT_EQ(report.config.listen.redis.port, node.redis);
    EXPECT_EQ(report.config.listen.admin.port, node.admin);
    EXPECT_EQ(report.config.node.data_directory, "./some where/dev/" + node.name);
    EXPECT_EQ(report.config.engine.type, EngineType::kMemory);
    EXPECT_EQ(report.config.reactors, 2u);
  }
}

TEST(DevLayoutTest, TheHintsNameTheRealPorts) {
  DevLayout layout;
  layout.nodes = layout.founders = dev_nodes(3, 100);
  layout.data_directory = "d";
  const std::string hints = dev_hints(layout, "kvorum", {11, 12, 13});
  EXPECT_THAT(hints, testing::HasSubstr("redis-cli -p 6479 KV.PUT"));
  EXPECT_THAT(hints, testing::HasSubstr("status --admin 127.0.0.1:8479"));
  EXPECT_THAT(hints, testing::HasSubstr("kill -9 13 "));
  EXPECT_THAT(hints, testing::HasSubstr("kvorum serve --config d/cluster.yaml --name c\n"));
  layout.settings = "keyspaces:\n  default: {conflicts: lww}\n";  // nobody sees two versions
  EXPECT_THAT(dev_hints(layout, "kvorum", {11, 12, 13}),
              testing::Not(testing::HasSubstr("KV.PUT")));
  EXPECT_THAT(dev_node_lines(layout, {11, 12, 13}),
              testing::HasSubstr("node b: process 12, redis 6480, memcached 11312, admin 8480\n"));
}

TEST(DevLayoutTest, OneThatWasAddedHasItsOwnAddresses) {
  DevLayout layout;
  layout.founders = dev_nodes(2, 0);
  layout.nodes = dev_nodes(3, 0);
  layout.data_directory = "d";
  EXPECT_EQ(dev_restart_command(layout, "kvorum", "b"),
            "kvorum serve --config d/cluster.yaml --name b");
  EXPECT_EQ(dev_restart_command(layout, "kvorum", "c"),
            "kvorum serve --config d/cluster.yaml --name c --data d/c --redis 127.0.0.1:6381 "
            "--memcached 127.0.0.1:11213 --peer 127.0.0.1:7381 --admin 127.0.0.1:8381");
  EXPECT_THAT(dev_hints(layout, "kvorum", {1, 2, 3}),
              testing::HasSubstr("kvorum dev add --data d\n"));
}

TEST(DevLayoutTest, TheHighestBasePort) {
  for (const int count : {1, 3}) {
    const int most = dev_base_port_max(count) - kRedisPort;
    EXPECT_FALSE(dev_nodes(count, most).empty());
    EXPECT_TRUE(dev_nodes(count, most + 1).empty());
  }
}

}  // namespace
}  // namespace kvorum::server
