// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/binary_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using namespace std::string_literals;
using protocol::MemcachedOpcode;
using protocol::MemcachedStatus;
using ::testing::IsEmpty;
using ::testing::SizeIs;

template <class Number>
std::string big_endian(Number number) {
  std::string bytes;
  for (size_t i = sizeof(Number); i > 0; --i) {
    bytes.push_back(static_cast<char>(number >> (8 * (i - 1)) & 0xff));
  }
  return bytes;
}

uint64_t number_at(std::string_view bytes, size_t at, size_t size) {
  uint64_t number = 0;
  for (size_t i = 0; i < size; ++i) {
    number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return number;
}

struct Ask {
  MemcachedOpcode opcode{};
  std::string key = {}, value = {}, extras = {};
  uint64_t cas = 0;

  std::string frame() const {
    const size_t body = extras.size() + key.size() + value.size();
    return "\x80"s + static_cast<char>(opcode) + big_endian(static_cast<uint16_t>(key.size())) +
           static_cast<char>(extras.size()) + "\0\0\0"s + big_endian(static_cast<uint32_t>(body)) +
           "\xde\xad\xbe\xef" + big_endian(cas) + extras + key + value;
  }
};

Ask store(MemcachedOpcode opcode, std::string key, std::string value, uint64_t cas = 0) {
  return {opcode, std::move(key), std::move(value), big_endian(7u) + big_endian(0u), cas};
}
// It never expires.
Ask counting(MemcachedOpcode opcode, std::string key, uint64_t delta, uint64_t initial) {
  return {opcode, std::move(key), "", big_endian(delta) + big_endian(initial) + big_endian(0u)};
}

struct Answer {
  MemcachedStatus status{};
  uint64_t cas = 0;
  std::string extras, key, value;
};
std::vector<Answer> answers(std::string_view bytes) {
  std::vector<Answer> all;
  while (bytes.size() >= 24) {
    EXPECT_EQ(bytes[0], '\x81');
    EXPECT_EQ(bytes.substr(12, 4), "\xde\xad\xbe\xef");
    const size_t key = number_at(bytes, 2, 2), extras = number_at(bytes, 4, 1);
    const size_t body = number_at(bytes, 8, 4);
    Answer answer;
    answer.status = static_cast<MemcachedStatus>(number_at(bytes, 6, 2));
    answer.cas = number_at(bytes, 16, 8);
    answer.extras = bytes.substr(24, extras);
    answer.key = bytes.substr(24 + extras, key);
    answer.value = bytes.substr(24 + extras + key, body - extras - key);
    all.push_back(answer);
    bytes.remove_prefix(24 + body);
  }
  EXPECT_TRUE(bytes.empty());
  return all;
}

class MemcachedBinaryCommands : public ::testing::TestWithParam<size_t> {
 protected:
  CommandCluster cluster{GetParam()};
  TestClient client{cluster, 0, TestClient::memcached()};
  TestClient other{cluster, GetParam() - 1, TestClient::memcached()};
  TestClient redis{cluster, 0};

  Answer ask(const Ask& what) {
    const std::vector<Answer> all = answers(client.line(what.frame()));
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? Answer{} : all[0];
  }
  Answer get(const std::string& key) { return ask({MemcachedOpcode::kGet, key, "", ""}); }
};
INSTANTIATE_TEST_SUITE_P(Nodes, MemcachedBinaryCommands, ::testing::Values(1, 3));

TEST_P(MemcachedBinaryCommands, StoresAndGets) {
  EXPECT_EQ(ask(store(MemcachedOpcode::kSet, "k", "value")).status, MemcachedStatus::kOk);
  const Answer found = get("k");
  EXPECT_EQ(found.extras, big_endian(7u));
  EXPECT_EQ(found.value, "value");
  EXPECT_EQ(found.key, "");
  EXPECT_EQ(ask({MemcachedOpcode::kGetK, "k", "", ""}).key, "k");
  EXPECT_EQ(redis.say("GET", "k"), "$5\r\nvalue\r\n");
  const Answer missing = get("absent");
  EXPECT_EQ(missing.status, MemcachedStatus::kNotFound);
  EXPECT_EQ(missing.value, "Not found");
  const Answer missing_key = ask({MemcachedOpcode::kGetK, "absent", "", ""});
  EXPECT_EQ(missing_key.key, "absent");
  EXPECT_EQ(missing_key.value, "");
}

// What a write says is what the next read, and the text protocol, say.
TEST_P(MemcachedBinaryCommands, TellTheCasOfWhatTheyWrote) {
  const Ask writes[] = {store(MemcachedOpcode::kSet, "k", "1"),
                        store(MemcachedOpcode::kReplace, "k", "2"),
                        {MemcachedOpcode::kAppend, "k", "5", ""},
                        {MemcachedOpcode::kPrepend, "k", "1", ""},
                        counting(MemcachedOpcode::kIncrement, "k", 1, 0),
                        counting(MemcachedOpcode::kDecrement, "k", 100, 0),
                        store(MemcachedOpcode::kAdd, "new", "1"),
                        counting(MemcachedOpcode::kIncrement, "counter", 1, 9)};
  for (const Ask& write : writes) {
    const Answer answer = ask(write);
    ASSERT_EQ(answer.status, MemcachedStatus::kOk);
    EXPECT_NE(answer.cas, 0u);
    EXPECT_EQ(get(write.key).cas, answer.cas) << static_cast<int>(write.opcode);
    EXPECT_THAT(other.line("gets " + write.key + "\r\n"),
                testing::HasSubstr(" " + std::to_string(answer.cas) + "\r\n"));
  }
  EXPECT_EQ(get("k").value, "26 ");
}

TEST_P(MemcachedBinaryCommands, CompareTheCas) {
  const uint64_t cas = ask(store(MemcachedOpcode::kSet, "k", "1")).cas;
  const Ask wrong[] = {store(MemcachedOpcode::kSet, "k", "2", cas + 1),
                       store(MemcachedOpcode::kReplace, "k", "2", cas + 1),
                       {MemcachedOpcode::kAppend, "k", "2", "", cas + 1},
                       {MemcachedOpcode::kDelete, "k", "", "", cas + 1}};
  for (const Ask& one : wrong) EXPECT_EQ(ask(one).status, MemcachedStatus::kExists);
  Ask count = counting(MemcachedOpcode::kIncrement, "k", 1, 0);
  count.cas = cas + 1;
  EXPECT_EQ(ask(count).status, MemcachedStatus::kExists);
  count.cas = cas;
  const Answer counted = ask(count);
  EXPECT_EQ(counted.value, big_endian(uint64_t{2}));
  EXPECT_EQ(ask({MemcachedOpcode::kDelete, "k", "", "", counted.cas}).status, MemcachedStatus::kOk);
  EXPECT_EQ(ask(store(MemcachedOpcode::kSet, "k", "1", cas)).status, MemcachedStatus::kNotFound);
}

TEST_P(MemcachedBinaryCommands, QuietOnesSayWhatIsUnusual) {
  const std::string all = store(MemcachedOpcode::kSetQ, "k", "1").frame() +
                          store(MemcachedOpcode::kAddQ, "k", "1").frame() +            // refused
                          Ask{MemcachedOpcode::kGetQ, "absent", "", ""}.frame() +      //
                          Ask{MemcachedOpcode::kGetKQ, "k", "", ""}.frame() +          // found
                          counting(MemcachedOpcode::kIncrementQ, "k", 1, 0).frame() +  //
                          Ask{MemcachedOpcode::kGatQ, "absent", "", "\0\0\0\0"s}.frame() +
                          Ask{MemcachedOpcode::kDeleteQ, "k", "", ""}.frame() +
                          Ask{MemcachedOpcode::kDeleteQ, "k", "", ""}.frame() +  // not found
                          Ask{MemcachedOpcode::kFlushQ, "", "", ""}.frame() +
                          Ask{MemcachedOpcode::kNoop, "", "", ""}.frame();
  const std::vector<Answer> said = answers(client.line(all));
  ASSERT_THAT(said, SizeIs(4));
  EXPECT_EQ(said[0].status, MemcachedStatus::kExists);
  EXPECT_EQ(said[1].key, "k");
  EXPECT_EQ(said[2].status, MemcachedStatus::kNotFound);
  EXPECT_EQ(said[3].status, MemcachedStatus::kOk);
}

TEST_P(MemcachedBinaryCommands, TouchesAndGets) {
  const uint64_t cas = ask(store(MemcachedOpcode::kSet, "k", "1")).cas;
  const Answer touched = ask({MemcachedOpcode::kTouch, "k", "", big_endian(100u)});
  EXPECT_EQ(touched.cas, cas);
  EXPECT_EQ(touched.extras, big_endian(7u));
  EXPECT_EQ(touched.value, "");
  EXPECT_EQ(redis.say("TTL", "k"), ":100\r\n");
  const Answer got = ask({MemcachedOpcode::kGatK, "k", "", big_endian(0xffffffffu)});
  EXPECT_EQ(got.value, "1");
  EXPECT_EQ(got.key, "k");
  EXPECT_EQ(redis.say("EXPIRETIME", "k"), ":4294967295\r\n");
}

TEST_P(MemcachedBinaryCommands, StatsEndWithAnEmptyFrame) {
  const std::vector<Answer> stats =
      answers(client.line(Ask{MemcachedOpcode::kStat, "", "", ""}.frame()));
  ASSERT_GT(stats.size(), 20u);
  EXPECT_EQ(stats[0].key, "pid");
  EXPECT_EQ(stats.back().key + stats.back().value, "");
  EXPECT_EQ(ask({MemcachedOpcode::kStat, "nosuch", "", ""}).status, MemcachedStatus::kNotFound);
}

TEST_P(MemcachedBinaryCommands, QuitIsAnswered) {
  EXPECT_EQ(ask({MemcachedOpcode::kQuit, "", "", ""}).status, MemcachedStatus::kOk);
  EXPECT_TRUE(client.conversation().closing());
  EXPECT_EQ(other.line(Ask{MemcachedOpcode::kQuitQ, "", "", ""}.frame()), "");
  EXPECT_TRUE(other.conversation().closing());
}

TEST_P(MemcachedBinaryCommands, WhatIsNotInTheProtocolEndsTheConnection) {
  EXPECT_EQ(ask({MemcachedOpcode::kNoop, "key", "", ""}).status, MemcachedStatus::kInvalid);
  EXPECT_TRUE(client.conversation().closing());
  answers(other.line(Ask{MemcachedOpcode::kNoop, "", "", ""}.frame()));
  EXPECT_EQ(other.line("get k\r\n"), "");
  EXPECT_TRUE(other.conversation().closing());
}

TEST_P(MemcachedBinaryCommands, TheFirstByteDecides) {
  EXPECT_EQ(other.line("mn\r\n\x80x\r\n"), "MN\r\nERROR\r\n");
}

TEST(MemcachedBinaryLimits, ARefusedSetDeletesTheOldValue) {
  DispatcherOptions options;
  options.value_bytes_max = 10;
  CommandCluster cluster(1, {}, options);
  TestClient client(cluster, 0, TestClient::memcached());
  const std::string stream = store(MemcachedOpcode::kSet, "k", "1").frame() +
                             store(MemcachedOpcode::kAdd, "k", "12345678901").frame() +
                             Ask{MemcachedOpcode::kGet, "k", "", ""}.frame() +
                             store(MemcachedOpcode::kSet, "k", "12345678901").frame() +
                             Ask{MemcachedOpcode::kGet, "k", "", ""}.frame() +
                             Ask{MemcachedOpcode::kAppend, "k", "12345678901", ""}.frame();
  const std::vector<Answer> said = answers(client.line(stream));
  ASSERT_THAT(said, SizeIs(6));
  EXPECT_EQ(said[1].status, MemcachedStatus::kTooLarge);
  EXPECT_EQ(said[2].value, "1");
  EXPECT_EQ(said[3].status, MemcachedStatus::kTooLarge);
  EXPECT_EQ(said[4].status, MemcachedStatus::kNotFound);
  EXPECT_EQ(said[5].status, MemcachedStatus::kTooLarge);
}

TEST(MemcachedBinaryLimits, ARefusedBodyIsNotReadAgain) {
  DispatcherOptions options;
  options.value_bytes_max = 10;
  CommandCluster cluster(3, {}, options);
  TestClient client(cluster, 0, TestClient::memcached());
  const std::string noop = Ask{MemcachedOpcode::kNoop, "", "", ""}.frame();
  answers(client.line(store(MemcachedOpcode::kSet, "k", "1").frame()));
  const std::vector<Answer> said =
      answers(client.line(store(MemcachedOpcode::kSet, "k", noop + noop).frame() +
                          Ask{MemcachedOpcode::kGet, "k", "", ""}.frame() + noop));
  ASSERT_THAT(said, SizeIs(3));
  EXPECT_EQ(said[0].status, MemcachedStatus::kTooLarge);
  EXPECT_EQ(said[1].status, MemcachedStatus::kNotFound);
  EXPECT_EQ(said[2].status, MemcachedStatus::kOk);
}

TEST(MemcachedBinaryLimits, FlagsTakeRoomOfAnItem) {
  DispatcherOptions options;
  options.item_bytes_max = 100;
  CommandCluster cluster(1, {}, options);
  TestClient client(cluster, 0, TestClient::memcached());
  const auto set = [&](uint32_t flags, size_t bytes) {
    const Ask ask{MemcachedOpcode::kSet, "k", std::string(bytes, 'x'),
                  big_endian(flags) + big_endian(0u)};
    const std::vector<Answer> said = answers(client.line(ask.frame()));
    return said.size() == 1 ? said[0].status : MemcachedStatus::kInvalid;
  };
  EXPECT_EQ(set(0, 40), MemcachedStatus::kOk);
  EXPECT_EQ(set(0, 41), MemcachedStatus::kTooLarge);
  EXPECT_EQ(set(7, 36), MemcachedStatus::kOk);
  EXPECT_EQ(set(7, 37), MemcachedStatus::kTooLarge);
  const std::string get = Ask{MemcachedOpcode::kGet, "k"}.frame();
  EXPECT_EQ(answers(client.line(get))[0].status, MemcachedStatus::kNotFound);
}

class MemcachedSasl : public ::testing::Test {
 protected:
  static DispatcherOptions options() {
    DispatcherOptions options;
    options.passwords = {"secret", "other"};
    return options;
  }
  static ConversationOptions unknown() {
    ConversationOptions unknown = TestClient::memcached();
    unknown.authenticated = false;
    return unknown;
  }
  CommandCluster cluster{1, {}, options()};
  TestClient client{cluster, 0, unknown()};

  Answer ask(const Ask& what) {
    const std::vector<Answer> all = answers(client.line(what.frame()));
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? Answer{} : all[0];
  }
};

TEST_F(MemcachedSasl, PlainLetsTheDefaultUserIn) {
  EXPECT_EQ(ask({MemcachedOpcode::kSaslList, "", "", ""}).value, "PLAIN");
  EXPECT_EQ(ask({MemcachedOpcode::kVersion, "", "", ""}).status, MemcachedStatus::kOk);
  for (const std::string& wrong : {"\0default\0wrong"s, "\0root\0secret"s, "secret"s, "\0"s}) {
    EXPECT_EQ(ask({MemcachedOpcode::kSaslAuth, "PLAIN", wrong, ""}).status,
              MemcachedStatus::kAuthFailed);
  }
  EXPECT_EQ(cluster.nodes[0]->logins_failed, 4u);
  EXPECT_EQ(ask({MemcachedOpcode::kSaslAuth, "CRAM-MD5", "x", ""}).status,
            MemcachedStatus::kAuthFailed);
  const Answer in = ask({MemcachedOpcode::kSaslAuth, "PLAIN", "\0default\0other"s, ""});
  EXPECT_EQ(in.status, MemcachedStatus::kOk);
  EXPECT_EQ(in.value, "Authenticated");
  EXPECT_EQ(ask({MemcachedOpcode::kGet, "k", "", ""}).status, MemcachedStatus::kNotFound);
}

TEST_F(MemcachedSasl, CredentialsMayComeWithAStep) {
  EXPECT_EQ(ask({MemcachedOpcode::kSaslStep, "PLAIN", "\0default\0secret"s, ""}).status,
            MemcachedStatus::kAuthFailed);
  EXPECT_EQ(ask({MemcachedOpcode::kSaslAuth, "PLAIN", "", ""}).status,
            MemcachedStatus::kAuthContinue);
  EXPECT_EQ(ask({MemcachedOpcode::kSaslStep, "PLAIN", "\0default\0secret"s, ""}).status,
            MemcachedStatus::kOk);
}

TEST_F(MemcachedSasl, WhoIsNotLoggedInIsClosed) {
  EXPECT_EQ(ask({MemcachedOpcode::kGet, "k", "", ""}).status, MemcachedStatus::kAuthFailed);
  EXPECT_TRUE(client.conversation().closing());
}

TEST_F(MemcachedSasl, AnAttemptWaitsItsTime) {
  cluster.nodes[0]->login_delay = 100'000;
  const Ask login{MemcachedOpcode::kSaslAuth, "PLAIN", "\0default\0secret"s, ""};
  EXPECT_EQ(client.send(login.frame()), "");
  cluster.pass_ms(100);
  EXPECT_EQ(answers(client.line("")).at(0).status, MemcachedStatus::kOk);
}

TEST(MemcachedBinaryRefusals, ProtectedModeSaysSo) {
  CommandCluster cluster(1);
  ConversationOptions options = TestClient::memcached();
  options.refused_by_protected_mode = true;
  TestClient client(cluster, 0, options);
  const std::vector<Answer> said =
      answers(client.line(Ask{MemcachedOpcode::kNoop, "", "", ""}.frame()));
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].status, MemcachedStatus::kAuthFailed);
  EXPECT_THAT(said[0].value, testing::StartsWith("DENIED "));
  EXPECT_TRUE(client.conversation().closing());
}

TEST(MemcachedBinaryRefusals, AQuorumThatIsMissingIsATemporaryFailure) {
  CommandCluster cluster(3);
  const size_t home = cluster.primary_of("k");
  TestClient client(cluster, home, TestClient::memcached());
  for (size_t node = 0; node < 3; ++node) {
    if (node != home) cluster.cut(home, node);
  }
  const std::vector<Answer> said =
      answers(client.line(Ask{MemcachedOpcode::kGet, "k", "", ""}.frame()));
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].status, MemcachedStatus::kTemporary);
  EXPECT_THAT(said[0].value, testing::StartsWith("NOQUORUM"));
}

}  // namespace
}  // namespace kvorum::server
