// SPDX-License-Identifier: Apache-2.0
#include "base/large_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <future>
#include <string>

#include "base/memory_thread.h"

namespace kvorum {
namespace {

void wait_for_memory_thread() {
  std::promise<void> reached;
  post_to_memory_thread([&] { reached.set_value(); });
  reached.get_future().wait();
}

TEST(LargeMemoryTest, ManyBytesFitBehindTheContentWithoutAnotherMove) {
  std::string bytes = "front";
  make_large_room(bytes, kLargeMemoryBytes + 2);
  const char* const at = bytes.data();
  bytes.append(kLargeMemoryBytes, 'x').append("\r\n");
  EXPECT_EQ(bytes.data(), at);
  EXPECT_LT(bytes.capacity(), 2 * kLargeMemoryBytes);
  EXPECT_TRUE(bytes.starts_with("frontxx") && bytes.ends_with("x\r\n"));
}

TEST(LargeMemoryTest, OfFewTheStringTakesCare) {
  std::string bytes;
  make_large_room(bytes, kLargeMemoryBytes - 1);
  EXPECT_LT(bytes.capacity(), 100u);
}

TEST(LargeMemoryTest, AnyMemoryMayBeWishedFor) {
  char few[10] = {};
  wish_large_pages(few, sizeof few);
  wish_large_pages(nullptr, 0);
}

TEST(MappedMemoryTest, KeepsItsContentWhenItGrowsAndShrinks) {
  for (const size_t bytes : {size_t{5000}, 3 * kLargeMemoryBytes}) {
    MappedMemory memory(bytes);
    ASSERT_GE(memory.size(), bytes);
    std::memset(memory.data(), 'x', bytes);
    memory.resize(10 * bytes);
    ASSERT_GE(memory.size(), 10 * bytes);
    EXPECT_EQ(std::string(memory.data(), bytes), std::string(bytes, 'x'));
    memory.data()[memory.size() - 1] = 'y';
    memory.resize(4096);
    EXPECT_EQ(std::string(memory.data(), 4096), std::string(4096, 'x'));
  }
}

TEST(MappedMemoryTest, ALargeOneIsZeroedAndOnlyItsFrontIsThere) {
  for (int round = 0; round < 20; ++round) {  // with fronts that are spare, and without
    const MappedMemory memory(2 * kLargeMemoryBytes);
    EXPECT_EQ(memory.warm_bytes(), kLargeMemoryBytes);
    EXPECT_EQ(std::string(memory.data(), 100), std::string(100, '\0'));
    EXPECT_EQ(memory.data()[memory.size() - 1], 0);
    if (round % 5 == 0) wait_for_memory_thread();
  }
}

TEST(MappedMemoryTest, MovesWithoutACopy) {
  MappedMemory memory(kLargeMemoryBytes);
  char* const where = memory.data();
  const MappedMemory moved = std::move(memory);
  EXPECT_EQ(moved.data(), where);
  EXPECT_FALSE(memory);  // NOLINT(bugprone-use-after-move): that is what is asked
}

}  // namespace
}  // namespace kvorum
