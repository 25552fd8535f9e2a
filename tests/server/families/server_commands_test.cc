// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Server : public ::testing::Test {
 protected:
  CommandCluster cluster{1};
  TestClient client{cluster, 0};
};

TEST_F(Server, InfoHasItsSections) {
  const std::string all = client.say("INFO");
  for (const char* section : {"Server", "Clients", "Memory", "Persistence", "Stats", "Replication",
                              "CPU", "Cluster", "Keyspace", "Dynamo"}) {
    EXPECT_THAT(all, HasSubstr(std::string("# ") + section + "\r\n"));
  }
  EXPECT_THAT(all, HasSubstr("\r\nredis_version:7.2."));
  EXPECT_THAT(all, HasSubstr("\r\nstate:settled\r\n"));
  const std::string two = client.say("INFO", "server", "DYNAMO");
  EXPECT_THAT(two, HasSubstr("# Server\r\n"));
  EXPECT_THAT(two, HasSubstr("# Dynamo\r\n"));
  EXPECT_THAT(two, HasSubstr("\r\nget_p99_us:0\r\n"));
  EXPECT_THAT(two, Not(HasSubstr("# Clients\r\n")));
  EXPECT_EQ(client.say("INFO", "nosuch"), "$0\r\n\r\n");
}

TEST_F(Server, InfoWithSeveralSectionsAndAll) {
  EXPECT_THAT(client.say("INFO"), Not(HasSubstr("# Commandstats\r\n")));
  EXPECT_THAT(client.say("INFO", "default"), Not(HasSubstr("# Latencystats\r\n")));
  for (const char* name : {"all", "EVERYTHING"}) {
    const std::string all = client.say("INFO", name);
    size_t at = 0;
    for (const char* section :
         {"Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules",
          "Commandstats", "Errorstats", "Latencystats", "Cluster", "Keyspace", "Dynamo"}) {
      const size_t found = all.find(std::string("# ") + section + "\r\n");
      ASSERT_NE(found, all.npos) << section;
      EXPECT_GE(found, at) << section;
      at = found;
    }
  }
  const std::string some = client.say("INFO", "keyspace", "nosuch", "latencystats", "CPU", "cpu");
  EXPECT_THAT(some, StartsWith("$"));
  EXPECT_LT(some.find("# CPU\r\n"), some.find("# Latencystats\r\n"));
  EXPECT_LT(some.find("# Latencystats\r\n"), some.find("# Keyspace\r\n"));
  EXPECT_EQ(some.find("# CPU\r\n"), some.rfind("# CPU\r\n"));
  EXPECT_THAT(some, Not(HasSubstr("# Server\r\n")));
}

TEST_F(Server, ConfigGetAndSet) {
  EXPECT_EQ(client.say("CONFIG", "GET", "databases"), "*2\r\n$9\r\ndatabases\r\n$2\r\n16\r\n");
  EXPECT_EQ(
      client.say("CONFIG", "GET", "max*"),
      "*12\r\n$10\r\nmaxclients\r\n$1\r\n0\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n"
      "$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n"
      "$17\r\nmaxmemory-clients\r\n$1\r\n0\r\n$27\r\nmaxmemory-eviction-tenacity\r\n$2\r\n10\r\n"
      "$17\r\nmaxmemory-samples\r\n$1\r\n5\r\n");
  EXPECT_EQ(client.say("CONFIG", "GET", "save", "databases", "sa*"),
            "*4\r\n$9\r\ndatabases\r\n$2\r\n16\r\n$4\r\nsave\r\n$0\r\n\r\n");
  EXPECT_EQ(client.say("CONFIG", "SET", "databases", "16", "save", ""), "+OK\r\n");
  EXPECT_EQ(client.say("CONFIG", "SET", "databases", "17"),
            "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set "
            "immutable config\r\n");
  EXPECT_EQ(client.say("CONFIG", "SET", "nosuch", "1"),
            "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n");
}

