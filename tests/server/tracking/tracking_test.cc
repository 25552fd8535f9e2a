// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/tracking.h"

#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

constexpr std::string_view kAllGone = ">2\r\n$10\r\ninvalidate\r\n_\r\n";

std::string news(const std::vector<std::string>& keys) {
  std::string text = ">2\r\n$10\r\ninvalidate\r\n";
  protocol::append_array_header(text, keys.size());
  for (const std::string& key : keys) protocol::append_bulk(text, key);
  return text;
}

struct Caching : TestClient {
  template <class... W>
  Caching(CommandCluster& home, size_t node, const W&... options) : TestClient(home, node) {
    say("HELLO", "3");
    EXPECT_EQ(say("CLIENT", "TRACKING", "ON", options...), "+OK\r\n");
  }
};

uint64_t id_of(TestClient& client) { return client.conversation().id(); }

// ---- one node

TEST(TrackingTest, WhoReadAKeyIsToldOnceThatItChanged) {
  CommandCluster cluster(1);
  Caching client(cluster, 0);
  TestClient writer(cluster, 0);
  writer.say("SET", "k", "1");
  EXPECT_EQ(client.take(), "");
  client.say("GET", "k");
  writer.say("SET", "k", "2");
  EXPECT_EQ(client.take(), news({"k"}));
  writer.say("SET", "k", "3");
  EXPECT_EQ(client.take(), "");
}

TEST(TrackingTest, OwnWritesAreToldBehindTheirReply) {
  CommandCluster cluster(1);
  Caching client(cluster, 0);
  client.say("GET", "k");
  EXPECT_EQ(client.say("SET", "k", "1"), "+OK\r\n" + news({"k"}));
  client.say("MGET", "a", "b");
  EXPECT_EQ(client.line(TestClient::resp({"SET", "b", "1"}) + TestClient::resp({"GET", "b"})),
            "+OK\r\n" + news({"b"}) + "$1\r\n1\r\n");
  EXPECT_EQ(client.say("DEL", "b"), ":1\r\n" + news({"b"}));
}

TEST(TrackingTest, WhatAWritingCommandReadsIsNotCached) {
  CommandCluster cluster(1);
  Caching client(cluster, 0);
  client.say("SET", "k", "1", "GET");
  client.say("INCR", "k");
  client.say("GETDEL", "other");
  TestClient(cluster, 0).say("SET", "k", "2");
  EXPECT_EQ(client.take(), "");
}

TEST(TrackingTest, AChangeThatChangesNothingIsNoNews) {
  CommandCluster cluster(1);
  Caching client(cluster, 0);
  TestClient writer(cluster, 0);
  client.say("GET", "k");
  writer.say("DEL", "k");
  writer.say("SET", "k", "1", "XX");
  EXPECT_EQ(client.take(), "");
  writer.say("SET", "k", "1", "NX");
  EXPECT_EQ(client.take(), news({"k"}));
}

TEST(TrackingTest, KeysThatExpireAreTold) {
  CommandCluster cluster(1);
  Caching client(cluster, 0);
  client.say("SET", "k", "1", "PX", "50");
  client.say("GET", "k");
  EXPECT_EQ(client.take(), "");
  cluster.pass_ms(500);
  EXPECT_EQ(client.take(), news({"k"}));
}

TEST(TrackingTest, FlushesAreToldToAllThatTrack) {
  CommandCluster cluster(1);
  Caching one(cluster, 0), other(cluster, 0, "BCAST");
  TestClient plain(cluster, 0);
  EXPECT_EQ(one.say("FLUSHALL"), "+OK\r\n" + std::string(kAllGone));
  EXPECT_EQ(other.take(), kAllGone);
  plain.say("FLUSHDB");
  EXPECT_EQ(one.take(), kAllGone);
  EXPECT_EQ(other.take(), kAllGone);
  EXPECT_EQ(plain.take(), "");
}

TEST(TrackingTest, OptInCachesTheNextCommandAlone) {
  CommandCluster cluster(1);
  Caching client(cluster, 0, "OPTIN");
  client.say("GET", "a");
  EXPECT_EQ(client.say("CLIENT", "CACHING", "YES"), "+OK\r\n");
  client.say("GET", "b");
  client.say("GET", "c");
  TestClient(cluster, 0).say("MSET", "a", "1", "b", "1", "c", "1");
  EXPECT_EQ(client.take(), news({"b"}));
}

TEST(TrackingTest, OptInCachesAWholeTransaction) {
  CommandCluster cluster(1);
  Caching client(cluster, 0, "OPTIN");
  client.say("CLIENT", "CACHING", "YES");
  client.say("MULTI");
  client.say("GET", "a");
  client.say("GET", "b");
  client.say("EXEC");
  client.say("GET", "c");
  TestClient writer(cluster, 0);
  for (const char* key : {"a", "b", "c"}) writer.say("SET", key, "1");
  EXPECT_EQ(client.take(), news({"a"}) + news({"b"}));
}

