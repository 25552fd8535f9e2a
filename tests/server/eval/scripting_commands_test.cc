// SPDX-License-Identifier: Apache-2.0
// EVAL and its relatives down to the tables: what a script sees and answers, where it runs, and
// how it meets others.
#include <gmock/gmock.h>

#include "server/lua/sha1.h"
#include "server/script/script_task.h"
#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::StartsWith;

constexpr std::string_view kLimiter =
    "local n = redis.call('INCR', KEYS[1])\n"
    "if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end\n"
    "return {n, redis.call('PTTL', KEYS[1])}";
// More instructions than a reactor gives.
constexpr std::string_view kLong =
    "for i = 1, 2000000 do end return redis.call('INCRBY', KEYS[1], ARGV[1])";

struct EvalTest : ::testing::Test {
  std::string eval(std::string_view script, std::vector<std::string> keys = {},
                   std::vector<std::string> arguments = {}) {
    return client.line(command("EVAL", script, std::move(keys), std::move(arguments)));
  }
  static std::string command(std::string_view name, std::string_view script,
                             std::vector<std::string> keys, std::vector<std::string> arguments) {
    std::vector<std::string> words{std::string(name), std::string(script),
                                   std::to_string(keys.size())};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), arguments.begin(), arguments.end());
    return TestClient::resp(words);
  }
  uint64_t puts() const { return cluster.nodes[0]->coordinator.counters().puts; }
  uint64_t gets() const { return cluster.nodes[0]->coordinator.counters().gets; }

  CommandCluster cluster{1};
  TestClient client{cluster, 0};
};

TEST_F(EvalTest, AScriptOfOneKeyIsOnePut) {
  const uint64_t puts_before = puts(), gets_before = gets();
  EXPECT_EQ(eval(kLimiter, {"k"}, {"5000"}), "*2\r\n:1\r\n:5000\r\n");
  EXPECT_EQ(eval(kLimiter, {"k"}, {"9000"}), "*2\r\n:2\r\n:5000\r\n");
  EXPECT_EQ(puts() - puts_before, 2u);
  EXPECT_EQ(gets() - gets_before, 0u);
  EXPECT_EQ(client.say("GET", "k"), "$1\r\n2\r\n");
}

TEST_F(EvalTest, WhatOnlyReadsWritesNothing) {
  client.say("SET", "k", "v");
  const uint64_t dot = cluster.nodes[0]->coordinator.counters().puts;
  EXPECT_EQ(eval("return redis.call('GET', KEYS[1])", {"k"}), "$1\r\nv\r\n");
  EXPECT_EQ(eval("return redis.call('SET', KEYS[1], 'w', 'NX')", {"k"}), "$-1\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$1\r\nv\r\n");
  EXPECT_GE(puts(), dot);
}

// As in Redis: what it did before stays.
TEST_F(EvalTest, AnErrorLeavesWhatWasDoneBefore) {
  EXPECT_TRUE(eval("redis.call('SET', KEYS[1], 'v') error('no more')", {"k"})
                  .starts_with("-ERR user_script:1: no more script: "));
  EXPECT_EQ(client.say("GET", "k"), "$1\r\nv\r\n");
}

TEST_F(EvalTest, KeysMustBeDeclared) {
  EXPECT_TRUE(eval("return redis.call('GET', 'other')", {"k"})
                  .starts_with("-ERR Script attempted to access a key that it did not declare "));
  EXPECT_TRUE(eval("return redis.call('GET', 'other')")
                  .starts_with("-ERR Script attempted to access a key that it did not declare "));
  EXPECT_EQ(eval("return redis.pcall('MSET', KEYS[1], 'a', 'other', 'b')", {"k"}),
            "-ERR Script attempted to access a key that it did not declare\r\n");
  EXPECT_EQ(client.say("EXISTS", "k"), ":0\r\n");  // not even the one that was
}

TEST_F(EvalTest, AReadOnlyScriptMayNotWrite) {
  EXPECT_TRUE(client.line(command("EVAL_RO", "return redis.call('SET', KEYS[1], 'v')", {"k"}, {}))
                  .starts_with("-ERR Write commands are not allowed from read-only scripts. "));
  EXPECT_EQ(client.line(command("EVAL_RO", "return redis.call('GET', KEYS[1])", {"k"}, {})),
            "$-1\r\n");
}

