// SPDX-License-Identifier: Apache-2.0
#include "protocol/reply.h"

#include <gtest/gtest.h>

#include "protocol/error_texts.h"

namespace kvorum::protocol {
namespace {

std::string resp2(const Reply& reply) {
  std::string out;
  write_resp(reply, RespVersion::k2, out);
  return out;
}

std::string resp3(const Reply& reply) {
  std::string out;
  write_resp(reply, RespVersion::k3, out);
  return out;
}

std::string memcached(const Reply& reply) {
  std::string out;
  write_memcached(reply, out);
  return out;
}

TEST(Reply, WritesScalarsInRedisDialect) {
  EXPECT_EQ(resp2(Reply::none()), "");
  EXPECT_EQ(resp2(Reply::ok()), "+OK\r\n");
  EXPECT_EQ(resp2(Reply::simple("PONG")), "+PONG\r\n");
  EXPECT_EQ(resp2(Reply::error(kSyntaxError)), "-ERR syntax error\r\n");
  EXPECT_EQ(resp2(Reply::integer(-5)), ":-5\r\n");
  EXPECT_EQ(resp2(Reply::bulk("abc")), "$3\r\nabc\r\n");
  EXPECT_EQ(resp2(Reply::nil()), "$-1\r\n");
  EXPECT_EQ(resp3(Reply::nil()), "_\r\n");
  EXPECT_EQ(resp3(Reply::verbatim_owned("text")), "=8\r\ntxt:text\r\n");
  EXPECT_EQ(resp2(Reply::preformatted("+QUEUED\r\n")), "+QUEUED\r\n");
}

TEST(Reply, NestsArraysMapsAndSets) {
  const Reply nested = Reply::array({Reply::integer(1), Reply::array({}), Reply::bulk("x")});
  EXPECT_EQ(resp2(nested), "*3\r\n:1\r\n*0\r\n$1\r\nx\r\n");
  const Reply map = Reply::map({Reply::bulk("k"), Reply::nil()});
  EXPECT_EQ(resp2(map), "*2\r\n$1\r\nk\r\n$-1\r\n");
  EXPECT_EQ(resp3(map), "%1\r\n$1\r\nk\r\n_\r\n");
  EXPECT_EQ(resp3(Reply::set({Reply::integer(1)})), "~1\r\n:1\r\n");
  EXPECT_EQ(nested.items().size(), 3u);
}

TEST(Reply, OwnsWhatItIsToldToOwn) {
  Reply reply;
  {
    std::string value(100, 'v');
    reply = Reply::array({Reply::bulk_owned(value), Reply::error_owned("ERR " + value)});
    value.assign(100, 'w');
  }
  const Reply copy = reply;
  const Reply moved = std::move(reply);
  const std::string value(100, 'v');
  EXPECT_EQ(resp2(copy), "*2\r\n$100\r\n" + value + "\r\n-ERR " + value + "\r\n");
  EXPECT_EQ(resp2(moved), resp2(copy));
}

TEST(Reply, BorrowsWithoutACopy) {
  const std::string value = "value";
  EXPECT_EQ(Reply::bulk(value).text().data(), value.data());
}

TEST(Reply, KeepsShortOwnedTextWhenMoved) {
  std::vector<Reply> items;
  for (int i = 0; i < 100; ++i) items.push_back(Reply::bulk_owned(std::to_string(i)));
  EXPECT_EQ(items[42].text(), "42");
}

TEST(Reply, NeverLetsForeignTextBreakALine) {
  EXPECT_EQ(resp2(Reply::error_owned("ERR bad 'a\r\n+OK\r\n'")), "-ERR bad 'a  +OK  '\r\n");
  EXPECT_EQ(resp2(Reply::simple("a\nb")), "+a b\r\n");
  EXPECT_EQ(memcached(Reply::line("a\r\nEND")), "a  END\r\n");
  EXPECT_EQ(memcached(Reply::error("ERR a\r\nb\r\n")), "SERVER_ERROR ERR a  b\r\n");
}

TEST(MemcachedReply, WritesLinesAndNumbers) {
  EXPECT_EQ(memcached(Reply::none()), "");
  EXPECT_EQ(memcached(Reply::line("STORED")), "STORED\r\n");
  EXPECT_EQ(memcached(Reply::line_owned("VERSION 1.6.18")), "VERSION 1.6.18\r\n");
  EXPECT_EQ(memcached(Reply::ok()), "OK\r\n");
  EXPECT_EQ(memcached(Reply::integer(42)), "42\r\n");
  EXPECT_EQ(memcached(Reply::nil()), "NOT_FOUND\r\n");
  EXPECT_EQ(memcached(Reply::preformatted("HD\r\n")), "HD\r\n");
}

TEST(MemcachedReply, WritesValuesWithTheirHeaderLine) {
  EXPECT_EQ(memcached(Reply::value_item("k", 4294967295, "a\r\nb")),
            "VALUE k 4294967295 4\r\na\r\nb\r\n");
  EXPECT_EQ(memcached(Reply::value_item("k", 0, "").with_cas(18446744073709551615ull)),
            "VALUE k 0 0 18446744073709551615\r\n\r\n");
  EXPECT_EQ(
      memcached(Reply::array({Reply::value_item("a", 1, "x"),
                              Reply::value_item("b", 2, "yy").with_cas(0), Reply::line("END")})),
      "VALUE a 1 1\r\nx\r\nVALUE b 2 2 0\r\nyy\r\nEND\r\n");
}

TEST(MemcachedReply, GivesForeignErrorsItsOwnCode) {
  EXPECT_EQ(memcached(Reply::error("ERROR")), "ERROR\r\n");
  EXPECT_EQ(memcached(Reply::error("CLIENT_ERROR bad data chunk")),
            "CLIENT_ERROR bad data chunk\r\n");
  EXPECT_EQ(memcached(Reply::error("SERVER_ERROR out of memory")),
            "SERVER_ERROR out of memory\r\n");
  EXPECT_EQ(memcached(Reply::error("NOQUORUM 1 of 2")), "SERVER_ERROR NOQUORUM 1 of 2\r\n");
}

}  // namespace
}  // namespace kvorum::protocol