TEST(TrackingTest, OptOutLeavesTheNextCommandOut) {
  CommandCluster cluster(1);
  Caching client(cluster, 0, "OPTOUT");
  client.say("CLIENT", "CACHING", "NO");
  client.say("GET", "a");
  client.say("GET", "b");
  TestClient writer(cluster, 0);
  for (const char* key : {"a", "b"}) writer.say("SET", key, "1");
  EXPECT_EQ(client.take(), news({"b"}));
}

TEST(TrackingTest, BroadcastingTellsOfPrefixesWithoutAnyRead) {
  CommandCluster cluster(1);
  Caching some(cluster, 0, "BCAST", "PREFIX", "a:", "PREFIX", "b:"), all(cluster, 0, "BCAST");
  TestClient(cluster, 0).say("MSET", "a:1", "x", "a:2", "x", "c:1", "x");
  EXPECT_EQ(some.take(), news({"a:1", "a:2"}));
  EXPECT_EQ(all.take(), news({"a:1", "a:2", "c:1"}));
}

TEST(TrackingTest, OwnWritesAreNoNewsToWhoWantsNone) {
  CommandCluster cluster(1);
  Caching client(cluster, 0, "NOLOOP");
  client.say("GET", "k");
  EXPECT_EQ(client.say("SET", "k", "1"), "+OK\r\n");
  TestClient(cluster, 0).say("SET", "k", "2");
  EXPECT_EQ(client.take(), news({"k"}));
  Caching all(cluster, 0, "BCAST", "NOLOOP");
  EXPECT_EQ(all.say("SET", "k", "3"), "+OK\r\n");
  TestClient(cluster, 0).say("SET", "k", "4");
  EXPECT_EQ(all.take(), news({"k"}));
}

TEST(TrackingTest, AnotherClientIsToldInstead) {
  CommandCluster cluster(1);
  TestClient ear(cluster, 0);
  Caching client(cluster, 0, "REDIRECT", std::to_string(id_of(ear)));
  client.say("GET", "k");
  TestClient(cluster, 0).say("SET", "k", "1");
  EXPECT_EQ(ear.take(), "");  // it speaks RESP2, and hears nothing
  ear.say("SUBSCRIBE", "__redis__:invalidate");
  client.say("GET", "k");
  TestClient writer(cluster, 0);
  writer.say("SET", "k", "2");
  EXPECT_EQ(ear.take(), "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n");
  writer.say("FLUSHALL");
  EXPECT_EQ(ear.take(), "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n");
  EXPECT_EQ(client.take(), "");
}

TEST(TrackingTest, WhoIsToldInsteadAndGoesIsMissed) {
  CommandCluster cluster(1);
  TestClient ear(cluster, 0);
  const std::string id = std::to_string(id_of(ear));
  Caching client(cluster, 0, "REDIRECT", id);
  client.say("GET", "k");
  ear.hang_up();
  TestClient(cluster, 0).say("SET", "k", "1");
  EXPECT_EQ(client.take(), ">2\r\n$21\r\ntracking-redir-broken\r\n:" + id + "\r\n");
  EXPECT_NE(client.say("CLIENT", "TRACKINGINFO").find("broken_redirect"), std::string::npos);
  EXPECT_NE(client.say("CLIENT", "INFO").find(" flags=tR "), std::string::npos);
}

TEST(TrackingTest, EndsWithOffAndWithReset) {
  CommandCluster cluster(1);
  Caching client(cluster, 0);
  TrackingHub& hub = cluster.nodes[0]->tracking;
  EXPECT_TRUE(hub.tells_changes());
  client.say("GET", "k");
  EXPECT_EQ(hub.status().keys, 1u);
  EXPECT_EQ(client.say("CLIENT", "TRACKING", "OFF"), "+OK\r\n");
  EXPECT_EQ(hub.status().clients, 0u);
  EXPECT_EQ(hub.status().keys, 0u);
  EXPECT_FALSE(hub.tells_changes());
  TestClient writer(cluster, 0);
  writer.say("SET", "k", "1");
  EXPECT_EQ(client.take(), "");
  client.say("CLIENT", "TRACKING", "ON", "BCAST");
  EXPECT_EQ(client.say("RESET"), "+RESET\r\n");
  EXPECT_EQ(hub.status().clients, 0u);
  EXPECT_EQ(hub.status().prefixes, 0u);
  writer.say("SET", "k", "2");
  EXPECT_EQ(client.take(), "");
}

TEST(TrackingTest, EndsWithTheConnection) {
  CommandCluster cluster(1);
  TrackingHub& hub = cluster.nodes[0]->tracking;
  {
    Caching client(cluster, 0, "BCAST", "PREFIX", "a");
    client.say("GET", "k");
    EXPECT_EQ(hub.status().prefixes, 1u);
  }
  EXPECT_EQ(hub.status().clients, 0u);
  EXPECT_EQ(hub.status().prefixes, 0u);
  EXPECT_FALSE(hub.tells_changes());
}