TEST_F(EvalTest, WhereMemoryIsFull) {
  client.say("SET", "k", "v");
  cluster.nodes[0]->table.set_limit(1, engine::EvictionPolicy::kNone);
  EXPECT_THAT(eval("return redis.call('SET', KEYS[1], 'w')", {"k"}),
              StartsWith("-OOM command not allowed when used memory > 'maxmemory'."));
  EXPECT_EQ(eval("return redis.pcall('SET', KEYS[1], 'w')['err']", {"k"}),
            "$55\r\nOOM command not allowed when used memory > 'maxmemory'.\r\n");
  EXPECT_EQ(eval("return redis.call('GET', KEYS[1])", {"k"}), "$1\r\nv\r\n");
  EXPECT_EQ(eval("redis.call('DEL', KEYS[1])\nreturn redis.call('EXISTS', KEYS[1])", {"k"}),
            ":0\r\n");
  EXPECT_EQ(eval("#!lua\nreturn 1"),
            "-OOM allow-oom flag is not set on the script, can not run it when used memory > "
            "'maxmemory'\r\n");
  EXPECT_EQ(eval("#!lua flags=allow-oom\nreturn 1"), ":1\r\n");
  EXPECT_EQ(eval("#!lua flags=no-writes\nreturn 1"), ":1\r\n");
  EXPECT_THAT(client.say("FUNCTION", "LOAD",
                         "#!lua name=l\nredis.register_function('f', function() "
                         "return 1 end)"),
              StartsWith("-OOM command not allowed"));
  cluster.nodes[0]->table.set_limit(0, engine::EvictionPolicy::kNone);
  EXPECT_EQ(eval("#!lua\nreturn 1"), ":1\r\n");
}

// Replies of all kinds, as a script sees them and hands them on.
TEST_F(EvalTest, DebugWhereThatIsAllowed) {
  constexpr std::string_view kBig =
      "redis.setresp(3) return redis.call('DEBUG', 'PROTOCOL', 'bignum')['big_number']";
  EXPECT_THAT(eval(kBig), StartsWith("-ERR This Redis command is not allowed from script"));
  cluster.nodes[0]->dispatcher.facts().logbook().debug = DebugAccess::kEverybody;
  EXPECT_EQ(client.say("DEBUG", "SET-DISABLE-DENY-SCRIPTS", "1"), "+OK\r\n");
  EXPECT_EQ(eval(kBig), "$37\r\n1234567999999999999999999999999999999\r\n");
  const auto shown = [&](const std::string& kind, const std::string& how = "") {
    return eval("redis.setresp(3) return redis.call('DEBUG', 'PROTOCOL', '" + kind + "')" + how);
  };
  EXPECT_THAT(shown("map"), StartsWith("*6\r\n"));
  EXPECT_EQ(shown("map", "['map'][1]"), ":1\r\n");
  EXPECT_EQ(shown("set", "['set'][2]"), ":1\r\n");
  EXPECT_EQ(shown("verbatim", "['verbatim_string']['format']"), "$3\r\ntxt\r\n");
  EXPECT_EQ(shown("double", "['double'] * 1000"), ":3141\r\n");
  EXPECT_EQ(shown("null"), "$-1\r\n");
  EXPECT_EQ(shown("attrib"), "$39\r\nSome real reply following the attribute\r\n");
  EXPECT_EQ(eval("return redis.call('DEBUG', 'PROTOCOL', 'array')"), "*3\r\n:0\r\n:1\r\n:2\r\n");
  EXPECT_EQ(eval("return {big_number='12\\r\\n3'}"), "$5\r\n12  3\r\n") << "of one line";
  EXPECT_EQ(client.say("DEBUG", "SET-DISABLE-DENY-SCRIPTS", "0"), "+OK\r\n");
  EXPECT_THAT(eval(kBig), StartsWith("-ERR This Redis command is not allowed from script"));
}

TEST_F(EvalTest, ByName) {
  const std::string sha = sha1_hex("return ARGV[1]");
  EXPECT_EQ(client.line(command("EVALSHA", sha, {}, {"x"})),
            "-NOSCRIPT No matching script. Please use EVAL.\r\n");
  EXPECT_EQ(client.say("SCRIPT", "LOAD", "return ARGV[1]"), "$40\r\n" + sha + "\r\n");
  EXPECT_EQ(client.say("SCRIPT", "EXISTS", sha, "x"), "*2\r\n:1\r\n:0\r\n");
  EXPECT_EQ(client.line(command("EVALSHA", sha, {}, {"x"})), "$1\r\nx\r\n");
  EXPECT_EQ(client.line(command("EVALSHA", sha, {"k"}, {"y"})), "$1\r\ny\r\n");
  EXPECT_EQ(client.say("SCRIPT", "FLUSH"), "+OK\r\n");
  EXPECT_EQ(client.say("SCRIPT", "EXISTS", sha), "*1\r\n:0\r\n");
}

TEST_F(EvalTest, ALongScriptRunsElsewhereAndIsTheSame) {
  EXPECT_EQ(eval(kLong, {"k"}, {"7"}), ":7\r\n");
  EXPECT_EQ(eval(kLong, {"k"}, {"7"}), ":14\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$2\r\n14\r\n");
}

// The order of one connection's commands for one key is kept.
TEST_F(EvalTest, ALongScriptHoldsItsPlaceInThePipeline) {
  const std::string replies =
      client.line(TestClient::resp({"SET", "k", "1"}) + command("EVAL", kLong, {"k"}, {"5"}) +
                  TestClient::resp({"GET", "k"}) + command("EVAL", kLong, {"k"}, {"5"}) +
                  TestClient::resp({"GET", "k"}));
  EXPECT_EQ(replies, "+OK\r\n:6\r\n$1\r\n6\r\n:11\r\n$2\r\n11\r\n");
}

