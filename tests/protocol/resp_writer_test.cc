// SPDX-License-Identifier: Apache-2.0
#include "protocol/resp_writer.h"

#include <gtest/gtest.h>

#include <limits>

namespace kvorum::protocol {
namespace {

// What `append` writes, called with an output that already holds something.
template <class Append>
std::string written(const Append& append) {
  std::string out = "before";
  append(out);
  EXPECT_EQ(out.substr(0, 6), "before");
  return out.substr(6);
}

template <class Append>
std::string both(const Append& append) {
  return written([&](std::string& out) { append(out, RespVersion::k2); }) + "|" +
         written([&](std::string& out) { append(out, RespVersion::k3); });
}

TEST(RespWriter, WritesWhatBothVersionsShare) {
  EXPECT_EQ(written([](std::string& out) { append_simple(out, "OK"); }), "+OK\r\n");
  EXPECT_EQ(written([](std::string& out) { append_error(out, "ERR no"); }), "-ERR no\r\n");
  EXPECT_EQ(written([](std::string& out) { append_bulk(out, "a\r\nb"); }), "$4\r\na\r\nb\r\n");
  EXPECT_EQ(written([](std::string& out) { append_bulk(out, ""); }), "$0\r\n\r\n");
  EXPECT_EQ(written([](std::string& out) { append_array_header(out, 12); }), "*12\r\n");
}

TEST(RespWriter, WritesTheExtremeIntegers) {
  EXPECT_EQ(
      written([](std::string& out) { append_integer(out, std::numeric_limits<int64_t>::min()); }),
      ":-9223372036854775808\r\n");
  EXPECT_EQ(written([](std::string& out) { append_integer(out, 0); }), ":0\r\n");
}

TEST(RespWriter, NeverBreaksALineOfText) {
  EXPECT_EQ(written([](std::string& out) { append_simple(out, "a\r\nb\n"); }), "+a  b \r\n");
  EXPECT_EQ(written([](std::string& out) { append_error(out, "ERR a\r\nb\r\n\n"); }),
            "-ERR a  b\r\n");
}

TEST(RespWriter, WritesNullsPerVersion) {
  EXPECT_EQ(both([](std::string& out, RespVersion v) { append_nil(out, v); }), "$-1\r\n|_\r\n");
}

TEST(RespWriter, WritesHeadersPerVersion) {
  EXPECT_EQ(both([](std::string& out, RespVersion v) { append_map_header(out, v, 3); }),
            "*6\r\n|%3\r\n");
  EXPECT_EQ(both([](std::string& out, RespVersion v) { append_set_header(out, v, 3); }),
            "*3\r\n|~3\r\n");
}

TEST(RespWriter, WritesVerbatimTextPerVersion) {
  EXPECT_EQ(both([](std::string& out, RespVersion v) { append_verbatim(out, v, "a\nb"); }),
            "$3\r\na\nb\r\n|=7\r\ntxt:a\nb\r\n");
}

}  // namespace
}  // namespace kvorum::protocol
