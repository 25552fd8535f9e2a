// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

constexpr std::string_view kHeardX = "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n";

struct PubSubCommandsTest : ::testing::Test {
  CommandCluster lone{1};
  TestClient a{lone, 0}, p{lone, 0};
};

TEST_F(PubSubCommandsTest, ConfirmationsCountChannelsAndPatternsTogether) {
  EXPECT_EQ(a.say("SUBSCRIBE", "news"), "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
  EXPECT_EQ(a.say("PSUBSCRIBE", "n*"), "*3\r\n$10\r\npsubscribe\r\n$2\r\nn*\r\n:2\r\n");
  EXPECT_EQ(a.say("SSUBSCRIBE", "s"), "*3\r\n$10\r\nssubscribe\r\n$1\r\ns\r\n:1\r\n");
  EXPECT_EQ(a.say("UNSUBSCRIBE"), "*3\r\n$11\r\nunsubscribe\r\n$4\r\nnews\r\n:1\r\n");
  EXPECT_EQ(a.say("UNSUBSCRIBE"), "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:1\r\n");
}

TEST_F(PubSubCommandsTest, InResp3TheyArePushesAndCommandsAreAllowed) {
  a.say("HELLO", "3");
  EXPECT_EQ(a.say("SUBSCRIBE", "news"), ">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
  EXPECT_EQ(a.say("GET", "k"), "_\r\n");
  EXPECT_EQ(a.say("PING"), "+PONG\r\n");
  EXPECT_EQ(a.say("PUBLISH", "news", "x"), ":1\r\n>3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n")
      << "its own messages come behind the reply";
  a.say("UNSUBSCRIBE");
  EXPECT_EQ(a.say("UNSUBSCRIBE"), ">3\r\n$11\r\nunsubscribe\r\n_\r\n:0\r\n");
}

TEST_F(PubSubCommandsTest, InResp2LittleElseIsAllowed) {
  a.say("SUBSCRIBE", "news");
  EXPECT_EQ(a.say("CLIENT", "ID"),
            "-ERR Can't execute 'client|id': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT "
            "/ RESET are allowed in this context\r\n");
  EXPECT_EQ(a.say("PING"), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  EXPECT_EQ(a.say("PING", "x"), "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
  EXPECT_EQ(a.say("RESET"), "+RESET\r\n");
  EXPECT_EQ(a.say("GET", "k"), "$-1\r\n");
  EXPECT_EQ(p.say("PUBLISH", "news", "x"), ":0\r\n");
}

TEST_F(PubSubCommandsTest, NoClientSilencesConfirmations) {
  a.say("CLIENT", "REPLY", "OFF");
  EXPECT_EQ(a.say("SUBSCRIBE", "news"), "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
  EXPECT_EQ(p.say("PUBLISH", "news", "x"), ":1\r\n");
  EXPECT_EQ(a.take(), kHeardX);
}

TEST_F(PubSubCommandsTest, ALongNameIsRefused) {
  const std::string name(65537, 'x');
  EXPECT_EQ(a.say("SUBSCRIBE", "news", name), "-ERR the channel is longer than 65536 bytes\r\n");
  EXPECT_EQ(a.say("PUBLISH", name, "x"), "-ERR the channel is longer than 65536 bytes\r\n");
  EXPECT_EQ(a.say("PUBSUB", "CHANNELS"), "*0\r\n") << "nothing was done";
}

TEST_F(PubSubCommandsTest, WhoHangsUpHearsNothingMore) {
  a.say("SUBSCRIBE", "news");
  a.hang_up();
  EXPECT_EQ(p.say("PUBLISH", "news", "x"), ":0\r\n");
  EXPECT_EQ(p.say("PUBSUB", "NUMSUB", "news"), "*2\r\n$4\r\nnews\r\n:0\r\n");
}

// Who hears the message finds what its publisher wrote before.
TEST(PubSubOrder, AMessageFollowsTheWritesBeforeIt) {
  CommandCluster cluster(3);
  const size_t away = (cluster.primary_of("k") + 1) % 3;
  TestClient a(cluster, away), p(cluster, away);
  a.say("SUBSCRIBE", "news");
  const std::string pipeline =
      TestClient::resp({"SET", "k", "v"}) + TestClient::resp({"PUBLISH", "news", "x"});
  EXPECT_EQ(p.send(pipeline), "");
  EXPECT_EQ(a.take(), "");
  EXPECT_EQ(p.line(""), "+OK\r\n:1\r\n");
  EXPECT_EQ(a.take(), kHeardX);
}

TEST(PubSubOrder, AlsoWithinATransaction) {
  CommandCluster cluster(3);
  const size_t away = (cluster.primary_of("k") + 1) % 3;
  TestClient a(cluster, away), p(cluster, away);
  a.say("SUBSCRIBE", "news");
  p.say("MULTI");
  p.say("SET", "k", "v");
  p.say("PUBLISH", "news", "x");
  p.say("GET", "k");
  EXPECT_EQ(p.send(TestClient::resp({"EXEC"})), "");
  EXPECT_EQ(a.take(), "");
  EXPECT_EQ(p.line(""), "*3\r\n+OK\r\n:1\r\n$1\r\nv\r\n");
  EXPECT_EQ(a.take(), kHeardX);
}

}  // namespace
}  // namespace kvorum::server
