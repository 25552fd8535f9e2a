// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "server/keys/redis_dump.h"
#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

class DumpCommands : public ::testing::Test {
 protected:
  CommandCluster cluster{5};
  TestClient client{cluster, 0};
  const std::string dump = dump_string("hello");
};

TEST_F(DumpCommands, RestoreTakesWhatDumpAnswers) {
  client.say("SET", "k", "hello");
  EXPECT_EQ(client.say("DUMP", "k"), "$" + std::to_string(dump.size()) + "\r\n" + dump + "\r\n");
  EXPECT_EQ(client.say("DUMP", "absent"), "$-1\r\n");
  EXPECT_EQ(client.say("RESTORE", "new", "0", dump), "+OK\r\n");
  EXPECT_EQ(client.say("GET", "new"), "$5\r\nhello\r\n");
  EXPECT_EQ(client.say("TTL", "new"), ":-1\r\n");
}

TEST_F(DumpCommands, RestoreWithTimes) {
  EXPECT_EQ(client.say("RESTORE", "k", "5000", dump), "+OK\r\n");
  EXPECT_EQ(client.say("PTTL", "k"), ":5000\r\n");
  EXPECT_EQ(client.say("RESTORE", "k", "9999999999999", dump, "ABSTTL", "REPLACE"), "+OK\r\n");
  EXPECT_EQ(client.say("PEXPIRETIME", "k"), ":9999999999999\r\n");
  EXPECT_EQ(client.say("RESTORE", "k", "1", dump, "ABSTTL", "REPLACE"), "+OK\r\n");
  EXPECT_EQ(client.say("EXISTS", "k"), ":0\r\n");
  EXPECT_EQ(client.say("RESTORE", "k", "9223372036854775807", dump),
            "-ERR Invalid TTL value, must be >= 0\r\n");
}

TEST_F(DumpCommands, RestoreRefuses) {
  const std::string busy = "-BUSYKEY Target key name already exists.\r\n";
  const std::string wrong = "-ERR DUMP payload version or checksum are wrong\r\n";
  EXPECT_EQ(client.say("RESTORE", "k", "0", "damaged"), wrong);
  EXPECT_EQ(client.say("RESTORE", "k", "-1", dump), "-ERR Invalid TTL value, must be >= 0\r\n");
  EXPECT_EQ(client.say("RESTORE", "k", "x", dump),
            "-ERR value is not an integer or out of range\r\n");
  client.say("SET", "k", "v");
  EXPECT_EQ(client.say("RESTORE", "k", "0", dump), busy);
  EXPECT_EQ(client.say("RESTORE", "k", "-1", dump), busy);
  EXPECT_EQ(client.say("RESTORE", "k", "0", "damaged"), busy);
  EXPECT_EQ(client.say("RESTORE", "k", "0", "damaged", "REPLACE"), wrong);
  EXPECT_EQ(client.say("GET", "k"), "$1\r\nv\r\n");
  EXPECT_EQ(client.say("RESTORE", "k", "0", dump, "FREQ", "256"),
            "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n");
  EXPECT_EQ(client.say("RESTORE", "k", "0", dump, "IDLETIME", "-1"),
            "-ERR Invalid IDLETIME value, must be >= 0\r\n");
  EXPECT_EQ(client.say("RESTORE", "k", "0", dump, "FREQ", "1", "IDLETIME", "1"),
            "-ERR syntax error\r\n");
  EXPECT_EQ(client.say("RESTORE", "k", "0", dump, "FREQ", "1", "REPLACE"), "+OK\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$5\r\nhello\r\n");
}

}  // namespace
}  // namespace kvorum::server
