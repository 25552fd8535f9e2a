// SPDX-License-Identifier: Apache-2.0
#include "server/conversation.h"

#include <gtest/gtest.h>

#include "tests/commands/command_cluster.h"

namespace kvorum::server {
namespace {

const std::string kPipeline = TestClient::resp({"SET", "a", "1"}) +
                              TestClient::resp({"INCR", "a"}) + "PING\r\n" +
                              TestClient::resp({"MGET", "a", "absent"}) +
                              TestClient::resp({"NOSUCH", "x"}) + "set b 'quoted word'\r\n" +
                              TestClient::resp({"GET", "b"}) + TestClient::resp({"DEL", "a", "b"});
const std::string kReplies =
    "+OK\r\n:2\r\n+PONG\r\n*2\r\n$1\r\n2\r\n$-1\r\n-ERR unknown command 'NOSUCH', with args "
    "beginning with: 'x' \r\n+OK\r\n$11\r\nquoted word\r\n:2\r\n";

TEST(Conversation, AnswersAPipelineInOrder) {
  CommandCluster cluster(1);
  TestClient client(cluster, 0);
  EXPECT_EQ(client.send(kPipeline), kReplies);
  EXPECT_FALSE(client.conversation().has_pending());
}

TEST(Conversation, TakesAPipelineCutAtEveryByte) {
  for (size_t cut = 1; cut < kPipeline.size(); ++cut) {
    CommandCluster cluster(1);
    TestClient client(cluster, 0);
    std::string replies = client.send(kPipeline.substr(0, cut));
    replies += client.send(kPipeline.substr(cut));
    ASSERT_EQ(replies, kReplies) << "cut at " << cut;
  }
}

TEST(Conversation, TakesAPipelineByteByByteOverThreeNodes) {
  CommandCluster cluster(3);
  TestClient client(cluster, 1);
  std::string replies;
  for (char byte : kPipeline) replies += client.line(std::string_view(&byte, 1));
  EXPECT_EQ(replies, kReplies);
}

TEST(Conversation, KeepsTheOrderOfOneKeyWhileOthersRunBeside) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  std::string pipeline, wanted;
  for (int i = 1; i <= 200; ++i) {
    pipeline += TestClient::resp({"INCR", "n"}) + TestClient::resp({"GET", "n"}) +
                TestClient::resp({"SET", "k" + std::to_string(i % 7), std::to_string(i)}) +
                TestClient::resp({"GET", "k" + std::to_string(i % 7)});
    const std::string number = std::to_string(i);
    const std::string bulk = "$" + std::to_string(number.size()) + "\r\n" + number + "\r\n";
    wanted += ":" + number + "\r\n" + bulk + "+OK\r\n" + bulk;
  }
  EXPECT_EQ(client.line(pipeline), wanted);
}

TEST(Conversation, RepliesWaitForTheOnesBefore) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  EXPECT_EQ(client.send(TestClient::resp({"SET", "k", "v"}) + "PING\r\n"), "");
  EXPECT_TRUE(client.conversation().has_pending());
  EXPECT_EQ(client.wakes, 0);
  cluster.settle();
  EXPECT_EQ(client.wakes, 1);
  EXPECT_EQ(client.take(), "+OK\r\n+PONG\r\n");
}

TEST(Conversation, AReadWaitsForTheWriteBeforeItAndWakesTheOwner) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  client.send(TestClient::resp({"INCR", "k"}) + TestClient::resp({"GET", "k"}));
  EXPECT_TRUE(client.conversation().blocked());
  EXPECT_GT(client.unread_bytes(), 0u);
  cluster.settle();
  EXPECT_FALSE(client.conversation().blocked());
  EXPECT_GE(client.wakes, 1);
  EXPECT_EQ(client.line(""), ":1\r\n$1\r\n1\r\n");
}

TEST(Conversation, WakesOnceUntilTheOutputIsTaken) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  std::string pipeline;
  for (int i = 0; i < 50; ++i) pipeline += TestClient::resp({"SET", "k" + std::to_string(i), "v"});
  client.send(pipeline);
  cluster.settle();
  EXPECT_EQ(client.wakes, 1);
  EXPECT_EQ(client.take().size(), 50 * 5u);
}

TEST(Conversation, StopsReadingWithTooManyRepliesOutstanding) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  std::string pipeline;
  const size_t count = Conversation::kPendingMax + 500;
  for (size_t i = 0; i < count; ++i) {
    pipeline += TestClient::resp({"SET", "k" + std::to_string(i), "v"});
  }
  EXPECT_EQ(client.send(pipeline), "");
  EXPECT_TRUE(client.conversation().blocked());
  EXPECT_GT(client.unread_bytes(), 0u);
  EXPECT_EQ(client.line("").size(), count * 5);
  EXPECT_FALSE(client.conversation().blocked());
}

