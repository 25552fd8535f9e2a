// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scale/memory.h"

#include <gtest/gtest.h>

namespace kvorum::sim {
namespace {

TEST(ScaleOfMemory, TheOwnersAloneTakeTwoBytesAPartition) {
  EXPECT_EQ(view_bytes(10, 1024, 0).table, 2048u);
}

TEST(ScaleOfMemory, TheViewGrowsWithItsPreferenceLists) {
  const ViewBytes few = view_bytes(10, 256, 2), many = view_bytes(100, 256, 2);
  if (few.view == 0) GTEST_SKIP() << "this allocator does not count";
  EXPECT_GE(few.view, 10 * 256 * 2u);
  EXPECT_GE(many.view, 100 * 256 * 2u);
  EXPECT_LT(many.view, 3 * 100 * 256 * 2u);
  EXPECT_GT(few.history, 0u);
  EXPECT_GT(few.moving, 0u);
}

}  // namespace
}  // namespace kvorum::sim
