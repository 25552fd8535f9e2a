// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

class BitFieldCommands : public ::testing::Test {
 protected:
  CommandCluster cluster{5};
  TestClient client{cluster, 0};
};

TEST_F(BitFieldCommands, ReadAndChangeInOneEdit) {
  EXPECT_EQ(client.say("BITFIELD", "k", "INCRBY", "i5", "100", "1", "GET", "u4", "0"),
            "*2\r\n:1\r\n:0\r\n");
  EXPECT_EQ(client.say("STRLEN", "k"), ":14\r\n");
  EXPECT_EQ(client.say("BITFIELD", "k", "SET", "u8", "#1", "200", "GET", "u8", "#1", "INCRBY", "u8",
                       "#1", "100"),
            "*3\r\n:0\r\n:200\r\n:44\r\n");
  EXPECT_EQ(client.say("BITFIELD", "k", "OVERFLOW", "FAIL", "INCRBY", "u8", "8", "250", "OVERFLOW",
                       "SAT", "INCRBY", "u8", "8", "250", "GET", "i8", "8"),
            "*3\r\n$-1\r\n:255\r\n:-1\r\n");
  EXPECT_EQ(client.say("BITFIELD_RO", "k", "GET", "u8", "8"), "*1\r\n:255\r\n");
  EXPECT_EQ(client.say("BITFIELD", "absent", "GET", "u8", "8"), "*1\r\n:0\r\n");
  EXPECT_EQ(client.say("EXISTS", "absent"), ":0\r\n");
  EXPECT_EQ(client.say("BITFIELD", "absent"), "*0\r\n");
}

TEST_F(BitFieldCommands, WrongUses) {
  const std::string bad_type =
      "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
      "i64 is.\r\n";
  for (const char* type : {"u64", "i65", "i0", "x8", "8", "", "u"}) {
    EXPECT_EQ(client.say("BITFIELD", "k", "GET", type, "0"), bad_type) << type;
  }
  const std::string bad_offset = "-ERR bit offset is not an integer or out of range\r\n";
  for (const char* offset : {"-1", "x", "", "#", "#-1", "4294967296", "#9223372036854775807"}) {
    EXPECT_EQ(client.say("BITFIELD", "k", "GET", "u8", offset), bad_offset) << offset;
  }
  EXPECT_EQ(client.say("BITFIELD", "k", "SET", "u8", "0"), "-ERR syntax error\r\n");
  EXPECT_EQ(client.say("BITFIELD", "k", "OVERFLOW", "x"),
            "-ERR Invalid OVERFLOW type specified\r\n");
  EXPECT_EQ(client.say("BITFIELD", "k", "SET", "u8", "0", "x"),
            "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(client.say("BITFIELD_RO", "k", "SET", "u8", "0", "1"),
            "-ERR BITFIELD_RO only supports the GET subcommand\r\n");
  EXPECT_EQ(client.say("EXISTS", "k"), ":0\r\n");
}

TEST(BitFieldLimits, NothingGrowsBeyondTheLimitOfValues) {
  DispatcherOptions options;
  options.value_bytes_max = 1000;
  CommandCluster cluster(1, {}, options);
  TestClient client(cluster, 0);
  EXPECT_EQ(client.say("SETBIT", "k", "8000", "1"),
            "-ERR bit offset is not an integer or out of range\r\n");
  EXPECT_EQ(client.say("SETBIT", "k", "7999", "1"), ":0\r\n");
  EXPECT_EQ(client.say("BITFIELD", "k", "SET", "u8", "8000", "1"),
            "-ERR bit offset is not an integer or out of range\r\n");
}

}  // namespace
}  // namespace kvorum::server