TEST(Conversation, StopsReadingWithTooMuchOutput) {
  DispatcherOptions options;
  options.pipeline_bytes_max = 10'000;
  CommandCluster cluster(1, {}, options);
  TestClient client(cluster, 0);
  client.say("SET", "k", std::string(1000, 'x'));
  std::string pipeline;
  for (int i = 0; i < 100; ++i) pipeline += TestClient::resp({"GET", "k"});
  const std::string first = client.send(pipeline);
  EXPECT_GT(first.size(), options.pipeline_bytes_max);
  EXPECT_LT(first.size(), options.pipeline_bytes_max + 2000);
  std::string all = first;
  while (client.unread_bytes() > 0) all += client.send("");
  EXPECT_EQ(all.size(), 100 * 1009u);
}

TEST(Conversation, ADeadConnectionsRepliesGoNowhere) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0), other(cluster, 0);
  client.send(TestClient::resp({"SET", "k", "v"}) + TestClient::resp({"MGET", "a", "b", "c"}) +
              TestClient::resp({"KEYS", "*"}));
  client.hang_up();
  cluster.settle();
  EXPECT_EQ(other.say("GET", "k"), "$1\r\nv\r\n");
}

std::vector<std::string> many_keys(const char* command, size_t count) {
  std::vector<std::string> words = {command};
  for (size_t i = 0; i < count; ++i) words.push_back("k" + std::to_string(i % 15'000));
  return words;
}

TEST(Conversation, ACommandOfVeryManyKeysIsSentInPieces) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  std::vector<std::string> stores = {"MSET"};
  for (int i = 0; i < 15'000; ++i) {
    stores.push_back("k" + std::to_string(i));
    stores.push_back("v");
  }
  EXPECT_EQ(client.send(TestClient::resp(stores)), "");
  EXPECT_TRUE(client.conversation().blocked());
  EXPECT_EQ(client.line("PING\r\n"), "+OK\r\n+PONG\r\n");
  EXPECT_EQ(client.line(TestClient::resp(many_keys("EXISTS", 20'000))), ":20000\r\n");
  std::string values = "*20000\r\n";
  for (int i = 0; i < 20'000; ++i) values += "$1\r\nv\r\n";
  EXPECT_EQ(client.line(TestClient::resp(many_keys("MGET", 20'000))), values);
  EXPECT_EQ(client.line(TestClient::resp(many_keys("DEL", 20'000))), ":15000\r\n");
}

TEST(Conversation, AClientMayLeaveInTheMiddleOfSuchACommand) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0), other(cluster, 0);
  client.send(TestClient::resp(many_keys("MGET", 20'000)));
  client.hang_up();
  cluster.settle();
  EXPECT_EQ(other.line(TestClient::resp(many_keys("EXISTS", 20'000))), ":0\r\n");
}

TEST(Conversation, QuitAnswersWhatWasBeforeItAndReadsNoMore) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  EXPECT_EQ(client.line(TestClient::resp({"SET", "k", "v"}) + "QUIT\r\nPING\r\n"),
            "+OK\r\n+OK\r\n");
  EXPECT_TRUE(client.conversation().closing());
}

TEST(Conversation, WhatABrowserSendsIsNotRun) {
  for (const char* first : {"POST / HTTP/1.1\r\nX: y\r\n\r\n", "Host: kvorum\r\n"}) {
    CommandCluster cluster(1);
    TestClient client(cluster, 0);
    EXPECT_EQ(client.send(std::string(first) + "SET k v\r\n"), "");
    EXPECT_TRUE(client.conversation().closing());
    TestClient other(cluster, 0);
    EXPECT_EQ(other.send(TestClient::resp({"EXISTS", "k"})), ":0\r\n");
  }
}

TEST(Conversation, ProtocolErrorsEndTheConnection) {
  CommandCluster cluster(1);
  TestClient client(cluster, 0);
  EXPECT_EQ(client.send("PING\r\n*1\r\n!4\r\nPING\r\n"),
            "+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n");
  EXPECT_TRUE(client.conversation().closing());
}

TEST(Conversation, ProtectedModeRefusesEverything) {
  CommandCluster cluster(1);
  ConversationOptions options = TestClient::plain();
  options.refused_by_protected_mode = true;
  TestClient client(cluster, 0, options);
  EXPECT_TRUE(client.send("PING\r\n").starts_with("-DENIED Kvorum is running in protected mode"));
  EXPECT_TRUE(client.conversation().closing());
}

TEST(Conversation, IdsCountInSteps) {
  DispatcherOptions options;
  options.first_client_id = 3;
  options.client_id_step = 2;
  CommandCluster cluster(1, {}, options);
  TestClient first(cluster, 0), second(cluster, 0);
  EXPECT_EQ(first.say("CLIENT", "ID"), ":3\r\n");
  EXPECT_EQ(second.say("CLIENT", "ID"), ":5\r\n");
}

}  // namespace
}  // namespace kvorum::server
