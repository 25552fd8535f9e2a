// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/meta_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class MemcachedMeta : public ::testing::TestWithParam<size_t> {
 protected:
  CommandCluster cluster{GetParam()};
  TestClient m{cluster, 0, TestClient::memcached()};
  TestClient other{cluster, GetParam() - 1, TestClient::memcached()};
  TestClient redis{cluster, 0};

  std::string cas_of(const std::string& key) {
    const std::string reply = m.line("gets " + key + "\r\n");
    const std::string head = reply.substr(0, reply.find("\r\n"));
    return head.substr(head.rfind(' ') + 1);
  }
};
INSTANTIATE_TEST_SUITE_P(Nodes, MemcachedMeta, ::testing::Values(1, 3));

TEST_P(MemcachedMeta, GetShowsWhatIsAskedFor) {
  m.line("set k 7 0 5\r\nhello\r\n");
  EXPECT_EQ(m.line("mg k\r\n"), "HD\r\n");
  EXPECT_EQ(m.line("mg k v\r\n"), "VA 5\r\nhello\r\n");
  EXPECT_EQ(m.line("mg k s v f t k Oabc\r\n"), "VA 5 s5 f7 t-1 kk Oabc\r\nhello\r\n");
  EXPECT_EQ(m.line("mg k c\r\n"), "HD c" + cas_of("k") + "\r\n");
  EXPECT_EQ(m.line("mg absent v\r\nmg absent k Oq\r\nmg absent q\r\nmn\r\n"),
            "EN\r\nEN kabsent Oq\r\nMN\r\n");
  cluster.pass_ms(3000);
  EXPECT_EQ(m.line("mg k l h u\r\n"), "HD l3 h0\r\n");
}

TEST_P(MemcachedMeta, GetOmitsAValueThatTheClientHas) {
  m.line("set k 0 0 1\r\n1\r\n");
  EXPECT_EQ(m.line("mg k v C" + cas_of("k") + "\r\n"), "HD\r\n");
  EXPECT_EQ(m.line("mg k v C1\r\n"), "VA 1\r\n1\r\n");
}

TEST_P(MemcachedMeta, ASetTellsTheUniqueOfWhatItWrote) {
  for (const char* command :
       {"ms k 1 c", "ms k 1 c MA", "ms k 1 c MP", "ms k 1 c MR F5", "ma k c"}) {
    const bool counts = std::string_view(command).starts_with("ma");
    const std::string reply = m.line(std::string(command) + (counts ? "\r\n" : "\r\n1\r\n"));
    EXPECT_EQ(reply, "HD c" + cas_of("k") + "\r\n") << command;
  }
  EXPECT_EQ(other.line("mg k v f\r\n"), "VA 1 f5\r\n2\r\n");
}

TEST_P(MemcachedMeta, SetHasModes) {
  EXPECT_EQ(m.line("ms k 1 MR\r\n1\r\n"), "NS\r\n");
  EXPECT_EQ(m.line("ms k 1 MA\r\n1\r\n"), "NS\r\n");
  EXPECT_EQ(m.line("ms k 1 MA N100 s\r\n1\r\n"), "HD s1\r\n");
  EXPECT_EQ(m.line("ms k 1 MP s\r\n0\r\n"), "HD s2\r\n");
  EXPECT_EQ(m.line("mg k v t\r\n"), "VA 2 t100\r\n01\r\n");
  EXPECT_EQ(m.line("ms k 1 ME\r\n1\r\n"), "NS\r\n");
  EXPECT_EQ(m.line("ms k 1 MX\r\n1\r\n"), "CLIENT_ERROR invalid mode for ms M token\r\n");
  EXPECT_EQ(m.line("ms k 1 q\r\n1\r\nms k 1 q ME\r\n1\r\nmn\r\n"), "NS\r\nMN\r\n");
  EXPECT_EQ(m.line("ms k 1 C1\r\n1\r\n"), "EX\r\n");
  EXPECT_EQ(m.line("ms absent 1 C1\r\n1\r\n"), "NF\r\n");
  EXPECT_EQ(m.line("ms k 1 C" + cas_of("k") + " T50\r\n2\r\n"), "HD\r\n");
  EXPECT_EQ(m.line("mg k v t\r\n"), "VA 1 t50\r\n2\r\n");
}

