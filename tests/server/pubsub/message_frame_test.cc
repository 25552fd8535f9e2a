// SPDX-License-Identifier: Apache-2.0
#include "server/pubsub/message_frame.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

using Result = MessageAssembler::Result;
using cluster::LinkIndex;

std::vector<cluster::Frame> frames_of(std::string_view batch) {
  std::vector<cluster::Frame> frames;
  cluster::Frame frame;
  size_t size = 0;
  while (cluster::parse_frame(batch, &frame, &size) == cluster::FrameStatus::kFrame) {
    EXPECT_LT(size, cluster::kLargeFrameBytes);
    frames.push_back(frame);
    batch.remove_prefix(size);
  }
  EXPECT_TRUE(batch.empty());
  return frames;
}

std::shared_ptr<const KeptMessage> kept(std::string_view channel, std::string_view payload) {
  return std::make_shared<const KeptMessage>(Message{false, channel, payload});
}

struct MessageFrameTest : ::testing::Test {
  Result take(const cluster::Frame& frame, uint16_t place = 1) {
    return assembler.on_piece(LinkIndex::accepted(place), frame, &message);
  }
  MessageAssembler assembler;
  Message message;
  std::string batch;
};

TEST_F(MessageFrameTest, AShortOneIsAFrame) {
  for (const bool is_sharded : {false, true}) {
    batch.clear();
    put_message(batch, {is_sharded, "channel", std::string("\0\r\n", 3)}, 5);
    const auto frames = frames_of(batch);
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].head.type, cluster::MessageType::kPublish);
    ASSERT_EQ(take(frames[0]), Result::kWhole);
    EXPECT_EQ(message.is_sharded, is_sharded);
    EXPECT_EQ(message.channel, "channel");
    EXPECT_EQ(message.payload, std::string_view("\0\r\n", 3));
  }
  EXPECT_EQ(assembler.held_bytes(), 0u);
}

TEST_F(MessageFrameTest, ALongOneIsCutAndPutTogether) {
  for (const size_t size : {kMessagePieceBytes, kMessagePieceBytes + 1, 10 * kMessagePieceBytes}) {
    std::string payload(size, 'x');
    for (size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 7 + i / 1000);
    batch.clear();
    put_message(batch, {false, std::string(65536, 'c'), payload}, 5);
    const auto frames = frames_of(batch);
    ASSERT_EQ(frames.size(), (size + kMessagePieceBytes - 1) / kMessagePieceBytes);
    for (size_t i = 0; i + 1 < frames.size(); ++i) EXPECT_EQ(take(frames[i]), Result::kMore);
    ASSERT_EQ(take(frames.back()), Result::kWhole);
    EXPECT_EQ(message.channel, std::string(65536, 'c'));
    EXPECT_EQ(message.payload, payload);
    EXPECT_EQ(assembler.held_bytes(), 0u);
  }
}

TEST_F(MessageFrameTest, PiecesOfSeveralReactorsAndLinksMix) {
  const std::string one(3 * kMessagePieceBytes, '1'), two(2 * kMessagePieceBytes, '2');
  std::string first, second;
  put_message(first, {false, "one", one}, 1);
  put_message(second, {false, "two", two}, 2);
  const auto ones = frames_of(first), twos = frames_of(second);
  EXPECT_EQ(take(ones[0]), Result::kMore);
  EXPECT_EQ(take(twos[0]), Result::kMore);
  EXPECT_EQ(take(ones[0], 9), Result::kMore) << "another link";
  EXPECT_EQ(take(ones[1]), Result::kMore);
  ASSERT_EQ(take(twos[1]), Result::kWhole);
  EXPECT_EQ(message.payload, two);
  ASSERT_EQ(take(ones[2]), Result::kWhole);
  EXPECT_EQ(message.payload, one);
  EXPECT_EQ(assembler.held_bytes(), kMessagePieceBytes + 3);
  assembler.forget(LinkIndex::accepted(9));
  EXPECT_EQ(assembler.held_bytes(), 0u);
  EXPECT_EQ(take(ones[1], 9), Result::kMalformed) << "its beginning is gone";
}

TEST_F(MessageFrameTest, WhatIsMalformedIsRefused) {
  put_message(batch, {false, "channel", "payload"}, 1);
  const std::string_view whole = frames_of(batch)[0].payload;
  for (size_t size = 0; size < whole.size(); ++size) {
    const cluster::Frame cut{{cluster::MessageType::kPublish, 0, 0, 1}, whole.substr(0, size)};
    EXPECT_EQ(take(cut), Result::kMalformed) << size;
  }
  cluster::Frame frame{{cluster::MessageType::kPublish, 0, kMessageMore, 1}, whole};
  EXPECT_EQ(take(frame), Result::kMalformed) << "more of what is there";
  frame.head.flags = kMessageRest;
  EXPECT_EQ(take(frame), Result::kMalformed) << "of nothing";

  const std::string payload(3 * kMessagePieceBytes, 'x');
  batch.clear();
  put_message(batch, {false, "c", payload}, 1);
  const auto frames = frames_of(batch);
  EXPECT_EQ(take(frames[0]), Result::kMore);
  EXPECT_EQ(take(frames[0]), Result::kMalformed) << "begun twice";
  EXPECT_EQ(take(frames[2]), Result::kMalformed) << "too little";
  EXPECT_EQ(take(frames[1]), Result::kMalformed) << "it is gone";
  EXPECT_EQ(assembler.held_bytes(), 0u);
}

TEST_F(MessageFrameTest, AQueueKeepsTheOrderInSmallSteps) {
  MessageQueue queue;
  const std::string payload(3 * kMessagePieceBytes, 'x');
  for (const char* channel : {"a", "b", "c"}) {
    EXPECT_TRUE(queue.add(kept(channel, channel[0] == 'b' ? payload : "short")));
  }
  std::string heard;
  for (int steps = 0; !queue.empty() && steps < 100; ++steps) {
    batch.clear();
    queue.put(batch, 1, 3);
    for (const cluster::Frame& frame : frames_of(batch)) {
      if (take(frame) != Result::kWhole) continue;
      heard += message.channel;
      EXPECT_EQ(message.payload, heard == "ab" ? payload : "short");
    }
  }
  EXPECT_EQ(heard, "abc");
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST_F(MessageFrameTest, AQueueIsBounded) {
  MessageQueue queue;
  EXPECT_TRUE(queue.add(kept("c", std::string(2 * MessageQueue::kBytesMax, 'x'))))
      << "one may be longer";
  EXPECT_FALSE(queue.add(kept("c", "")));
  EXPECT_EQ(queue.size(), 1u);
  queue.clear();
  size_t added = 0;
  while (queue.add(kept("c", "")) && added < MessageQueue::kBytesMax) ++added;
  EXPECT_LT(added, MessageQueue::kBytesMax / 64) << "empty ones need memory, too";
  EXPECT_LE(queue.bytes(), MessageQueue::kBytesMax);
}

}  // namespace
}  // namespace kvorum::server
