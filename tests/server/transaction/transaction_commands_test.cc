// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

constexpr const char* kOk = "+OK\r\n";
constexpr const char* kQueued = "+QUEUED\r\n";
constexpr const char* kAborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";

class Transactions : public ::testing::Test {
 protected:
  CommandCluster cluster{1};
  TestClient client{cluster, 0};
  TestClient other{cluster, 0};
};

TEST_F(Transactions, CommandsAreQueuedAndAnsweredTogether) {
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("SET", "a", "1"), kQueued);
  EXPECT_EQ(client.say("INCR", "a"), kQueued);
  EXPECT_EQ(client.say("GET", "a"), kQueued);
  EXPECT_EQ(client.say("GET", "b"), kQueued);
  EXPECT_EQ(client.say("PING"), kQueued);
  EXPECT_EQ(other.say("GET", "a"), "$-1\r\n") << "nothing was done yet";
  EXPECT_EQ(client.say("EXEC"), "*5\r\n+OK\r\n:2\r\n$1\r\n2\r\n$-1\r\n+PONG\r\n");
  EXPECT_EQ(other.say("GET", "a"), "$1\r\n2\r\n");
  EXPECT_EQ(client.say("GET", "a"), "$1\r\n2\r\n") << "it is over";
}

TEST_F(Transactions, WithoutCommandsThereAreNoReplies) {
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("EXEC"), "*0\r\n");
}

TEST_F(Transactions, OutOfTurn) {
  EXPECT_EQ(client.say("EXEC"), "-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(client.say("DISCARD"), "-ERR DISCARD without MULTI\r\n");
  EXPECT_EQ(client.say("UNWATCH"), kOk);
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("MULTI"), "-ERR MULTI calls can not be nested\r\n");
  EXPECT_EQ(client.say("WATCH", "k"), "-ERR WATCH inside MULTI is not allowed\r\n");
  EXPECT_EQ(client.say("SET", "k", "v"), kQueued);
  EXPECT_EQ(client.say("DISCARD"), kOk);
  EXPECT_EQ(client.say("GET", "k"), "$-1\r\n");
}

TEST_F(Transactions, ACommandThatCannotBeQueuedEndsAll) {
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("SET", "k", "v"), kQueued);
  EXPECT_EQ(client.say("SET", "k"), "-ERR wrong number of arguments for 'set' command\r\n");
  EXPECT_EQ(client.say("SET", "k", "w"), kQueued);
  EXPECT_EQ(client.say("EXEC"), kAborted);
  EXPECT_EQ(client.say("GET", "k"), "$-1\r\n");
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("NOSUCH", "k").substr(0, 20), "-ERR unknown command");
  EXPECT_EQ(client.say("EXEC"), kAborted);
}

TEST_F(Transactions, AFailedCommandLeavesTheOthers) {
  EXPECT_EQ(client.say("SET", "k", "text"), kOk);
  EXPECT_EQ(client.say("MULTI"), kOk);
  for (const char* key : {"k", "n"}) EXPECT_EQ(client.say("INCR", key), kQueued);
  EXPECT_EQ(client.say("APPEND", "k", "+"), kQueued);
  EXPECT_EQ(client.say("SET", "x", "1", "EX", "x"), kQueued);
  EXPECT_EQ(client.say("EXEC"),
            "*4\r\n-ERR value is not an integer or out of range\r\n:1\r\n:5\r\n"
            "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$5\r\ntext+\r\n");
}

TEST_F(Transactions, CommandsOfManyKeys) {
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("MSET", "a", "1", "b", "2", "c", "3"), kQueued);
  EXPECT_EQ(client.say("MGET", "c", "b", "absent"), kQueued);
  EXPECT_EQ(client.say("DEL", "a", "b", "absent"), kQueued);
  EXPECT_EQ(client.say("EXISTS", "a", "c", "c"), kQueued);
  EXPECT_EQ(client.say("EXEC"), "*4\r\n+OK\r\n*3\r\n$1\r\n3\r\n$1\r\n2\r\n$-1\r\n:2\r\n:2\r\n");
  EXPECT_EQ(client.say("MGET", "a", "b", "c"), "*3\r\n$-1\r\n$-1\r\n$1\r\n3\r\n");
}

