// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

TEST(SeveralStrings, LongestSubsequence) {
  CommandCluster cluster(1);
  TestClient client(cluster, 0);
  client.say("MSET", "a", "ohmytext", "b", "mynewtext");
  EXPECT_EQ(client.say("LCS", "a", "b"), "$6\r\nmytext\r\n");
  EXPECT_EQ(client.say("LCS", "a", "b", "LEN"), ":6\r\n");
  EXPECT_EQ(client.say("LCS", "a", "absent"), "$0\r\n\r\n");
  EXPECT_EQ(client.say("LCS", "a", "b", "IDX", "MINMATCHLEN", "4", "WITHMATCHLEN"),
            "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n"
            "$3\r\nlen\r\n:6\r\n");
  EXPECT_EQ(client.say("LCS", "a", "b", "LEN", "IDX"),
            "-ERR If you want both the length and indexes, please just use IDX.\r\n");
  EXPECT_EQ(client.say("LCS", "a", "b", "FOO"), "-ERR syntax error\r\n");
}

TEST(SeveralStrings, LcsRefusesATableBeyondTheLimitOfValues) {
  DispatcherOptions options;
  options.value_bytes_max = 1000;
  CommandCluster cluster(1, {}, options);
  TestClient client(cluster, 0);
  client.say("MSET", "a", std::string(20, 'x'), "b", std::string(11, 'x'), "c", "x");
  EXPECT_EQ(client.say("LCS", "a", "b"),
            "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n");
  EXPECT_EQ(client.say("LCS", "a", "c"), "$1\r\nx\r\n");
}

class Msetnx : public ::testing::TestWithParam<size_t> {};

TEST_P(Msetnx, WritesAllOrNothing) {
  CommandCluster cluster(GetParam());
  TestClient client(cluster, 0);
  EXPECT_EQ(client.say("MSETNX", "a", "1", "b", "2", "c", "3"), ":1\r\n");
  EXPECT_EQ(client.say("MGET", "a", "b", "c"), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
  EXPECT_EQ(client.say("MSETNX", "x", "1", "b", "9", "y", "1"), ":0\r\n");
  EXPECT_EQ(client.say("MGET", "x", "b", "y"), "*3\r\n$-1\r\n$1\r\n2\r\n$-1\r\n");
  EXPECT_EQ(client.say("MSETNX", "d", "1", "d", "2"), ":1\r\n");
  EXPECT_EQ(client.say("GET", "d"), "$1\r\n2\r\n");
  EXPECT_EQ(client.say("MSETNX", "d", "3"), ":0\r\n");
  EXPECT_EQ(client.say("MSETNX", "e", "1", "f", "2", "e", "3"), ":1\r\n");
  EXPECT_EQ(client.say("GET", "e"), "$1\r\n3\r\n");
  EXPECT_EQ(client.say("MSETNX", "d"), "-ERR wrong number of arguments for 'msetnx' command\r\n");
  EXPECT_EQ(client.say("MSETNX", "d", "1", "e"),
            "-ERR wrong number of arguments for 'msetnx' command\r\n");
}

INSTANTIATE_TEST_SUITE_P(Nodes, Msetnx, ::testing::Values(1, 3));

// Another client writes one of the keys after the look at them: what the loser wrote goes again,
// and nothing else.
TEST(SeveralStrings, MsetnxTakesBackWhatItWroteWhereItLost) {
  for (int steps = 1; steps < 12; ++steps) {
    CommandCluster cluster(3);
    TestClient loser(cluster, 0), winner(cluster, 1);
    loser.send(TestClient::resp({"MSETNX", "a", "1", "b", "1", "c", "1"}));
    for (int i = 0; i < steps; ++i) cluster.deliver_once();
    winner.send(TestClient::resp({"SET", "b", "2"}));
    cluster.settle();
    EXPECT_EQ(winner.take(), "+OK\r\n");
    const std::string said = loser.take();
    const std::string a = winner.say("GET", "a"), c = winner.say("GET", "c");
    EXPECT_EQ(winner.say("GET", "b"), "$1\r\n2\r\n");
    EXPECT_EQ(a, c);
    EXPECT_EQ(a, said == ":1\r\n" ? "$1\r\n1\r\n" : "$-1\r\n") << said << " after " << steps;
  }
}

}  // namespace
}  // namespace kvorum::server
