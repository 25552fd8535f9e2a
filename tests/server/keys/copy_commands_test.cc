// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

class CopyCommands : public ::testing::Test {
 protected:
  CommandCluster cluster{5};
  TestClient client{cluster, 0};
};

TEST_F(CopyCommands, Copy) {
  client.say("SET", "a", "1", "EX", "100");
  EXPECT_EQ(client.say("COPY", "a", "b"), ":1\r\n");
  EXPECT_EQ(client.say("GET", "b"), "$1\r\n1\r\n");
  EXPECT_EQ(client.say("TTL", "b"), ":100\r\n");
  EXPECT_EQ(client.say("GET", "a"), "$1\r\n1\r\n");
  client.say("SET", "a", "2");
  EXPECT_EQ(client.say("COPY", "a", "b"), ":0\r\n");
  EXPECT_EQ(client.say("COPY", "a", "b", "REPLACE"), ":1\r\n");
  EXPECT_EQ(client.say("GET", "b"), "$1\r\n2\r\n");
  EXPECT_EQ(client.say("TTL", "b"), ":-1\r\n");
  EXPECT_EQ(client.say("COPY", "absent", "b", "REPLACE"), ":0\r\n");
  EXPECT_EQ(client.say("COPY", "a", "a"), "-ERR source and destination objects are the same\r\n");
  EXPECT_EQ(client.say("COPY", "a", "a", "DB", "0"),
            "-ERR source and destination objects are the same\r\n");
  EXPECT_EQ(client.say("COPY", "a", "a", "DB", "3"), ":1\r\n");
  EXPECT_EQ(client.say("COPY", "a", "b", "DB", "16"), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(client.say("COPY", "a", "b", "DB"), "-ERR syntax error\r\n");
  client.say("SELECT", "3");
  EXPECT_EQ(client.say("GET", "a"), "$1\r\n2\r\n");
}

TEST_F(CopyCommands, Move) {
  client.say("SET", "a", "1", "EX", "100");
  EXPECT_EQ(client.say("MOVE", "a", "5"), ":1\r\n");
  EXPECT_EQ(client.say("GET", "a"), "$-1\r\n");
  EXPECT_EQ(client.say("MOVE", "a", "5"), ":0\r\n");
  client.say("SET", "a", "2");
  EXPECT_EQ(client.say("MOVE", "a", "5"), ":0\r\n");
  EXPECT_EQ(client.say("GET", "a"), "$1\r\n2\r\n");
  EXPECT_EQ(client.say("MOVE", "a", "0"), "-ERR source and destination objects are the same\r\n");
  EXPECT_EQ(client.say("MOVE", "a", "99"), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(client.say("MOVE", "a", "x"), "-ERR value is not an integer or out of range\r\n");
  client.say("SELECT", "5");
  EXPECT_EQ(client.say("GET", "a"), "$1\r\n1\r\n");
  EXPECT_EQ(client.say("TTL", "a"), ":100\r\n");
}

TEST_F(CopyCommands, Rename) {
  client.say("SET", "a", "1", "EX", "100");
  client.say("SET", "b", "2");
  EXPECT_EQ(client.say("RENAMENX", "a", "b"), ":0\r\n");
  EXPECT_EQ(client.say("RENAME", "a", "b"), "+OK\r\n");
  EXPECT_EQ(client.say("GET", "b"), "$1\r\n1\r\n");
  EXPECT_EQ(client.say("TTL", "b"), ":100\r\n");
  EXPECT_EQ(client.say("EXISTS", "a"), ":0\r\n");
  EXPECT_EQ(client.say("RENAME", "a", "b"), "-ERR no such key\r\n");
  EXPECT_EQ(client.say("RENAMENX", "a", "b"), "-ERR no such key\r\n");
  EXPECT_EQ(client.say("RENAMENX", "b", "c"), ":1\r\n");
  EXPECT_EQ(client.say("RENAME", "c", "c"), "+OK\r\n");
  EXPECT_EQ(client.say("RENAMENX", "c", "c"), ":0\r\n");
  EXPECT_EQ(client.say("RENAME", "a", "a"), "-ERR no such key\r\n");
  EXPECT_EQ(client.say("DBSIZE"), ":1\r\n");
}

// Large values are shared, not copied, and come from other nodes in pieces.
TEST_F(CopyCommands, LargeValues) {
  std::string value(1 << 20, 'v');
  value[5] = 'w';
  client.say("SET", "a", value);
  EXPECT_EQ(client.say("COPY", "a", "b"), ":1\r\n");
  EXPECT_EQ(client.say("RENAME", "a", "c"), "+OK\r\n");
  EXPECT_EQ(client.say("BITOP", "AND", "d", "b", "c"), ":1048576\r\n");
  const std::string reply = "$1048576\r\n" + value + "\r\n";
  EXPECT_EQ(client.say("GET", "b"), reply);
  EXPECT_EQ(client.say("GET", "c"), reply);
  EXPECT_EQ(client.say("GET", "d"), reply);
  EXPECT_EQ(client.say("EXISTS", "a"), ":0\r\n");
}

// The same in one step, from each node: whoever coordinates is another one.
TEST_F(CopyCommands, ThroughAnyNode) {
  for (size_t node = 0; node < 5; ++node) {
    TestClient other(cluster, node);
    const std::string from = "from" + std::to_string(node), to = "to" + std::to_string(node);
    EXPECT_EQ(other.say("SET", from, "v", "PX", "60000"), "+OK\r\n");
    EXPECT_EQ(other.say("RENAMENX", from, to), ":1\r\n");
    EXPECT_EQ(client.say("GET", to), "$1\r\nv\r\n");
    EXPECT_EQ(client.say("PTTL", to), ":60000\r\n");
    EXPECT_EQ(client.say("EXISTS", from), ":0\r\n");
  }
}

TEST_F(CopyCommands, SeveralSiblingsAreNotCopied) {
  client.say("KV.PUT", "a", "", "1");
  client.say("KV.PUT", "a", "", "2");
  const std::string conflict = "-CONFLICT 2 siblings; read with KV.GET, write back with KV.PUT\r\n";
  EXPECT_EQ(client.say("COPY", "a", "b"), conflict);
  EXPECT_EQ(client.say("RENAME", "a", "b"), conflict);
  EXPECT_EQ(client.say("MOVE", "a", "1"), conflict);
  EXPECT_EQ(client.say("DUMP", "a"), conflict);
  EXPECT_EQ(client.say("EXISTS", "a", "b"), ":1\r\n");
}

// A write to the old name that comes between is acknowledged, so it must not be deleted.
TEST(Rename, LosesNoWriteThatComesBetween) {
  bool came_between = false;
  for (int steps = 1; steps < 14; ++steps) {
    CommandCluster cluster(3);
    TestClient renaming(cluster, 0), writing(cluster, 1);
    renaming.say("SET", "a", "1");
    renaming.send(TestClient::resp({"RENAME", "a", "b"}));
    for (int i = 0; i < steps; ++i) cluster.deliver_once();
    writing.send(TestClient::resp({"SET", "a", "2"}));
    cluster.settle();
    EXPECT_EQ(writing.take(), "+OK\r\n");
    EXPECT_EQ(renaming.take(), "+OK\r\n");
    const std::string a = writing.say("GET", "a"), b = writing.say("GET", "b");
    const bool shows_write = a == "$1\r\n2\r\n" || b == "$1\r\n2\r\n";
    EXPECT_TRUE(shows_write) << "after " << steps << ": " << a << b;
    came_between |= a == "$1\r\n2\r\n" && b == "$1\r\n1\r\n";
  }
  EXPECT_TRUE(came_between);
}

// The destination cannot be written: the source stays.
TEST(Rename, AFailureLeavesTheSource) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  client.say("SET", "a", "1");
  std::string said = client.send(TestClient::resp({"RENAME", "a", "b"}));
  cluster.cut(0, 1);
  cluster.cut(0, 2);
  cluster.pass_ms(5000);
  said += client.take();
  EXPECT_TRUE(said.starts_with("-") || said == "+OK\r\n") << said;
  cluster.heal(0, 1);
  cluster.heal(0, 2);
  cluster.pass_ms(5000);
  const std::string either = client.say("EXISTS", "a", "b");
  EXPECT_NE(either, ":0\r\n");
}

}  // namespace
}  // namespace kvorum::server
