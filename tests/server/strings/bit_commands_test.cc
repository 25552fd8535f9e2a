// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

class BitCommands : public ::testing::Test {
 protected:
  CommandCluster cluster{5};
  TestClient client{cluster, 0};
};

TEST_F(BitCommands, SetAndGet) {
  EXPECT_EQ(client.say("SETBIT", "k", "9", "1"), ":0\r\n");
  EXPECT_EQ(client.say("SETBIT", "k", "9", "1"), ":1\r\n");
  EXPECT_EQ(client.say("GET", "k"), std::string("$2\r\n\0\x40\r\n", 8));
  EXPECT_EQ(client.say("GETBIT", "k", "9"), ":1\r\n");
  EXPECT_EQ(client.say("GETBIT", "k", "8"), ":0\r\n");
  EXPECT_EQ(client.say("GETBIT", "k", "4294967295"), ":0\r\n");
  EXPECT_EQ(client.say("SETBIT", "k", "9", "0"), ":1\r\n");
  EXPECT_EQ(client.say("SETBIT", "zero", "3", "0"), ":0\r\n");
  EXPECT_EQ(client.say("STRLEN", "zero"), ":1\r\n");
  EXPECT_EQ(client.say("SETBIT", "k", "-1", "1"),
            "-ERR bit offset is not an integer or out of range\r\n");
  EXPECT_EQ(client.say("GETBIT", "k", "4294967296"),
            "-ERR bit offset is not an integer or out of range\r\n");
  EXPECT_EQ(client.say("SETBIT", "k", "1", "2"), "-ERR bit is not an integer or out of range\r\n");
}

TEST_F(BitCommands, KeepTheDeadline) {
  client.say("SET", "k", "a", "EX", "100");
  client.say("SETBIT", "k", "6", "0");
  EXPECT_EQ(client.say("TTL", "k"), ":100\r\n");
}

TEST_F(BitCommands, CountAndFind) {
  client.say("SET", "k", "foobar");
  EXPECT_EQ(client.say("BITCOUNT", "k"), ":26\r\n");
  EXPECT_EQ(client.say("BITCOUNT", "k", "1", "1"), ":6\r\n");
  EXPECT_EQ(client.say("BITCOUNT", "k", "5", "30", "BIT"), ":17\r\n");
  EXPECT_EQ(client.say("BITCOUNT", "k", "-1", "-2"), ":0\r\n");
  EXPECT_EQ(client.say("BITCOUNT", "absent", "0", "x"),
            "-ERR value is not an integer or out of range\r\n");
  client.say("SET", "p", std::string("\xff\xf0\0", 3));
  EXPECT_EQ(client.say("BITPOS", "p", "0"), ":12\r\n");
  EXPECT_EQ(client.say("BITPOS", "p", "1", "2"), ":-1\r\n");
  EXPECT_EQ(client.say("BITPOS", "p", "0", "0", "0"), ":-1\r\n");
  EXPECT_EQ(client.say("BITPOS", "p", "1", "7", "15", "BIT"), ":7\r\n");
  EXPECT_EQ(client.say("BITPOS", "absent", "1"), ":-1\r\n");
  EXPECT_EQ(client.say("BITPOS", "absent", "0"), ":0\r\n");
  EXPECT_EQ(client.say("BITPOS", "p", "2"), "-ERR The bit argument must be 1 or 0.\r\n");
  client.say("SET", "ones", "\xff\xff");
  EXPECT_EQ(client.say("BITPOS", "ones", "0"), ":16\r\n");
  EXPECT_EQ(client.say("BITPOS", "ones", "0", "1"), ":16\r\n");
  EXPECT_EQ(client.say("BITPOS", "ones", "0", "0", "-1"), ":-1\r\n");
}

TEST_F(BitCommands, CombineKeys) {
  client.say("MSET", "a", "abc", "b", "ABCD");
  client.say("SET", "d", "old", "EX", "100");
  EXPECT_EQ(client.say("BITOP", "XOR", "d", "a", "b", "absent"), ":4\r\n");
  EXPECT_EQ(client.say("GET", "d"), "$4\r\n   D\r\n");
  EXPECT_EQ(client.say("TTL", "d"), ":-1\r\n");
  EXPECT_EQ(client.say("BITOP", "and", "a", "a", "b"), ":4\r\n");
  EXPECT_EQ(client.say("GET", "a"), std::string("$4\r\nABC\0\r\n", 10));
  EXPECT_EQ(client.say("BITOP", "OR", "d", "absent", "absent2"), ":0\r\n");
  EXPECT_EQ(client.say("EXISTS", "d"), ":0\r\n");
  EXPECT_EQ(client.say("BITOP", "NOT", "d", "a", "b"),
            "-ERR BITOP NOT must be called with a single source key.\r\n");
  EXPECT_EQ(client.say("BITOP", "NAND", "d", "a"), "-ERR syntax error\r\n");
}

}  // namespace
}  // namespace kvorum::server
