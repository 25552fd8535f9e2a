// SPDX-License-Identifier: Apache-2.0
#include "server/pubsub/message_text.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

using protocol::RespVersion;

std::string text_of(const MessageText& text, RespVersion version) {
  std::string out;
  text.append_to(out, version);
  return out;
}

TEST(MessageText, OfEachKindAndVersion) {
  MessageText text;
  text.write({false, "news", "hello"});
  EXPECT_EQ(text_of(text, RespVersion::k2), "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n");
  EXPECT_EQ(text_of(text, RespVersion::k3), ">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n");
  text.write({true, "news", ""});
  EXPECT_EQ(text_of(text, RespVersion::k2), "*3\r\n$8\r\nsmessage\r\n$4\r\nnews\r\n$0\r\n\r\n");
  text.write({false, "news", "x"}, "n*");
  EXPECT_EQ(text_of(text, RespVersion::k3),
            ">4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$1\r\nx\r\n");
}

TEST(MessageText, GoesBehindTheRepliesThatWait) {
  ReplyQueue replies;
  const ReplyQueue::Place place = replies.open();
  MessageText text;
  text.write({false, "c", "m"});
  text.append_to(replies, RespVersion::k2);
  EXPECT_EQ(replies.output(), "");
  replies.writer(place) += "+OK\r\n";
  replies.close(place);
  EXPECT_EQ(replies.output(), "+OK\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
}

TEST(MessageText, ALargeOneIsShared) {
  MessageText text;
  const std::string payload(kSharedBytesMin, 'x');
  text.write({false, "c", payload});
  ReplyQueue one, other;
  text.append_to(one, RespVersion::k2);
  text.append_to(other, RespVersion::k3);
  ASSERT_TRUE(one.has_large() && other.has_large());
  const LargeReply first = one.take_large(), second = other.take_large();
  EXPECT_EQ(first.body.bytes.data(), second.body.bytes.data());
  EXPECT_EQ(first.before, "*");
  EXPECT_EQ(second.before + std::string(second.body.bytes), text_of(text, RespVersion::k3));
  text.write({false, "c", "short"});
  EXPECT_EQ(first.body.bytes.substr(0, 3), "3\r\n") << "it lives on";
}

}  // namespace
}  // namespace kvorum::server