TEST_F(EvalTest, InATransactionItIsAStepOfItsKey) {
  client.say("MULTI");
  client.say("SET", "k", "1");
  EXPECT_EQ(eval("return redis.call('INCRBY', KEYS[1], 5)", {"k"}), "+QUEUED\r\n");
  EXPECT_EQ(eval("return 'no key'"), "+QUEUED\r\n");
  client.say("GET", "k");
  EXPECT_EQ(client.say("EXEC"), "*4\r\n+OK\r\n:6\r\n$6\r\nno key\r\n$1\r\n6\r\n");
}

TEST_F(EvalTest, ALongScriptInATransactionIsRefused) {
  client.say("MULTI");
  eval(kLong, {"k"}, {"5"});
  client.say("SET", "k", "v");
  EXPECT_EQ(client.say("EXEC"),
            "*2\r\n-ERR the script takes too long to run within a transaction\r\n+OK\r\n");
}

// Keys with one tag are of one partition.
struct EvalSeveralKeysTest : ::testing::Test {
  static void with_slots(cluster::Founding& founding) {
    founding.partitioner = Partitioner::kSlots;
  }
  std::string eval(std::string_view script, std::vector<std::string> keys,
                   std::vector<std::string> arguments = {}) {
    return client.line(EvalTest::command("EVAL", script, std::move(keys), std::move(arguments)));
  }

  CommandCluster cluster{1, with_slots};
  TestClient client{cluster, 0};
};

TEST_F(EvalSeveralKeysTest, OfOnePartition) {
  EXPECT_EQ(eval("redis.call('SET', KEYS[1], ARGV[1]) redis.call('INCR', KEYS[2]) "
                 "return redis.call('MGET', unpack(KEYS))",
                 {"{t}a", "{t}b", "{t}c", "{t}a"}, {"x"}),
            "*4\r\n$1\r\nx\r\n$1\r\n1\r\n$-1\r\n$1\r\nx\r\n");
  EXPECT_EQ(client.say("MGET", "{t}a", "{t}b"), "*2\r\n$1\r\nx\r\n$1\r\n1\r\n");
}

TEST_F(EvalSeveralKeysTest, OfSeveralPartitionsAreRefused) {
  CommandCluster many{1};
  TestClient other{many, 0};
  EXPECT_EQ(other.line(EvalTest::command("EVAL", "return 1", {"a", "b", "c", "d"}, {})),
            "-CROSSSLOT Keys in request don't hash to the same slot\r\n");
}

TEST(EvalCluster, AScriptIsKnownAtEveryNode) {
  CommandCluster cluster(3);
  TestClient a(cluster, 0), b(cluster, 1);
  const std::string script = "return redis.call('INCR', KEYS[1])";
  const std::string sha = sha1_hex(script);
  EXPECT_EQ(a.say("SCRIPT", "LOAD", script), "$40\r\n" + sha + "\r\n");
  EXPECT_EQ(b.line(EvalTest::command("EVALSHA", sha, {"k"}, {})), ":1\r\n");
  EXPECT_EQ(b.line(EvalTest::command("EVALSHA", sha, {"k"}, {})), ":2\r\n");
  EXPECT_EQ(a.say("SCRIPT", "FLUSH"), "+OK\r\n");
  EXPECT_EQ(b.say("SCRIPT", "EXISTS", sha), "*1\r\n:0\r\n");
  EXPECT_EQ(b.line(EvalTest::command("EVALSHA", sha, {"k"}, {})),
            "-NOSCRIPT No matching script. Please use EVAL.\r\n");
}

// Ten clients of three nodes at once: none is lost, whoever coordinates.
TEST(EvalCluster, ScriptsOfOneKeyDoNotMeet) {
  CommandCluster cluster(3);
  std::vector<std::unique_ptr<TestClient>> clients;
  for (size_t at = 0; at < 10; ++at) {
    clients.push_back(std::make_unique<TestClient>(cluster, at % 3));
  }
  std::string replies;
  for (const auto& client : clients) {
    replies += client->send(EvalTest::command("EVAL", kLimiter, {"k"}, {"60000"}));
  }
  cluster.settle();
  for (const auto& client : clients) replies += client->take();
  for (int n = 1; n <= 10; ++n) {
    EXPECT_NE(replies.find("*2\r\n:" + std::to_string(n) + "\r\n"), std::string::npos) << n;
  }
}

TEST(EvalCluster, LongScriptsOfOneKeyGiveWayAndBeginAgain) {
  CommandCluster cluster(3);
  std::vector<std::unique_ptr<TestClient>> clients;
  for (size_t at = 0; at < 3; ++at) clients.push_back(std::make_unique<TestClient>(cluster, at));
  for (const auto& client : clients) client->send(EvalTest::command("EVAL", kLong, {"k"}, {"1"}));
  cluster.settle();
  std::string replies;
  for (const auto& client : clients) replies += client->take();
  EXPECT_EQ(replies.size(), 12u) << replies;
  EXPECT_EQ(clients[0]->say("GET", "k"), "$1\r\n3\r\n");
}

}  // namespace
}  // namespace kvorum::server
