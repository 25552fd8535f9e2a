// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/memcached_commands.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
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
  EXPECT_EQ(m.line("get n\r\n"), "VALUE n 3 20\r\n1                   \r\nEND\r\n");
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

TEST_P(Memcached, CountsWhatMemcachedCounts) {
  for (const char* number : {"99 ", " 99", "+99", "99\n", "099", "99 x", "\t99"}) {
    const std::string size = std::to_string(std::string_view(number).size());
    EXPECT_EQ(m.line("set n 0 0 " + size + "\r\n" + number + "\r\nincr n 1\r\n"),
              "STORED\r\n100\r\n")
        << number;
    const std::string blanks = number == std::string_view("99 x") ? " " : "";
    EXPECT_EQ(m.line("get n\r\n"),
              fmt::format("VALUE n 0 {}\r\n100{}\r\nEND\r\n", 3 + blanks.size(), blanks));
  }
  EXPECT_THAT(m.line("set n 0 0 3\r\n9x9\r\nincr n 1\r\n"), HasSubstr("CLIENT_ERROR cannot inc"));
  EXPECT_EQ(m.line("set n 0 0 1\r\n5\r\nincr n +1\r\n"), "STORED\r\n6\r\n");
}

TEST_P(Memcached, ANumberThatGetsShorterIsPaddedWithBlanks) {
  EXPECT_EQ(m.line("set n 0 0 2\r\n10\r\ndecr n 1\r\n"), "STORED\r\n9\r\n");
  EXPECT_EQ(m.line("get n\r\n"), "VALUE n 0 2\r\n9 \r\nEND\r\n");
  EXPECT_EQ(m.line("incr n 90\r\nincr n 1\r\n"), "99\r\n100\r\n");
  EXPECT_EQ(m.line("get n\r\n"), "VALUE n 0 3\r\n100\r\nEND\r\n");
}

// Its deadline is no part of an item: who touches it, in either dialect, changes no cas unique.
TEST_P(Memcached, ATouchLeavesTheCasUnique) {
  m.line("set k 4 0 1\r\n1\r\n");
  const std::string unique = cas_of("k");
  m.line("touch k 100\r\n");
  EXPECT_EQ(cas_of("k"), unique);
  EXPECT_THAT(m.line("gats 200 k\r\n"), HasSubstr(" " + unique + "\r\n"));
  m.line("gat 0 k\r\n");
  redis.say("EXPIRE", "k", "300");
  redis.say("GETEX", "k", "EX", "400");
  redis.say("PERSIST", "k");
  EXPECT_EQ(cas_of("k"), unique);
  EXPECT_EQ(m.line("cas k 0 0 1 " + unique + "\r\n2\r\n"), "STORED\r\n");
}

TEST_P(Memcached, EveryOtherChangeChangesTheCasUnique) {
  m.line("set k 4 0 1\r\n1\r\n");
  std::string unique = cas_of("k");
  for (const char* change : {"set k 4 0 1\r\n1\r\n", "set k 5 0 1\r\n1\r\n", "incr k 1\r\n",
                             "decr k 1\r\n", "append k 0 0 1\r\n0\r\n", "replace k 4 0 1\r\n1\r\n",
                             "delete k\r\nadd k 4 0 1\r\n1\r\n"}) {
    m.line(change);
    EXPECT_NE(cas_of("k"), unique) << change;
    EXPECT_EQ(m.line("cas k 0 0 1 " + unique + "\r\n9\r\n"), "EXISTS\r\n") << change;
    unique = cas_of("k");
  }
  redis.say("SET", "k", "1");
  EXPECT_NE(cas_of("k"), unique);
}

