// SPDX-License-Identifier: Apache-2.0
// The hash trees of an ObjectTable, over each kind of table: they are what the objects say.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/engine/store_fixture.h"
#include "tests/engine/table_kinds.h"

namespace kvorum::engine::testing {
namespace {

constexpr int kBits = 2;

TableOptions options_of(uint64_t memory_bytes) {
  TableOptions options;
  options.partition_bits = kBits;
  options.memory_bytes_max = memory_bytes;
  return options;
}

std::vector<uint64_t> leaves_of(const ObjectTable& table, uint32_t partition, int depth) {
  std::vector<uint64_t> leaves;
  EXPECT_TRUE(table.trees().nodes({0, partition, depth, 0, uint64_t{1} << depth}, leaves));
  return leaves;
}

// The leaves of a partition, computed from what a walk shows.
std::vector<uint64_t> leaves_from_objects(ObjectTable& table, uint32_t partition, int depth) {
  std::vector<uint64_t> leaves(size_t{1} << depth);
  const auto show = [&](const ScanItem& item) {
    const uint64_t place = item.key.position.high << kBits;
    leaves[depth == 0 ? 0 : place >> (64 - depth)] ^= digest_of(item.key.key, item.record);
  };
  ScanRange range{0, partition, Position{uint64_t{partition} << (64 - kBits), 0}, 1 << 20};
  const Result<ScanEnd> end = table.store_reader().scan(range, show);
  EXPECT_TRUE(end.ok() && end.value().done);
  return leaves;
}

TreeBuild build_whole_tree(ObjectTable& table, uint32_t partition) {
  for (int stretch = 0; stretch < 10'000; ++stretch) {
    TreeBuild build = table.trees().build(0, partition);
    if (build == TreeBuild::kNotResident) {
      const Result<TreeBuild> read = table.store_reader().build_tree(0, partition);
      EXPECT_TRUE(read.ok());
      build = read.value();
    }
    if (build != TreeBuild::kGoesOn) return build;
    put(table, key_ref("during " + std::to_string(stretch)), "build");
  }
  return TreeBuild::kGoesOn;
}

class TreeAccessTest : public ::testing::TestWithParam<TableKind> {};

INSTANTIATE_TEST_SUITE_P(Tables, TreeAccessTest, ::testing::ValuesIn(kTableKinds),
                         [](const auto& kind) { return name_of(kind.param); });

TEST_P(TreeAccessTest, GrowsWithTheObjectsAndFollowsEachChange) {
  TableOnStore on(GetParam(), options_of(0));
  ObjectTable& table = on.table();
  for (int i = 0; i < 3600; ++i) put(table, key_ref("k" + std::to_string(i)), "v");
  on.settle();
  for (uint32_t partition = 0; partition < 4; ++partition) {
    EXPECT_TRUE(table.trees().outgrown(0, partition));
    EXPECT_EQ(build_whole_tree(table, partition), TreeBuild::kDone);
    EXPECT_EQ(table.trees().depth(0, partition), 5) << "about 900 objects, 32 a leaf";
    EXPECT_FALSE(table.trees().outgrown(0, partition));
  }
  for (int i = 0; i < 3600; i += 3) put(table, key_ref("k" + std::to_string(i)), "w");
  for (int i = 1; i < 3600; i += 3) erase(table, key_ref("k" + std::to_string(i)));
  on.settle();
  for (uint32_t partition = 0; partition < 4; ++partition) {
    const std::vector<uint64_t> leaves = leaves_of(table, partition, 5);
    EXPECT_EQ(leaves, leaves_from_objects(table, partition, 5));
    uint64_t root = 0;
    for (const uint64_t leaf : leaves) root ^= leaf;
    EXPECT_EQ(table.digest(0, partition), root);
  }
}

TEST_P(TreeAccessTest, ShrinksWhenTheObjectsAreGone) {
  TableOnStore on(GetParam(), options_of(0));
  ObjectTable& table = on.table();
  for (int i = 0; i < 2000; ++i) put(table, key_ref("k" + std::to_string(i)), "v");
  build_whole_tree(table, 0);
  const int depth = table.trees().depth(0, 0);
  for (int i = 0; i < 2000; ++i) erase(table, key_ref("k" + std::to_string(i)));
  on.settle();
  EXPECT_TRUE(table.trees().outgrown(0, 0));
  EXPECT_EQ(build_whole_tree(table, 0), TreeBuild::kDone);
  EXPECT_LT(table.trees().depth(0, 0), depth);
}

TEST_P(TreeAccessTest, ALevelThatIsNotThereIsRefused) {
  TableOnStore on(GetParam(), options_of(0));
  std::vector<uint64_t> nodes;
  EXPECT_TRUE(on.table().trees().nodes({0, 3, 0, 0, 1}, nodes)) << "a partition without objects";
  EXPECT_EQ(nodes, std::vector<uint64_t>{0});
  EXPECT_FALSE(on.table().trees().nodes({0, 3, 1, 0, 2}, nodes));
  put(on.table(), key_ref("k"), "v");
  EXPECT_FALSE(
      on.table().trees().nodes({0, partition_of(key_ref("k").position, kBits), 1, 0, 2}, nodes));
}

TEST_P(TreeAccessTest, AChangeThatLiesAboutItsDigestIsFoundByTheNextBuild) {
  TableOnStore on(GetParam(), options_of(0));
  ObjectTable& table = on.table();
  const KeyRef key = key_ref("k");
  const uint32_t partition = partition_of(key.position, kBits);
  put(table, key, "v");
  EXPECT_EQ(build_whole_tree(table, partition), TreeBuild::kDone);
  table.update(key, [](std::string_view) {
    RecordChange change;
    change.action = RecordChange::Action::kErase;
    return change;  // the digest stays behind
  });
  EXPECT_EQ(build_whole_tree(table, partition), TreeBuild::kMismatch);
  EXPECT_EQ(table.digest(0, partition), 0u);
  EXPECT_EQ(build_whole_tree(table, partition), TreeBuild::kDone);
}

TEST(TreeAccessOnStoreTest, IsBuiltThroughTheStoreWhereNotAllIsResident) {
  for (const TableKind kind : {TableKind::kMapStore, TableKind::kLevelDb}) {
    TableOnStore on(kind, options_of(64 * 1024));
    ObjectTable& table = on.table();
    for (int i = 0; i < 6000; ++i) {
      const std::string name = "k" + std::to_string(i);
      ASSERT_TRUE(table.store_reader().load(key_ref(name)).ok());
      ASSERT_EQ(put(table, key_ref(name), "some value").access, Access::kDone);
      if (i % 100 == 0) on.settle();
    }
    on.settle();
    EXPECT_EQ(table.trees().build(0, 1), TreeBuild::kNotResident);
    EXPECT_EQ(build_whole_tree(table, 1), TreeBuild::kDone);
    const int depth = table.trees().depth(0, 1);
    EXPECT_GE(depth, 5);
    EXPECT_EQ(leaves_of(table, 1, depth), leaves_from_objects(table, 1, depth));
  }
}

TEST(TreeAccessOnStoreTest, WarmingGivesTheLeavesBack) {
  TestCodec codec;
  MapStore store;
  TableOptions options = options_of(0);
  options.store = &store;
  options.codec = &codec;
  std::vector<std::vector<uint64_t>> before;
  for (const bool again : {false, true}) {
    ObjectTable table(options);
    ASSERT_TRUE(table.store_reader().warm().ok());
    if (!again) {
      for (int i = 0; i < 3600; ++i) put(table, key_ref("k" + std::to_string(i)), "v");
      ASSERT_TRUE(table.commits().commit(false).ok());
    }
    for (uint32_t partition = 0; partition < 4; ++partition) {
      EXPECT_EQ(table.trees().outgrown(0, partition), !again);
      if (!again) build_whole_tree(table, partition);
      if (!again) before.push_back(leaves_of(table, partition, 5));
      ASSERT_TRUE(table.commits().commit(false).ok());
    }
    if (!again) continue;
    for (uint32_t partition = 0; partition < 4; ++partition) {
      EXPECT_EQ(table.trees().depth(0, partition), 5);
      EXPECT_EQ(leaves_of(table, partition, 5), leaves_from_objects(table, partition, 5));
    }
  }
}

}  // namespace
}  // namespace kvorum::engine::testing
