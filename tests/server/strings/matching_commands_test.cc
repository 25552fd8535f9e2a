// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/ascii.h"
#include "server/commands/set_condition.h"
#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

class Matching : public ::testing::Test {
 protected:
  CommandCluster cluster{5};
  TestClient client{cluster, 0};
};

TEST_F(Matching, DigestIsXxh3) {
  client.say("SET", "empty", "");
  EXPECT_EQ(client.say("DIGEST", "empty"), "$16\r\n2d06800538d394c2\r\n");  // of no bytes
  // One with leading zeros, from an issue of Redis.
  client.say("SET", "k",
             "v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwl"
             "j7626sd");
  EXPECT_EQ(client.say("DIGEST", "k"), "$16\r\n00006c38adf31777\r\n");
  EXPECT_EQ(client.say("DIGEST", "absent"), "$-1\r\n");
}

TEST_F(Matching, SetIfEqual) {
  EXPECT_EQ(client.say("SET", "k", "1", "IFEQ", "0"), "$-1\r\n");
  EXPECT_EQ(client.say("SET", "k", "1", "IFNE", "0"), "+OK\r\n");
  EXPECT_EQ(client.say("SET", "k", "2", "IFEQ", "0"), "$-1\r\n");
  EXPECT_EQ(client.say("SET", "k", "2", "IFNE", "1", "GET"), "$1\r\n1\r\n");
  EXPECT_EQ(client.say("SET", "k", "2", "ifeq", "1", "EX", "100"), "+OK\r\n");
  EXPECT_EQ(client.say("TTL", "k"), ":100\r\n");
  EXPECT_EQ(client.say("SET", "k", "3", "IFEQ", "2", "GET", "KEEPTTL"), "$1\r\n2\r\n");
  EXPECT_EQ(client.say("TTL", "k"), ":100\r\n");
  EXPECT_EQ(client.say("SET", "k", "4", "IFEQ", "3"), "+OK\r\n");
  EXPECT_EQ(client.say("TTL", "k"), ":-1\r\n");
  EXPECT_EQ(client.say("SET", "new", "1", "IFNE", "x", "GET"), "$-1\r\n");
  EXPECT_EQ(client.say("GET", "new"), "$1\r\n1\r\n");
}

TEST_F(Matching, SetIfDigestEqual) {
  const std::string one = value_digest("1"), other = value_digest("2");
  EXPECT_EQ(client.say("SET", "k", "1", "IFDEQ", one), "$-1\r\n");
  EXPECT_EQ(client.say("SET", "k", "1", "IFDNE", one), "+OK\r\n");
  EXPECT_EQ(client.say("SET", "k", "2", "IFDNE", one), "$-1\r\n");
  EXPECT_EQ(client.say("SET", "k", "2", "IFDEQ", other), "$-1\r\n");
  EXPECT_EQ(client.say("SET", "k", "2", "IFDEQ", upper_case(one)), "+OK\r\n");
  EXPECT_EQ(client.say("SET", "k", "3", "IFDEQ", "123"),
            "-ERR must be exactly 16 hexadecimal characters\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$1\r\n2\r\n");
}

TEST_F(Matching, ConditionsExcludeEachOther) {
  const std::string syntax = "-ERR syntax error\r\n";
  EXPECT_EQ(client.say("SET", "k", "1", "NX", "IFEQ", "1"), syntax);
  EXPECT_EQ(client.say("SET", "k", "1", "IFEQ", "1", "XX"), syntax);
  EXPECT_EQ(client.say("SET", "k", "1", "IFEQ", "1", "IFNE", "1"), syntax);
  EXPECT_EQ(client.say("SET", "k", "1", "IFEQ"), syntax);
}

TEST_F(Matching, Delex) {
  client.say("SET", "k", "1");
  EXPECT_EQ(client.say("DELEX", "k", "IFEQ", "2"), ":0\r\n");
  EXPECT_EQ(client.say("DELEX", "k", "IFNE", "1"), ":0\r\n");
  EXPECT_EQ(client.say("DELEX", "k", "IFDNE", value_digest("1")), ":0\r\n");
  EXPECT_EQ(client.say("DELEX", "k", "IFDEQ", "1"),
            "-ERR must be exactly 16 hexadecimal characters\r\n");
  EXPECT_EQ(client.say("DELEX", "k", "FOO", "1"),
            "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE\r\n");
  EXPECT_EQ(client.say("DELEX", "k", "IFEQ"),
            "-ERR wrong number of arguments for 'delex' command\r\n");
  EXPECT_EQ(client.say("DELEX", "k", "IFDEQ", value_digest("1")), ":1\r\n");
  EXPECT_EQ(client.say("DELEX", "k", "IFNE", "2"), ":0\r\n");
  EXPECT_EQ(client.say("DELEX", "k", "FOO", "1"), ":0\r\n");
  client.say("SET", "k", "1");
  EXPECT_EQ(client.say("DELEX", "k"), ":1\r\n");
  EXPECT_EQ(client.say("DELEX", "k"), ":0\r\n");
}

}  // namespace
}  // namespace kvorum::server