TEST_F(Transactions, DeadlinesAndRemovals) {
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("SET", "k", "v", "PX", "1000"), kQueued);
  EXPECT_EQ(client.say("PTTL", "k"), kQueued);
  EXPECT_EQ(client.say("PERSIST", "k"), kQueued);
  EXPECT_EQ(client.say("TTL", "k"), kQueued);
  EXPECT_EQ(client.say("GETDEL", "k"), kQueued);
  EXPECT_EQ(client.say("GET", "k"), kQueued);
  EXPECT_EQ(client.say("SET", "k", "w", "NX"), kQueued);
  EXPECT_EQ(client.say("EXPIRE", "k", "10"), kQueued);
  EXPECT_EQ(client.say("EXEC"),
            "*8\r\n+OK\r\n:1000\r\n:1\r\n:-1\r\n$1\r\nv\r\n$-1\r\n+OK\r\n:1\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$1\r\nw\r\n");
  EXPECT_EQ(client.say("TTL", "k"), ":10\r\n");
}

TEST_F(Transactions, WholeKeyspacesInTheirOrder) {
  EXPECT_EQ(client.say("SET", "old", "v"), kOk);
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("SET", "before", "v"), kQueued);
  EXPECT_EQ(client.say("DBSIZE"), kQueued);
  EXPECT_EQ(client.say("FLUSHDB"), kQueued);
  EXPECT_EQ(client.say("SET", "after", "v"), kQueued);
  EXPECT_EQ(client.say("KEYS", "*"), kQueued);
  EXPECT_EQ(client.say("EXEC"), "*5\r\n+OK\r\n:2\r\n+OK\r\n+OK\r\n*1\r\n$5\r\nafter\r\n");
}

TEST_F(Transactions, CommandsOfSeveralStagesInTheirOrder) {
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("SET", "a", "1"), kQueued);
  EXPECT_EQ(client.say("RENAME", "a", "b"), kQueued);
  EXPECT_EQ(client.say("INCR", "b"), kQueued);
  EXPECT_EQ(client.say("MSETNX", "b", "9", "c", "9"), kQueued);
  EXPECT_EQ(client.say("RENAME", "absent", "b"), kQueued);
  EXPECT_EQ(client.say("GET", "a"), kQueued);
  EXPECT_EQ(client.say("EXEC"), "*6\r\n+OK\r\n+OK\r\n:2\r\n:0\r\n-ERR no such key\r\n$-1\r\n");
}

TEST_F(Transactions, SelectHoldsForWhatFollows) {
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("SET", "k", "0"), kQueued);
  EXPECT_EQ(client.say("SELECT", "1"), kQueued);
  EXPECT_EQ(client.say("SET", "k", "1"), kQueued);
  EXPECT_EQ(client.say("EXEC"), "*3\r\n+OK\r\n+OK\r\n+OK\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$1\r\n1\r\n");
  EXPECT_EQ(other.say("GET", "k"), "$1\r\n0\r\n");
}

TEST_F(Transactions, PipelinedInOneRead) {
  EXPECT_EQ(client.line(TestClient::resp({"MULTI"}) + TestClient::resp({"SET", "k", "v"}) +
                        TestClient::resp({"GET", "k"}) + TestClient::resp({"EXEC"}) +
                        TestClient::resp({"GET", "k"})),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\nv\r\n$1\r\nv\r\n");
}

TEST_F(Transactions, ResetAndQuitAreNotQueued) {
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("SET", "k", "v"), kQueued);
  EXPECT_EQ(client.say("RESET"), "+RESET\r\n");
  EXPECT_EQ(client.say("EXEC"), "-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("QUIT"), kOk);
}

TEST_F(Transactions, ClientListShowsIt) {
  EXPECT_EQ(client.say("WATCH", "k"), kOk);
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("SET", "k", "v"), kQueued);
  const std::string list = other.say("CLIENT", "LIST");
  EXPECT_NE(list.find("multi=1 qbuf="), std::string::npos) << list;
  EXPECT_NE(list.find("flags=x "), std::string::npos) << list;
  EXPECT_NE(list.find(" watch=1\n"), std::string::npos) << list;
}

