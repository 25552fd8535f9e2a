// SPDX-License-Identifier: Apache-2.0
#include "server/commands/memcached_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/commands/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Memcached : public ::testing::TestWithParam<size_t> {
 protected:
  CommandCluster cluster{GetParam()};
  TestClient m{cluster, 0, TestClient::memcached()};
  TestClient redis{cluster, GetParam() - 1};

  std::string cas_of(const std::string& key) {
    const std::string reply = m.line("gets " + key + "\r\n");
    const std::string head = reply.substr(0, reply.find("\r\n"));
    return head.substr(head.rfind(' ') + 1);
  }
};
INSTANTIATE_TEST_SUITE_P(Nodes, Memcached, ::testing::Values(1, 3));

TEST_P(Memcached, StoresWithFlags) {
  EXPECT_EQ(m.line("set k 7 0 5\r\nhello\r\n"), "STORED\r\n");
  EXPECT_EQ(m.line("get k\r\n"), "VALUE k 7 5\r\nhello\r\nEND\r\n");
  EXPECT_EQ(redis.say("GET", "k"), "$5\r\nhello\r\n");
  EXPECT_EQ(redis.say("SET", "k", "x"), "+OK\r\n");
  EXPECT_EQ(m.line("get k\r\n"), "VALUE k 0 1\r\nx\r\nEND\r\n");
  EXPECT_EQ(m.line("get absent\r\n"), "END\r\n");
  EXPECT_EQ(m.line("get absent k absent2 k\r\n"),
            "VALUE k 0 1\r\nx\r\nVALUE k 0 1\r\nx\r\nEND\r\n");
}

TEST_P(Memcached, ConditionalStores) {
  EXPECT_EQ(m.line("replace k 0 0 1\r\n1\r\n"), "NOT_STORED\r\n");
  EXPECT_EQ(m.line("append k 0 0 1\r\n1\r\n"), "NOT_STORED\r\n");
  EXPECT_EQ(m.line("add k 5 0 1\r\n1\r\n"), "STORED\r\n");
  EXPECT_EQ(m.line("add k 5 0 1\r\n2\r\n"), "NOT_STORED\r\n");
  EXPECT_EQ(m.line("append k 9 9 1\r\n2\r\n"), "STORED\r\n");
  EXPECT_EQ(m.line("prepend k 9 9 1\r\n0\r\n"), "STORED\r\n");
  EXPECT_EQ(m.line("get k\r\n"), "VALUE k 5 3\r\n012\r\nEND\r\n");
  EXPECT_EQ(m.line("replace k 6 0 1\r\n9\r\n"), "STORED\r\n");
  EXPECT_EQ(m.line("get k\r\n"), "VALUE k 6 1\r\n9\r\nEND\r\n");
}

TEST_P(Memcached, CasComparesWhatWasRead) {
  EXPECT_EQ(m.line("cas k 0 0 1 1\r\nx\r\n"), "NOT_FOUND\r\n");
  m.line("set k 0 0 1\r\n1\r\n");
  const std::string unique = cas_of("k");
  EXPECT_EQ(m.line("cas k 0 0 1 " + unique + "\r\n2\r\n"), "STORED\r\n");
  EXPECT_EQ(m.line("cas k 0 0 1 " + unique + "\r\n3\r\n"), "EXISTS\r\n");
  EXPECT_EQ(m.line("get k\r\n"), "VALUE k 0 1\r\n2\r\nEND\r\n");
}

TEST_P(Memcached, SiblingsHaveOneCas) {
  redis.say("KV.PUT", "k", "", "one");
  redis.say("KV.PUT", "k", "", "two");
  EXPECT_EQ(m.line("get k\r\n"), "VALUE k 0 3\r\ntwo\r\nEND\r\n");
  const std::string unique = cas_of("k");
  EXPECT_EQ(m.line("gets k\r\n"),
            "VALUE k 0 3 " + unique + "\r\ntwo\r\nVALUE k 0 3 " + unique + "\r\none\r\nEND\r\n");
  EXPECT_EQ(m.line("append k 0 0 1\r\nx\r\n"),
            "SERVER_ERROR conflict 2 siblings; read with KV.GET, write back with KV.PUT\r\n");
  EXPECT_EQ(m.line("cas k 0 0 4 " + unique + "\r\nboth\r\n"), "STORED\r\n");
  EXPECT_EQ(redis.say("GET", "k"), "$4\r\nboth\r\n");
}