TEST_P(MemcachedMeta, AClientMayChooseTheUnique) {
  EXPECT_EQ(m.line("ms k 1 E1234 c\r\n1\r\n"), "HD c1234\r\n");
  EXPECT_EQ(other.line("gets k\r\n"), "VALUE k 0 1 1234\r\n1\r\nEND\r\n");
  EXPECT_EQ(m.line("touch k 100\r\nmg k c t\r\n"), "TOUCHED\r\nHD c1234 t100\r\n");
  EXPECT_EQ(m.line("ms k 1 C1234 E1235\r\n2\r\n"), "HD\r\n");
  EXPECT_EQ(m.line("ms k 1 E1235\r\n3\r\nmg k c v\r\n"), "HD\r\nVA 1 c1235\r\n3\r\n");
  EXPECT_EQ(m.line("ma k E7 c v\r\n"), "VA 1 c7\r\n4\r\n");
  EXPECT_EQ(m.line("md k I E9\r\nmg k c\r\n"), "HD\r\nHD c9 X W\r\n");
  EXPECT_EQ(redis.say("SET", "k", "x"), "+OK\r\n");
  EXPECT_NE(cas_of("k"), "9");
}

// One client is told to write it anew; the others that somebody was.
TEST_P(MemcachedMeta, OneClientWinsAStaleItem) {
  m.line("set k 7 0 3\r\nold\r\n");
  EXPECT_EQ(m.line("md k I T30\r\n"), "HD\r\n");
  EXPECT_EQ(m.line("get k\r\n"), "VALUE k 7 3\r\nold\r\nEND\r\n");
  EXPECT_EQ(m.line("mg k v t\r\n"), "VA 3 t30 X W\r\nold\r\n");
  EXPECT_EQ(other.line("mg k v\r\n"), "VA 3 Z X\r\nold\r\n");
  EXPECT_EQ(m.line("mg k T60\r\n"), "HD Z X\r\n");
  EXPECT_EQ(other.line("mg k t\r\n"), "HD t60 Z X\r\n");
  EXPECT_EQ(m.line("ms k 3\r\nnew\r\n"), "HD\r\n");
  EXPECT_EQ(other.line("mg k v\r\n"), "VA 3\r\nnew\r\n");
}

TEST_P(MemcachedMeta, AWinIsGivenOnceInAPipeline) {
  m.line("set k 0 0 1\r\n1\r\nmd k I\r\n");
  EXPECT_EQ(m.line("mg k\r\nmg k\r\nmn\r\nma k v\r\n"), "HD X W\r\nHD Z X\r\nMN\r\nVA 1\r\n2\r\n");
}

TEST_P(MemcachedMeta, AMissIsFilledByOne) {
  EXPECT_EQ(m.line("mg k v N30 t\r\n"), "VA 0 t30 W\r\n\r\n");
  EXPECT_EQ(other.line("mg k v N30 t\r\n"), "VA 0 t30 Z\r\n\r\n");
  EXPECT_EQ(m.line("ms k 1 T100\r\n1\r\nmg k v N30\r\n"), "HD\r\nVA 1\r\n1\r\n");
}

TEST_P(MemcachedMeta, WhatEndsSoonIsWrittenAnewByOne) {
  m.line("set k 0 20 1\r\n1\r\n");
  EXPECT_EQ(m.line("mg k R10\r\n"), "HD\r\n");
  EXPECT_EQ(m.line("mg k R30\r\n"), "HD W\r\n");
  EXPECT_EQ(other.line("mg k R30\r\n"), "HD Z\r\n");
  EXPECT_EQ(m.line("mg k T50 R30 t\r\n"), "HD t50 Z\r\n");
}

TEST_P(MemcachedMeta, AnOldUniqueStoresAStaleValue) {
  m.line("set k 0 60 1\r\n1\r\n");
  const std::string before = cas_of("k");
  m.line("set k 0 60 1\r\n2\r\n");
  EXPECT_EQ(m.line("ms k 1 C" + before + "\r\n3\r\n"), "EX\r\n");
  EXPECT_EQ(m.line("ms k 1 I C" + before + " T999\r\n3\r\n"), "HD\r\n");
  EXPECT_EQ(m.line("mg k v t\r\n"), "VA 1 t60 X W\r\n3\r\n");
  m.line("ms n 1 E100\r\n1\r\n");
  EXPECT_EQ(m.line("ms n 1 I C101\r\n2\r\n"), "EX\r\n");
  EXPECT_EQ(m.line("ms n 1 I C99\r\n2\r\n"), "HD\r\n");
}

TEST_P(MemcachedMeta, DeletesOrEmpties) {
  m.line("set k 7 60 3\r\nold\r\n");
  EXPECT_EQ(m.line("md k C1\r\n"), "EX\r\n");
  const std::string unique = cas_of("k");
  EXPECT_EQ(m.line("md k x\r\nmg k v f t c\r\n"), "HD\r\nVA 0 f0 t-1 c" + unique + "\r\n\r\n");
  EXPECT_EQ(m.line("md k q\r\nmd k q k Oq\r\nmn\r\n"), "NF kk Oq\r\nMN\r\n");
}