TEST_F(Transactions, InTheThirdDialect) {
  client.say("HELLO", "3");
  EXPECT_EQ(client.say("WATCH", "k"), kOk);
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("GET", "k"), kQueued);
  EXPECT_EQ(client.say("EXEC"), "*1\r\n_\r\n");
  EXPECT_EQ(client.say("WATCH", "k"), kOk);
  EXPECT_EQ(other.say("SET", "k", "v"), kOk);
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("EXEC"), "_\r\n");
}

// ---- WATCH

class Watches : public Transactions {
 protected:
  void increase(const std::string& from) {
    EXPECT_EQ(client.say("GET", "k"), from.empty() ? "$-1\r\n" : "$1\r\n" + from + "\r\n");
    EXPECT_EQ(client.say("MULTI"), kOk);
    EXPECT_EQ(client.say("SET", "k", "mine"), kQueued);
  }
};

TEST_F(Watches, UnchangedKeysLetItRun) {
  EXPECT_EQ(client.say("WATCH", "k"), kOk);
  increase("");
  EXPECT_EQ(client.say("EXEC"), "*1\r\n+OK\r\n");
  EXPECT_EQ(other.say("GET", "k"), "$4\r\nmine\r\n");
}

TEST_F(Watches, AChangedKeyStopsIt) {
  EXPECT_EQ(client.say("SET", "k", "1"), kOk);
  EXPECT_EQ(client.say("WATCH", "k"), kOk);
  increase("1");
  EXPECT_EQ(other.say("SET", "k", "1"), kOk) << "the same value, written again";
  EXPECT_EQ(client.say("EXEC"), "*-1\r\n");
  EXPECT_EQ(other.say("GET", "k"), "$1\r\n1\r\n");
  increase("1");
  EXPECT_EQ(client.say("EXEC"), "*1\r\n+OK\r\n") << "nothing is watched any more";
}

TEST_F(Watches, AKeyThatCameGoesOrExpiresHasChanged) {
  for (const char* step : {"came", "went", "expired"}) {
    EXPECT_EQ(client.say("DEL", "k").substr(0, 1), ":");
    if (std::string(step) != "came") client.say("SET", "k", "1", "PX", "1000");
    EXPECT_EQ(client.say("WATCH", "k"), kOk);
    if (std::string(step) == "came") other.say("SET", "k", "1");
    if (std::string(step) == "went") other.say("DEL", "k");
    if (std::string(step) == "expired") cluster.pass_ms(1000);
    EXPECT_EQ(client.say("MULTI"), kOk);
    EXPECT_EQ(client.say("SET", "k", "mine"), kQueued);
    EXPECT_EQ(client.say("EXEC"), "*-1\r\n") << step;
  }
}

TEST_F(Watches, WhatIsNotWrittenIsWatchedToo) {
  EXPECT_EQ(client.say("WATCH", "k"), kOk);
  EXPECT_EQ(other.say("SET", "k", "1"), kOk);
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("SET", "elsewhere", "v"), kQueued);
  EXPECT_EQ(client.say("FLUSHALL"), kQueued);
  EXPECT_EQ(client.say("EXEC"), "*-1\r\n");
  EXPECT_EQ(client.say("GET", "elsewhere"), "$-1\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$1\r\n1\r\n");
}

TEST_F(Watches, UnwatchAndDiscardForget) {
  for (const char* verb : {"UNWATCH", "DISCARD"}) {
    EXPECT_EQ(client.say("WATCH", "k"), kOk);
    if (std::string(verb) == "DISCARD") client.say("MULTI");
    EXPECT_EQ(client.say(verb), kOk);
    other.say("SET", "k", "1");
    client.say("MULTI");
    client.say("GET", "k");
    EXPECT_EQ(client.say("EXEC"), "*1\r\n$1\r\n1\r\n") << verb;
  }
}

