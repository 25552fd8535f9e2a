// SPDX-License-Identifier: Apache-2.0
// CONFIG SET of what a node changes while it runs; what Redis says of bad values, and that all or
// none is set.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct ConfigCommands : ::testing::Test {
  CommandCluster cluster{1};
  TestClient client{cluster, 0};
  const Config& config = cluster.nodes[0]->configured;
};

TEST_F(ConfigCommands, ChangesTheConfiguration) {
  EXPECT_EQ(client.say("CONFIG", "SET", "maxclients", "5000", "timeout", "7", "tcp-keepalive",
                       "2147483647", "maxmemory", "3mb", "client-output-buffer-limit",
                       "normal 1 2 3", "slowlog-max-len", "9"),
            "+OK\r\n");
  EXPECT_EQ(config.limits.clients, 5000u);
  EXPECT_EQ(config.limits.client_idle_ms, 7000u);
  EXPECT_EQ(config.limits.client_keepalive_ms, 2'147'483'647'000u);
  EXPECT_EQ(config.engine.memory_bytes, 3u << 20);
  EXPECT_EQ(config.limits.client_output_max_bytes, 1u);
  EXPECT_THAT(client.say("CONFIG", "GET", "timeout"), HasSubstr("\r\n$1\r\n7\r\n"));
  EXPECT_THAT(client.say("CONFIG", "GET", "client-output-buffer-limit"),
              HasSubstr("normal 1 2 3 slave 0 0 0 pubsub"));
  EXPECT_THAT(client.say("CONFIG", "GET", "slowlog-max-len"), HasSubstr("\r\n9\r\n"));
}

TEST_F(ConfigCommands, AllOrNone) {
  EXPECT_THAT(client.say("CONFIG", "SET", "timeout", "7", "slowlog-max-len", "9", "requirepass",
                         "secret", "maxclients", "0"),
              StartsWith("-ERR CONFIG SET failed (possibly related to argument 'maxclients') - "
                         "argument must be between 1 and 4294967295 inclusive"));
  EXPECT_EQ(config.limits.client_idle_ms, 0u);
  EXPECT_THAT(config.passwords, IsEmpty());
  EXPECT_THAT(client.say("CONFIG", "GET", "slowlog-max-len"), HasSubstr("\r\n128\r\n"));
  EXPECT_THAT(client.say("CONFIG", "SET", "timeout", "7", "TimeOut", "7"),
              HasSubstr("duplicate parameter"));
}

TEST_F(ConfigCommands, NoMoreClientsThanDescriptors) {
  EXPECT_THAT(client.say("CONFIG", "SET", "maxclients", "5001"),
              HasSubstr(" - The operating system is not able to handle the specified number of "
                        "clients, try with 5000\r\n"));
}

TEST_F(ConfigCommands, APassword) {
  TestClient later(cluster, 0, [] {
    ConversationOptions options = TestClient::plain();
    options.authenticated = false;
    return options;
  }());
  EXPECT_EQ(client.say("CONFIG", "SET", "requirepass", "secret"), "+OK\r\n");
  EXPECT_THAT(config.passwords, ElementsAre("secret"));
  EXPECT_THAT(later.say("GET", "k"), StartsWith("-NOAUTH"));
  EXPECT_THAT(later.say("AUTH", "other"), StartsWith("-WRONGPASS"));
  EXPECT_EQ(client.say("GET", "k"), "$-1\r\n");
  EXPECT_EQ(client.say("CONFIG", "SET", "requirepass", ""), "+OK\r\n");
  EXPECT_EQ(later.say("GET", "k"), "$-1\r\n");  // nobody has to log in
}

TEST_F(ConfigCommands, LatencyPercentiles) {
  client.say("SET", "k", "v");
  EXPECT_EQ(client.say("CONFIG", "SET", "latency-tracking-info-percentiles", "50 99.99"),
            "+OK\r\n");
  EXPECT_THAT(client.say("CONFIG", "GET", "latency-tracking-info-percentiles"),
              HasSubstr("\r\n50 99.99\r\n"));
  EXPECT_THAT(client.say("INFO", "latencystats"),
              HasSubstr("\r\nlatency_percentiles_usec_set:p50=0.000,p99.99=0.000\r\n"));
  EXPECT_EQ(client.say("CONFIG", "SET", "latency-tracking", "no"), "+OK\r\n");
  EXPECT_EQ(client.say("INFO", "latencystats"), "$16\r\n# Latencystats\r\n\r\n");
}

TEST_F(ConfigCommands, ClusterEnabledIsWhatTheRingIs) {
  EXPECT_THAT(client.say("CONFIG", "GET", "cluster-enabled"), HasSubstr("\r\nno\r\n"));
  CommandCluster slots{
      1, [](cluster::Founding& founding) { founding.partitioner = Partitioner::kSlots; }};
  TestClient other{slots, 0};
  EXPECT_THAT(other.say("CONFIG", "GET", "cluster-enabled"), HasSubstr("\r\nyes\r\n"));
}

}  // namespace
}  // namespace kvorum::server
