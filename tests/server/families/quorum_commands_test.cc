// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// The bulk string that begins at the first "$".
std::string first_bulk(const std::string& reply) {
  const size_t dollar = reply.find('$');
  const size_t line = reply.find("\r\n", dollar);
  const size_t size = std::stoul(reply.substr(dollar + 1, line - dollar - 1));
  return reply.substr(line + 2, size);
}

// What follows the context in the reply of KV.GET.
std::string values_of(const std::string& reply) {
  const std::string context = first_bulk(reply);
  return reply.substr(reply.find(context + "\r\n") + context.size() + 2);
}

class Quorum : public ::testing::Test {
 protected:
  static void one_lww_database(cluster::Founding& founding) {
    founding.keyspaces[1].conflicts = cluster::ConflictPolicy::kLww;
  }
  CommandCluster cluster{3, one_lww_database};
  TestClient a{cluster, 0}, b{cluster, 1}, c{cluster, 2};
};

TEST_F(Quorum, AMissingKeyHasAnEmptyContext) {
  EXPECT_EQ(a.say("KV.GET", "absent"), "*2\r\n$0\r\n\r\n*0\r\n");
}

TEST_F(Quorum, PutsWithoutContextAreSiblings) {
  const std::string first = a.say("KV.PUT", "cart", "", "book");
  EXPECT_THAT(first, StartsWith("$"));
  b.say("KV.PUT", "cart", "", "dvd");
  EXPECT_EQ(values_of(c.say("KV.GET", "cart")), "*2\r\n$3\r\ndvd\r\n$4\r\nbook\r\n");
  EXPECT_EQ(a.say("GET", "cart"), "*2\r\n$3\r\ndvd\r\n$4\r\nbook\r\n");
  EXPECT_EQ(a.say("MGET", "cart", "absent"), "*2\r\n*2\r\n$3\r\ndvd\r\n$4\r\nbook\r\n$-1\r\n");

  b.say("KV.PUT", "cart", first_bulk(first), "book2");
  EXPECT_EQ(values_of(a.say("KV.GET", "cart")), "*2\r\n$5\r\nbook2\r\n$3\r\ndvd\r\n");
  const std::string both = first_bulk(b.say("KV.GET", "cart"));
  EXPECT_THAT(c.say("KV.PUT", "cart", both, "book2,dvd"), StartsWith("$"));
  EXPECT_EQ(a.say("GET", "cart"), "$9\r\nbook2,dvd\r\n");
}

TEST_F(Quorum, EditsOfOneOfSeveralSiblingsConflict) {
  a.say("KV.PUT", "k", "", "1");
  a.say("KV.PUT", "k", "", "2");
  const std::string conflict = "-CONFLICT 2 siblings; read with KV.GET, write back with KV.PUT\r\n";
  EXPECT_EQ(b.say("APPEND", "k", "x"), conflict);
  EXPECT_EQ(b.say("INCR", "k"), conflict);
  EXPECT_EQ(b.say("SETRANGE", "k", "0", "x"), conflict);
  EXPECT_EQ(b.say("GETEX", "k", "EX", "10"), conflict);
  EXPECT_EQ(b.say("GETDEL", "k"), conflict);
  EXPECT_EQ(b.say("EXPIRE", "k", "10"), conflict);
  EXPECT_EQ(b.say("SET", "k", "3", "GET"), conflict);
  EXPECT_EQ(b.say("SET", "k", "3", "NX"), "$-1\r\n");
  EXPECT_EQ(b.say("SET", "k", "3"), "+OK\r\n");
  EXPECT_EQ(a.say("GET", "k"), "$1\r\n3\r\n");
  a.say("KV.PUT", "k", "", "4");
  EXPECT_EQ(b.say("DEL", "k"), ":1\r\n");
  EXPECT_EQ(a.say("GET", "k"), "$-1\r\n");
}

