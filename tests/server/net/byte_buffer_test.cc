// SPDX-License-Identifier: Apache-2.0
#include "server/net/byte_buffer.h"

#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"

namespace kvorum::server {
namespace {

TEST(ByteBufferTest, KeepsBytesInOrderThroughAnyMixOfWritesAndReads) {
  Rng rng(3);
  ByteBuffer buffer;
  std::string expected;
  char next = 0;
  for (int step = 0; step < 20000; ++step) {
    if (rng.chance(0.5)) {
      std::string bytes;
      for (uint64_t i = rng.below(50); i > 0; --i) bytes.push_back(next++);
      buffer.append(bytes);
      expected += bytes;
    } else {
      const size_t taken = rng.below(expected.size() + 1);
      buffer.consume(taken);
      expected.erase(0, taken);
    }
    ASSERT_EQ(buffer.view(), expected);
  }
  EXPECT_LT(buffer.capacity(), 16u * 1024);
}

TEST(ByteBufferTest, PrepareGivesTheRoomAsked) {
  ByteBuffer buffer;
  buffer.append("abc");
  char* const room = buffer.prepare(1000);
  EXPECT_GE(buffer.room(), 1000u);
  std::memcpy(room, "def", 3);
  buffer.commit(3);
  EXPECT_EQ(buffer.view(), "abcdef");
}

TEST(ByteBufferTest, ConsumedRoomIsUsedAgain) {
  ByteBuffer buffer;
  buffer.append(std::string(1000, 'x'));
  const size_t capacity = buffer.capacity();
  for (int i = 0; i < 100; ++i) {
    buffer.consume(900);
    buffer.append(std::string(900, 'y'));
  }
  EXPECT_EQ(buffer.capacity(), capacity);
}

TEST(ByteBufferTest, AnEmptyBufferGivesItsMemoryBack) {
  ByteBuffer buffer;
  buffer.append("abc");
  buffer.consume(3);
  buffer.release_memory();
  EXPECT_EQ(buffer.capacity(), 0u);
  buffer.append("d");
  EXPECT_EQ(buffer.view(), "d");
}

TEST(ByteBufferTest, RoomThatALargeRequestTookIsGivenBackAndWhatFollowsIsKept) {
  ByteBuffer buffer;
  buffer.append(std::string(20'000'000, 'x') + "next");
  buffer.consume(20'000'000);
  buffer.give_back_room();
  EXPECT_EQ(buffer.view(), "next");
  EXPECT_LT(buffer.capacity(), 100u);
  buffer.consume(4);
  buffer.give_back_room();
  EXPECT_EQ(buffer.capacity(), 0u);
}

TEST(ByteBufferTest, AShareOfALargeOneStaysAsItIsAndWhatFollowsIsKept) {
  const std::string large(5'000'000, 'x');
  ByteBuffer buffer;
  buffer.append(large + "next");
  const SharedBytes share = buffer.share();
  ASSERT_NE(share, nullptr);
  EXPECT_EQ(share->data(), buffer.view().data());
  buffer.consume(large.size());
  EXPECT_EQ(buffer.view(), "next");
  buffer.append(" one");
  EXPECT_EQ(buffer.view(), "next one");
  EXPECT_NE(share->data() + large.size(), buffer.view().data());
  EXPECT_EQ(*share, large + "next");
  buffer.consume(8);
  buffer.release_memory();
  EXPECT_EQ(*share, large + "next");
}

TEST(ByteBufferTest, ASmallOneIsNotShared) {
  ByteBuffer buffer;
  buffer.append("abc");
  EXPECT_EQ(buffer.share(), nullptr);
}

TEST(ByteBufferDeathTest, MoreThanThereIsCannotBeTaken) {
  ByteBuffer buffer;
  buffer.append("abc");
  EXPECT_DEATH(buffer.consume(4), "");
}

}  // namespace
}  // namespace kvorum::server
