// SPDX-License-Identifier: Apache-2.0
// What EXEC asks of the coordinator, and what it may hold.
#include "server/transaction/transaction_runner.h"

#include <gmock/gmock.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::HasSubstr;

struct TransactionRunnerTest : ::testing::Test {
  uint64_t puts() const { return cluster.nodes[0]->coordinator.counters().puts; }
  uint64_t gets() const { return cluster.nodes[0]->coordinator.counters().gets; }
  void begin(std::initializer_list<std::vector<std::string>> commands) {
    EXPECT_EQ(client.say("MULTI"), "+OK\r\n");
    for (const std::vector<std::string>& words : commands) {
      EXPECT_EQ(client.line(TestClient::resp(words)), "+QUEUED\r\n");
    }
  }

  CommandCluster cluster{1};
  TestClient client{cluster, 0};
};

TEST_F(TransactionRunnerTest, CommandsOfAKeyAreOnePut) {
  begin({{"INCR", "a"}, {"INCR", "a"}, {"GET", "a"}, {"SET", "b", "v"}, {"INCR", "a"}});
  const uint64_t puts_before = puts(), gets_before = gets();
  EXPECT_EQ(client.say("EXEC"), "*5\r\n:1\r\n:2\r\n$1\r\n2\r\n+OK\r\n:3\r\n");
  EXPECT_EQ(puts() - puts_before, 2u);
  EXPECT_EQ(gets() - gets_before, 0u);
}

