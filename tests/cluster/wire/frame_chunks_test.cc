// SPDX-License-Identifier: Apache-2.0
#include "cluster/wire/frame_chunks.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "cluster/wire/replica_messages.h"

namespace kvorum::cluster {
namespace {

using Result = ChunkAssembler::Result;

std::string bytes_of(size_t size, uint64_t seed) {
  Rng rng(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(rng.next());
  return bytes;
}

LargeFrame large_frame(SlotId operation, std::string payload) {
  std::string front;
  FrameWriter writer(front, {MessageType::kReplicaWrite, 3, 5, operation});
  put_u64(front, 77);
  writer.finish();
  const SharedBytes body = share(std::move(payload));
  return {front, body, *body};
}

// A link of one direction: what is put is taken at once, and told.
struct Link {
  ChunkSender sender;
  ChunkAssembler assembler;
  std::vector<std::pair<FrameHead, std::string>> whole;
  std::vector<SlotId> order;  // of the transfers whose chunks came
  size_t longest = 0;

  // False where a chunk was malformed.
  bool take(std::string_view batch) {
    Frame frame;
    size_t size = 0;
    while (parse_frame(batch, &frame, &size) == FrameStatus::kFrame) {
      batch.remove_prefix(size);
      longest = std::max(longest, size);
      order.push_back(frame.head.operation);
      const Result result = assembler.on_chunk(frame);
      if (result == Result::kMalformed) return false;
      if (result != Result::kWhole) continue;
      whole.emplace_back(assembler.whole().head, assembler.whole().payload);
      assembler.drop_whole();
    }
    return batch.empty();
  }
  bool tell() {
    std::string batch;
    assembler.put_taken(batch);
    Frame frame;
    size_t size = 0;
    for (std::string_view rest = batch; !rest.empty(); rest.remove_prefix(size)) {
      if (parse_frame(rest, &frame, &size) != FrameStatus::kFrame) return false;
      if (!sender.on_taken(frame)) return false;
    }
    return true;
  }
  bool run() {
    while (sender.can_send()) {
      std::string batch;
      sender.put_chunks(batch, ChunkSender::kWindowBytes, 9);
      if (!take(batch) || !tell()) return false;
    }
    return true;
  }
};

std::string with_front(std::string_view payload) {
  std::string all;
  put_u64(all, 77);
  return all.append(payload);
}

TEST(FrameChunksTest, AFrameComesOutAsItWentIn) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{65536}, size_t{3'000'001}}) {
    Link link;
    const std::string payload = bytes_of(size, size);
    link.sender.add(large_frame(11, payload));
    ASSERT_TRUE(link.run());
    ASSERT_EQ(link.whole.size(), 1u);
    const auto& [head, came] = link.whole[0];
    EXPECT_EQ(head.type, MessageType::kReplicaWrite);
    EXPECT_EQ(head.keyspace, 3);
    EXPECT_EQ(head.flags, 5);
    EXPECT_EQ(head.operation, 11u);
    EXPECT_TRUE(came == with_front(payload));
    EXPECT_EQ(link.sender.held_bytes() + link.assembler.held_bytes(), 0u);
    EXPECT_LE(link.longest, ChunkSender::kChunkBytes + 64);
  }
}

TEST(FrameChunksTest, NoMoreIsSentThanTheWindowUntilItIsTaken) {
  Link link;
  link.sender.add(large_frame(1, bytes_of(5'000'000, 1)));
  std::string batch;
  link.sender.put_chunks(batch, ChunkSender::kWindowBytes, 9);
  EXPECT_LE(batch.size(), ChunkSender::kWindowBytes + 2 * ChunkSender::kChunkBytes);
  EXPECT_FALSE(link.sender.can_send());
  ASSERT_TRUE(link.take(batch));
  ASSERT_TRUE(link.tell());
  EXPECT_TRUE(link.sender.can_send());
  EXPECT_TRUE(link.run());
  EXPECT_EQ(link.whole.size(), 1u);
}

