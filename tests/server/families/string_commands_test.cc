// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

class Strings : public ::testing::Test {
 protected:
  CommandCluster cluster{1};
  TestClient client{cluster, 0};
};

TEST_F(Strings, SetThenGet) {
  EXPECT_EQ(client.say("SET", "k", "v"), "+OK\r\n");
  EXPECT_EQ(client.say("get", "k"), "$1\r\nv\r\n");
  EXPECT_EQ(client.say("GET", "absent"), "$-1\r\n");
  EXPECT_EQ(client.say("SET", "k", std::string("a\r\n\0b", 5)), "+OK\r\n");
  EXPECT_EQ(client.say("GET", "k"), std::string("$5\r\na\r\n\0b\r\n", 11));
}

TEST_F(Strings, ConditionsOfSet) {
  EXPECT_EQ(client.say("SET", "k", "1", "XX"), "$-1\r\n");
  EXPECT_EQ(client.say("SET", "k", "1", "NX"), "+OK\r\n");
  EXPECT_EQ(client.say("SET", "k", "2", "NX"), "$-1\r\n");
  EXPECT_EQ(client.say("SET", "k", "2", "XX", "GET"), "$1\r\n1\r\n");
  EXPECT_EQ(client.say("SET", "k", "3", "NX", "GET"), "$1\r\n2\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$1\r\n2\r\n");
  EXPECT_EQ(client.say("SET", "new", "3", "NX", "GET"), "$-1\r\n");
  EXPECT_EQ(client.say("GET", "new"), "$1\r\n3\r\n");
  EXPECT_EQ(client.say("SETNX", "new", "4"), ":0\r\n");
  EXPECT_EQ(client.say("SETNX", "newer", "4"), ":1\r\n");
}

TEST_F(Strings, WrongOptionsOfSet) {
  const std::string syntax = "-ERR syntax error\r\n";
  EXPECT_EQ(client.say("SET", "k", "1", "NX", "XX"), syntax);
  EXPECT_EQ(client.say("SET", "k", "1", "EX"), syntax);
  EXPECT_EQ(client.say("SET", "k", "1", "EX", "10", "PX", "10"), syntax);
  EXPECT_EQ(client.say("SET", "k", "1", "KEEPTTL", "EX", "10"), syntax);
  EXPECT_EQ(client.say("SET", "k", "1", "EX", "10", "KEEPTTL"), syntax);
  EXPECT_EQ(client.say("SET", "k", "1", "EX", "x"),
            "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(client.say("SET", "k", "1", "EX", "0"),
            "-ERR invalid expire time in 'set' command\r\n");
  EXPECT_EQ(client.say("SET", "k", "1", "EX", "9223372036854775807"),
            "-ERR invalid expire time in 'set' command\r\n");
  EXPECT_EQ(client.say("SETEX", "k", "-1", "1"), "-ERR invalid expire time in 'setex' command\r\n");
  EXPECT_EQ(client.say("SET", "k"), "-ERR wrong number of arguments for 'set' command\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$-1\r\n");
}

TEST_F(Strings, ExpireAndKeepTtl) {
  EXPECT_EQ(client.say("SET", "k", "v", "PX", "1000"), "+OK\r\n");
  EXPECT_EQ(client.say("PTTL", "k"), ":1000\r\n");
  EXPECT_EQ(client.say("SET", "k", "w", "KEEPTTL"), "+OK\r\n");
  EXPECT_EQ(client.say("TTL", "k"), ":1\r\n");
  cluster.pass_ms(1000);
  EXPECT_EQ(client.say("GET", "k"), "$-1\r\n");
  EXPECT_EQ(client.say("SET", "k", "v", "EX", "5"), "+OK\r\n");
  EXPECT_EQ(client.say("SET", "k", "w"), "+OK\r\n");
  EXPECT_EQ(client.say("TTL", "k"), ":-1\r\n");
}

TEST_F(Strings, ManyKeysKeepTheirOrder) {
  EXPECT_EQ(client.say("MSET", "a", "1", "b", "2", "a", "3"), "+OK\r\n");
  EXPECT_EQ(client.say("MGET", "b", "absent", "a"), "*3\r\n$1\r\n2\r\n$-1\r\n$1\r\n3\r\n");
  EXPECT_EQ(client.say("MGET", "a"), "*1\r\n$1\r\n3\r\n");
  EXPECT_EQ(client.say("MSET", "a"), "-ERR wrong number of arguments for 'mset' command\r\n");
  EXPECT_EQ(client.say("MSET", "a", "1", "b"),
            "-ERR wrong number of arguments for 'mset' command\r\n");
  EXPECT_EQ(client.say("EXISTS", "a", "a", "absent", "b"), ":3\r\n");
  EXPECT_EQ(client.say("DEL", "a", "a", "absent", "b"), ":2\r\n");
  EXPECT_EQ(client.say("EXISTS", "a"), ":0\r\n");
}

