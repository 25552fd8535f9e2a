// SPDX-License-Identifier: Apache-2.0
// CLUSTER and KV.RING as clients that route by them read them.
#include <gtest/gtest.h>

#include <set>

#include "server/slots/slot_ring.h"
#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

void with_slots(cluster::Founding& founding) { founding.partitioner = Partitioner::kSlots; }

struct SlotsTest : ::testing::Test {
  SlotRing map() const {
    CommandNode& node = *cluster.nodes[0];
    return make_slot_ring(*node.view, node.status());
  }

  CommandCluster cluster{3, with_slots};
  TestClient client{cluster, 0};
};

TEST_F(SlotsTest, AllSlotsHaveTheirPrimariesTheFirstOneFirst) {
  const SlotRing slots = map();
  uint32_t next = 0;
  for (const SlotRange& range : slots.ranges) {
    EXPECT_EQ(range.first, next);
    EXPECT_EQ(range.nodes.size(), 3u);
    next = range.last + 1;
  }
  EXPECT_EQ(next, kSlots);
  const cluster::ClusterView& view = *cluster.nodes[0]->view;
  for (const char* const key : {"a", "b", "c", "{user1}.x", "foo"}) {
    const uint16_t slot = slot_of(key);
    const auto primaries =
        view.primaries(0, view.ring.partition_of(position_of(key, Partitioner::kSlots)));
    for (const SlotRange& range : slots.ranges) {
      if (slot < range.first || slot > range.last) continue;
      EXPECT_EQ(slots.nodes[range.nodes[0]].id, slot_node_id(view.members[primaries[0]].id)) << key;
    }
  }
}

// A client that asks goes where it is answered.
TEST_F(SlotsTest, WhoCannotBeReachedIsAskedLast) {
  const SlotRing before = map();
  cluster.cut(0, 2);
  cluster.cut(1, 2);
  cluster.pass_ms(3000);
  const SlotRing after = map();
  std::set<uint16_t> first;
  for (const SlotRange& range : after.ranges) {
    first.insert(range.nodes[0]);
    EXPECT_FALSE(after.nodes[range.nodes[2]].up);
  }
  EXPECT_EQ(first.size(), 2u);
}

TEST_F(SlotsTest, AsClientsOfRedisClusterAsk) {
  EXPECT_EQ(client.say("CLUSTER", "KEYSLOT", "foo"), ":12182\r\n");
  EXPECT_EQ(client.say("CLUSTER", "KEYSLOT", "{foo}.bar"), ":12182\r\n");
  EXPECT_EQ(client.say("READONLY"), "+OK\r\n");
  EXPECT_EQ(client.say("ASKING"), "+OK\r\n");
  EXPECT_NE(client.say("CLUSTER", "INFO").find("cluster_state:ok\r\n"), std::string::npos);
  EXPECT_NE(client.say("CLUSTER", "NODES").find(" myself,master - "), std::string::npos);
  EXPECT_NE(client.say("INFO", "cluster").find("cluster_enabled:1"), std::string::npos);
  EXPECT_NE(client.say("CLUSTER", "SHARDS").find("replication-offset"), std::string::npos);
  EXPECT_TRUE(client.say("CLUSTER", "SLOTS").starts_with("*"));
  EXPECT_TRUE(client.say("CLUSTER", "LINKS").starts_with("*4\r\n"));
  EXPECT_EQ(client.say("CLUSTER", "MYID").size(), 47u);
}

TEST_F(SlotsTest, KeysOfASlot) {
  for (int at = 0; at < 20; ++at) client.say("SET", "{foo}" + std::to_string(at), "v");
  client.say("SET", "bar", "v");
  EXPECT_EQ(client.say("CLUSTER", "COUNTKEYSINSLOT", "12182"), ":20\r\n");
  EXPECT_EQ(client.say("CLUSTER", "COUNTKEYSINSLOT", "0"), ":0\r\n");
  EXPECT_TRUE(client.say("CLUSTER", "GETKEYSINSLOT", "12182", "3").starts_with("*3\r\n$"));
  EXPECT_TRUE(client.say("CLUSTER", "GETKEYSINSLOT", "12182", "100").starts_with("*20\r\n$"));
  EXPECT_EQ(client.say("CLUSTER", "GETKEYSINSLOT", "12182", "0"), "*0\r\n");
  EXPECT_EQ(client.say("CLUSTER", "COUNTKEYSINSLOT", "16384"),
            "-ERR Invalid or out of range slot\r\n");
}

TEST_F(SlotsTest, KeysOfATagMayBeInOneScript) {
  EXPECT_EQ(client.say("EVAL", "redis.call('SET', KEYS[1], 1) return redis.call('INCR', KEYS[2])",
                       "2", "{t}a", "{t}b"),
            ":1\r\n");
}

TEST(Md5Ring, HasNoSlots) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  EXPECT_EQ(client.say("CLUSTER", "SLOTS"), "-ERR This instance has cluster support disabled\r\n");
  EXPECT_EQ(client.say("READONLY"), "-ERR This instance has cluster support disabled\r\n");
  EXPECT_NE(client.say("INFO", "cluster").find("cluster_enabled:0"), std::string::npos);
  const std::string ring = client.say("KV.RING");
  EXPECT_TRUE(ring.starts_with("*10\r\n$5\r\nepoch\r\n")) << ring.substr(0, 60);
  EXPECT_NE(ring.find("$11\r\npartitioner\r\n$3\r\nmd5\r\n"), std::string::npos);
}

}  // namespace
}  // namespace kvorum::server
