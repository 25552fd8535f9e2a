// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Connection : public ::testing::Test {
 protected:
  CommandCluster cluster{1};
  TestClient client{cluster, 0};
};

TEST_F(Connection, Greetings) {
  EXPECT_EQ(client.say("PING"), "+PONG\r\n");
  EXPECT_EQ(client.say("PING", "hello"), "$5\r\nhello\r\n");
  EXPECT_EQ(client.say("PING", "a", "b"), "-ERR wrong number of arguments for 'ping' command\r\n");
  EXPECT_EQ(client.say("ECHO", "hello"), "$5\r\nhello\r\n");
  EXPECT_THAT(client.say("HELLO"), StartsWith("*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n"));
  EXPECT_THAT(client.say("HELLO", "3"), StartsWith("%7\r\n"));
  EXPECT_EQ(client.say("GET", "absent"), "_\r\n");
  EXPECT_EQ(client.say("HELLO", "4"), "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(client.say("RESET"), "+RESET\r\n");
  EXPECT_EQ(client.say("GET", "absent"), "$-1\r\n");
}

TEST_F(Connection, Databases) {
  client.say("SET", "k", "zero");
  EXPECT_EQ(client.say("SELECT", "1"), "+OK\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$-1\r\n");
  EXPECT_EQ(client.say("SELECT", "16"), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(client.say("SELECT", "x"), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(client.say("SELECT", "0"), "+OK\r\n");
  EXPECT_EQ(client.say("GET", "k"), "$4\r\nzero\r\n");
}

TEST_F(Connection, ClientNamesAndLists) {
  EXPECT_EQ(client.say("CLIENT", "GETNAME"), "$-1\r\n");
  EXPECT_EQ(client.say("CLIENT", "SETNAME", "me"), "+OK\r\n");
  EXPECT_EQ(client.say("CLIENT", "GETNAME"), "$2\r\nme\r\n");
  EXPECT_THAT(client.say("CLIENT", "SETNAME", "two words"), StartsWith("-ERR Client names"));
  EXPECT_EQ(client.say("CLIENT", "SETINFO", "LIB-NAME", "redis-py"), "+OK\r\n");
  EXPECT_EQ(client.say("CLIENT", "SETINFO", "LIB-VER", "5.0"), "+OK\r\n");
  EXPECT_EQ(client.say("CLIENT", "SETINFO", "nosuch", "5.0"),
            "-ERR Unrecognized option 'nosuch'\r\n");
  EXPECT_EQ(client.say("CLIENT", "SETINFO", "LIB-NAME", "a b"),
            "-ERR lib-name cannot contain spaces, newlines or special characters.\r\n");
  TestClient other(cluster, 0);
  const std::string list = client.say("CLIENT", "LIST");
  EXPECT_THAT(list, HasSubstr("id=1 addr=127.0.0.1:5000 laddr=127.0.0.1:6379 "));
  EXPECT_THAT(list, HasSubstr("name=me "));
  EXPECT_THAT(list, HasSubstr("cmd=client|list "));
  EXPECT_THAT(list, HasSubstr("lib-name=redis-py lib-ver=5.0 watch=0\n"));
  EXPECT_THAT(list, HasSubstr("id=2 "));
  EXPECT_THAT(client.say("CLIENT", "LIST", "ID", "2"), HasSubstr("id=2 "));
  EXPECT_THAT(client.say("CLIENT", "LIST", "ID", "2"), ::testing::Not(HasSubstr("id=1 ")));
  EXPECT_EQ(client.say("CLIENT", "NOSUCH"),
            "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.\r\n");
  EXPECT_THAT(client.say("CLIENT", "HELP"), HasSubstr("\r\n+CLIENT <subcommand>"));
}

TEST_F(Connection, RepliesCanBeSwitchedOff) {
  EXPECT_EQ(client.line("CLIENT REPLY SKIP\r\nSET k 1\r\nGET k\r\n"), "$1\r\n1\r\n");
  EXPECT_EQ(client.line("CLIENT REPLY OFF\r\nSET k 2\r\nGET k\r\nNOSUCH\r\n"), "");
  EXPECT_EQ(client.line("CLIENT REPLY SKIP\r\nGET k\r\nGET k\r\n"), "");
  EXPECT_EQ(client.line("CLIENT REPLY ON\r\nGET k\r\n"), "+OK\r\n$1\r\n2\r\n");
  EXPECT_EQ(client.line("CLIENT REPLY MAYBE\r\n"), "-ERR syntax error\r\n");
}

TEST(ConnectionInCluster, ASkippedReplyStaysSkippedWhereItsCommandHasToWait) {
  CommandCluster cluster(3);
  TestClient client(cluster, 0);
  EXPECT_EQ(client.line("INCR k\r\nCLIENT REPLY SKIP\r\nGET k\r\nINCR k\r\n"), ":1\r\n:2\r\n");
}

class Password : public ::testing::Test {
 protected:
  static DispatcherOptions with_password() {
    DispatcherOptions options;
    options.passwords = {"secret"};
    return options;
  }
  static ConversationOptions unknown() {
    ConversationOptions options = TestClient::plain();
    options.authenticated = false;
    return options;
  }
  CommandCluster cluster{1, {}, with_password()};
  TestClient client{cluster, 0, unknown()};
};

TEST_F(Password, NothingWithoutIt) {
  EXPECT_EQ(client.say("GET", "k"), "-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(client.say("PING"), "-NOAUTH Authentication required.\r\n");
  EXPECT_THAT(client.say("NOSUCH"), StartsWith("-ERR unknown command"));
  EXPECT_THAT(client.say("HELLO", "3"), StartsWith("-NOAUTH HELLO must be called"));
  EXPECT_EQ(client.say("QUIT"), "+OK\r\n");
}

TEST_F(Password, Auth) {
  const std::string wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
  EXPECT_EQ(client.say("AUTH", "wrong"), wrong);
  EXPECT_EQ(client.say("AUTH", "secretsecret"), wrong);
  EXPECT_EQ(client.say("AUTH", ""), wrong);
  EXPECT_EQ(client.say("AUTH", "somebody", "secret"), wrong);
  // In one packet, with a request that is too large for who is not known.
  const std::string large(20'000, 'x');
  EXPECT_EQ(client.line(TestClient::resp({"AUTH", "secret"}) +
                        TestClient::resp({"SET", "k", large}) + TestClient::resp({"STRLEN", "k"})),
            "+OK\r\n+OK\r\n:20000\r\n");
  EXPECT_EQ(client.say("RESET"), "+RESET\r\n");
  EXPECT_EQ(client.say("GET", "k"), "-NOAUTH Authentication required.\r\n");
}

TEST(Passwords, AnyOfSeveralIsRight) {
  DispatcherOptions options;
  options.passwords = {"new", "old"};
  CommandCluster cluster(1, {}, options);
  ConversationOptions unknown = TestClient::plain();
  unknown.authenticated = false;
  for (const char* const password : {"new", "old"}) {
    TestClient client(cluster, 0, unknown);
    EXPECT_THAT(client.say("AUTH", "older"), StartsWith("-WRONGPASS"));
    EXPECT_EQ(client.say("AUTH", password), "+OK\r\n");
    EXPECT_EQ(client.say("CONFIG", "GET", "requirepass"),
              "*2\r\n$11\r\nrequirepass\r\n$3\r\nnew\r\n");
  }
}

TEST_F(Password, MistakesAreCounted) {
  client.say("AUTH", "wrong");
  client.say("AUTH", "somebody", "secret");
  client.say("HELLO", "3", "AUTH", "default", "wrong");
  client.say("AUTH", "secret");
  EXPECT_EQ(cluster.nodes[0]->logins_failed, 3u);
}

// The attempt is not looked at before its time, whether it is right or not, and nothing behind it
// in its connection is; another connection of another address goes on.
TEST_F(Password, AnAddressThatFailedTooOftenWaits) {
  cluster.nodes[0]->login_delay = 400'000;
  TestClient other(cluster, 0);
  EXPECT_EQ(client.send(TestClient::resp({"AUTH", "secret"}) + TestClient::resp({"PING"})), "");
  EXPECT_TRUE(client.conversation().blocked());
  EXPECT_EQ(other.say("SET", "k", "v"), "+OK\r\n");
  cluster.pass_ms(390);
  EXPECT_EQ(client.send(""), "");
  EXPECT_EQ(client.wakes, 0);
  cluster.pass_ms(10);
  EXPECT_EQ(client.wakes, 1);
  EXPECT_EQ(client.send(""), "+OK\r\n+PONG\r\n");
  EXPECT_EQ(client.send(TestClient::resp({"AUTH", "wrong"})), "");
  EXPECT_EQ(cluster.nodes[0]->logins_failed, 0u);
  cluster.pass_ms(400);
  EXPECT_THAT(client.send(""), StartsWith("-WRONGPASS"));
  EXPECT_EQ(cluster.nodes[0]->logins_failed, 1u);
}

TEST_F(Password, WhoHangsUpWhileItWaitsIsForgotten) {
  cluster.nodes[0]->login_delay = 400'000;
  EXPECT_EQ(client.send(TestClient::resp({"HELLO", "3", "AUTH", "default", "secret"})), "");
  client.hang_up();
  cluster.pass_ms(500);
  EXPECT_EQ(cluster.nodes[0]->dispatcher.next_deadline_us(), 0u);
}

TEST_F(Password, ConnectionsOfOtherHostsAreToldAndCounted) {
  ConversationOptions refused = unknown();
  refused.refused_by_protected_mode = true;
  TestClient stranger(cluster, 0, refused);
  EXPECT_THAT(stranger.say("PING"), StartsWith("-DENIED"));
  EXPECT_EQ(cluster.nodes[0]->protected_refusals, 1u);
}

TEST_F(Password, HelloWithAuth) {
  EXPECT_THAT(client.say("HELLO", "3", "AUTH", "default", "wrong"), StartsWith("-WRONGPASS"));
  EXPECT_THAT(client.say("HELLO", "3", "AUTH", "default", "secret", "SETNAME", "me"),
              StartsWith("%7\r\n"));
  EXPECT_EQ(client.say("CLIENT", "GETNAME"), "$2\r\nme\r\n");
}

TEST_F(Password, LargeRequestsOfStrangersAreRefused) {
  EXPECT_EQ(client.send("*11\r\n"), "-ERR Protocol error: unauthenticated multibulk length\r\n");
  TestClient second(cluster, 0, unknown());
  EXPECT_EQ(second.send("*2\r\n$3\r\nGET\r\n$16385\r\n"),
            "-ERR Protocol error: unauthenticated bulk length\r\n");
}

}  // namespace
}  // namespace kvorum::server
