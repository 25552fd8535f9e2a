// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/conversation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "tests/server/dispatch/command_cluster.h"

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

TEST(Conversation, WhereAllIsDoneAtOnceThePiecesFollowByThemselves) {
  CommandCluster cluster(1);
  TestClient client(cluster, 0);
  std::vector<std::string> stores = {"MSET"};
  for (int i = 0; i < 30'000; ++i) stores.insert(stores.end(), {"k" + std::to_string(i), "v"});
  EXPECT_EQ(client.line(TestClient::resp(stores) + "PING\r\n"), "+OK\r\n+PONG\r\n");
  EXPECT_EQ(client.say("DBSIZE"), ":30000\r\n");
  EXPECT_EQ(client.line(TestClient::resp(many_keys("DEL", 20'000))), ":15000\r\n");
  EXPECT_EQ(client.say("DBSIZE"), ":15000\r\n");
}

TEST(Conversation, AKeyTooLongInTheLastPieceIsRefusedBeforeTheFirst) {
  for (const size_t nodes : {1, 3}) {
    CommandCluster cluster(nodes);
    TestClient client(cluster, 0);
    client.say("SET", "k0", "v");
    std::vector<std::string> words = many_keys("DEL", 20'000);
    words.push_back(std::string(kKeyBytesMax + 1, 'k'));
    EXPECT_TRUE(client.line(TestClient::resp(words)).starts_with("-ERR the key is longer"));
    EXPECT_EQ(client.say("GET", "k0"), "$1\r\nv\r\n");
  }
}

TEST(Conversation, APieceWaitsForWhatWasAskedBeforeTheCommand) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  const std::string store = TestClient::resp({"SET", "k14999", "v"});
  EXPECT_EQ(client.line(store + TestClient::resp(many_keys("DEL", 15'000))), "+OK\r\n:1\r\n");
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

// A cluster whose clients share so many bytes in flight.
struct Bounded {
  explicit Bounded(size_t nodes) {
    options.in_flight = &share;
    cluster.emplace(nodes, nullptr, options);
  }

  // Lets everything happen, in the smallest steps; returns what came, and notes the most held.
  std::string finish(TestClient& client) {
    std::string all;
    for (int rounds = 0; rounds < 100'000; ++rounds) {
      all += client.send("");
      highest = std::max(highest, share.used());
      const bool moved = cluster->deliver_once();
      highest = std::max(highest, share.used());
      if (!moved && client.unread_bytes() == 0 && !client.conversation().has_pending()) break;
    }
    return all + client.take();
  }

  // Once all is answered and taken.
  uint64_t left(std::initializer_list<TestClient*> clients) {
    for (TestClient* const client : clients) client->conversation().set_buffers(0, 0);
    for (const auto& node : cluster->nodes) node->dispatcher.count_held();
    return share.used();
  }

  InFlight in_flight{16 << 20};
  InFlightShare share{in_flight};
  DispatcherOptions options;
  std::optional<CommandCluster> cluster;
  uint64_t highest = 0;
};

TEST(Conversation, APipelineOfLargeRepliesRunsInPiecesAndInOrder) {
  for (const bool memcached : {false, true}) {
    Bounded bounded(3);
    TestClient writer(*bounded.cluster, 0);
    TestClient client(*bounded.cluster, 0,
                      memcached ? TestClient::memcached() : TestClient::plain());
    std::string pipeline, wanted;
    for (const char* key : {"a", "b", "c"}) writer.say("SET", key, std::string(100'000, *key));
    for (int i = 0; i < 400; ++i) {
      const std::string key(1, static_cast<char>('a' + i % 3));
      const std::string value(100'000, key[0]);
      pipeline += memcached ? "get " + key + "\r\n" : TestClient::resp({"GET", key});
      wanted += memcached ? "VALUE " + key + " 0 100000\r\n" + value + "\r\nEND\r\n"
                          : "$100000\r\n" + value + "\r\n";
    }
    std::string got = client.send(pipeline);
    EXPECT_TRUE(client.conversation().blocked());
    got += bounded.finish(client);
    EXPECT_EQ(got.size(), wanted.size());
    EXPECT_TRUE(got == wanted);
    EXPECT_LT(bounded.highest, 4u << 20) << "40 MB were asked for";
    EXPECT_EQ(bounded.left({&writer, &client}), 0u);
    for (const auto& node : bounded.cluster->nodes) EXPECT_EQ(node->coordinator.held_bytes(), 0u);
  }
}

TEST(Conversation, WhoTakesNoRepliesHasNoRequestRun) {
  Bounded bounded(1);
  TestClient client(*bounded.cluster, 0);
  client.say("SET", "k", "v");
  client.conversation().set_buffers(0, 2 << 20);
  EXPECT_EQ(client.send(TestClient::resp({"GET", "k"})), "");
  EXPECT_TRUE(client.conversation().blocked());
  EXPECT_GT(client.unread_bytes(), 0u);
  TestClient other(*bounded.cluster, 0);
  EXPECT_EQ(other.say("GET", "k"), "$1\r\nv\r\n");
  client.conversation().set_buffers(0, 0);
  EXPECT_EQ(client.send(""), "$1\r\nv\r\n");
}

TEST(Conversation, ACommandWhoseReplyIsTooLargeFailsAndTheNextOneDoesNot) {
  for (const bool memcached : {false, true}) {
    for (const size_t nodes : {1, 3}) {
      Bounded bounded(nodes);
      TestClient writer(*bounded.cluster, 0);
      TestClient client(*bounded.cluster, 0,
                        memcached ? TestClient::memcached() : TestClient::plain());
      writer.say("SET", "k", std::string(100'000, 'x'));
      std::vector<std::string> words = {"MGET"};
      std::string line = "get";
      for (int i = 0; i < 150; ++i) {
        words.push_back("k");
        line += " k";
      }
      std::string got = client.send(memcached ? line + "\r\n" : TestClient::resp(words));
      got += bounded.finish(client);
      EXPECT_TRUE(got.starts_with(memcached ? "SERVER_ERROR the reply is too large: "
                                            : "-ERR the reply is too large: "))
          << got.substr(0, 100);
      EXPECT_LT(bounded.highest, 14u << 20);
      words.resize(51);
      got = client.line(memcached ? "get k k\r\n" : TestClient::resp(words));
      EXPECT_GT(got.size(), memcached ? 200'000u : 5'000'000u);
      EXPECT_EQ(bounded.left({&writer, &client}), 0u);
    }
  }
}

TEST(Conversation, ACommandOfManyKeysIsSentInPiecesWithinItsPart) {
  Bounded bounded(3);
  TestClient writer(*bounded.cluster, 0);
  writer.say("SET", "k", std::string(100'000, 'x'));
  TestClient client(*bounded.cluster, 1);
  std::vector<std::string> words = {"MGET"};
  for (int i = 0; i < 60; ++i) words.push_back("k");
  client.send(TestClient::resp(words));
  EXPECT_TRUE(client.conversation().blocked());
  EXPECT_LE(client.conversation().held_bytes(), 1'300'000u);
  const std::string got = bounded.finish(client);
  EXPECT_EQ(got.size(), 5u + 60 * 100'011);
  EXPECT_EQ(bounded.left({&writer, &client}), 0u);
}

TEST(Conversation, WhoHangsUpGivesBackWhatHeHeld) {
  Bounded bounded(3);
  TestClient writer(*bounded.cluster, 0);
  writer.say("SET", "k", std::string(100'000, 'x'));
  {
    TestClient client(*bounded.cluster, 0);
    std::string pipeline = TestClient::resp({"MGET", "k", "k", "k", "k"});
    for (int i = 0; i < 5; ++i) pipeline += TestClient::resp({"GET", "k"});
    client.send(pipeline);
    EXPECT_GT(bounded.share.used(), 500'000u);
    client.hang_up();
  }
  bounded.cluster->settle();
  EXPECT_EQ(bounded.left({&writer}), 0u);
}

}  // namespace
}  // namespace kvorum::server
