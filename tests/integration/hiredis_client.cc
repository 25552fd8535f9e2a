// SPDX-License-Identifier: Apache-2.0
// hiredis, the client that most others are built on, against real nodes in RESP2: pipelines whose
// replies come back complete, in order, and of the right kind. hiredis_client PORT OTHER_PORT, two
// nodes of one cluster; tests/integration/real_clients.py starts them and it.
#include <gmock/gmock.h>
#include <hiredis/hiredis.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace kvorum {
namespace {

using ::testing::StartsWith;

constexpr int kPipelineCommands = 1000;

std::vector<int> node_ports;

struct Free {
  void operator()(redisContext* context) const { redisFree(context); }
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, Free>;

std::string_view text_of(const redisReply& reply) { return {reply.str, reply.len}; }

class Connection {
 public:
  explicit Connection(size_t node) : context_(redisConnect("127.0.0.1", node_ports.at(node))) {
    if (context_ == nullptr || context_->err != 0) {
      throw std::runtime_error(context_ == nullptr ? "no memory" : context_->errstr);
    }
  }

  // Puts a command behind those that are to be sent.
  void append(const std::vector<std::string>& words) {
    std::vector<const char*> starts;
    std::vector<size_t> sizes;
    for (const std::string& word : words) {
      starts.push_back(word.data());
      sizes.push_back(word.size());
    }
    const int count = static_cast<int>(words.size());
    EXPECT_EQ(redisAppendCommandArgv(context_.get(), count, starts.data(), sizes.data()), REDIS_OK);
  }
  // The next reply, after everything appended was sent.
  Reply next() {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) {
      throw std::runtime_error(context_->errstr);
    }
    return Reply(static_cast<redisReply*>(reply));
  }
  Reply ask(const std::vector<std::string>& words) {
    append(words);
    return next();
  }

 private:
  std::unique_ptr<redisContext, Free> context_;
};

// Every byte there is, among them the line ends of the protocol.
std::string value_of(int number) {
  std::string value = std::to_string(number) + "\r\n$-1\r\n";
  for (int byte = 0; byte < 256; ++byte) value += static_cast<char>(byte);
  return value;
}

TEST(Hiredis, APipelineOfWritesIsReadBackInAPipelineOfAnotherNode) {
  Connection writer(0), reader(1);
  for (int i = 0; i < kPipelineCommands; ++i) {
    writer.append({"SET", "h:" + std::to_string(i), value_of(i)});
  }
  for (int i = 0; i < kPipelineCommands; ++i) {
    const Reply reply = writer.next();
    ASSERT_EQ(reply->type, REDIS_REPLY_STATUS) << i;
    ASSERT_EQ(text_of(*reply), "OK") << i;
  }
  for (int i = 0; i < kPipelineCommands; ++i) reader.append({"GET", "h:" + std::to_string(i)});
  for (int i = 0; i < kPipelineCommands; ++i) {
    const Reply reply = reader.next();
    ASSERT_EQ(reply->type, REDIS_REPLY_STRING) << i;
    ASSERT_EQ(text_of(*reply), value_of(i)) << i;
  }
}

TEST(Hiredis, CommandsOfOneKeyInAPipelineHappenInTheirOrder) {
  Connection client(0);
  client.append({"DEL", "counter"});
  for (int i = 0; i < kPipelineCommands; ++i) client.append({"INCR", "counter"});
  EXPECT_EQ(client.next()->type, REDIS_REPLY_INTEGER);
  for (int i = 0; i < kPipelineCommands; ++i) {
    const Reply reply = client.next();
    ASSERT_EQ(reply->type, REDIS_REPLY_INTEGER);
    ASSERT_EQ(reply->integer, i + 1);
  }
}

TEST(Hiredis, EachKindOfReplyComesInItsPlace) {
  Connection client(1);
  client.append({"SET", "kind", "text"});
  client.append({"NOSUCHCOMMAND"});
  client.append({"GET", "kind", "too many"});
  client.append({"GET", "nothing is here"});
  client.append({"MGET", "kind", "nothing is here", "kind"});
  client.append({"INCR", "kind"});
  client.append({"STRLEN", "kind"});
  client.append({"PING", ""});
  EXPECT_EQ(client.next()->type, REDIS_REPLY_STATUS);
  for (const char* const error :
       {"ERR unknown command 'NOSUCHCOMMAND'", "ERR wrong number of arguments"}) {
    const Reply reply = client.next();
    EXPECT_EQ(reply->type, REDIS_REPLY_ERROR);
    EXPECT_THAT(std::string(text_of(*reply)), StartsWith(error));
  }
  EXPECT_EQ(client.next()->type, REDIS_REPLY_NIL);
  const Reply several = client.next();
  ASSERT_EQ(several->type, REDIS_REPLY_ARRAY);
  ASSERT_EQ(several->elements, 3u);
  EXPECT_EQ(text_of(*several->element[0]), "text");
  EXPECT_EQ(several->element[1]->type, REDIS_REPLY_NIL);
  EXPECT_EQ(text_of(*several->element[2]), "text");
  EXPECT_EQ(client.next()->type, REDIS_REPLY_ERROR);
  EXPECT_EQ(client.next()->integer, 4);
  const Reply empty = client.next();
  EXPECT_EQ(empty->type, REDIS_REPLY_STRING);
  EXPECT_EQ(empty->len, 0u);
}

TEST(Hiredis, LargeValuesDoNotDisturbTheirNeighbours) {
  Connection client(0);
  const std::string large(3 << 20, 'x');
  for (int i = 0; i < 8; ++i) {
    client.append({"SET", "large:" + std::to_string(i), large});
    client.append({"SET", "small:" + std::to_string(i), std::to_string(i)});
  }
  for (int i = 0; i < 16; ++i) ASSERT_EQ(client.next()->type, REDIS_REPLY_STATUS) << i;
  for (int i = 0; i < 8; ++i) {
    client.append({"GET", "large:" + std::to_string(i)});
    client.append({"GET", "small:" + std::to_string(i)});
  }
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(text_of(*client.next()) == large) << i;
    EXPECT_EQ(text_of(*client.next()), std::to_string(i));
  }
}

TEST(Hiredis, SiblingsAreAnArray) {
  Connection client(0);
  for (const char* const value : {"1", "2"}) client.append({"KV.PUT", "twins", "", value});
  for (int i = 0; i < 2; ++i) EXPECT_NE(client.next()->type, REDIS_REPLY_ERROR);
  const Reply reply = client.ask({"GET", "twins"});
  ASSERT_EQ(reply->type, REDIS_REPLY_ARRAY);
  EXPECT_EQ(reply->elements, 2u);
}

}  // namespace
}  // namespace kvorum

int main(int count, char** words) {
  testing::InitGoogleMock(&count, words);
  for (int i = 1; i < count; ++i) kvorum::node_ports.push_back(std::atoi(words[i]));
  return RUN_ALL_TESTS();
}
