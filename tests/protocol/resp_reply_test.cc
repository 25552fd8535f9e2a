// SPDX-License-Identifier: Apache-2.0
#include "protocol/resp_reply.h"

#include <gtest/gtest.h>

#include <string>

namespace kvorum::protocol {
namespace {

using Kind = RespReply::Kind;
using Status = ReplyExtent::Status;

// Whole, it is taken and nothing behind it; every part of it wants more.
RespReply read(const std::string& bytes) {
  for (size_t size = 0; size < bytes.size(); ++size) {
    RespReply part;
    const std::string_view front = std::string_view(bytes).substr(0, size);
    EXPECT_EQ(parse_reply(front, &part), 0u) << "after " << size << " bytes of " << bytes;
    EXPECT_EQ(measure_reply(front).status, Status::kNeedMore) << front;
  }
  RespReply reply;
  EXPECT_EQ(parse_reply(bytes + "+OK\r\n", &reply), bytes.size()) << bytes;
  const ReplyExtent extent = measure_reply(bytes + "+OK\r\n");
  EXPECT_EQ(extent.status, Status::kWhole) << bytes;
  EXPECT_EQ(extent.size, bytes.size()) << bytes;
  EXPECT_EQ(extent.kind, reply.kind) << bytes;
  return reply;
}

void expect_broken(const std::string& bytes) {
  RespReply reply;
  EXPECT_EQ(parse_reply(bytes, &reply), kNoReply) << bytes;
  EXPECT_EQ(measure_reply(bytes).status, Status::kBroken) << bytes;
}

TEST(RespReply, EachKindIsRead) {
  EXPECT_EQ(read("+OK\r\n").kind, Kind::kStatus);
  EXPECT_EQ(read("+OK\r\n").text, "OK");
  EXPECT_TRUE(read("-NOQUORUM too few\r\n").is_error("NOQUORUM"));
  EXPECT_FALSE(read("+NOQUORUM\r\n").is_error());
  EXPECT_EQ(read(":-17\r\n").number, -17);
  EXPECT_EQ(read("$4\r\na\r\nb\r\n").text, "a\r\nb");
  EXPECT_EQ(read("$0\r\n\r\n").kind, Kind::kBulk);
  EXPECT_EQ(read("$-1\r\n").kind, Kind::kNull);
  EXPECT_EQ(read("*-1\r\n").kind, Kind::kNull);
  EXPECT_EQ(read("*0\r\n").kind, Kind::kArray);
}

TEST(RespReply, AnArrayHoldsReplies) {
  const RespReply reply = read("*3\r\n$1\r\nn\r\n:5\r\n*2\r\n$-1\r\n+x\r\n");
  ASSERT_EQ(reply.items.size(), 3u);
  EXPECT_EQ(reply.items[2].items.at(1).text, "x");
  EXPECT_EQ(reply.field("n"), 5);
  EXPECT_EQ(reply.field("m"), -1);
}

TEST(RespReply, WhatIsNoReplyIsRefused) {
  for (const char* const bytes :
       {"HTTP/1.1 400\r\n", "h", "$abc\r\n", "$\r\n", "$-7\r\n", "*-2\r\n", ":\r\n", ":1x\r\n",
        ":99999999999999999999\r\n", "$1\r\nabc\r\n", "*2\r\n+a\r\n!\r\n"}) {
    expect_broken(bytes);
  }
}

TEST(RespReply, ArraysInArraysHaveALimit) {
  std::string deep;
  for (int i = 0; i < kReplyNestingMax; ++i) deep += "*1\r\n";
  read(deep + ":1\r\n");
  expect_broken(deep + "*1\r\n:1\r\n");
}

TEST(RespReply, ACommandIsAnArrayOfItsWords) {
  const std::string bytes("\r\0", 2);
  EXPECT_EQ(encode_command({"SET", "k", bytes}),
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n" + bytes + "\r\n");
}

}  // namespace
}  // namespace kvorum::protocol
