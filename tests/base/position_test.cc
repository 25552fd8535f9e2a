// SPDX-License-Identifier: Apache-2.0
#include "base/position.h"

#include <gtest/gtest.h>

#include <string>

namespace kvorum {
namespace {

// What CLUSTER KEYSLOT of Redis answers.
TEST(Slot, IsTheOneOfRedisCluster) {
  EXPECT_EQ(slot_of("123456789"), 12739);
  EXPECT_EQ(slot_of("foo"), 12182);
  EXPECT_EQ(slot_of(""), 0);
}

TEST(Slot, HashesOnlyTheFirstTagThatIsNotEmpty) {
  EXPECT_EQ(slot_of("{user1000}.following"), 3443);
  EXPECT_EQ(slot_of("{user1000}.following"), slot_of("{user1000}.followers"));
  EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
  EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
}

TEST(Slot, HashesTheWholeKeyWhereThereIsNoTag) {
  EXPECT_EQ(slot_of("foo{}{bar}"), 8363);
  EXPECT_EQ(slot_of("{}"), 15257);
  EXPECT_EQ(slot_of("a{b"), 13340);
  EXPECT_EQ(slot_of("}x{y}"), 12222);
}

TEST(Position, IsTheMd5OfTheKeyReadAsOneBigNumber) {
  const Position position = position_of("abc");
  EXPECT_EQ(position.high, 0x900150983cd24fb0u);
  EXPECT_EQ(position.low, 0xd6963f7d28e17f72u);
}

TEST(Position, WithSlotsTheTopBitsAreTheSlotAndTheRestMd5) {
  const Position plain = position_of("foo");
  const Position slotted = position_of("foo", Partitioner::kSlots);
  EXPECT_EQ(slotted.high >> 50, 12182u);
  EXPECT_EQ(slotted.high & ((uint64_t{1} << 50) - 1), plain.high >> 14);
  EXPECT_EQ(slotted.low, plain.low);
}

TEST(Position, OrdersByTheHighWordFirst) {
  EXPECT_LT((Position{1, 9}), (Position{2, 0}));
  EXPECT_LT((Position{1, 1}), (Position{1, 2}));
}

TEST(Partition, IsTheTopBitsOfThePosition) {
  const Position last{~uint64_t{0}, ~uint64_t{0}};
  EXPECT_EQ(partition_of(last, 0), 0u);
  EXPECT_EQ(partition_of(last, 8), 255u);
  EXPECT_EQ(partition_of(Position{0x8000000000000000u, 0}, 1), 1u);
  EXPECT_EQ(partition_of(Position{0x7fffffffffffffffu, 0}, 1), 0u);
}

TEST(Partition, KeysSpreadEvenlyOverAllPartitions) {
  constexpr int kBits = 6, kKeys = 64 * 1000;
  int counts[1 << kBits] = {};
  for (int n = 0; n < kKeys; ++n) ++counts[partition_of(position_of(std::to_string(n)), kBits)];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 160);  // five standard deviations
}

}  // namespace
}  // namespace kvorum
