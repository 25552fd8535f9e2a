// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/watching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// gid= counts from 1; the clock of these tests stands still.
std::string line(int number, const std::string& rest) {
  return "ts=1700000000.123456 gid=" + std::to_string(number) + " type=" + rest + "\n";
}

struct Watching : ::testing::Test {
  std::string id() { return std::to_string(client.conversation().session().id); }
  CommandCluster cluster{1};
  TestClient client{cluster, 0, TestClient::memcached()};
  TestClient watcher{cluster, 0, TestClient::memcached()};
};

TEST_F(Watching, FetchersSeeWhatWasFoundAndWhatWasNot) {
  client.line("set k 0 0 3\r\nabc\r\n");
  EXPECT_EQ(watcher.line("watch\r\n"), "OK\r\n");
  client.line("get k none\r\n");
  client.line("mg k v\r\n");
  client.line("gat 100 none\r\n");
  client.line("incr none 1\r\n");
  client.line("set k 0 0 1\r\nx\r\n");  // no fetch
  const std::string none = "item_get key=none status=not_found clsid=1 cfd=" + id() + " size=0";
  const std::string found = "item_get key=k status=found clsid=1 cfd=" + id() + " size=3";
  EXPECT_EQ(watcher.take(),
            line(1, found) + line(2, none) + line(3, found) + line(4, none) + line(5, none));
}

TEST_F(Watching, MutationsSeeStores) {
  EXPECT_EQ(watcher.line("watch mutations\r\n"), "OK\r\n");
  client.line("set a%b 0 100 3\r\nabc\r\n");
  client.line("add a%b 0 0 1\r\nx\r\n");
  client.line("cas none 0 0 1 7\r\nx\r\n");
  client.line("append a%b 0 0 1\r\nx\r\n");
  client.line("ms k 2 ME T60\r\nhi\r\n");
  client.line("get k\r\n");
  const std::string end = " clsid=1 cfd=" + id() + " size=";
  EXPECT_EQ(watcher.take(),
            line(1, "item_store key=a%25b status=stored cmd=set ttl=100" + end + "3") +
                line(2, "item_store key=a%25b status=not_stored cmd=add ttl=0" + end + "1") +
                line(3, "item_store key=none status=not_found cmd=cas ttl=0" + end + "1") +
                line(4, "item_store key=a%25b status=stored cmd=append ttl=0" + end + "1") +
                line(5, "item_store key=k status=stored cmd=add ttl=60" + end + "2"));
}

TEST_F(Watching, DeletionsSeeWhatIsGone) {
  client.line("set k 0 0 3\r\nabc\r\n");
  EXPECT_EQ(watcher.line("watch deletions\r\n"), "OK\r\n");
  client.line("delete none\r\n");
  client.line("md none\r\n");
  client.line("delete k\r\n");
  client.line("set k 0 0 3\r\nabc\r\n");
  client.line("md k I\r\n");
  client.line("md k\r\n");
  EXPECT_EQ(watcher.take(), line(1, "deleted key=k cmd=delete clsid=1 size=0") +
                                line(2, "deleted key=k cmd=md clsid=1 size=0"));
}

TEST_F(Watching, ConnectionsBeginAndEnd) {
  EXPECT_EQ(watcher.line("watch connevents\r\n"), "OK\r\n");
  {
    TestClient normal(cluster, 0, TestClient::memcached());
    TestClient redis(cluster, 0);
  }
  EXPECT_THAT(watcher.take(),
              MatchesRegex("ts=.* gid=1 type=conn_new rip=127.0.0.1 rport=5000 transport=tcp "
                           "cfd=[0-9]+\nts=.* gid=2 type=conn_close rip=127.0.0.1 rport=5000 "
                           "transport=tcp reason=normal cfd=[0-9]+\n"));
  {
    TestClient broken(cluster, 0, TestClient::memcached());
    broken.line("GET / HTTP/1.1\r\n");
  }
  EXPECT_THAT(watcher.take(), HasSubstr(" reason=error "));
}

TEST_F(Watching, OneThatDoesNotReadIsToldHowMuchItMissed) {
  EXPECT_EQ(watcher.line("watch fetchers\r\n"), "OK\r\n");
  const std::string key(250, '#');
  for (int i = 0; i < 1000; ++i) client.line("get " + key + "\r\n");
  const TrackingStatus status = cluster.nodes[0]->tracking.status();
  EXPECT_EQ(status.watchers, 1u);
  EXPECT_EQ(status.lines_made, 1000u);
  EXPECT_GT(status.lines_skipped, 0u);
  EXPECT_EQ(status.lines_sent + status.lines_skipped, 1000u);
  EXPECT_EQ(watcher.take().find("skipped="), std::string::npos);
  client.line("get k\r\n");
  EXPECT_THAT(watcher.take(),
              MatchesRegex("skipped=" + std::to_string(status.lines_skipped) +
                           "\nts=.* gid=1001 type=item_get key=k status=not_found .*\n"));
}

TEST_F(Watching, NamesWhatItDoesNotKnow) {
  EXPECT_EQ(watcher.line("watch nothing\r\n"), "ERROR\r\n");
  EXPECT_EQ(watcher.line("watch mutations sysevents\r\n"), "OK\r\n");
  EXPECT_EQ(cluster.nodes[0]->tracking.watched(), kWatchMutations);
  watcher.hang_up();
  EXPECT_EQ(cluster.nodes[0]->tracking.watched(), 0);
  EXPECT_EQ(cluster.nodes[0]->tracking.status().watchers, 0u);
}

}  // namespace
}  // namespace kvorum::server
