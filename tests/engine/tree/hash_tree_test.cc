// SPDX-License-Identifier: Apache-2.0
#include "engine/tree/hash_tree.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"

namespace kvorum::engine {
namespace {

using Objects = std::map<uint32_t, uint64_t>;  // digest by place

// Reads the objects from the frontier to `end` into the tree that is being built.
void read_stretch(HashTree& tree, const Objects& objects, uint64_t end) {
  const uint64_t from = tree.frontier();
  for (const auto& [place, digest] : objects) {
    if (place >= from && place < end) tree.add(place, digest);
  }
  tree.advance(end);
}

uint64_t sum_between(const Objects& objects, uint64_t from, uint64_t end) {
  uint64_t sum = 0;
  for (const auto& [place, digest] : objects) {
    if (place >= from && place < end) sum ^= digest;
  }
  return sum;
}

void expect_matches(const HashTree& tree, const Objects& objects) {
  for (int level = 0; level <= tree.depth(); ++level) {
    const uint64_t width = HashTree::kPlacesEnd >> level;
    for (uint64_t index = 0; index < uint64_t{1} << level; ++index) {
      ASSERT_EQ(tree.node(level, index), sum_between(objects, index * width, (index + 1) * width))
          << "level " << level << " index " << index;
    }
  }
  EXPECT_EQ(tree.root(), tree.node(0, 0));
}

TEST(HashTree, DepthLeavesAtMostThirtyTwoObjectsInALeaf) {
  EXPECT_EQ(HashTree::depth_for(0), 0);
  EXPECT_EQ(HashTree::depth_for(32), 0);
  EXPECT_EQ(HashTree::depth_for(33), 1);
  EXPECT_EQ(HashTree::depth_for(64), 1);
  EXPECT_EQ(HashTree::depth_for(65), 2);
  EXPECT_EQ(HashTree::depth_for(4096), 7);
  EXPECT_EQ(HashTree::depth_for(~uint64_t{0}), HashTree::kDepthMax);
}

TEST(HashTree, ATreeWithoutLeavesIsItsRoot) {
  HashTree tree;
  tree.fold(0, 5);
  tree.fold(0xffffffff, 6);
  EXPECT_EQ(tree.depth(), 0);
  EXPECT_EQ(tree.root(), 3u);
  EXPECT_EQ(tree.node(0, 0), 3u);
  EXPECT_EQ(tree.memory_bytes(), 0u);
}

TEST(HashTree, IsBuiltFinerWhileUpdatesGoOnAndCoarserAgain) {
  Rng rng(1);
  HashTree tree;
  Objects objects;
  const auto change_some = [&] {
    for (int i = 0; i < 20; ++i) {
      const auto place = static_cast<uint32_t>(rng.next());
      const uint64_t digest = rng.next();
      tree.fold(place, objects[place] ^ digest);
      objects[place] = digest;
    }
    if (objects.size() < 10) return;
    const auto gone = objects.begin();  // as when a key is erased
    tree.fold(gone->first, gone->second);
    objects.erase(gone);
  };
  for (const int depth : {4, 7, 2, 0, 9}) {
    change_some();
    tree.begin_build(depth);
    for (uint64_t end = 1; end <= 16; ++end) {
      read_stretch(tree, objects, HashTree::kPlacesEnd / 16 * end);
      change_some();
    }
    EXPECT_TRUE(tree.finish_build());
    EXPECT_EQ(tree.depth(), depth);
    expect_matches(tree, objects);
    change_some();
    expect_matches(tree, objects);
  }
}

TEST(HashTree, ATreeThatDidNotFollowItsDataIsFoundOutAndReplaced) {
  HashTree tree;
  const Objects objects = {{1, 11}, {0x80000000, 22}};
  tree.begin_build(3);
  read_stretch(tree, objects, HashTree::kPlacesEnd);
  EXPECT_FALSE(tree.finish_build());  // it never heard of them
  expect_matches(tree, objects);
  tree.fold(1, 4);
  tree.fold(0x80000000, 4);  // the root does not show it
  tree.begin_build(3);
  read_stretch(tree, objects, HashTree::kPlacesEnd);
  EXPECT_FALSE(tree.finish_build());
  expect_matches(tree, objects);
}

TEST(HashTree, AnAbandonedBuildLeavesNoTrace) {
  HashTree tree;
  tree.fold(7, 1);
  tree.begin_build(3);
  tree.abandon_build();
  EXPECT_FALSE(tree.building());
  EXPECT_EQ(tree.depth(), 0);
  EXPECT_EQ(tree.root(), 1u);
}

}  // namespace
}  // namespace kvorum::engine