TEST_P(MemcachedMeta, Counts) {
  EXPECT_EQ(m.line("ma n\r\n"), "NF\r\n");
  EXPECT_EQ(m.line("ma n N60 J10 v t\r\n"), "VA 2 t60\r\n10\r\n");
  EXPECT_EQ(m.line("ma n v\r\nma n MD v D2\r\n"), "VA 2\r\n11\r\nVA 1\r\n9\r\n");
  EXPECT_EQ(m.line("mg n v\r\n"), "VA 2\r\n9 \r\n");
  EXPECT_EQ(m.line("ma n M- D100 v T30 t\r\n"), "VA 1 t30\r\n0\r\n");
  EXPECT_EQ(m.line("ma n C1\r\n"), "EX\r\n");
  EXPECT_EQ(m.line("set n 0 0 1\r\nx\r\nma n\r\n"),
            "STORED\r\nCLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
}

TEST_P(MemcachedMeta, KeysMayComeInBase64) {
  EXPECT_EQ(m.line("ms Zm9v 1 b k\r\n1\r\n"), "HD kZm9v b\r\n");
  EXPECT_EQ(m.line("get foo\r\n"), "VALUE foo 0 1\r\n1\r\nEND\r\n");
  EXPECT_EQ(m.line("mg Zm9v b k v\r\n"), "VA 1 kZm9v b\r\n1\r\n");
  EXPECT_EQ(m.line("mg Zm9 b\r\n"), "CLIENT_ERROR error decoding key\r\n");
  EXPECT_THAT(m.line("me Zm9v b\r\n"), testing::StartsWith("ME Zm9v exp=-1 la=0 cas="));
}

TEST_P(MemcachedMeta, DebugTellsTheItem) {
  m.line("set k 0 60 3\r\nabc\r\n");
  EXPECT_THAT(m.line("me k\r\n"),
              MatchesRegex("ME k exp=-60 la=0 cas=[0-9]+ fetch=no cls=1 size=3\r\n"));
  EXPECT_EQ(m.line("me absent\r\n"), "EN\r\n");
}

TEST_P(MemcachedMeta, OtherDialectsDoNotSeeMarks) {
  m.line("set k 0 0 1\r\n1\r\nmd k I\r\nmg k\r\n");
  EXPECT_EQ(redis.say("EXPIRE", "k", "100"), ":1\r\n");
  EXPECT_EQ(m.line("mg k t\r\n"), "HD t100 Z X\r\n");
  EXPECT_EQ(redis.say("INCR", "k"), ":2\r\n");
  EXPECT_EQ(m.line("mg k v\r\n"), "VA 1\r\n2\r\n");
}

TEST(MemcachedMetaSiblings, AreNotChosenFrom) {
  CommandCluster cluster(1);
  TestClient m(cluster, 0, TestClient::memcached());
  TestClient redis(cluster, 0);
  redis.say("KV.PUT", "k", "", "one");
  redis.say("KV.PUT", "k", "", "two");
  EXPECT_EQ(m.line("mg k v\r\n"), "VA 3\r\ntwo\r\n");
  EXPECT_THAT(m.line("mg k T100\r\n"), HasSubstr("SERVER_ERROR conflict 2 siblings"));
  EXPECT_THAT(m.line("ms k 1 MA\r\nx\r\n"), HasSubstr("SERVER_ERROR conflict 2 siblings"));
  EXPECT_EQ(m.line("ms k 4\r\nboth\r\n"), "HD\r\n");
  EXPECT_EQ(redis.say("GET", "k"), "$4\r\nboth\r\n");
}

TEST(MemcachedMetaLimits, ARefusedSetDeletesTheOldValue) {
  DispatcherOptions options;
  options.value_bytes_max = 10;
  CommandCluster cluster(1, {}, options);
  TestClient m(cluster, 0, TestClient::memcached());
  m.line("ms k 1\r\n1\r\n");
  EXPECT_EQ(m.line("ms k 11 Z\r\n12345678901\r\nmg k\r\n"), "CLIENT_ERROR invalid flag\r\nHD\r\n");
  EXPECT_EQ(m.line("ms k 11\r\n12345678901\r\nmg k\r\n"),
            "SERVER_ERROR object too large for cache\r\nEN\r\n");
}

}  // namespace
}  // namespace kvorum::server
