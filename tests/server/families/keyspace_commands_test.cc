// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::StartsWith;

// The bulk strings of a reply.
std::vector<std::string> bulks(const std::string& reply) {
  std::vector<std::string> found;
  for (size_t at = reply.find('$'); at != reply.npos; at = reply.find('$', at)) {
    const size_t line = reply.find("\r\n", at);
    const size_t size = std::stoul(reply.substr(at + 1, line - at - 1));
    found.push_back(reply.substr(line + 2, size));
    at = line + 2 + size;
  }
  return found;
}

class Keyspace : public ::testing::TestWithParam<size_t> {
 protected:
  void fill(int count) {
    for (int i = 0; i < count; ++i) client.say("SET", "key" + std::to_string(i), "v");
  }
  // All keys that SCAN shows, and how often it was called.
  std::multiset<std::string> scan_all(const std::vector<std::string>& options, int* calls) {
    std::multiset<std::string> keys;
    std::string cursor = "0";
    do {
      std::vector<std::string> words = {"SCAN", cursor};
      words.insert(words.end(), options.begin(), options.end());
      const auto found = bulks(client.line(TestClient::resp(words)));
      cursor = found.at(0);
      keys.insert(found.begin() + 1, found.end());
      ++*calls;
    } while (cursor != "0" && *calls < 10'000);
    return keys;
  }

  CommandCluster cluster{GetParam()};
  TestClient client{cluster, 0};
  TestClient other{cluster, GetParam() - 1};
};
INSTANTIATE_TEST_SUITE_P(Nodes, Keyspace, ::testing::Values(1, 5));

TEST_P(Keyspace, ScanShowsEveryKeyOnce) {
  fill(300);
  client.say("DEL", "key7");
  int calls = 0;
  const auto keys = scan_all({"COUNT", "20"}, &calls);
  EXPECT_EQ(keys.size(), 299u);
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 299u);
  EXPECT_EQ(keys.count("key7"), 0u);
  EXPECT_GT(calls, 10);
}

TEST_P(Keyspace, ScanFilters) {
  fill(100);
  int calls = 0;
  EXPECT_EQ(scan_all({"MATCH", "key1?"}, &calls).size(), 10u);
  EXPECT_EQ(scan_all({"TYPE", "string", "COUNT", "1000"}, &calls).size(), 100u);
  EXPECT_EQ(scan_all({"TYPE", "list"}, &calls).size(), 0u);
  EXPECT_EQ(client.say("SCAN", "x", "FOO"), "-ERR invalid cursor\r\n");
  EXPECT_EQ(client.say("SCAN", "-99999999999999999999"), "-ERR invalid cursor\r\n");
  EXPECT_EQ(client.say("SCAN", "x"), "-ERR invalid cursor\r\n");
  EXPECT_EQ(client.say("SCAN", "0", "COUNT", "0"), "-ERR syntax error\r\n");
}

TEST_P(Keyspace, KeysGoesOnOverManyScans) {
  fill(2500);
  const auto all = bulks(other.say("KEYS", "*"));
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 2500u);
  EXPECT_EQ(bulks(other.say("KEYS", "key12[0-4]")).size(), 5u);
  EXPECT_EQ(other.say("KEYS", "nosuch*"), "*0\r\n");
  EXPECT_EQ(other.say("DBSIZE"), ":2500\r\n");
}

TEST_P(Keyspace, RandomKey) {
  EXPECT_EQ(client.say("RANDOMKEY"), "$-1\r\n");
  fill(20);
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) seen.insert(bulks(other.say("RANDOMKEY")).at(0));
  EXPECT_GT(seen.size(), 5u);
  for (const std::string& key : seen) EXPECT_THAT(key, StartsWith("key"));
}

TEST_P(Keyspace, FlushReachesEveryNodeAndOneDatabaseOrAll) {
  fill(20);
  other.say("SELECT", "3");
  other.say("SET", "elsewhere", "v");
  EXPECT_EQ(client.say("FLUSHDB"), "+OK\r\n");
  EXPECT_EQ(client.say("DBSIZE"), ":0\r\n");
  EXPECT_EQ(other.say("DBSIZE"), ":1\r\n");
  EXPECT_EQ(client.say("GET", "key3"), "$-1\r\n");
  EXPECT_EQ(client.say("SET", "key3", "again"), "+OK\r\n");
  EXPECT_EQ(other.say("FLUSHALL", "ASYNC"), "+OK\r\n");
  EXPECT_EQ(other.say("DBSIZE"), ":0\r\n");
  EXPECT_EQ(client.say("EXISTS", "key3"), ":0\r\n");
  EXPECT_EQ(client.say("FLUSHALL", "NOW"), "-ERR syntax error\r\n");
}

TEST_P(Keyspace, KeepTheirPlaceInAPipeline) {
  const auto words = [](auto... word) { return TestClient::resp({word...}); };
  EXPECT_EQ(
      client.line(words("SET", "a", "1") + words("DBSIZE") + words("FLUSHALL") + words("DBSIZE") +
                  words("GET", "a") + words("SET", "a", "2") + words("KEYS", "*") + "PING\r\n"),
      "+OK\r\n:1\r\n+OK\r\n:0\r\n$-1\r\n+OK\r\n*1\r\n$1\r\na\r\n+PONG\r\n");
}

// The empty key is found by the empty pattern, and by "*", which asks for all.
TEST(Keyspaces, EmptyPatternsAndCursors) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  client.say("SET", "k", "v");
  EXPECT_EQ(client.say("KEYS", ""), "*0\r\n");
  client.say("SET", "", "v");
  EXPECT_EQ(client.say("KEYS", ""), "*1\r\n$0\r\n\r\n");
  EXPECT_EQ(client.say("KEYS", "**"), "*1\r\n$1\r\nk\r\n");
  EXPECT_EQ(client.say("SCAN", "0", "COUNT", "100", "MATCH", ""),
            "*2\r\n$1\r\n0\r\n*1\r\n$0\r\n\r\n");
  EXPECT_EQ(bulks(client.say("KEYS", "*")).size(), 2u);
  EXPECT_EQ(bulks(client.say("SCAN", "", "COUNT", "100")).size(), 3u) << "and the cursor";
  EXPECT_TRUE(client.say("SCAN", "-1").starts_with("*2\r\n$1\r\n0\r\n"));
  EXPECT_TRUE(client.say("SCAN", "18446744073709551615").starts_with("*2\r\n$1\r\n0\r\n"));
  EXPECT_EQ(client.say("SCAN", "-"), "-ERR invalid cursor\r\n");
}

}  // namespace
}  // namespace kvorum::server