TEST(FrameChunksTest, SeveralTravelInTurnAndAShortOneDoesNotWaitForALongOne) {
  Link link;
  link.sender.add(large_frame(1, bytes_of(8'000'000, 1)));
  link.sender.add(large_frame(2, bytes_of(200'000, 2)));
  ASSERT_TRUE(link.run());
  ASSERT_EQ(link.whole.size(), 2u);
  EXPECT_EQ(link.whole[0].first.operation, 2u);
  EXPECT_TRUE(link.whole[1].second == with_front(bytes_of(8'000'000, 1)));
}

TEST(FrameChunksTest, AllOfManyArriveAndFewAreUnderWayTogether) {
  Link link;
  for (SlotId id = 1; id <= 30; ++id) link.sender.add(large_frame(id, bytes_of(300'000, id)));
  ASSERT_TRUE(link.run());
  ASSERT_EQ(link.whole.size(), 30u);
  for (const auto& [head, payload] : link.whole) {
    EXPECT_TRUE(payload == with_front(bytes_of(300'000, head.operation))) << head.operation;
  }
}

TEST(FrameChunksTest, WhoIsAskedForIsToldThatBytesFlow) {
  Link link;
  link.sender.add(large_frame(11, bytes_of(500'000, 1)));
  std::string batch;
  link.sender.put_chunks(batch, ChunkSender::kWindowBytes, 1234);
  const std::vector<FrameHead> sent = link.sender.take_flowed();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].operation, 11u);
  EXPECT_TRUE(link.sender.take_flowed().empty());
  ASSERT_TRUE(link.take(batch));
  EXPECT_EQ(link.assembler.head().operation, 11u);
  ASSERT_TRUE(link.tell());
  EXPECT_FALSE(link.sender.take_flowed().empty());
}

TEST(FrameChunksTest, TheBodyIsSharedAndLetGoOnceItIsSent) {
  const SharedBytes body = share(bytes_of(400'000, 1));
  Link first, second;
  first.sender.add({large_frame(1, "").front, body, *body});
  second.sender.add({large_frame(2, "").front, body, *body});
  EXPECT_EQ(body.use_count(), 3);
  ASSERT_TRUE(first.run() && second.run());
  EXPECT_EQ(body.use_count(), 1);
}

TEST(FrameChunksTest, ALongBatchOfSmallFramesHasNoLargeOne) {
  std::string batch;
  while (batch.size() <= 2 * kLargeFrameBytes) put_probe(batch, MessageType::kProbe, 5);
  EXPECT_FALSE(has_large_frame(batch));
  EXPECT_FALSE(has_large_frame({}));
}

TEST(FrameChunksTest, LargeFramesLeaveTheirBatchAndSmallOnesStay) {
  std::string batch;
  const std::string object = bytes_of(kLargeFrameBytes, 1);
  put_probe(batch, MessageType::kProbe, 5);
  put_replica_read_reply(batch, 8, {.full = true, .frontier = {}, .object = object});
  put_probe(batch, MessageType::kProbe, 6);
  ASSERT_TRUE(has_large_frame(batch));
  std::vector<LargeFrame> large = take_large_frames(batch);
  ASSERT_EQ(large.size(), 1u);
  std::string small;
  put_probe(small, MessageType::kProbe, 5);
  put_probe(small, MessageType::kProbe, 6);
  EXPECT_EQ(batch, small);
  Link link;
  link.sender.add(std::move(large[0]));
  ASSERT_TRUE(link.run());
  ReplicaReadReply reply;
  ASSERT_TRUE(parse_replica_read_reply({link.whole[0].first, link.whole[0].second}, &reply));
  EXPECT_TRUE(reply.object == object);
}

// A chunk as a sender would never make it.
struct Forged {
  SlotId number = 1;
  uint64_t offset = 0;
  uint64_t total = 1000;
  MessageType type = MessageType::kReplicaWrite;
  size_t bytes = 100;
};

Result take_forged(ChunkAssembler& assembler, const Forged& forged) {
  std::string payload;
  put_u64(payload, forged.offset);
  put_u64(payload, 9);
  if (forged.offset == 0) {
    put_u64(payload, forged.total);
    put_u8(payload, static_cast<uint8_t>(forged.type));
    put_u8(payload, 0);
    put_u16(payload, 0);
    put_u64(payload, 1);
  }
  payload.append(forged.bytes, 'x');
  return assembler.on_chunk({{MessageType::kChunk, 0, 0, forged.number}, payload});
}

TEST(FrameChunksTest, WhatIsMalformedIsRefused) {
  const Forged malformed[] = {
      {.number = 2},                  // not the next
      {.offset = 12},                 // of nothing
      {.total = 11},                  // less than a head
      {.total = kFrameBytesMax + 1},  // more than any frame
      {.total = 50},                  // more bytes than announced
      {.type = MessageType::kChunk},  // chunks in chunks
      {.type = MessageType::kHello},  // a greeting
  };
  for (const Forged& forged : malformed) {
    ChunkAssembler assembler;
    EXPECT_EQ(take_forged(assembler, forged), Result::kMalformed);
  }
  ChunkAssembler assembler;
  ASSERT_EQ(take_forged(assembler, {}), Result::kMore);
  EXPECT_EQ(take_forged(assembler, {.offset = 111}), Result::kMalformed);  // a gap
  EXPECT_EQ(take_forged(assembler, {.offset = 112, .bytes = 0}), Result::kMalformed);
  EXPECT_EQ(take_forged(assembler, {.offset = 112, .bytes = 889}), Result::kMalformed);
  EXPECT_EQ(take_forged(assembler, {.offset = 112, .bytes = 888}), Result::kWhole);
}

TEST(FrameChunksTest, MoreThanFewUnderWayAreRefused) {
  ChunkAssembler assembler;
  for (SlotId number = 1; number <= ChunkSender::kTogetherMax; ++number) {
    ASSERT_EQ(take_forged(assembler, {.number = number}), Result::kMore);
  }
  EXPECT_EQ(take_forged(assembler, {.number = ChunkSender::kTogetherMax + 1}), Result::kMalformed);
}

TEST(FrameChunksTest, WhatWasNotSentCannotBeTaken) {
  const auto taken = [](ChunkSender& sender, SlotId number, uint64_t bytes) {
    std::string payload;
    put_u64(payload, bytes);
    return sender.on_taken({{MessageType::kChunkTaken, 0, 0, number}, payload});
  };
  ChunkSender sender;
  EXPECT_FALSE(taken(sender, 1, 1));
  sender.add(large_frame(1, bytes_of(2'000'000, 1)));
  std::string batch;
  sender.put_chunks(batch, ChunkSender::kWindowBytes, 9);
  EXPECT_FALSE(taken(sender, 2, 1));
  EXPECT_FALSE(taken(sender, 1, 0));
  EXPECT_FALSE(taken(sender, 1, 1'999'999));
  EXPECT_TRUE(taken(sender, 1, 1000));
  EXPECT_FALSE(taken(sender, 1, 1000));
  EXPECT_FALSE(sender.on_taken({{MessageType::kChunkTaken, 0, 0, 1}, "short"}));
}

}  // namespace
}  // namespace kvorum::cluster
