// SPDX-License-Identifier: Apache-2.0
// Hash trees that survive their process: pages and tail in the store, and what a start makes of
// them.
#include "engine/tree/kept_trees.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "tests/engine/store_fixture.h"

namespace kvorum::engine::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint32_t kPartitions = 4;
constexpr size_t kUnbounded = ~size_t{0};

TEST(LeafSet, HasWhatWasAdded) {
  LeafSet leaves;
  leaves.reset(7);
  EXPECT_TRUE(leaves.add(100));
  EXPECT_FALSE(leaves.add(100));
  EXPECT_TRUE(leaves.contains(100));
  EXPECT_FALSE(leaves.contains(101));
  EXPECT_EQ(leaves.count(), 1u);
  EXPECT_EQ(leaves.leaf_of(HashTree::kPlacesEnd - 1), 127u);
}

TEST(LeafSet, ALeafOfAnotherDepthIsAllThatShareItsPlaces) {
  LeafSet leaves;
  leaves.reset(4);
  leaves.add(0b101, 3);
  EXPECT_EQ(leaves.count(), 2u);
  EXPECT_TRUE(leaves.contains(0b1010));
  EXPECT_TRUE(leaves.contains(0b1011));
  leaves.add(0b011111, 6);
  EXPECT_EQ(leaves.count(), 3u);
  EXPECT_TRUE(leaves.contains(0b0111));
}

class KeptTreesTest : public StoreFixture {
 protected:
  KeptTreesTest() { keeps_trees_ = true; }

  void put_many(int count, const std::string& value = "v") {
    for (int i = 0; i < count; ++i) put(*table_, key_ref("k" + std::to_string(i)), value);
  }
  void keep() {
    for (;;) {
      const Result<bool> done = table_->trees().keep(1000);
      ASSERT_TRUE(done.ok());
      if (done.value()) return;
    }
  }
  // All nodes of all trees.
  std::vector<uint64_t> nodes() const {
    std::vector<uint64_t> all;
    for (uint32_t partition = 0; partition < kPartitions; ++partition) {
      const int depth = table_->trees().depth(0, partition);
      for (int level = 0; level <= depth; ++level) {
        EXPECT_TRUE(table_->trees().nodes({0, partition, level, 0, uint64_t{1} << level}, all));
      }
    }
    return all;
  }
  std::vector<uint64_t> digests() const {
    std::vector<uint64_t> all;
    for (uint32_t p = 0; p < kPartitions; ++p) all.push_back(table_->digest(0, p));
    return all;
  }
  // As a start finds them that knows nothing of kept trees.
  std::vector<uint64_t> digests_of_objects() {
    TableOptions options;
    options.partition_bits = 2;
    options.store = &store_;
    options.codec = &codec_;
    ObjectTable table(options);
    EXPECT_TRUE(table.store_reader().warm().ok());
    std::vector<uint64_t> all;
    for (uint32_t p = 0; p < kPartitions; ++p) all.push_back(table.digest(0, p));
    return all;
  }
  KeptTrees kept() {
    KeptTrees trees;
    EXPECT_TRUE(trees.read(store_).ok());
    return trees;
  }
  static uint32_t partition_of_key(const std::string& key) {
    return partition_of(key_ref(key).position, 2);
  }
};

TEST_F(KeptTreesTest, AStartTakesThemAsTheyWere) {
  start();
  put_many(3000);
  commit();
  for (uint32_t partition = 0; partition < kPartitions; ++partition) {
    while (table_->trees().build(0, partition) == TreeBuild::kGoesOn) {
    }
  }
  EXPECT_FALSE(table_->trees().kept());
  keep();
  EXPECT_TRUE(table_->trees().kept());
  const std::vector<uint64_t> before = nodes();
  EXPECT_GT(table_->trees().depth(0, 0), 3);
  start();
  EXPECT_EQ(nodes(), before);
  EXPECT_THAT(table_->trees().differing(), IsEmpty());
  EXPECT_TRUE(table_->trees().kept());
}

TEST_F(KeptTreesTest, WhatChangedSinceIsInTheTailAndMadeFromItsObjects) {
  start();
  put_many(3000);
  commit();
  keep();
  put(*table_, key_ref("k7"), "later");
  put(*table_, key_ref("new"), "v");
  erase(*table_, key_ref("k8"));
  commit();
  const std::vector<uint64_t> before = digests();
  start();
  EXPECT_EQ(digests(), before);
  EXPECT_EQ(digests(), digests_of_objects());
  EXPECT_THAT(table_->trees().differing(), IsEmpty());
  EXPECT_FALSE(table_->trees().kept());
  keep();
  EXPECT_EQ(kept().tail_end, 0u) << "of the tail nothing is left";
}

TEST_F(KeptTreesTest, TheTailNamesEachLeafOnce) {
  start();
  put_many(100);
  commit();
  keep();
  const auto changed = [&] {
    size_t sum = 0;
    for (const auto& [place, tree] : kept().trees) sum += tree.changed.count();
    return sum;
  };
  EXPECT_EQ(changed(), 0u);
  put(*table_, key_ref("k7"), "1");
  commit();
  const uint64_t records = kept().tail_end;
  EXPECT_EQ(changed(), 1u);
  put(*table_, key_ref("k7"), "2");
  commit();
  EXPECT_EQ(kept().tail_end, records);
}

