// SPDX-License-Identifier: Apache-2.0
#include "protocol/memcached_frame.h"

#include <gtest/gtest.h>

namespace kvorum::protocol {
namespace {

using namespace std::string_literals;

TEST(MemcachedFrame, WritesHeadersOfResponses) {
  std::string out;
  MemcachedEcho echo{0x0c, 0xdeadbeef, "key"};
  append_binary_head({echo, MemcachedStatus::kOk, 0x0102, 7, "value"}, out);
  EXPECT_EQ(out, "\x81\x0c\x00\x03\x04\x00\x00\x00\x00\x00\x00\x0c\xde\xad\xbe\xef"s +
                     "\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00\x07key"s);
  out.clear();
  append_binary_head({echo, MemcachedStatus::kInternal, 0, 7, "sorry"}, out);
  EXPECT_EQ(out.size(), kMemcachedHeaderBytes);
  EXPECT_EQ(out.substr(2, 10), "\x00\x00\x00\x00\x00\x84\x00\x00\x00\x05"s);
}

TEST(MemcachedFrame, AnEchoIsReadAsItWasWritten) {
  std::string bytes;
  append_echo({0x24, 0x01020304, "some key"}, bytes);
  const MemcachedEcho echo = read_echo(bytes);
  EXPECT_EQ(echo.opcode, 0x24);
  EXPECT_EQ(echo.opaque, 0x01020304u);
  EXPECT_EQ(echo.key, "some key");
  EXPECT_EQ(echo_of_header("\x80\x0b"s).opcode, 0x0b);
}

TEST(MemcachedFrame, StatsAreFramesOfTheirNames) {
  std::string out;
  append_binary_stat(0x01020304, "pid", "7", out);
  EXPECT_EQ(out.substr(0, 2) + out.substr(24), "\x81\x10pid7"s);
}

TEST(MemcachedFrame, QuietCommandsHaveLoudForms) {
  EXPECT_EQ(loud(MemcachedOpcode::kGatKQ), MemcachedOpcode::kGatK);
  EXPECT_EQ(loud(MemcachedOpcode::kQuitQ), MemcachedOpcode::kQuit);
  EXPECT_EQ(loud(MemcachedOpcode::kStat), MemcachedOpcode::kStat);
}

}  // namespace
}  // namespace kvorum::protocol
