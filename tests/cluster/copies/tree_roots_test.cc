// SPDX-License-Identifier: Apache-2.0
#include "cluster/copies/tree_roots.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

engine::TableOptions options() {
  engine::TableOptions options;
  options.partition_bits = 4;
  return options;
}

// A record of one byte with this digest.
void store(engine::ObjectTable& table, const std::string& key, uint64_t digest) {
  table.update({key, position_of(key), 3}, [&](std::string_view) {
    engine::RecordChange change;
    change.action = engine::RecordChange::Action::kStore;
    change.body = "v";
    change.digest_change = digest;
    return change;
  });
}

TEST(TreeRoots, WhatIsAsItWasIsWhole) {
  engine::ObjectTable table(options());
  for (int n = 0; n < 40; ++n) store(table, std::to_string(n), 1000 + static_cast<uint64_t>(n));
  std::string roots;
  encode_roots(table, nullptr, roots);
  WholeReplicas whole(4, true);
  EXPECT_EQ(mark_differing_roots(table, roots, whole), 0u);
  EXPECT_EQ(whole.missing(), 0u);
}

TEST(TreeRoots, APartitionThatLostOrGainedAnObjectIsNot) {
  engine::ObjectTable before(options()), after(options());
  for (int n = 0; n < 40; ++n) store(before, std::to_string(n), 1000 + static_cast<uint64_t>(n));
  for (int n = 1; n < 40; ++n) store(after, std::to_string(n), 1000 + static_cast<uint64_t>(n));
  const uint32_t lost = partition_of(position_of("0"), 4);
  std::string roots;
  encode_roots(before, nullptr, roots);
  WholeReplicas whole(4, true);
  EXPECT_EQ(mark_differing_roots(after, roots, whole), 1u);
  EXPECT_FALSE(whole.is_whole(3, lost));
  EXPECT_TRUE(whole.is_whole(3, (lost + 1) % 16));
  EXPECT_TRUE(whole.is_whole(2, lost));
  roots.clear();
  encode_roots(after, nullptr, roots);
  EXPECT_EQ(mark_differing_roots(before, roots, whole), 1u);
}

// A disk that was lost, and a clean stop before others brought back what was on it.
TEST(TreeRoots, ACopyThatLackedSomethingAtTheStopLacksItStill) {
  engine::ObjectTable table(options());
  store(table, "k", 5);
  const uint32_t partition = partition_of(position_of("k"), 4);
  WholeReplicas at_stop(4, true), at_start(4, true);
  at_stop.set(3, partition, false);
  at_stop.set(2, 7, false);  // an empty one
  at_stop.note_new(1, 7);    // which forgot nothing
  std::string roots;
  encode_roots(table, &at_stop, roots);
  EXPECT_EQ(mark_differing_roots(table, roots, at_start), 0u);
  EXPECT_EQ(at_start.missing(), 2u);
  EXPECT_FALSE(at_start.is_whole(3, partition));
  EXPECT_FALSE(at_start.is_whole(2, 7));
}

TEST(TreeRoots, DamagedOrMissingBytesProveNothing) {
  engine::ObjectTable table(options());
  store(table, "k", 5);
  std::string roots;
  encode_roots(table, nullptr, roots);
  for (const std::string& bytes : {std::string(), roots.substr(0, roots.size() - 1),
                                   std::string("\x7f") + roots.substr(1), roots + "x"}) {
    WholeReplicas whole(4, true);
    EXPECT_EQ(mark_differing_roots(table, bytes, whole), 256u);
    EXPECT_EQ(whole.missing(), 256u);
  }
}

}  // namespace
}  // namespace kvorum::cluster
