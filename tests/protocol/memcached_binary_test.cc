// SPDX-License-Identifier: Apache-2.0
#include "protocol/memcached_binary.h"

#include <gtest/gtest.h>

#include <vector>

namespace kvorum::protocol {
namespace {

using namespace std::string_literals;

template <class Number>
std::string big_endian(Number number) {
  std::string bytes;
  for (size_t i = sizeof(Number); i > 0; --i) {
    bytes.push_back(static_cast<char>(number >> (8 * (i - 1)) & 0xff));
  }
  return bytes;
}

struct Frame {
  MemcachedOpcode opcode{};
  std::string extras = {}, key = {}, value = {};
  uint64_t cas = 0;

  std::string bytes() const {
    const size_t body = extras.size() + key.size() + value.size();
    return "\x80"s + static_cast<char>(opcode) + big_endian(static_cast<uint16_t>(key.size())) +
           static_cast<char>(extras.size()) + "\0\0\0"s + big_endian(static_cast<uint32_t>(body)) +
           "\xde\xad\xbe\xef" + big_endian(cas) + extras + key + value;
  }
};

// What the parser makes of the stream when it comes in pieces of that size.
struct Parsed {
  std::vector<std::string> requests;  // "command quiet key|value"
  std::vector<MemcachedBinaryRequest> raw;
  bool closed = false;
};
Parsed parse(std::string_view stream, size_t piece, bool authenticated = true) {
  MemcachedBinaryParser parser({.value_bytes_max = 100});
  parser.set_authenticated(authenticated);
  Parsed parsed;
  size_t consumed = 0;
  for (size_t arrived = 0; arrived < stream.size();) {
    arrived = std::min(stream.size(), arrived + piece);
    while (true) {
      MemcachedBinaryRequest request;
      const ParseResult result = parser.parse(stream.substr(consumed, arrived - consumed), request);
      consumed += result.consumed;
      if (result.status == ParseStatus::kNeedMore) break;
      if (result.status == ParseStatus::kError) {
        parsed.closed = true;
        return parsed;
      }
      parsed.raw.push_back(request);
      parsed.requests.push_back(std::to_string(static_cast<int>(request.command)) +
                                (request.quiet ? " quiet " : " ") + std::string(request.key) + "|" +
                                std::string(request.value));
      if (request.closes) return parsed;
    }
  }
  return parsed;
}

TEST(MemcachedBinary, ReadsFramesInAnyPieces) {
  const std::string stream =
      Frame{MemcachedOpcode::kSet, big_endian(7u) + big_endian(100u), "key", "value", 9}.bytes() +
      Frame{MemcachedOpcode::kGetKQ, "", "key", ""}.bytes() +
      Frame{MemcachedOpcode::kDecrementQ, big_endian(1ul) + big_endian(2ul) + big_endian(3u), "n"}
          .bytes() +
      Frame{MemcachedOpcode::kNoop}.bytes();
  for (const size_t piece : {1ul, 5ul, 24ul, 1000ul}) {
    const Parsed parsed = parse(stream, piece);
    EXPECT_EQ(parsed.requests,
              (std::vector<std::string>{"1 key|value", "12 quiet key|", "6 quiet n|", "10 |"}));
    EXPECT_EQ(parsed.raw[0].flags, 7u);
    EXPECT_EQ(parsed.raw[0].exptime, 100u);
    EXPECT_EQ(parsed.raw[0].cas, 9u);
    EXPECT_EQ(parsed.raw[1].echo().key, "key");
    EXPECT_EQ(parsed.raw[2].delta, 1u);
    EXPECT_EQ(parsed.raw[2].initial, 2u);
    EXPECT_TRUE(parsed.raw[2].creates);
    EXPECT_EQ(parsed.raw[3].opaque, 0xdeadbeef);
  }
}

TEST(MemcachedBinary, ACounterIsNotMadeWhereItsExptimeHasAllBits) {
  const std::string extras = big_endian(1ul) + big_endian(2ul) + big_endian(0xffffffffu);
  EXPECT_FALSE(parse(Frame{MemcachedOpcode::kIncrement, extras, "n"}.bytes(), 99).raw[0].creates);
}

TEST(MemcachedBinary, WhatHasTheWrongShapeEndsTheConnection) {
  const Frame frames[] = {{MemcachedOpcode::kGet, "x", "k", ""},
                          {MemcachedOpcode::kGet, "", "", ""},
                          {MemcachedOpcode::kGet, "", "k", "v"},
                          {MemcachedOpcode::kSet, "1234", "k", "v"},
                          {MemcachedOpcode::kNoop, "", "k", ""},
                          {MemcachedOpcode::kStat, "", "k", "v"},
                          {MemcachedOpcode::kFlush, "12", "", ""},
                          {MemcachedOpcode::kGet, "", std::string(251, 'k'), ""}};
  for (const Frame& frame : frames) {
    const Parsed parsed = parse(frame.bytes(), 1000);
    ASSERT_EQ(parsed.raw.size(), 1u);
    EXPECT_EQ(parsed.raw[0].status, MemcachedStatus::kInvalid);
    EXPECT_TRUE(parsed.raw[0].closes);
  }
}

TEST(MemcachedBinary, PartsLongerThanTheBodyEndTheConnection) {
  std::string bytes = Frame{MemcachedOpcode::kGet, "", "key", ""}.bytes();
  bytes[11] = 2;
  const Parsed parsed = parse(bytes, 1000);
  EXPECT_EQ(parsed.raw[0].status, MemcachedStatus::kUnknownCommand);
  EXPECT_TRUE(parsed.raw[0].closes);
}

TEST(MemcachedBinary, AWrongMagicEndsTheConnectionWithoutAWord) {
  std::string bytes = Frame{MemcachedOpcode::kNoop}.bytes();
  const Parsed parsed = parse(bytes + "get k\r\n", 1000);
  EXPECT_EQ(parsed.requests.size(), 1u);
  EXPECT_TRUE(parsed.closed);
}

TEST(MemcachedBinary, PassesOverWhatItRefuses) {
  const std::string stream =
      Frame{static_cast<MemcachedOpcode>(0x77), "ext", "key", "value"}.bytes() +
      Frame{MemcachedOpcode::kSetQ, "12345678", "k", std::string(101, 'v')}.bytes() +
      Frame{MemcachedOpcode::kNoop}.bytes();
  for (const size_t piece : {1ul, 30ul, 1000ul}) {
    const Parsed parsed = parse(stream, piece);
    ASSERT_EQ(parsed.requests.size(), 3u);
    EXPECT_EQ(parsed.raw[0].status, MemcachedStatus::kUnknownCommand);
    EXPECT_EQ(parsed.raw[1].status, MemcachedStatus::kTooLarge);
    EXPECT_EQ(parsed.requests[1], "1 quiet k|");
    EXPECT_FALSE(parsed.raw[1].closes);
    EXPECT_EQ(parsed.requests[2], "10 |");
  }
}

TEST(MemcachedBinary, WhoIsUnknownMayLogInAndNoMore) {
  const auto first = [](const Frame& frame) { return parse(frame.bytes(), 1000, false).raw[0]; };
  EXPECT_EQ(first({MemcachedOpcode::kVersion}).status, MemcachedStatus::kOk);
  EXPECT_EQ(first({MemcachedOpcode::kSaslAuth, "", "PLAIN", "\0u\0p"s}).status,
            MemcachedStatus::kOk);
  EXPECT_EQ(first({MemcachedOpcode::kGet, "", "k", ""}).status, MemcachedStatus::kAuthFailed);
  EXPECT_TRUE(first({MemcachedOpcode::kGet, "", "k", ""}).closes);
  EXPECT_EQ(first({MemcachedOpcode::kSaslAuth, "", "PLAIN", std::string(2049, 'x')}).status,
            MemcachedStatus::kAuthFailed);
}

}  // namespace
}  // namespace kvorum::protocol
