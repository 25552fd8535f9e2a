// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/stage_runner.h"

#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

// The requests of a connection keep their order around a command of several stages.
TEST(StageRunner, RunsAloneInItsPipeline) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  std::string pipeline;
  for (const auto& words : std::vector<std::vector<std::string>>{{"SET", "a", "1"},
                                                                 {"MSETNX", "b", "2", "c", "3"},
                                                                 {"GET", "c"},
                                                                 {"SET", "c", "4"},
                                                                 {"LCS", "a", "c"},
                                                                 {"MSETNX", "c", "5", "d", "6"},
                                                                 {"MGET", "c", "d"}}) {
    pipeline += TestClient::resp(words);
  }
  EXPECT_EQ(client.line(pipeline),
            "+OK\r\n:1\r\n$1\r\n3\r\n+OK\r\n$0\r\n\r\n:0\r\n*2\r\n$1\r\n4\r\n$-1\r\n");
}

TEST(StageRunner, SendsManyOperationsInParts) {
  for (const size_t nodes : {1u, 3u}) {
    CommandCluster cluster(nodes);
    TestClient client(cluster, 0);
    std::vector<std::string> words{"MSETNX"};
    for (size_t i = 0; i < 3 * StageRunner::kOpenMax; ++i) {
      words.push_back("k" + std::to_string(i));
      words.push_back("v");
    }
    EXPECT_EQ(client.line(TestClient::resp(words)), ":1\r\n");
    EXPECT_EQ(client.say("DBSIZE"), ":" + std::to_string(3 * StageRunner::kOpenMax) + "\r\n");
    EXPECT_EQ(client.line(TestClient::resp(words)), ":0\r\n");
  }
}

// It goes on without its client, and leaves nothing behind.
TEST(StageRunner, EndsThoughItsClientGoes) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0), other(cluster, 0);
  client.send(TestClient::resp({"MSETNX", "a", "1", "b", "2"}));
  client.hang_up();
  cluster.settle();
  EXPECT_EQ(other.say("MGET", "a", "b"), "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  EXPECT_EQ(cluster.nodes[0]->dispatcher.open_calls(), 0u);
}

TEST(StageRunner, FailsWithItsFirstOperation) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  cluster.cut(0, 1);
  cluster.cut(0, 2);
  std::string said = client.say("LCS", "a", "b");
  cluster.pass_ms(3000);
  said += client.take();
  EXPECT_TRUE(said.starts_with("-NOQUORUM ")) << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
  EXPECT_EQ(cluster.nodes[0]->dispatcher.open_calls(), 0u);
  EXPECT_EQ(client.say("PING"), "+PONG\r\n");
}

TEST(StageRunner, RefusesKeysThatAreTooLong) {
  CommandCluster cluster(1);
  TestClient client(cluster, 0);
  EXPECT_EQ(client.say("LCS", "a", std::string(kKeyBytesMax + 1, 'k')),
            "-ERR the key is longer than 65536 bytes\r\n");
  EXPECT_EQ(client.say("GET", "a"), "$-1\r\n");
}

// Together the values of a command have a limit; one value never.
TEST(StageRunner, BoundsWhatItHolds) {
  InFlight node(64 * 1024);
  InFlightShare share(node);
  DispatcherOptions options;
  options.in_flight = &share;
  options.value_bytes_max = 40 * 1024;
  CommandCluster cluster(1, {}, options);
  TestClient client(cluster, 0);
  client.say("SET", "a", std::string(39 * 1024, 'a'));
  client.say("SET", "b", std::string(2 * 1024, 'b'));
  EXPECT_TRUE(client.say("LCS", "a", "b").starts_with("-ERR the values are too large together"));
  EXPECT_EQ(client.say("COPY", "a", "c"), ":1\r\n");
  EXPECT_EQ(client.say("STRLEN", "c"), ":39936\r\n");
}

}  // namespace
}  // namespace kvorum::server
