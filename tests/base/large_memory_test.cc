// SPDX-License-Identifier: Apache-2.0
#include "base/large_memory.h"

#include <gtest/gtest.h>

namespace kvorum {
namespace {

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

}  // namespace
}  // namespace kvorum