TEST_P(Memcached, CountsItsCommands) {
  m.line("set k 0 0 1\r\n1\r\nadd k 0 0 1\r\n1\r\nget k k absent\r\ngats 100 k\r\n");
  m.line("gat 100 absent\r\ntouch k 100\r\ntouch absent 100\r\n");
  m.line("incr k 1\r\nincr absent 1\r\ndecr k 1\r\ndecr absent 1\r\n");
  m.line("cas absent 0 0 1 1\r\n1\r\ncas k 0 0 1 1\r\n1\r\n");
  m.line("cas k 0 0 1 " + cas_of("k") + "\r\n1\r\n");
  m.line("delete k\r\ndelete k\r\nset k 0 1 1\r\n1\r\n");
  cluster.pass_ms(1000);
  m.line("get k\r\nflush_all\r\n");
  const std::string stats = m.line("stats\r\n");
  const std::pair<const char*, int> expected[] = {
      {"cmd_get", 5},          {"get_hits", 3},        {"get_misses", 2},
      {"cmd_set", 6},          {"total_items", 3},     {"cmd_touch", 4},
      {"touch_hits", 2},       {"touch_misses", 2},    {"incr_hits", 1},
      {"incr_misses", 1},      {"decr_hits", 1},       {"decr_misses", 1},
      {"cas_misses", 1},       {"cas_badval", 1},      {"cas_hits", 1},
      {"delete_hits", 1},      {"cmd_flush", 1},       {"delete_misses", 1},
      {"cmd_meta", 0},         {"auth_cmds", 0},       {"auth_errors", 0},
      {"store_too_large", 0},  {"store_no_memory", 0}, {"listen_disabled_num", 0},
      {"time", 1'700'000'000},
  };
  for (const auto& [name, count] : expected) {
    EXPECT_THAT(stats, HasSubstr(fmt::format("STAT {} {}\r\n", name, count)));
  }
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
  EXPECT_THAT(m.line("version\r\n"), MatchesRegex("VERSION [0-9]+\\.[0-9]+\\.[0-9]+\r\n"));
  EXPECT_EQ(m.line("verbosity 1\r\n"), "OK\r\n");
  EXPECT_THAT(m.line("stats\r\n"), StartsWith("STAT pid "));
  EXPECT_THAT(m.line("stats settings\r\n"), HasSubstr("STAT maxconns 0\r\n"));
  EXPECT_THAT(m.line("stats slabs\r\n"), HasSubstr("STAT active_slabs "));
  EXPECT_EQ(m.line("stats sizes\r\n"), "STAT sizes_status disabled\r\nEND\r\n");
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
  EXPECT_THAT(m.line("stats\r\n"), HasSubstr("STAT store_too_large 1\r\n"));
}

// As memcached reckons it: 59 bytes, the key, four where there are flags, and the value.
TEST(MemcachedLimits, AnItemHasKeyAndHeaderToo) {
  DispatcherOptions options;
  options.item_bytes_max = 100;
  CommandCluster cluster(1, {}, options);
  TestClient m(cluster, 0, TestClient::memcached());
  const std::string refusal = "SERVER_ERROR object too large for cache\r\n";
  const auto set = [&](const std::string& line, size_t bytes) {
    return m.line(line + std::to_string(bytes) + "\r\n" + std::string(bytes, 'x') + "\r\n");
  };
  EXPECT_EQ(set("set k 0 0 ", 40), "STORED\r\n");
  EXPECT_EQ(set("set k 0 0 ", 41), refusal);
  EXPECT_EQ(set("set k 7 0 ", 36), "STORED\r\n");
  EXPECT_EQ(set("set k 7 0 ", 37), refusal);
  EXPECT_EQ(set("set key 0 0 ", 39), refusal);
  EXPECT_EQ(set("ms k ", 40), "HD\r\n");
  EXPECT_EQ(set("ms k ", 41), refusal);
  const auto meta_set = [&](const std::string& key, size_t bytes, const std::string& flags) {
    return m.line("ms " + key + " " + std::to_string(bytes) + " " + flags + "\r\n" +
                  std::string(bytes, 'x') + "\r\n");
  };
  EXPECT_EQ(meta_set("a2V5", 38, "b"), "HD\r\n");  // its key has three bytes
  EXPECT_EQ(meta_set("a2V5", 39, "b"), refusal);
  EXPECT_EQ(meta_set("aw==", 40, "b"), "HD\r\n");
  EXPECT_EQ(meta_set("aw==", 41, "b"), refusal);
  EXPECT_EQ(meta_set("k", 36, "F7"), "HD\r\n");
  EXPECT_EQ(meta_set("k", 37, "F7"), refusal);
  EXPECT_EQ(meta_set("k", 40, "F0"), "HD\r\n");
  EXPECT_THAT(m.line("stats settings\r\n"), HasSubstr("STAT item_size_max 100\r\n"));
  EXPECT_EQ(set("set k 0 0 ", 30), "STORED\r\n");
  EXPECT_EQ(set("append k 0 0 ", 11), "NOT_STORED\r\n");
  EXPECT_EQ(m.line("ms k 11 MA\r\n12345678901\r\n"), "NS\r\n");
  EXPECT_EQ(set("prepend k 0 0 ", 10), "STORED\r\n");
  TestClient redis(cluster, 0);
  const std::string large(1000, 'x');
  EXPECT_EQ(redis.say("SET", "k", large), "+OK\r\n");
  EXPECT_EQ(m.line("get k\r\n"), "VALUE k 0 1000\r\n" + large + "\r\nEND\r\n");
}

// The get waits for the delete of its key, and is parsed again then: behind what was refused, which
// is never taken for commands.
TEST(MemcachedLimits, ARefusedBlockIsNotReadAgain) {
  DispatcherOptions options;
  options.value_bytes_max = 10;
  CommandCluster cluster(3, {}, options);
  TestClient m(cluster, 0, TestClient::memcached());
  EXPECT_EQ(m.line("set k 0 0 1\r\n1\r\n"), "STORED\r\n");
  EXPECT_EQ(m.line("set k 0 0 20\r\nmn\r\nmn\r\nmn\r\nmn\r\nmn\r\n\r\nget k\r\nget k\r\n"),
            "SERVER_ERROR object too large for cache\r\nEND\r\nEND\r\n");
}

TEST(MemcachedPassword, IsGivenBySet) {
  DispatcherOptions options;
  options.passwords = {"secret", "other"};
  CommandCluster cluster(1, {}, options);
  ConversationOptions unknown = TestClient::memcached();
  unknown.authenticated = false;
  TestClient m(cluster, 0, unknown);
  EXPECT_EQ(m.line("get k\r\n"), "CLIENT_ERROR unauthenticated\r\n");
  EXPECT_EQ(m.line("set x 0 0 13\r\ndefault wrong\r\n"), "CLIENT_ERROR authentication failure\r\n");
  EXPECT_EQ(cluster.nodes[0]->logins_failed, 1u);
  cluster.nodes[0]->login_delay = 100'000;
  EXPECT_EQ(m.send("set x 0 0 14\r\ndefault secret\r\nget x\r\n"), "");
  cluster.pass_ms(100);
  EXPECT_EQ(m.line(""), "STORED\r\nEND\r\n");
  const std::string stats = m.line("stats\r\n");
  EXPECT_THAT(stats, HasSubstr("STAT auth_cmds 2\r\n"));
  EXPECT_THAT(stats, HasSubstr("STAT auth_errors 1\r\n"));
  TestClient second(cluster, 0, unknown);
  EXPECT_EQ(second.line("set x 0 0 13\r\ndefault other\r\n"), "STORED\r\n");
}

TEST(MemcachedDeadline, FollowsItsRules) {
  constexpr uint64_t kNow = 1'700'000'000'000;
  EXPECT_EQ(memcached_deadline_ms(0, kNow), 0u);
  EXPECT_EQ(memcached_deadline_ms(10, kNow), kNow + 10'000);
  EXPECT_EQ(memcached_deadline_ms(2'592'000, kNow), kNow + 2'592'000'000);
  EXPECT_EQ(memcached_deadline_ms(2'592'001, kNow), 2'592'001'000u);
  EXPECT_LT(memcached_deadline_ms(-1, kNow), kNow);
  EXPECT_EQ(memcached_deadline_ms(INT32_MAX, kNow), 2'147'483'647'000u);
}

}  // namespace
}  // namespace kvorum::server
