// SPDX-License-Identifier: Apache-2.0
#include "engine/index/entry_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/rng.h"

namespace kvorum::engine {
namespace {

TEST(EntryPoolTest, ClassesHoldTheirSizeAndWasteLittle) {
  for (size_t bytes = 12; bytes < 100000; ++bytes) {
    const size_t size = EntryPool::class_bytes(bytes);
    ASSERT_GE(size, bytes);
    ASSERT_EQ(EntryPool::class_bytes(size), size);
    ASSERT_LE(size - bytes, bytes <= EntryPool::kSmallBytesMax ? 7 : bytes / 4);
  }
}

TEST(EntryPoolTest, BlocksKeepTheirContentsAmongOthers) {
  PageSource source(EntryPool::kPageBytes);
  EntryPool pool(&source);
  struct Block {
    char* bytes;
    size_t size;
    char fill;
  };
  std::vector<Block> blocks;
  Rng rng(5);
  uint64_t used = 0;
  for (int step = 0; step < 100000; ++step) {
    if (blocks.size() < 2000 ? rng.chance(0.6) : rng.chance(0.4)) {
      const size_t size = rng.between(12, rng.chance(0.1) ? 3000 : 300);
      const char fill = static_cast<char>(step);
      auto* bytes = static_cast<char*>(pool.allocate(size));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(bytes) % 8, 0u);
      std::memset(bytes, fill, size);
      blocks.push_back({bytes, size, fill});
      used += EntryPool::class_bytes(size);
    } else if (!blocks.empty()) {
      std::swap(blocks[rng.below(blocks.size())], blocks.back());
      const Block block = blocks.back();
      blocks.pop_back();
      for (size_t i = 0; i < block.size; ++i) ASSERT_EQ(block.bytes[i], block.fill);
      pool.release(block.bytes, block.size);
      used -= EntryPool::class_bytes(block.size);
    }
    ASSERT_EQ(pool.used_bytes(), used);
  }
  for (const Block& block : blocks) pool.release(block.bytes, block.size);
  EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(EntryPoolDeathTest, EverythingMustHaveBeenReleased) {
  PageSource source(EntryPool::kPageBytes);
  EXPECT_DEATH(
      {
        EntryPool pool(&source);
        pool.allocate(100);
      },
      "used_bytes_ == 0");
}

}  // namespace
}  // namespace kvorum::engine
