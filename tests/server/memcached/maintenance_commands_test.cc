// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/maintenance_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The lines of a reply but the last one.
std::set<std::string> lines_of(const std::string& reply, const std::string& end) {
  std::set<std::string> lines;
  size_t at = 0;
  for (size_t next = reply.find('\n'); next != std::string::npos; next = reply.find('\n', at)) {
    lines.insert(reply.substr(at, next - at));
    at = next + 1;
  }
  EXPECT_EQ(lines.erase(end + "\r"), 1u) << reply;
  return lines;
}

class MemcachedMaintenance : public ::testing::TestWithParam<size_t> {
 protected:
  CommandCluster cluster{GetParam()};
  TestClient m{cluster, 0, TestClient::memcached()};
  TestClient redis{cluster, GetParam() - 1};
};
INSTANTIATE_TEST_SUITE_P(Nodes, MemcachedMaintenance, ::testing::Values(1, 3));

TEST_P(MemcachedMaintenance, DumpsTheKeysOfTheCluster) {
  for (int i = 0; i < 1500; ++i) redis.say("SET", "key:" + std::to_string(i), "v");
  redis.say("SET", "has blank", "v");
  EXPECT_EQ(lines_of(m.line("lru_crawler metadump all\r\n"), "END").size(), 1501u);
  EXPECT_THAT(m.line("lru_crawler metadump all\r\n"), HasSubstr("key=has%20blank exp="));
  EXPECT_EQ(lines_of(m.line("stats cachedump 1 0\r\n"), "END").size(), 1500u);
  const std::set<std::string> some = lines_of(m.line("stats cachedump 1 7\r\n"), "END");
  EXPECT_EQ(some.size(), 7u);
  EXPECT_THAT(*some.begin(), StartsWith("ITEM key:"));
  EXPECT_EQ(lines_of(m.line("lru_crawler mgdump hash\r\n"), "EN").count("mg key:7\r"), 1u);
}

TEST_P(MemcachedMaintenance, DumpsSizesTimesAndUniques) {
  redis.say("SET", "plain", "12345");
  redis.say("SET", "short", "123", "PXAT", "1900000000000");
  m.line("ms named 2 E77\r\nhi\r\n");
  const std::string written = " la=" + std::to_string(cluster.now().wall_ms / 1000) + " ";
  const std::set<std::string> meta = lines_of(m.line("lru_crawler metadump all\r\n"), "END");
  EXPECT_THAT(meta, Contains(AllOf(StartsWith("key=plain exp=-1 la="), HasSubstr(written),
                                   EndsWith(" fetch=no cls=1 size=5"))));
  EXPECT_THAT(meta,
              Contains(AllOf(StartsWith("key=short exp=1900000000 la="), EndsWith("size=3"))));
  EXPECT_THAT(meta, Contains(AllOf(StartsWith("key=named exp=-1 la="), HasSubstr(" cas=77 "))));
  EXPECT_THAT(lines_of(m.line("stats cachedump 1 0\r\n"), "END"),
              ElementsAre("ITEM named [2 b; 0 s]\r", "ITEM plain [5 b; 0 s]\r",
                          "ITEM short [3 b; 1900000000 s]\r"));
}

TEST_P(MemcachedMaintenance, AllKeysAreOfOneClass) {
  redis.say("SET", "k", "v");
  EXPECT_EQ(m.line("stats cachedump 2 0\r\n"), "END\r\n");
  EXPECT_EQ(m.line("lru_crawler metadump 2\r\n"), "END\r\n");
  EXPECT_EQ(m.line("stats cachedump\r\n"), "CLIENT_ERROR bad command line\r\n");
  EXPECT_EQ(m.line("stats cachedump x 1\r\n"), "CLIENT_ERROR bad command line format\r\n");
  EXPECT_EQ(m.line("stats cachedump 999 1\r\n"), "CLIENT_ERROR Illegal slab id\r\n");
}

TEST_P(MemcachedMaintenance, TakesSettingsThatMeanNothing) {
  for (const char* line : {"lru_crawler enable", "lru_crawler sleep 100", "slabs automove 1",
                           "lru mode segmented", "verbosity 2"}) {
    EXPECT_EQ(m.line(std::string(line) + "\r\n"), "OK\r\n") << line;
  }
}

TEST_P(MemcachedMaintenance, RefusesByNameWhatWouldHaveAnEffect) {
  EXPECT_THAT(m.line("watch rawcmds\r\n"), StartsWith("SERVER_ERROR nothing of that is told"));
  EXPECT_EQ(m.line("lru nosuch\r\n"), "ERROR\r\n");
  EXPECT_THAT(m.line("cache_memlimit 7\r\n"), StartsWith("MEMLIMIT_TOO_SMALL"));
  EXPECT_EQ(m.line("cache_memlimit x\r\n"), "ERROR\r\n");
  EXPECT_EQ(m.line("slabs automove x\r\n"), "CLIENT_ERROR bad command line format\r\n");
  EXPECT_THAT(m.line("slabs reassign 1 2\r\n"), StartsWith("SERVER_ERROR there are no slabs"));
  EXPECT_EQ(m.line("shutdown\r\n"), "ERROR: shutdown not enabled\r\n");
}

}  // namespace
}  // namespace kvorum::server