TEST_F(KeptTreesTest, ObjectsThatWereLostAreNoticed) {
  start();
  put_many(3000);
  commit();
  keep();
  store_.lose(store_key(key_ref("k7")));
  start();
  EXPECT_THAT(table_->trees().differing(), ElementsAre(TreePlace{0, partition_of_key("k7")}));
  EXPECT_EQ(table_->store_health().faults().copies_lost, 1u);
  EXPECT_EQ(digests(), digests_of_objects());
  keep();
  start();
  EXPECT_THAT(table_->trees().differing(), IsEmpty()) << "it was told once";
}

TEST_F(KeptTreesTest, ALostPartitionIsNoticed) {
  start();
  put_many(200);
  commit();
  keep();
  for (int i = 0; i < 200; ++i) {
    const std::string key = "k" + std::to_string(i);
    if (partition_of_key(key) == 2) store_.lose(store_key(key_ref(key)));
  }
  start();
  EXPECT_THAT(table_->trees().differing(), ElementsAre(TreePlace{0, 2}));
}

TEST_F(KeptTreesTest, APageThatIsGoneIsNoticed) {
  start();
  put_many(200);
  commit();
  keep();
  StoreBatch page;
  put_tree_page(page, {0, 1}, {});
  store_.lose(std::string(page[0].key));
  start();
  EXPECT_THAT(table_->trees().differing(), ElementsAre(TreePlace{0, 1}));
}

TEST_F(KeptTreesTest, AStoreThatNeverKeptThemIsTakenAsItIs) {
  keeps_trees_ = false;
  start();
  put_many(200);
  commit();
  keeps_trees_ = true;
  start();
  put(*table_, key_ref("k7"), "w");
  commit();
  start();
  EXPECT_THAT(table_->trees().differing(), IsEmpty());
  keep();
  EXPECT_TRUE(kept().complete);
  store_.lose(store_key(key_ref("k9")));
  start();
  EXPECT_THAT(table_->trees().differing(), ElementsAre(TreePlace{0, partition_of_key("k9")}));
}

TEST_F(KeptTreesTest, ATableThatKeepsNoneWritesNone) {
  keeps_trees_ = false;
  start();
  put_many(200);
  commit();
  start();
  EXPECT_TRUE(table_->trees().kept());
  put_many(200, "w");
  commit();
  EXPECT_TRUE(table_->trees().kept());
  EXPECT_THAT(kept().trees, IsEmpty());
}

TEST_F(KeptTreesTest, DamagedPagesAndRecordsAreLeftOut) {
  start();
  put_many(10);
  commit();
  keep();
  StoreBatch bad;
  put_tree_page(bad, {0, 1}, "?");
  put_tree_page(bad, {200, 0}, "of no keyspace");
  put_tree_page(bad, {0, 1u << 20}, "of another ring");
  put_tree_tail(bad, 100, "\x05");
  ASSERT_TRUE(store_.write(bad, true).ok());
  EXPECT_EQ(kept().damaged, 4u);
  start();
  EXPECT_EQ(digests(), digests_of_objects());
}

TEST_F(KeptTreesTest, AfterAFailedWriteAllIsKeptAnew) {
  start();
  put_many(500);
  commit();
  store_.set_broken(true);
  EXPECT_FALSE(table_->trees().keep(kUnbounded).ok());
  EXPECT_TRUE(table_->store_health().failed());
  store_.set_broken(false);
  table_->store_health().recover();
  put(*table_, key_ref("k3"), "w");
  commit();
  keep();
  EXPECT_EQ(kept().trees.size(), kPartitions);
  start();
  EXPECT_THAT(table_->trees().differing(), IsEmpty());
}

// Any writes, commits, failures and pages, and a death at any moment: what the store has of the
// trees agrees with what it has of the objects.
TEST_F(KeptTreesTest, PageAndTailNeverSayMoreThanTheObjects) {
  Rng rng(7);
  start();
  for (int life = 0; life < 60; ++life) {
    const uint64_t steps = rng.below(60);
    for (uint64_t step = 0; step < steps; ++step) {
      for (uint64_t write = rng.below(20); write != 0; --write) {
        const std::string name = "k" + std::to_string(rng.below(2000));
        const KeyRef key = key_ref(name);
        if (rng.chance(0.3)) {
          erase(*table_, key);
        } else {
          put(*table_, key, std::to_string(rng.next()));
        }
      }
      if (rng.chance(0.3)) table_->trees().build(0, static_cast<uint32_t>(rng.below(kPartitions)));
      store_.set_broken(rng.chance(0.05));
      if (rng.chance(0.6)) (void)table_->commits().commit(false);
      if (rng.chance(0.5)) (void)table_->trees().keep(rng.below(2000));
      store_.set_broken(false);
      if (table_->store_health().failed()) table_->store_health().recover();
    }
    start();
    ASSERT_THAT(table_->trees().differing(), IsEmpty()) << "life " << life;
    ASSERT_EQ(digests(), digests_of_objects());
  }
}

}  // namespace
}  // namespace kvorum::engine::testing
