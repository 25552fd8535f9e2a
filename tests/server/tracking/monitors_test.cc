// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/monitors.h"

#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

std::string line(std::string_view rest, int keyspace = 0) {
  return "+1700000000.123456 [" + std::to_string(keyspace) + " 127.0.0.1:5000] " +
         std::string(rest) + "\r\n";
}

struct MonitorsTest : ::testing::Test {
  MonitorsTest() { EXPECT_EQ(monitor.say("MONITOR"), "+OK\r\n"); }
  CommandCluster cluster{1};
  TestClient monitor{cluster, 0}, client{cluster, 0};
};

TEST_F(MonitorsTest, SeeWhatOthersRun) {
  client.say("SET", "k", "a b");
  client.say("get", "k");
  client.say("SELECT", "3");
  client.say("PING");
  EXPECT_EQ(monitor.take(), line("\"SET\" \"k\" \"a b\"") + line("\"get\" \"k\"") +
                                line("\"SELECT\" \"3\"", 3) + line("\"PING\"", 3));
}

TEST_F(MonitorsTest, DoNotSeeWhatIsRefused) {
  client.say("NOTHING");
  client.say("GET");
  client.say("CONFIG", "GET", "maxmemory");
  EXPECT_EQ(monitor.take(), "");
  client.say("AUTH", "default", "secret");
  EXPECT_EQ(monitor.take(), line("\"AUTH\" \"(redacted)\" \"(redacted)\""));
}

TEST_F(MonitorsTest, SeeTransactionsWhenTheyAreRun) {
  client.say("MULTI");
  client.say("SET", "k", "1");
  EXPECT_EQ(monitor.take(), line("\"MULTI\""));
  client.say("EXEC");
  EXPECT_EQ(monitor.take(), line("\"SET\" \"k\" \"1\"") + line("\"EXEC\""));
}

std::string script_line(std::string_view rest) {
  return "+1700000000.123456 [0 lua] " + std::string(rest) + "\r\n";
}

// At a node of its own, and at another one.
TEST_F(MonitorsTest, SeeWhatScriptsCall) {
  client.say("EVAL", "return redis.call('INCR', KEYS[1])", "1", "n");
  EXPECT_EQ(monitor.take(), line("\"EVAL\" \"return redis.call('INCR', KEYS[1])\" \"1\" \"n\"") +
                                script_line("\"INCR\" \"n\""));
  client.say("EVAL", "redis.call('PING') redis.pcall('GET')", "0");
  EXPECT_EQ(monitor.take(), line("\"EVAL\" \"redis.call('PING') redis.pcall('GET')\" \"0\"") +
                                script_line("\"PING\""));
  client.say("MULTI");
  client.say("EVAL", "return redis.call('GET', KEYS[1])", "1", "n");
  monitor.take();
  client.say("EXEC");
  EXPECT_EQ(monitor.take(), line("\"EVAL\" \"return redis.call('GET', KEYS[1])\" \"1\" \"n\"") +
                                script_line("\"GET\" \"n\"") + line("\"EXEC\""));
}

TEST_F(MonitorsTest, ThemselvesTouchNoKeys) {
  constexpr std::string_view kRefused = "-ERR Replica can't interact with the keyspace\r\n";
  EXPECT_EQ(monitor.say("GET", "k"), kRefused);
  EXPECT_EQ(monitor.say("SET", "k", "1"), kRefused);
  EXPECT_EQ(monitor.say("PUBLISH", "c", "x"), kRefused);
  EXPECT_EQ(monitor.say("MONITOR"), "");
  EXPECT_EQ(monitor.say("PING"), "+PONG\r\n" + line("\"PING\""));
}

TEST_F(MonitorsTest, EndWithReset) {
  EXPECT_EQ(cluster.nodes[0]->tracking.status().monitors, 1u);
  EXPECT_EQ(monitor.say("RESET"), "+RESET\r\n");
  EXPECT_EQ(cluster.nodes[0]->tracking.status().monitors, 0u);
  client.say("PING");
  EXPECT_EQ(monitor.take(), "");
  EXPECT_EQ(monitor.say("GET", "k"), "$-1\r\n");
}

TEST_F(MonitorsTest, EndWithTheirConnection) {
  monitor.hang_up();
  EXPECT_EQ(cluster.nodes[0]->tracking.status().monitors, 0u);
  EXPECT_EQ(client.say("PING"), "+PONG\r\n");
}

TEST_F(MonitorsTest, AreNotBegunInATransaction) {
  client.say("MULTI");
  EXPECT_EQ(client.say("MONITOR"), "+QUEUED\r\n");
  EXPECT_EQ(client.say("EXEC"), "*1\r\n-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n");
  monitor.take();
  EXPECT_NE(monitor.say("CLIENT", "INFO").find(" flags=O "), std::string::npos);
}

}  // namespace
}  // namespace kvorum::server
