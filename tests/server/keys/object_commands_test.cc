// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

TEST(ObjectCommands, TellWhatFollowsFromTheBytes) {
  CommandCluster cluster(1);
  TestClient client(cluster, 0);
  client.say("MSET", "n", "-123", "big", "1234567", "zero", "007", "s", std::string(44, 'x'), "l",
             std::string(45, 'x'));
  EXPECT_EQ(client.say("OBJECT", "ENCODING", "n"), "$3\r\nint\r\n");
  EXPECT_EQ(client.say("OBJECT", "ENCODING", "zero"), "$6\r\nembstr\r\n");
  EXPECT_EQ(client.say("OBJECT", "ENCODING", "s"), "$6\r\nembstr\r\n");
  EXPECT_EQ(client.say("OBJECT", "ENCODING", "l"), "$3\r\nraw\r\n");
  EXPECT_EQ(client.say("OBJECT", "ENCODING", "absent"), "$-1\r\n");
  client.say("SET", "shared", "9999");
  EXPECT_EQ(client.say("OBJECT", "REFCOUNT", "shared"), ":2147483647\r\n");
  EXPECT_EQ(client.say("OBJECT", "REFCOUNT", "n"), ":1\r\n");
  EXPECT_EQ(client.say("OBJECT", "REFCOUNT", "big"), ":1\r\n");
  EXPECT_EQ(client.say("OBJECT", "REFCOUNT", "absent"), "$-1\r\n");
}

TEST(ObjectCommands, IdleTimeIsSinceTheLastWrite) {
  CommandCluster cluster(1);
  TestClient client(cluster, 0);
  client.say("SET", "k", "v");
  EXPECT_EQ(client.say("OBJECT", "IDLETIME", "k"), ":0\r\n");
  cluster.pass_ms(3500);
  EXPECT_EQ(client.say("OBJECT", "IDLETIME", "k"), ":3\r\n");
  client.say("APPEND", "k", "w");
  EXPECT_EQ(client.say("OBJECT", "IDLETIME", "k"), ":0\r\n");
  EXPECT_EQ(client.say("OBJECT", "IDLETIME", "absent"), "$-1\r\n");
  EXPECT_EQ(client.say("OBJECT", "FREQ", "absent"), "$-1\r\n");
  EXPECT_TRUE(client.say("OBJECT", "FREQ", "k")
                  .starts_with("-ERR An LFU maxmemory policy is not selected, access frequency not "
                               "tracked."));
}

TEST(ObjectCommands, WrongUses) {
  CommandCluster cluster(1);
  TestClient client(cluster, 0);
  EXPECT_EQ(client.say("OBJECT"), "-ERR wrong number of arguments for 'object' command\r\n");
  EXPECT_EQ(client.say("OBJECT", "FOO", "k"),
            "-ERR unknown subcommand 'FOO'. Try OBJECT HELP.\r\n");
  EXPECT_EQ(client.say("OBJECT", "ENCODING"),
            "-ERR wrong number of arguments for 'object|encoding' command\r\n");
  EXPECT_TRUE(client.say("OBJECT", "HELP").starts_with("*"));
}

}  // namespace
}  // namespace kvorum::server