// They are a pipeline: each has its reply, an error too, and is counted as itself.
TEST_F(TransactionRunnerTest, CommandsOfDifferentKeysAreEachTheirOwn) {
  client.say("SET", "word", "v");
  const uint64_t commands = cluster.nodes[0]->dispatcher.counters().commands;
  begin({{"SET", "a", "1"}, {"INCR", "word"}, {"GET", "none"}, {"SET", "b", "1", "bad"}});
  const uint64_t puts_before = puts();
  EXPECT_EQ(client.say("EXEC"),
            "*4\r\n+OK\r\n-ERR value is not an integer or out of range\r\n$-1\r\n"
            "-ERR syntax error\r\n");
  EXPECT_EQ(puts() - puts_before, 2u);
  EXPECT_EQ(cluster.nodes[0]->dispatcher.counters().commands - commands, 6u);
  EXPECT_EQ(client.say("EXEC"), "-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(client.say("GET", "a"), "$1\r\n1\r\n");
}

// Also where each is coordinated by another node, and what follows EXEC waits for none of them.
TEST_F(TransactionRunnerTest, RepliesOfDifferentKeysKeepTheirOrder) {
  CommandCluster three{3};
  TestClient away{three, 0};
  std::string input = TestClient::resp({"MULTI"}), expected = "+OK\r\n";
  for (int key = 0; key < 20; ++key) {
    input += TestClient::resp({"APPEND", "key" + std::to_string(key), std::string(key + 1u, 'x')});
    expected += "+QUEUED\r\n";
  }
  input += TestClient::resp({"EXEC"}) + TestClient::resp({"PING"});
  expected += "*20\r\n";
  for (int key = 0; key < 20; ++key) expected += ":" + std::to_string(key + 1) + "\r\n";
  std::string replies = away.send(input);
  three.settle();
  EXPECT_EQ(replies + away.line(""), expected + "+PONG\r\n");
}

// What it is told of stands before the array, or behind it.
TEST_F(TransactionRunnerTest, NoPushStandsWithinTheArray) {
  CommandCluster home(1);
  TestClient tracks(home, 0);
  EXPECT_EQ(tracks.say("CONFIG", "SET", "tracking-table-max-keys", "1"), "+OK\r\n");
  tracks.say("HELLO", "3");
  EXPECT_EQ(tracks.say("CLIENT", "TRACKING", "ON"), "+OK\r\n");
  tracks.say("MULTI");
  for (const char* key : {"a", "b", "c"}) EXPECT_EQ(tracks.say("GET", key), "+QUEUED\r\n");
  EXPECT_THAT(tracks.say("EXEC"), HasSubstr("*3\r\n_\r\n_\r\n_\r\n"));
}

// What reads are expected to answer refuses none of them.
TEST_F(TransactionRunnerTest, SmallReadsBehindALargeOneAreAnswered) {
  InFlight in_flight{16 << 20};
  InFlightShare share{in_flight};
  DispatcherOptions options;
  options.in_flight = &share;
  CommandCluster home(3, {}, options);
  TestClient reads(home, 0);
  const std::string large(1 << 20, 'x');
  ASSERT_EQ(reads.say("SET", "large", large), "+OK\r\n");
  reads.say("GET", "large");
  reads.say("MULTI");
  std::string expected = "*40\r\n";
  for (int key = 0; key < 40; ++key) {
    reads.say("GET", "small" + std::to_string(key));
    expected += "$-1\r\n";
  }
  EXPECT_EQ(reads.say("EXEC"), expected);
}

TEST_F(TransactionRunnerTest, NothingIsAnsweredToWhoWantsNoReplies) {
  client.line(TestClient::resp({"CLIENT", "REPLY", "OFF"}));
  EXPECT_EQ(client.line(TestClient::resp({"MULTI"})), "");
  EXPECT_EQ(client.line(TestClient::resp({"SET", "a", "1"})), "");
  EXPECT_EQ(client.line(TestClient::resp({"EXEC"})), "");
  EXPECT_EQ(client.say("CLIENT", "REPLY", "ON"), "+OK\r\n");
  EXPECT_EQ(client.say("GET", "a"), "$1\r\n1\r\n");
}

TEST_F(TransactionRunnerTest, ReadsOfAKeyAreOneGet) {
  begin({{"GET", "a"}, {"STRLEN", "a"}, {"EXISTS", "a", "a", "b"}});
  const uint64_t before = gets();
  EXPECT_EQ(client.say("EXEC"), "*3\r\n$-1\r\n:0\r\n:0\r\n");
  EXPECT_EQ(gets() - before, 2u);
}

// What was deleted is a miss, though its tombstone is read.
TEST_F(TransactionRunnerTest, ReadsAreCountedOneByOne) {
  client.say("SET", "gone", "v");
  client.say("DEL", "gone");
  client.say("SET", "there", "v");
  const auto counters = [this] { return cluster.nodes[0]->dispatcher.counters(); };
  const uint64_t hits = counters().hits, misses = counters().misses;
  begin({{"GET", "gone"}, {"STRLEN", "gone"}, {"GET", "there"}, {"STRLEN", "there"}});
  EXPECT_EQ(client.say("EXEC"), "*4\r\n$-1\r\n:0\r\n$1\r\nv\r\n:1\r\n");
  EXPECT_EQ(counters().hits - hits, 2u);
  EXPECT_EQ(counters().misses - misses, 2u);
}

TEST_F(TransactionRunnerTest, AWatchedKeyThatChangedIsNotAskedFor) {
  client.say("WATCH", "a");
  client.say("SET", "a", "1");
  begin({{"INCR", "a"}, {"INCR", "b"}});
  const uint64_t before = puts();
  EXPECT_EQ(client.say("EXEC"), "*-1\r\n");
  EXPECT_EQ(puts(), before);
}

// The comparison in the critical section, behind the one before.
TEST_F(TransactionRunnerTest, AWatchedKeyGivesWayAlsoBetweenTheTwoComparisons) {
  CommandCluster three{3};
  const size_t primary = three.primary_of("k");
  TestClient slow{three, primary}, quick{three, (primary + 1) % 3};
  EXPECT_EQ(slow.say("WATCH", "k"), "+OK\r\n");
  EXPECT_EQ(slow.say("MULTI"), "+OK\r\n");
  EXPECT_EQ(slow.say("SET", "k", "slow"), "+QUEUED\r\n");
  // Both are under way at once: whichever way it goes, no write is lost unseen.
  std::string slow_reply = slow.send(TestClient::resp({"EXEC"}));
  std::string quick_reply = quick.send(TestClient::resp({"SET", "k", "quick", "XX"}));
  three.settle();
  slow_reply += slow.line("");
  quick_reply += quick.line("");
  EXPECT_TRUE(slow_reply == "*1\r\n+OK\r\n" || slow_reply == "*-1\r\n") << slow_reply;
  // The other one replaces what is there, or finds nothing.
  const bool ran = slow_reply == "*1\r\n+OK\r\n";
  const bool replaced = quick_reply == "+OK\r\n";
  EXPECT_TRUE(replaced || quick_reply == "$-1\r\n") << quick_reply;
  EXPECT_EQ(quick.say("GET", "k"), replaced ? "$5\r\nquick\r\n" : "$4\r\nslow\r\n");
  EXPECT_TRUE(ran) << "nobody made the key before";
}

TEST_F(TransactionRunnerTest, VersionsNeedTheirKeyForThemselves) {
  begin({{"KV.GET", "a"}, {"SET", "b", "v"}});
  const std::string alone = client.say("EXEC");
  EXPECT_EQ(alone.find("-ERR"), std::string::npos) << alone;
  begin({{"KV.GET", "a"}, {"SET", "a", "v"}});
  EXPECT_EQ(client.say("EXEC"),
            "*2\r\n-ERR in a transaction this command must be the only one of its key\r\n+OK\r\n");
}

TEST_F(TransactionRunnerTest, MoreOperationsThanAreAskedAtOnce) {
  EXPECT_EQ(client.say("MULTI"), "+OK\r\n");
  const size_t count = TransactionRunner::kOperationsAtOnce + 10;
  std::string expected = "*" + std::to_string(count) + "\r\n";
  for (size_t i = 0; i < count; ++i) {
    client.say("INCR", "k" + std::to_string(i));
    expected += ":1\r\n";
  }
  EXPECT_EQ(client.say("EXEC"), expected);
}

TEST(TransactionLimits, AQueueHoldsAQuarterOfWhatMayBeInFlight) {
  InFlight in_flight{16 << 20};
  InFlightShare share{in_flight};
  DispatcherOptions options;
  options.in_flight = &share;
  CommandCluster cluster{1, {}, options};
  TestClient client{cluster, 0};
  const std::string value(1 << 20, 'x');
  EXPECT_EQ(client.say("MULTI"), "+OK\r\n");
  size_t taken = 0;
  std::string reply;
  while ((reply = client.say("SET", "k", value)) == "+QUEUED\r\n") ++taken;
  EXPECT_EQ(taken, 3u);
  EXPECT_EQ(reply.substr(0, 24), "-OOM command not allowed") << reply;
  EXPECT_EQ(client.say("EXEC"), "-EXECABORT Transaction discarded because of previous errors.\r\n");
  EXPECT_EQ(client.say("SET", "k", value), "+OK\r\n");
}

}  // namespace
}  // namespace kvorum::server