TEST_F(Strings, PartsOfValues) {
  EXPECT_EQ(client.say("APPEND", "k", "Hello"), ":5\r\n");
  EXPECT_EQ(client.say("APPEND", "k", " World"), ":11\r\n");
  EXPECT_EQ(client.say("STRLEN", "k"), ":11\r\n");
  EXPECT_EQ(client.say("GETRANGE", "k", "-5", "-1"), "$5\r\nWorld\r\n");
  EXPECT_EQ(client.say("GETRANGE", "k", "5", "3"), "$0\r\n\r\n");
  EXPECT_EQ(client.say("SETRANGE", "k", "6", "Redis"), ":11\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$11\r\nHello Redis\r\n");
  EXPECT_EQ(client.say("SETRANGE", "pad", "2", "x"), ":3\r\n");
  EXPECT_EQ(client.say("GET", "pad"), std::string("$3\r\n\0\0x\r\n", 9));
  EXPECT_EQ(client.say("SETRANGE", "absent", "5", ""), ":0\r\n");
  EXPECT_EQ(client.say("EXISTS", "absent"), ":0\r\n");
  EXPECT_EQ(client.say("SETRANGE", "k", "-1", "x"), "-ERR offset is out of range\r\n");
  EXPECT_EQ(client.say("SETRANGE", "k", "536870912", "x"),
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
}

TEST_F(Strings, ValueBefore) {
  EXPECT_EQ(client.say("GETSET", "k", "1"), "$-1\r\n");
  EXPECT_EQ(client.say("GETSET", "k", "2"), "$1\r\n1\r\n");
  EXPECT_EQ(client.say("GETEX", "k", "EX", "100"), "$1\r\n2\r\n");
  EXPECT_EQ(client.say("TTL", "k"), ":100\r\n");
  EXPECT_EQ(client.say("GETEX", "k", "PERSIST"), "$1\r\n2\r\n");
  EXPECT_EQ(client.say("TTL", "k"), ":-1\r\n");
  EXPECT_EQ(client.say("GETEX", "k"), "$1\r\n2\r\n");
  EXPECT_EQ(client.say("GETEX", "absent", "EX", "0"), "$-1\r\n");
  EXPECT_EQ(client.say("GETEX", "k", "EX", "0"), "-ERR invalid expire time in 'getex' command\r\n");
  EXPECT_EQ(client.say("GETEX", "k", "EX", "1", "PERSIST"), "-ERR syntax error\r\n");
  EXPECT_EQ(client.say("GETDEL", "k"), "$1\r\n2\r\n");
  EXPECT_EQ(client.say("GETDEL", "k"), "$-1\r\n");
}

TEST_F(Strings, Counters) {
  EXPECT_EQ(client.say("INCR", "n"), ":1\r\n");
  EXPECT_EQ(client.say("INCRBY", "n", "41"), ":42\r\n");
  EXPECT_EQ(client.say("DECR", "n"), ":41\r\n");
  EXPECT_EQ(client.say("DECRBY", "n", "-9"), ":50\r\n");
  EXPECT_EQ(client.say("GET", "n"), "$2\r\n50\r\n");
  EXPECT_EQ(client.say("INCRBY", "n", "x"), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(client.say("SET", "n", "9223372036854775807"), "+OK\r\n");
  EXPECT_EQ(client.say("INCR", "n"), "-ERR increment or decrement would overflow\r\n");
  EXPECT_EQ(client.say("DECRBY", "n", "-9223372036854775808"), "-ERR decrement would overflow\r\n");
  EXPECT_EQ(client.say("SET", "n", "text"), "+OK\r\n");
  EXPECT_EQ(client.say("INCR", "n"), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(client.say("INCRBYFLOAT", "f", "10.5"), "$4\r\n10.5\r\n");
  EXPECT_EQ(client.say("INCRBYFLOAT", "f", "-0.5"), "$2\r\n10\r\n");
  EXPECT_EQ(client.say("INCRBYFLOAT", "n", "1"), "-ERR value is not a valid float\r\n");
}

TEST_F(Strings, CountersKeepTheirDeadline) {
  EXPECT_EQ(client.say("SET", "n", "1", "EX", "100"), "+OK\r\n");
  EXPECT_EQ(client.say("INCR", "n"), ":2\r\n");
  EXPECT_EQ(client.say("APPEND", "n", "0"), ":2\r\n");
  EXPECT_EQ(client.say("TTL", "n"), ":100\r\n");
}

}  // namespace
}  // namespace kvorum::server