TEST(TrackingTest, KeysThatAScriptReadAreCachedToo) {
  CommandCluster cluster(1);
  Caching client(cluster, 0);
  client.say("EVAL", "return redis.call('GET', KEYS[1])", "1", "k");
  EXPECT_EQ(client.take(), "");
  TestClient(cluster, 0).say("SET", "k", "1");
  EXPECT_EQ(client.take(), news({"k"}));
}

// ---- several nodes

struct TrackingClusterTest : ::testing::Test {
  CommandCluster cluster{3};
  TestClient writer{cluster, 2};
};

TEST_F(TrackingClusterTest, ChangesOfAnyNodeAreTold) {
  Caching client(cluster, 0);
  for (size_t node = 0; node < 3; ++node) {
    client.say("GET", "k");
    TestClient(cluster, node).say("SET", "k", std::to_string(node));
    const std::string told = client.take();
    EXPECT_EQ(told, news({"k"})) << node;
  }
}

TEST_F(TrackingClusterTest, NobodyIsAskedWhileNobodyTracks) {
  EXPECT_FALSE(cluster.nodes[1]->tracking.tells_changes());
  {
    Caching client(cluster, 0);
    EXPECT_TRUE(cluster.nodes[1]->tracking.tells_changes());
  }
  cluster.pass_ms(TrackingHub::kLingerUs / 1000 + 100);
  EXPECT_FALSE(cluster.nodes[0]->tracking.tells_changes());
  EXPECT_FALSE(cluster.nodes[1]->tracking.tells_changes());
}

TEST_F(TrackingClusterTest, ABrokenLinkAndItsReturnAreGaps) {
  Caching client(cluster, 0), idle(cluster, 0), all(cluster, 0, "BCAST");
  client.say("GET", "k");
  cluster.cut(0, 1);
  EXPECT_EQ(client.take(), kAllGone);
  EXPECT_EQ(idle.take(), "");  // it caches nothing
  EXPECT_NE(all.take(), "");
  client.say("GET", "k");
  client.take();
  cluster.heal(0, 1);
  EXPECT_EQ(client.take(), kAllGone);
  TestClient(cluster, 1).say("SET", "k", "1");
  client.say("GET", "k");
  client.take();
  TestClient(cluster, 1).say("SET", "k", "2");
  EXPECT_EQ(client.take(), news({"k"}));
}

TEST_F(TrackingClusterTest, WhatOneReplicaMissedIsToldWhenItGetsIt) {
  writer.say("SET", "k", "old");
  cluster.cut(2, 1);
  cluster.cut(2, 0);
  // Written at c alone: the others learn it later, each by itself.
  writer.say("KV.QUORUM", "1", "1");
  writer.say("SET", "k", "new");
  Caching client(cluster, 0);
  client.say("KV.QUORUM", "1", "1");
  EXPECT_EQ(client.say("GET", "k"), "$3\r\nold\r\n");
  cluster.heal(2, 1);
  cluster.heal(2, 0);
  client.take();
  const std::string cached = client.say("GET", "k");
  TestClient other(cluster, 0);
  other.say("KV.QUORUM", "1", "1");
  const auto is_there = [&] { return other.say("GET", "k") == "$3\r\nnew\r\n"; };
  for (int i = 0; i < 300 && !is_there(); ++i) cluster.pass_ms(100);
  EXPECT_TRUE(is_there());
  const std::string heard = cached + client.take();
  EXPECT_TRUE(cached.starts_with("$3\r\nnew") || heard.find("invalidate") != std::string::npos)
      << heard;
}

TEST_F(TrackingClusterTest, FlushesOfAnyNodeAreTold) {
  Caching client(cluster, 0);
  client.say("GET", "k");
  TestClient(cluster, 1).say("FLUSHALL");
  EXPECT_EQ(client.take(), kAllGone);
}

TEST_F(TrackingClusterTest, OwnWritesAreNoNewsFromAnyReplica) {
  Caching client(cluster, 0, "NOLOOP");
  client.say("GET", "k");
  std::string heard = client.say("SET", "k", "1");
  cluster.pass_ms(200);
  EXPECT_EQ(heard + client.take(), "+OK\r\n");
  writer.say("SET", "k", "2");
  EXPECT_EQ(client.take(), news({"k"}));
}

TEST_F(TrackingClusterTest, ANodeThatCannotTellIsNamed) {
  cluster.nodes[0]->dispatcher.tracking().on_link(1, true, cluster::kTrackingVersion - 1);
  TestClient client(cluster, 0);
  EXPECT_EQ(client.say("CLIENT", "TRACKING", "ON"),
            "-ERR CLIENT TRACKING needs all nodes to tell of changes, and b runs a version that "
            "cannot\r\n");
}

}  // namespace
}  // namespace kvorum::server