TEST_F(Quorum, DeletesWhatWasRead) {
  a.say("KV.PUT", "k", "", "old");
  const std::string context = first_bulk(a.say("KV.GET", "k"));
  b.say("KV.PUT", "k", "", "unseen");
  EXPECT_THAT(c.say("KV.DEL", "k", context), StartsWith("$"));
  EXPECT_EQ(values_of(a.say("KV.GET", "k")), "*1\r\n$6\r\nunseen\r\n");
  EXPECT_EQ(c.say("KV.DEL", "k", ""), "$0\r\n\r\n");
  EXPECT_EQ(values_of(a.say("KV.GET", "k")), "*1\r\n$6\r\nunseen\r\n");
  c.say("KV.DEL", "k", first_bulk(a.say("KV.GET", "k")));
  const std::string gone = a.say("KV.GET", "k");
  EXPECT_NE(first_bulk(gone), "");  // the tombstone's context
  EXPECT_EQ(values_of(gone), "*0\r\n");
}

TEST_F(Quorum, RefusesDamagedContexts) {
  const std::string bad = "-BADCONTEXT invalid or damaged context\r\n";
  EXPECT_EQ(a.say("KV.PUT", "k", "!!garbage!!", "v"), bad);
  EXPECT_EQ(a.say("KV.DEL", "k", "AAAA"), bad);
  std::string token = first_bulk(a.say("KV.PUT", "k", "", "v"));
  token[token.size() / 2] = token[token.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_EQ(a.say("KV.PUT", "k", token, "w"), bad);
  EXPECT_EQ(a.say("GET", "k"), "$1\r\nv\r\n");
}

TEST_F(Quorum, OptionsOfKvCommands) {
  EXPECT_THAT(a.say("KV.PUT", "k", "", "v", "EX", "100", "W", "3", "TIMEOUT", "500"),
              StartsWith("$"));
  EXPECT_EQ(a.say("TTL", "k"), ":100\r\n");
  EXPECT_THAT(a.say("KV.GET", "k", "R", "3"), StartsWith("*2"));
  EXPECT_EQ(a.say("KV.GET", "k", "R", "4"), "-ERR R must be from 1 to 3\r\n");
  EXPECT_EQ(a.say("KV.GET", "k", "R", "0"), "-ERR R must be from 1 to 3\r\n");
  EXPECT_EQ(a.say("KV.GET", "k", "W", "1"), "-ERR syntax error\r\n");
  EXPECT_EQ(a.say("KV.GET", "k", "R"), "-ERR syntax error\r\n");
  EXPECT_EQ(a.say("KV.PUT", "k", "", "v", "W", "9"), "-ERR W must be from 1 to 3\r\n");
  EXPECT_EQ(a.say("KV.PUT", "k", "", "v", "EX", "0"),
            "-ERR invalid expire time in 'kv.put' command\r\n");
  EXPECT_EQ(a.say("KV.PUT", "k", "", "v", "TIMEOUT", "0"),
            "-ERR TIMEOUT must be from 1 to 3600000 milliseconds\r\n");
}

TEST_F(Quorum, LastWriteWinsShowsTheNewestOnly) {
  a.say("SELECT", "1");
  a.say("KV.PUT", "x", "", "1");
  a.say("KV.PUT", "x", "", "2");
  EXPECT_EQ(a.say("GET", "x"), "$1\r\n2\r\n");
  EXPECT_EQ(a.say("APPEND", "x", "3"), ":2\r\n");
  EXPECT_EQ(b.say("GET", "x"), "$-1\r\n");
}

TEST_F(Quorum, ShowsAndSetsTheQuorumOfAConnection) {
  EXPECT_EQ(a.say("KV.QUORUM"), "*4\r\n$1\r\nR\r\n:2\r\n$1\r\nW\r\n:2\r\n");
  EXPECT_EQ(a.say("KV.QUORUM", "r", "1", "W", "3"), "+OK\r\n");
  EXPECT_EQ(a.say("KV.QUORUM"), "*4\r\n$1\r\nR\r\n:1\r\n$1\r\nW\r\n:3\r\n");
  EXPECT_EQ(a.say("KV.QUORUM", "R", "2", "W", "0"), "-ERR W must be from 1 to 3\r\n");
  EXPECT_EQ(a.say("KV.QUORUM"), "*4\r\n$1\r\nR\r\n:1\r\n$1\r\nW\r\n:3\r\n");
  EXPECT_EQ(b.say("KV.QUORUM"), "*4\r\n$1\r\nR\r\n:2\r\n$1\r\nW\r\n:2\r\n");
  EXPECT_EQ(a.say("KV.QUORUM", "RESET"), "+OK\r\n");
  EXPECT_EQ(a.say("KV.QUORUM"), "*4\r\n$1\r\nR\r\n:2\r\n$1\r\nW\r\n:2\r\n");
}

TEST_F(Quorum, AnExplicitWIsNeverSoftened) {
  cluster.cut(0, 1);
  cluster.cut(0, 2);
  cluster.cut(1, 2);
  EXPECT_EQ(a.say("SET", "k", "v"), "+OK\r\n");
  EXPECT_THAT(a.say("KV.PUT", "k", "", "v", "W", "3"), StartsWith("-NOQUORUM "));
  EXPECT_EQ(a.say("KV.QUORUM", "W", "2"), "+OK\r\n");
  EXPECT_THAT(a.say("SET", "k", "v"), StartsWith("-NOQUORUM "));
  EXPECT_THAT(a.say("INCR", "n"), StartsWith("-NOQUORUM "));
  EXPECT_THAT(a.say("MGET", "k", "l"), StartsWith("-NOQUORUM "));
}

TEST_F(Quorum, LocalCopiesAndTheirOwners) {
  CommandCluster wide(5);
  const std::string key = "somewhere";
  const auto list = wide.nodes[0]->view->ring.preference_list(
      wide.nodes[0]->view->ring.partition_of(position_of(key)));
  TestClient owner(wide, list[0]), stranger(wide, list[4]);
  EXPECT_EQ(stranger.say("SET", key, "v"), "+OK\r\n");
  EXPECT_EQ(values_of(owner.say("KV.LOCAL", key)), "*1\r\n$1\r\nv\r\n");
  EXPECT_EQ(stranger.say("KV.LOCAL", key), "-NOTOWNER this node is no primary of the key\r\n");
  EXPECT_EQ(stranger.say("GET", key), "$1\r\nv\r\n");
}

TEST_F(Quorum, LastOperation) {
  EXPECT_EQ(a.say("KV.LASTOP"), "*0\r\n");
  a.say("SET", "k", "v");
  const std::string served = a.say("KV.LASTOP");
  EXPECT_THAT(served, StartsWith("*16\r\n$11\r\ncoordinator\r\n$1\r\n"));
  EXPECT_THAT(served, HasSubstr("$8\r\nreplicas\r\n:"));
  EXPECT_THAT(served, HasSubstr("$5\r\nhints\r\n:0\r\n"));
  // In a pipeline it waits for the operation before it.
  EXPECT_THAT(b.line(TestClient::resp({"GET", "k"}) + TestClient::resp({"KV.LASTOP"})),
              StartsWith("$1\r\nv\r\n*16\r\n"));
}

TEST_F(Quorum, InspectShowsEveryReplica) {
  a.say("SET", "k", "v");
  const std::string shown = a.say("KV.INSPECT", "k");
  EXPECT_THAT(shown, StartsWith("*8\r\n$8\r\nposition\r\n$32\r\n"));
  EXPECT_THAT(shown, HasSubstr("$15\r\npreference_list\r\n*3\r\n"));
  EXPECT_THAT(shown, HasSubstr("$8\r\nreplicas\r\n*3\r\n"));
  EXPECT_THAT(shown, HasSubstr("$5\r\nvalue\r\n$1\r\nv\r\n"));
}

TEST_F(Quorum, DigestsAreEqualOnAllPrimaries) {
  EXPECT_EQ(a.say("KV.DIGEST"), "*0\r\n");
  for (int i = 0; i < 20; ++i) a.say("SET", "k" + std::to_string(i), "v");
  const std::string rows = a.say("KV.DIGEST");
  EXPECT_THAT(rows, StartsWith("*"));
  EXPECT_THAT(rows, HasSubstr("*3\r\n:0\r\n:"));
  EXPECT_EQ(b.say("KV.DIGEST"), rows);
  EXPECT_EQ(c.say("KV.DIGEST"), rows);
  EXPECT_EQ(b.say("KV.DIGEST", "0", "3"), a.say("KV.DIGEST", "0", "3"));
  EXPECT_EQ(a.say("KV.DIGEST", "0", "3").size(), 5 + 16 + 2u);
  EXPECT_EQ(a.say("KV.DIGEST", "0", "16"), "-ERR the partition must be from 0 to 15\r\n");
  EXPECT_EQ(a.say("KV.DIGEST", "16", "0"), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(a.say("KV.DIGEST", "0"), "-ERR syntax error\r\n");
}

TEST_F(Quorum, ClusterStatus) {
  const std::string settled = a.say("KV.CLUSTER", "STATUS");
  EXPECT_THAT(settled, HasSubstr("state:settled\r\n"));
  EXPECT_THAT(settled, HasSubstr("members:3\r\n"));
  EXPECT_THAT(settled, HasSubstr("hints_pending:0\r\n"));
  EXPECT_THAT(settled, HasSubstr("transfers_active:0\r\n"));
  cluster.cut(0, 1);
  EXPECT_THAT(a.say("KV.CLUSTER", "STATUS"), HasSubstr("state:degraded\r\n"));
  EXPECT_EQ(a.say("KV.CLUSTER", "NOSUCH"),
            "-ERR unknown subcommand 'NOSUCH'. Try KV.CLUSTER HELP.\r\n");
}

TEST_F(Quorum, ACausalConnectionWritesWhatItRead) {
  EXPECT_EQ(a.say("KV.CAUSAL", "ON"), "+OK\r\n");
  b.say("SET", "k", "1");
  EXPECT_EQ(a.say("GET", "k"), "$1\r\n1\r\n");
  EXPECT_EQ(b.say("SET", "k", "2"), "+OK\r\n");
  EXPECT_EQ(a.say("SET", "k", "3"), "+OK\r\n");  // saw 1, not 2
  EXPECT_EQ(c.say("GET", "k"), "*2\r\n$1\r\n3\r\n$1\r\n2\r\n");
  EXPECT_EQ(a.say("GET", "k"), "*2\r\n$1\r\n3\r\n$1\r\n2\r\n");
  EXPECT_EQ(a.say("SET", "k", "2,3"), "+OK\r\n");
  EXPECT_EQ(c.say("GET", "k"), "$3\r\n2,3\r\n");
  // Its own writes do not become siblings of each other, whatever they are.
  EXPECT_EQ(a.say("SET", "k", "4"), "+OK\r\n");
  EXPECT_EQ(a.say("APPEND", "k", "2"), ":2\r\n");
  EXPECT_EQ(a.say("SET", "k", "5"), "+OK\r\n");
  EXPECT_EQ(c.say("GET", "k"), "$1\r\n5\r\n");
  EXPECT_EQ(a.say("KV.CAUSAL", "OFF"), "+OK\r\n");
  b.say("SET", "k", "6");
  EXPECT_EQ(a.say("SET", "k", "7"), "+OK\r\n");
  EXPECT_EQ(c.say("GET", "k"), "$1\r\n7\r\n");
  EXPECT_EQ(a.say("KV.CAUSAL", "MAYBE"), "-ERR syntax error\r\n");
}

TEST_F(Quorum, CausalWritesInOnePipeline) {
  a.say("KV.CAUSAL", "ON");
  b.say("SET", "k", "1");
  const std::string pipeline = TestClient::resp({"GET", "k"}) +
                               TestClient::resp({"SET", "k", "2"}) +
                               TestClient::resp({"SET", "k", "3"}) + TestClient::resp({"GET", "k"});
  EXPECT_EQ(a.line(pipeline), "$1\r\n1\r\n+OK\r\n+OK\r\n$1\r\n3\r\n");
}

TEST(Outsider, KeyedCommandsAnswerClusterDown) {
  CommandCluster cluster(1, [](cluster::Founding& founding) { founding.members[0].name = "z"; });
  TestClient client(cluster, 0);
  EXPECT_THAT(client.say("GET", "k"), StartsWith("-CLUSTERDOWN "));
  EXPECT_THAT(client.say("MSET", "k", "v", "l", "v"), StartsWith("-CLUSTERDOWN "));
  EXPECT_EQ(client.say("PING"), "+PONG\r\n");
  EXPECT_THAT(client.say("KV.CLUSTER", "STATUS"), HasSubstr("state:degraded"));
  EXPECT_EQ(client.say("KV.DIGEST"), "*0\r\n");
}

}  // namespace
}  // namespace kvorum::server
