// SPDX-License-Identifier: Apache-2.0
#include "bench/codec.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "bench/payload.h"

namespace kvorum::bench {
namespace {

constexpr size_t kValueBytes = 100;

std::string value_of(uint64_t key, size_t bytes = kValueBytes) {
  std::string value(bytes, '\0');
  Payload(bytes).write_value(value.data(), key);
  return value;
}

std::string written(const Codec& codec, Operation operation, uint64_t key) {
  std::string out;
  codec.append(out, Request{.key = key, .operation = operation});
  return out;
}

// Every prefix of a complete reply must ask for more, and bytes after it must not be used.
void expect_reply(const Codec& codec, const Request& request, const std::string& reply,
                  Outcome outcome) {
  for (size_t size = 0; size < reply.size(); ++size) {
    const Reply part = codec.parse(std::string_view(reply).substr(0, size), request);
    ASSERT_EQ(part.outcome, Outcome::kIncomplete) << "after " << size << " bytes of " << reply;
  }
  const std::string followed = reply + "+OK\r\n";
  for (const std::string_view bytes : {std::string_view(reply), std::string_view(followed)}) {
    const Reply whole = codec.parse(bytes, request);
    EXPECT_EQ(whole.outcome, outcome) << reply;
    EXPECT_EQ(whole.size, reply.size()) << reply;
  }
}

class RespCodecTest : public testing::Test {
 protected:
  std::unique_ptr<Codec> codec_ = make_codec(Protocol::kResp, kValueBytes);
  Request get_{.key = 42, .operation = Operation::kGet};
  Request set_{.key = 42, .operation = Operation::kSet};
  Request increment_{.key = 42, .operation = Operation::kIncrement};
};

TEST_F(RespCodecTest, WritesRequests) {
  EXPECT_EQ(written(*codec_, Operation::kGet, 123456789012),
            "*2\r\n$3\r\nGET\r\n$16\r\nkey:123456789012\r\n");
  EXPECT_EQ(written(*codec_, Operation::kSet, 42),
            "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000042\r\n$100\r\n" + value_of(42) + "\r\n");
  EXPECT_EQ(written(*codec_, Operation::kIncrement, 7),
            "*2\r\n$4\r\nINCR\r\n$16\r\nctr:000000000007\r\n");
  EXPECT_EQ(written(*codec_, Operation::kResetCounter, 7),
            "*3\r\n$3\r\nSET\r\n$16\r\nctr:000000000007\r\n$1\r\n0\r\n");
}

TEST_F(RespCodecTest, AppendsBehindWhatIsThere) {
  std::string out = written(*codec_, Operation::kSet, 1);
  codec_->append(out, set_);
  EXPECT_EQ(out, written(*codec_, Operation::kSet, 1) + written(*codec_, Operation::kSet, 42));
}

TEST_F(RespCodecTest, KnowsTheRightValueFromAWrongOne) {
  expect_reply(*codec_, get_, "$100\r\n" + value_of(42) + "\r\n", Outcome::kGood);
  expect_reply(*codec_, get_, "$100\r\n" + value_of(43) + "\r\n", Outcome::kWrong);
  expect_reply(*codec_, get_, "$5\r\nshort\r\n", Outcome::kWrong);
  std::string damaged = value_of(42);
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  expect_reply(*codec_, get_, "$100\r\n" + damaged + "\r\n", Outcome::kWrong);
}

TEST_F(RespCodecTest, CountsSiblingsAsWrong) {
  expect_reply(*codec_, get_, "*2\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n", Outcome::kWrong);
}

TEST_F(RespCodecTest, KnowsMissesAndErrors) {
  expect_reply(*codec_, get_, "$-1\r\n", Outcome::kMiss);
  expect_reply(*codec_, get_, "-NOQUORUM not enough replicas\r\n", Outcome::kError);
  expect_reply(*codec_, set_, "-OOM command not allowed\r\n", Outcome::kError);
}

TEST_F(RespCodecTest, TakesOkForSetAndANumberForIncr) {
  expect_reply(*codec_, set_, "+OK\r\n", Outcome::kGood);
  expect_reply(*codec_, set_, "+QUEUED\r\n", Outcome::kWrong);
  expect_reply(*codec_, set_, "$-1\r\n", Outcome::kMiss);
  expect_reply(*codec_, increment_, ":17\r\n", Outcome::kGood);
  expect_reply(*codec_, increment_, "+OK\r\n", Outcome::kWrong);
}

TEST_F(RespCodecTest, RefusesWhatIsNotTheProtocol) {
  EXPECT_EQ(codec_->parse("HTTP/1.1 400\r\n", get_).outcome, Outcome::kBroken);
  EXPECT_EQ(codec_->parse("$abc\r\n", get_).outcome, Outcome::kBroken);
  EXPECT_EQ(codec_->parse("$-7\r\n", get_).outcome, Outcome::kBroken);
  const std::string overlong = "$100\r\n" + value_of(42) + "xx";
  EXPECT_EQ(codec_->parse(overlong, get_).outcome, Outcome::kBroken);
}

class MemcachedCodecTest : public testing::Test {
 protected:
  std::string reply_of(uint64_t key) const {
    return "VALUE key:000000000042 0 100\r\n" + value_of(key) + "\r\nEND\r\n";
  }
  std::unique_ptr<Codec> codec_ = make_codec(Protocol::kMemcached, kValueBytes);
  Request get_{.key = 42, .operation = Operation::kGet};
  Request set_{.key = 42, .operation = Operation::kSet};
  Request increment_{.key = 42, .operation = Operation::kIncrement};
};

TEST_F(MemcachedCodecTest, WritesRequests) {
  EXPECT_EQ(written(*codec_, Operation::kGet, 42), "get key:000000000042\r\n");
  EXPECT_EQ(written(*codec_, Operation::kSet, 42),
            "set key:000000000042 0 0 100\r\n" + value_of(42) + "\r\n");
  EXPECT_EQ(written(*codec_, Operation::kIncrement, 7), "incr ctr:000000000007 1\r\n");
  EXPECT_EQ(written(*codec_, Operation::kResetCounter, 7), "set ctr:000000000007 0 0 1\r\n0\r\n");
}

TEST_F(MemcachedCodecTest, KnowsTheRightValueFromAWrongOne) {
  expect_reply(*codec_, get_, reply_of(42), Outcome::kGood);
  expect_reply(*codec_, get_, reply_of(43), Outcome::kWrong);
  expect_reply(*codec_, get_, "VALUE key:000000000042 0 5\r\nshort\r\nEND\r\n", Outcome::kWrong);
  expect_reply(*codec_, get_, "VALUE key:000000000042 7 3\r\nabc\r\nVALUE x 0 1\r\nb\r\nEND\r\n",
               Outcome::kWrong);
}

TEST_F(MemcachedCodecTest, KnowsMissesAndErrors) {
  expect_reply(*codec_, get_, "END\r\n", Outcome::kMiss);
  expect_reply(*codec_, get_, "SERVER_ERROR out of memory\r\n", Outcome::kError);
  expect_reply(*codec_, set_, "ERROR\r\n", Outcome::kError);
  expect_reply(*codec_, increment_, "NOT_FOUND\r\n", Outcome::kMiss);
}

TEST_F(MemcachedCodecTest, TakesStoredForSetAndANumberForIncr) {
  expect_reply(*codec_, set_, "STORED\r\n", Outcome::kGood);
  expect_reply(*codec_, set_, "NOT_STORED\r\n", Outcome::kWrong);
  expect_reply(*codec_, increment_, "18\r\n", Outcome::kGood);
  expect_reply(*codec_, increment_, "STORED\r\n", Outcome::kWrong);
}

TEST_F(MemcachedCodecTest, RefusesWhatIsNotTheProtocol) {
  EXPECT_EQ(codec_->parse("-ERR unknown\r\n", get_).outcome, Outcome::kBroken);
  EXPECT_EQ(codec_->parse("VALUE key:000000000042 0 x\r\n", get_).outcome, Outcome::kBroken);
  EXPECT_EQ(codec_->parse(std::string(5000, 'x'), set_).outcome, Outcome::kBroken);
}

TEST(Payload, FillsValuesOfEverySizeByTheirKey) {
  for (const size_t bytes : {size_t{1}, size_t{11}, size_t{12}, size_t{13}, size_t{100'000}}) {
    const Payload payload(bytes);
    EXPECT_TRUE(payload.matches(value_of(9, bytes), 9)) << bytes;
    EXPECT_FALSE(payload.matches(value_of(8, bytes), 9)) << bytes;
    EXPECT_FALSE(payload.matches(value_of(9, bytes) + "x", 9)) << bytes;
  }
}

TEST(Payload, BeginsWithTheDigitsOfItsKey) {
  EXPECT_EQ(value_of(1'234'567'890, 100).substr(0, kKeyDigits), "001234567890");
  EXPECT_NE(value_of(1).substr(kKeyDigits), value_of(2).substr(kKeyDigits));
}

}  // namespace
}  // namespace kvorum::bench
