// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

class Expiry : public ::testing::TestWithParam<size_t> {
 protected:
  CommandCluster cluster{GetParam()};
  TestClient client{cluster, 0};
};
INSTANTIATE_TEST_SUITE_P(Nodes, Expiry, ::testing::Values(1, 3));

TEST_P(Expiry, SetsAndRemovesDeadlines) {
  EXPECT_EQ(client.say("EXPIRE", "k", "10"), ":0\r\n");
  EXPECT_EQ(client.say("TTL", "k"), ":-2\r\n");
  client.say("SET", "k", "v");
  EXPECT_EQ(client.say("TTL", "k"), ":-1\r\n");
  EXPECT_EQ(client.say("EXPIRE", "k", "10"), ":1\r\n");
  EXPECT_EQ(client.say("PTTL", "k"), ":10000\r\n");
  EXPECT_EQ(client.say("PERSIST", "k"), ":1\r\n");
  EXPECT_EQ(client.say("PERSIST", "k"), ":0\r\n");
  EXPECT_EQ(client.say("PEXPIREAT", "k", "1700000100000"), ":1\r\n");
  EXPECT_EQ(client.say("EXPIRETIME", "k"), ":1700000100\r\n");
  EXPECT_EQ(client.say("PEXPIRETIME", "k"), ":1700000100000\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$1\r\nv\r\n");
}

TEST_P(Expiry, AKeyExpires) {
  client.say("SET", "k", "v", "PX", "50");
  cluster.pass_ms(40);
  EXPECT_EQ(client.say("EXISTS", "k"), ":1\r\n");
  cluster.pass_ms(20);
  EXPECT_EQ(client.say("EXISTS", "k"), ":0\r\n");
  EXPECT_EQ(client.say("TTL", "k"), ":-2\r\n");
  EXPECT_EQ(client.say("SET", "k", "w", "NX"), "+OK\r\n");
  EXPECT_EQ(client.say("TTL", "k"), ":-1\r\n");
}

TEST_P(Expiry, ATimeInThePastDeletes) {
  client.say("SET", "k", "v");
  EXPECT_EQ(client.say("EXPIRE", "k", "-1"), ":1\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$-1\r\n");
  client.say("SET", "k", "v");
  EXPECT_EQ(client.say("EXPIREAT", "k", "1"), ":1\r\n");
  EXPECT_EQ(client.say("EXISTS", "k"), ":0\r\n");
}

// Whatever gives a key a time that is over: nobody sees it, and nothing counts it.
TEST_P(Expiry, AWriteWhoseTimeIsOverLeavesNothing) {
  TestClient cache(cluster, 0, TestClient::memcached());
  const std::vector<std::vector<std::string>> ways = {
      {"SET", "k", "w", "EXAT", "1"},
      {"SET", "k", "w", "PXAT", "1000"},
      {"SET", "k", "w", "XX", "EXAT", "1"},
      {"GETEX", "k", "EXAT", "1"},
      {"GETEX", "k", "PXAT", "1"},
      {"EXPIREAT", "k", "1"},
      {"PEXPIREAT", "k", "-5"},
      {"EXPIRE", "k", "0"},
      {"PEXPIRE", "k", "-1"},
      {"KV.PUT", "k", "", "w", "EXAT", "1"},
  };
  for (const auto& way : ways) {
    client.say("FLUSHALL");
    client.say("SET", "k", "v");
    if (way[0] == "KV.PUT") client.say("DEL", "k");
    client.line(TestClient::resp(way));
    EXPECT_EQ(client.say("DBSIZE"), ":0\r\n") << way[0] << " " << way.back();
    EXPECT_EQ(client.say("EXISTS", "k"), ":0\r\n") << way[0];
  }
  for (const char* way : {"set k 0 -1 1\r\nw\r\n", "add k 0 1 1\r\nw\r\ntouch k -1\r\n",
                          "set k 0 0 1\r\nw\r\ngat 2592001 k\r\n", "set k 0 2147483648 1\r\nw\r\n",
                          "set k 0 0 1\r\nw\r\ntouch k 4294967295\r\n"}) {
    client.say("FLUSHALL");
    cache.line(way);
    EXPECT_EQ(client.say("DBSIZE"), ":0\r\n") << way;
  }
}