TEST_F(Watches, KeysOfSeveralPartitionsAreRefused) {
  size_t refused = 0;
  for (int i = 0; i < 20; ++i) {
    const std::string reply = client.say("WATCH", "first", "k" + std::to_string(i));
    refused += reply == "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
    client.say("UNWATCH");
  }
  EXPECT_GT(refused, 10u);
}

TEST_F(Watches, ItsOwnWriteCounts) {
  EXPECT_EQ(client.say("WATCH", "k"), kOk);
  EXPECT_EQ(client.say("SET", "k", "1"), kOk);
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("EXEC"), "*-1\r\n");
}

// ---- three nodes

class ThreeNodes : public ::testing::Test {
 protected:
  CommandCluster cluster{3};
  TestClient client{cluster, 0};
  TestClient other{cluster, 1};
};

TEST_F(ThreeNodes, KeysOfAllNodesInOneTransaction) {
  std::string expected = "*60\r\n";
  EXPECT_EQ(client.say("MULTI"), kOk);
  for (int i = 0; i < 30; ++i) {
    const std::string key = "k" + std::to_string(i);
    EXPECT_EQ(client.say("INCRBY", key, "5"), kQueued);
    EXPECT_EQ(client.say("DECR", key), kQueued);
    expected += ":5\r\n:4\r\n";
  }
  EXPECT_EQ(client.say("EXEC"), expected);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(other.say("GET", "k" + std::to_string(i)), "$1\r\n4\r\n");
}

TEST_F(ThreeNodes, AWriteThroughAnotherNodeIsNoticed) {
  EXPECT_EQ(client.say("WATCH", "k"), kOk);
  EXPECT_EQ(other.say("SET", "k", "theirs"), kOk);
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("SET", "k", "mine"), kQueued);
  EXPECT_EQ(client.say("EXEC"), "*-1\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$6\r\ntheirs\r\n");
}

TEST_F(ThreeNodes, AKeyWithoutAQuorumFailsInItsPlaceAlone) {
  cluster.cut(0, 1);
  cluster.cut(0, 2);
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("PING"), kQueued);
  EXPECT_EQ(client.say("GET", "k"), kQueued);
  const std::string reply = client.say("EXEC");
  EXPECT_EQ(reply.substr(0, 23), "*2\r\n+PONG\r\n-NOQUORUM 1 ") << reply;
}

TEST_F(ThreeNodes, AClientThatHangsUpLeavesNothingBehind) {
  client.send(TestClient::resp({"MULTI"}) + TestClient::resp({"INCR", "k"}) +
              TestClient::resp({"INCR", "k"}) + TestClient::resp({"EXEC"}));
  client.hang_up();
  cluster.settle();
  const std::string reply = other.say("GET", "k");
  EXPECT_TRUE(reply == "$-1\r\n" || reply == "$1\r\n2\r\n") << reply;
  EXPECT_EQ(cluster.nodes[0]->dispatcher.open_calls(), 0u);
}

// As Redis: what would be refused is refused when it is queued, and EXEC looks again.
TEST_F(Transactions, WhatNeedsMemoryIsNotQueuedWhereThereIsNone) {
  constexpr const char* kOom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
  engine::ObjectTable& table = cluster.nodes[0]->table;
  EXPECT_EQ(client.say("SET", "k", "v"), kOk);
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("SET", "k", "w"), kQueued);
  EXPECT_EQ(client.say("GET", "k"), kQueued);
  table.set_limit(1, engine::EvictionPolicy::kNone);
  EXPECT_EQ(client.say("EXEC"),
            "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory "
            "> 'maxmemory'.\r\n");
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("GET", "k"), kQueued);
  EXPECT_EQ(client.say("DEL", "k"), kQueued) << "which needs none";
  EXPECT_EQ(client.say("EXEC"), "*2\r\n$1\r\nv\r\n:1\r\n");
  EXPECT_EQ(client.say("MULTI"), kOk);
  EXPECT_EQ(client.say("APPEND", "k", "w"), kOom);
  table.set_limit(0, engine::EvictionPolicy::kNone);
  EXPECT_EQ(client.say("EXEC"), kAborted);
  EXPECT_EQ(client.say("SET", "k", "w"), kOk);
}

}  // namespace
}  // namespace kvorum::server