TEST_P(Memcached, Counts) {
  EXPECT_EQ(m.line("incr n 1\r\n"), "NOT_FOUND\r\n");
  m.line("set n 3 0 2\r\n41\r\n");
  EXPECT_EQ(m.line("incr n 1\r\n"), "42\r\n");
  EXPECT_EQ(m.line("decr n 50\r\n"), "0\r\n");
  EXPECT_EQ(m.line("incr n 18446744073709551615\r\n"), "18446744073709551615\r\n");
  EXPECT_EQ(m.line("incr n 2\r\n"), "1\r\n");
  EXPECT_EQ(m.line("get n\r\n"), "VALUE n 3 1\r\n1\r\nEND\r\n");
  m.line("set n 0 0 1\r\nx\r\n");
  EXPECT_EQ(m.line("incr n 1\r\n"),
            "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
  EXPECT_EQ(m.line("incr n x\r\n"), "CLIENT_ERROR invalid numeric delta argument\r\n");
}

TEST_P(Memcached, DeletesAndTouches) {
  m.line("set k 0 0 1\r\n1\r\n");
  EXPECT_EQ(m.line("touch k 100\r\n"), "TOUCHED\r\n");
  EXPECT_EQ(redis.say("TTL", "k"), ":100\r\n");
  EXPECT_EQ(m.line("gat 0 k absent\r\n"), "VALUE k 0 1\r\n1\r\nEND\r\n");
  EXPECT_EQ(redis.say("TTL", "k"), ":-1\r\n");
  EXPECT_EQ(m.line("gat 0 k\r\n"), "VALUE k 0 1\r\n1\r\nEND\r\n");
  EXPECT_EQ(m.line("touch absent 0\r\n"), "NOT_FOUND\r\n");
  EXPECT_EQ(m.line("delete k\r\n"), "DELETED\r\n");
  EXPECT_EQ(m.line("delete k\r\n"), "NOT_FOUND\r\n");
}

TEST_P(Memcached, TheCasOfGatsIsTheOneAfterIt) {
  m.line("set k 4 0 1\r\n1\r\n");
  for (const char* exptime : {"100", "100", "0"}) {
    const std::string reply = m.line(std::string("gats ") + exptime + " k\r\n");
    EXPECT_EQ(reply, "VALUE k 4 1 " + cas_of("k") + "\r\n1\r\nEND\r\n") << exptime;
    cluster.pass_ms(10);
  }
}

TEST_P(Memcached, Expires) {
  m.line("set k 0 1 1\r\n1\r\n");
  m.line("set gone 0 -1 1\r\n1\r\n");
  EXPECT_EQ(m.line("get k gone\r\n"), "VALUE k 0 1\r\n1\r\nEND\r\n");
  cluster.pass_ms(1000);
  EXPECT_EQ(m.line("get k\r\n"), "END\r\n");
}

TEST_P(Memcached, NoReply) {
  EXPECT_EQ(m.line("set k 0 0 1 noreply\r\n1\r\nadd k 0 0 1 noreply\r\n2\r\nincr x 1 noreply\r\n"
                   "delete y noreply\r\nget k\r\n"),
            "VALUE k 0 1\r\n1\r\nEND\r\n");
}

TEST_P(Memcached, FlushesAtOnceOrLater) {
  m.line("set k 0 0 1\r\n1\r\n");
  EXPECT_EQ(m.line("flush_all 1\r\n"), "OK\r\n");
  EXPECT_EQ(m.line("get k\r\n"), "VALUE k 0 1\r\n1\r\nEND\r\n");
  cluster.pass_ms(1100);
  EXPECT_EQ(m.line("get k\r\n"), "END\r\n");
  m.line("set k 0 0 1\r\n1\r\n");
  EXPECT_EQ(m.line("flush_all\r\n"), "OK\r\n");
  EXPECT_EQ(m.line("get k\r\n"), "END\r\n");
  EXPECT_EQ(redis.say("DBSIZE"), ":0\r\n");
}

TEST_P(Memcached, OtherCommands) {
  EXPECT_THAT(m.line("version\r\n"), StartsWith("VERSION 1.6."));
  EXPECT_EQ(m.line("verbosity 1\r\n"), "OK\r\n");
  EXPECT_THAT(m.line("stats\r\n"), StartsWith("STAT pid "));
  EXPECT_EQ(m.line("stats settings\r\n"), "END\r\n");
  EXPECT_EQ(m.line("stats noreply\r\n"), "ERROR\r\n");
  EXPECT_EQ(m.line("mn\r\n"), "MN\r\n");
  EXPECT_EQ(m.line("nosuch\r\n"), "ERROR\r\n");
  EXPECT_EQ(m.line("get " + std::string(251, 'k') + "\r\n"),
            "CLIENT_ERROR bad command line format\r\n");
  EXPECT_EQ(m.line("quit\r\n"), "");
  EXPECT_TRUE(m.conversation().closing());
}

TEST(MemcachedLimits, ARefusedSetDeletesTheOldValue) {
  DispatcherOptions options;
  options.value_bytes_max = 10;
  CommandCluster cluster(1, {}, options);
  TestClient m(cluster, 0, TestClient::memcached());
  EXPECT_EQ(m.line("set k 0 0 1\r\n1\r\n"), "STORED\r\n");
  EXPECT_EQ(m.line("set k 0 0 11\r\n12345678901\r\n"),
            "SERVER_ERROR object too large for cache\r\n");
  EXPECT_EQ(m.line("get k\r\n"), "END\r\n");
}

TEST(MemcachedPassword, IsGivenBySet) {
  DispatcherOptions options;
  options.password = "secret";
  CommandCluster cluster(1, {}, options);
  ConversationOptions unknown = TestClient::memcached();
  unknown.authenticated = false;
  TestClient m(cluster, 0, unknown);
  EXPECT_EQ(m.line("get k\r\n"), "CLIENT_ERROR unauthenticated\r\n");
  EXPECT_EQ(m.line("set x 0 0 13\r\ndefault wrong\r\n"), "CLIENT_ERROR authentication failure\r\n");
  EXPECT_EQ(m.line("set x 0 0 14\r\ndefault secret\r\nget x\r\n"), "STORED\r\nEND\r\n");
}

TEST(MemcachedDeadline, FollowsItsRules) {
  constexpr uint64_t kNow = 1'700'000'000'000;
  EXPECT_EQ(memcached_deadline_ms(0, kNow), 0u);
  EXPECT_EQ(memcached_deadline_ms(10, kNow), kNow + 10'000);
  EXPECT_EQ(memcached_deadline_ms(2'592'000, kNow), kNow + 2'592'000'000);
  EXPECT_EQ(memcached_deadline_ms(2'592'001, kNow), 2'592'001'000u);
  EXPECT_LT(memcached_deadline_ms(-1, kNow), kNow);
  EXPECT_GT(memcached_deadline_ms(INT64_MAX, kNow), kNow);
}

}  // namespace
}  // namespace kvorum::server