TEST_P(Expiry, TheLatestTimesDoNotWrap) {
  client.say("SET", "k", "v");
  EXPECT_EQ(client.say("PEXPIREAT", "k", "9223372036854775807"), ":1\r\n");
  EXPECT_EQ(client.say("PEXPIRETIME", "k"), ":9223372036854775807\r\n");
  EXPECT_EQ(client.say("EXPIRETIME", "k"), ":9223372036854776\r\n");
  EXPECT_THAT(client.say("TTL", "k"), testing::StartsWith(":92233703"));
  EXPECT_EQ(client.say("SET", "k", "v", "PXAT", "9223372036854775807"), "+OK\r\n");
  EXPECT_EQ(client.say("EXPIRETIME", "k"), ":9223372036854776\r\n");
  cluster.pass_ms(1000);
  EXPECT_EQ(client.say("GET", "k"), "$1\r\nv\r\n");
}

TEST_P(Expiry, Conditions) {
  client.say("SET", "k", "v");
  EXPECT_EQ(client.say("EXPIRE", "k", "10", "XX"), ":0\r\n");
  EXPECT_EQ(client.say("EXPIRE", "k", "10", "GT"), ":0\r\n");
  EXPECT_EQ(client.say("EXPIRE", "k", "10", "NX"), ":1\r\n");
  EXPECT_EQ(client.say("EXPIRE", "k", "20", "NX"), ":0\r\n");
  EXPECT_EQ(client.say("EXPIRE", "k", "20", "GT"), ":1\r\n");
  EXPECT_EQ(client.say("EXPIRE", "k", "10", "gt"), ":0\r\n");
  EXPECT_EQ(client.say("EXPIRE", "k", "10", "LT", "XX"), ":1\r\n");
  EXPECT_EQ(client.say("TTL", "k"), ":10\r\n");
  EXPECT_EQ(client.say("EXPIRE", "k", "10", "NX", "GT"),
            "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
  EXPECT_EQ(client.say("EXPIRE", "k", "10", "GT", "LT"),
            "-ERR GT and LT options at the same time are not compatible\r\n");
  EXPECT_EQ(client.say("EXPIRE", "k", "10", "SOON"), "-ERR Unsupported option SOON\r\n");
  EXPECT_EQ(client.say("EXPIRE", "k", "9223372036854775807"),
            "-ERR invalid expire time in 'expire' command\r\n");
}

// EXPIRE is a write with a dot of its own, but of the same bytes: no sibling comes of two at once.
TEST(ExpiryInPartitions, TwoExpiresAtOnceLeaveOneValue) {
  CommandCluster cluster(3);
  TestClient a(cluster, 0), b(cluster, 1), c(cluster, 2);
  a.say("SET", "k", "v");
  for (TestClient* client : {&a, &b, &c}) client->say("KV.QUORUM", "R", "1", "W", "1");
  cluster.cut(0, 1);
  cluster.cut(0, 2);
  EXPECT_EQ(a.say("EXPIRE", "k", "100"), ":1\r\n");
  EXPECT_EQ(b.say("EXPIRE", "k", "200"), ":1\r\n");
  cluster.heal(0, 1);
  cluster.heal(0, 2);
  c.say("KV.QUORUM", "R", "3");
  EXPECT_EQ(c.say("GET", "k"), "$1\r\nv\r\n");
  EXPECT_EQ(c.say("TTL", "k"), ":200\r\n");
}

TEST(ExpiryCommands, DbsizeForgetsWhatExpiredAtOnce) {
  for (const size_t nodes : {1, 3}) {
    CommandCluster cluster(nodes);
    TestClient client(cluster, 0);
    client.say("SET", "first", "v", "PX", "10");
    client.say("SET", "second", "v", "PX", "60");
    client.say("SET", "stays", "v");
    cluster.pass_ms(20);  // the next round of expiry is 100 ms away
    EXPECT_EQ(client.say("DBSIZE"), ":2\r\n");
    cluster.pass_ms(50);
    EXPECT_EQ(client.say("DBSIZE"), ":1\r\n");
  }
}

}  // namespace
}  // namespace kvorum::server
