// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/commands/command_cluster.h"

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
                              "CPU", "Keyspace", "Dynamo"}) {
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

TEST_F(Server, ConfigGetAndSet) {
  EXPECT_EQ(client.say("CONFIG", "GET", "databases"), "*2\r\n$9\r\ndatabases\r\n$2\r\n16\r\n");
  EXPECT_EQ(client.say("CONFIG", "GET", "max*"),
            "*6\r\n$10\r\nmaxclients\r\n$1\r\n0\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n"
            "$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n");
  EXPECT_EQ(client.say("CONFIG", "GET", "save", "databases", "s*"),
            "*4\r\n$9\r\ndatabases\r\n$2\r\n16\r\n$4\r\nsave\r\n$0\r\n\r\n");
  EXPECT_EQ(client.say("CONFIG", "SET", "databases", "16", "save", ""), "+OK\r\n");
  EXPECT_EQ(client.say("CONFIG", "SET", "databases", "17"),
            "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set "
            "immutable config\r\n");
  EXPECT_EQ(client.say("CONFIG", "SET", "nosuch", "1"),
            "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n");
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
              StartsWith("*2\r\n$6\r\nkv.put\r\n*10\r\n$7\r\nsummary\r\n"));
  EXPECT_EQ(client.say("COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"),
            "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(client.say("COMMAND", "GETKEYS", "PING"), "-ERR The command has no key arguments\r\n");
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

TEST_F(Server, RefusesKeysThatAreTooLong) {
  const std::string longest(65536, 'k');
  EXPECT_EQ(client.say("SET", longest, "v"), "+OK\r\n");
  EXPECT_EQ(client.say("GET", longest), "$1\r\nv\r\n");
  EXPECT_EQ(client.say("MGET", "a", longest + "k"), "-ERR the key is longer than 65536 bytes\r\n");
}

}  // namespace
}  // namespace kvorum::server