TEST_F(Server, IsNoClusterToClientsOfRedisCluster) {
  EXPECT_EQ(client.say("INFO", "cluster"), "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
}

TEST_F(Server, TellsTheTimeInMicroseconds) {
  EXPECT_EQ(client.say("TIME"), "*2\r\n$10\r\n1700000000\r\n$6\r\n123456\r\n");
}

TEST_F(Server, ConfigShowsAddressesAsRedisDoes) {
  EXPECT_EQ(client.say("CONFIG", "GET", "bind"), "*2\r\n$4\r\nbind\r\n$9\r\n127.0.0.1\r\n");
  cluster.nodes[0]->redis = "[::1]:6379";
  EXPECT_EQ(client.say("CONFIG", "GET", "bind", "port"),
            "*4\r\n$4\r\nbind\r\n$3\r\n::1\r\n$4\r\nport\r\n$4\r\n6379\r\n");
}

TEST_F(Server, HasNoFunctionsAndSaysSoAsRedisDoes) {
  EXPECT_EQ(client.say("FUNCTION", "FLUSH"), "+OK\r\n");
  EXPECT_EQ(client.say("FUNCTION", "LIST"), "*0\r\n");
  EXPECT_EQ(client.say("SCRIPT", "FLUSH", "SYNC"), "+OK\r\n");
  EXPECT_EQ(client.say("FCALL", "f", "0"), "-ERR Function not found\r\n");
}

TEST_F(Server, CommandsDescribeThemselves) {
  EXPECT_THAT(client.say("COMMAND", "INFO", "get"),
              StartsWith("*1\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n"
                         ":1\r\n*3\r\n+@read\r\n+@string\r\n+@fast\r\n"));
  EXPECT_EQ(client.say("COMMAND", "INFO", "nosuch"), "*1\r\n$-1\r\n");
  const std::string count = client.say("COMMAND", "COUNT");
  EXPECT_THAT(client.say("COMMAND"), StartsWith("*" + count.substr(1)));
  EXPECT_EQ(client.say("COMMAND", "LIST", "FILTERBY", "PATTERN", "KV.G*"),
            "*1\r\n$6\r\nkv.get\r\n");
  EXPECT_THAT(client.say("COMMAND", "DOCS", "kv.put"),
              StartsWith("*2\r\n$6\r\nkv.put\r\n*12\r\n$7\r\nsummary\r\n"));
  EXPECT_EQ(client.say("COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"),
            "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(client.say("COMMAND", "GETKEYS", "PING"), "-ERR The command has no key arguments\r\n");
}

// What monitors of Redis ask for: they take a field that is missing for a broken server.
TEST_F(Server, InfoHasWhatMonitorsRead) {
  client.say("INCR", "k", "x");
  client.say("NOSUCH");
  const std::string info = client.say("INFO");
  for (const char* field : {"multiplexing_api:epoll",
                            "cluster_connections:0",
                            "tracking_clients:0",
                            "pubsub_clients:0",
                            "mem_fragmentation_ratio:",
                            "active_defrag_running:0",
                            "rdb_bgsave_in_progress:0",
                            "rdb_last_bgsave_status:ok",
                            "aof_enabled:0",
                            "aof_last_write_status:ok",
                            "sync_full:0",
                            "total_error_replies:2",
                            "pubsub_channels:0",
                            "latest_fork_usec:0",
                            "master_failover_state:no-failover",
                            "master_repl_offset:0",
                            "second_repl_offset:-1",
                            "repl_backlog_active:0",
                            "used_cpu_sys_children:0.000000",
                            "cluster_enabled:0"}) {
    EXPECT_THAT(info, HasSubstr(std::string("\r\n") + field)) << field;
  }
}

TEST_F(Server, CountsHitsAndCommands) {
  client.say("SET", "k", "v");
  client.say("GET", "k");
  client.say("MGET", "k", "absent");
  const DispatcherCounters& counters = cluster.nodes[0]->dispatcher.counters();
  EXPECT_EQ(counters.commands, 3u);
  EXPECT_EQ(counters.hits, 2u);
  EXPECT_EQ(counters.misses, 1u);
}

TEST_F(Server, CountsEachCommand) {
  client.say("SET", "k", "v");
  client.say("SET", "k");
  client.say("INCR", "k");
  client.say("MGET", "k", "absent");
  client.say("CONFIG", "GET", "nosuch");
  client.say("EXPIRE", "k", "x");
  const std::string stats = client.say("INFO", "commandstats");
  EXPECT_THAT(stats, HasSubstr("cmdstat_set:calls=1,usec=0,usec_per_call=0.00,rejected_calls=1,"
                               "failed_calls=0\r\n"));
  EXPECT_THAT(stats, HasSubstr("cmdstat_incr:calls=1,"));
  EXPECT_THAT(stats, HasSubstr("cmdstat_mget:calls=1,"));
  EXPECT_THAT(stats, HasSubstr("cmdstat_config|get:calls=1,"));
  EXPECT_THAT(stats, testing::ContainsRegex("cmdstat_incr:[^\r]*failed_calls=1\r"));
  EXPECT_THAT(stats, testing::ContainsRegex("cmdstat_expire:[^\r]*failed_calls=1\r"));
  EXPECT_THAT(stats, Not(HasSubstr("cmdstat_get:")));
  EXPECT_THAT(client.say("INFO"), Not(HasSubstr("Commandstats")));
  EXPECT_THAT(client.say("INFO", "all"), HasSubstr("Commandstats"));
}

// Each error once: at once, of an operation, in a transaction, of a script, of many operations.
TEST(Info, ErrorsAreCountedByTheirCodes) {
  CommandCluster cluster(1);
  TestClient client(cluster, 0);
  client.say("SET", "word", "v");
  client.say("GET");
  client.say("INCR", "word");
  client.say("EVAL", "return redis.error_reply('MINE here')", "1", "k");
  client.say("EVALSHA", std::string(40, 'a'), "1", "k");
  client.say("MULTI");
  client.say("INCR", "word");
  client.say("GET", "word");
  client.say("STRLEN", "word");
  client.say("EXEC");
  client.say("MULTI");
  client.say("NOSUCH");
  client.say("EXEC");
  EXPECT_EQ(client.say("INFO", "errorstats"),
            "$118\r\n# Errorstats\r\nerrorstat_ERR:count=4\r\nerrorstat_EXECABORT:count=1\r\n"
            "errorstat_MINE:count=1\r\nerrorstat_NOSCRIPT:count=1\r\n\r\n");
  client.say("CONFIG", "RESETSTAT");
  EXPECT_EQ(client.say("INFO", "errorstats"), "$14\r\n# Errorstats\r\n\r\n");
}

TEST(Info, ErrorsOfTheProtocolAreCounted) {
  CommandCluster cluster(1);
  TestClient broken(cluster, 0), client(cluster, 0);
  EXPECT_EQ(broken.send("*1\r\n!\r\n"), "-ERR Protocol error: expected '$', got '!'\r\n");
  EXPECT_THAT(client.say("INFO", "errorstats"), HasSubstr("errorstat_ERR:count=1\r\n"));
}

// Without a disk nothing is saved, and nobody is told that it was.
TEST_F(Server, SavesNothingWithoutADisk) {
  EXPECT_THAT(client.say("SAVE"), StartsWith("-ERR engine.type is memory"));
  EXPECT_THAT(client.say("BGSAVE"), StartsWith("-ERR engine.type is memory"));
  EXPECT_EQ(client.say("BGSAVE", "now"), "-ERR syntax error\r\n");
  EXPECT_THAT(client.say("LASTSAVE"), StartsWith(":1700000000\r\n"));
  client.say("MULTI");
  EXPECT_EQ(client.say("SAVE"), "-ERR Command not allowed inside a transaction\r\n");
  EXPECT_EQ(client.say("EXEC"), "-EXECABORT Transaction discarded because of previous errors.\r\n");
}

TEST_F(Server, TimesTheFirstCallsAndSomeOfTheRest) {
  static uint64_t clock_ns;
  clock_ns = 0;
  DispatcherOptions options;
  options.steady_ns = [] { return clock_ns += 2000; };
  CommandCluster timed(1, {}, options);
  TestClient user(timed, 0);
  for (int i = 0; i < 1000; ++i) user.say("GET", "k");
  EXPECT_THAT(user.say("INFO", "commandstats"),
              HasSubstr("cmdstat_get:calls=1000,usec=2000,usec_per_call=2.00,"));
  EXPECT_LT(clock_ns, 2000u * 2 * 30);
}

TEST_F(Server, AResetBeginsTheCountsAnew) {
  client.say("GET", "k");
  EXPECT_EQ(client.say("CONFIG", "RESETSTAT"), "+OK\r\n");
  EXPECT_THAT(client.say("INFO", "commandstats"), Not(HasSubstr("cmdstat_get:")));
  client.say("GET", "k");
  EXPECT_THAT(client.say("INFO", "commandstats"), HasSubstr("cmdstat_get:calls=1,"));
}

// Each reactor's dispatcher knows its own connections.
TEST_F(Server, ClientListShowsTheConnectionsOfAllReactors) {
  struct Other : OtherReactors {
    size_t count() const override { return 1; }
    void ask_each(const Ask& ask, const Tell& tell) override {
      later = [this, ask, tell] { tell(ask(home->dispatcher.facts())); };
    }
    CommandNode* home = nullptr;
    std::function<void()> later;
  } other;
  DispatcherOptions options;
  options.others = &other;
  options.first_client_id = 2;
  options.client_id_step = 2;
  CommandCluster here(1, {}, options);
  other.home = cluster.nodes[0].get();
  TestClient second(here, 0);
  EXPECT_EQ(second.send("CLIENT LIST\r\nPING\r\n"), "");
  other.later();
  const std::string list = second.take();
  EXPECT_THAT(list, testing::ContainsRegex("\r\nid=1 .*\nid=2 "));
  EXPECT_THAT(list, testing::EndsWith("+PONG\r\n"));
}

TEST_F(Server, AConnectionThatSaidNothingIsNew) {
  TestClient silent(cluster, 0);
  EXPECT_THAT(client.say("CLIENT", "LIST"), testing::ContainsRegex("id=2 .* age=0 idle=0 "));
}

TEST_F(Server, RefusesKeysThatAreTooLong) {
  const std::string longest(65536, 'k');
  EXPECT_EQ(client.say("SET", longest, "v"), "+OK\r\n");
  EXPECT_EQ(client.say("GET", longest), "$1\r\nv\r\n");
  EXPECT_EQ(client.say("MGET", "a", longest + "k"), "-ERR the key is longer than 65536 bytes\r\n");
}

}  // namespace
}  // namespace kvorum::server
