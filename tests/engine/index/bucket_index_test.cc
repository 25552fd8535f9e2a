// SPDX-License-Identifier: Apache-2.0
#include "engine/index/bucket_index.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "base/rng.h"

namespace kvorum::engine {
namespace {

// An index with entries of its own, and a model of it.
class BucketIndexTest : public ::testing::Test {
 protected:
  KeyPlace at(const std::string& key, uint32_t place) const {
    return {key, place, static_cast<uint16_t>(place * 40503u)};
  }
  void insert(const std::string& key, uint32_t place) {
    ASSERT_EQ(index_.find(at(key, place)), nullptr);
    Entry* entry = make(key, place);
    index_.insert(at(key, place), entry);
    model_[key] = {place, entry};
  }
  void erase(const std::string& key) {
    index_.erase(model_.at(key).second);
    model_.erase(key);
  }
  void move(const std::string& key) {
    auto& [place, entry] = model_.at(key);
    Entry* fresh = make(key, place);
    index_.replace(entry, fresh);
    entry = fresh;
  }
  Entry* make(const std::string& key, uint32_t place) {
    memory_.push_back(std::make_unique<char[]>(Entry::bytes_for(key.size(), 0, false)));
    auto* entry = new (memory_.back().get()) Entry;
    entry->begin(place, key);
    return entry;
  }
  void check() {
    ASSERT_EQ(index_.size(), model_.size());
    for (const auto& [key, found] : model_) {
      ASSERT_EQ(index_.find(at(key, found.first)), found.second);
      index_.prefetch_bucket(found.first);
      index_.prefetch_entry(found.first, 0);
      ASSERT_EQ(index_.find(at(key + "?", found.first)), nullptr);
    }
    for (const size_t count_min : {size_t{0}, size_t{10}, size_t{1000}}) {
      std::set<Entry*> collected;
      std::vector<Entry*> part;
      for (uint64_t place = 0; place < BucketIndex::kPlacesEnd;) {
        part.clear();
        const uint64_t next = index_.collect_bucket(static_cast<uint32_t>(place), count_min, part);
        ASSERT_GT(next, place);
        for (Entry* entry : part) {
          ASSERT_GE(entry->place(), place);
          ASSERT_LT(entry->place(), next);
          ASSERT_TRUE(collected.insert(entry).second);
        }
        place = next;
      }
      ASSERT_EQ(collected.size(), model_.size());
    }
  }

  PageSource source_{BucketIndex::kSegmentBytes};
  BucketIndex index_{&source_, 1234};
  std::vector<std::unique_ptr<char[]>> memory_;
  std::map<std::string, std::pair<uint32_t, Entry*>> model_;
};

TEST_F(BucketIndexTest, GrowsByOneBucketAtATimeAndStaysInOrder) {
  Rng rng(1);
  size_t buckets = index_.bucket_count();
  for (int i = 0; i < 20000; ++i) {
    insert("k" + std::to_string(i), static_cast<uint32_t>(rng.next()));
    ASSERT_LE(index_.bucket_count(), buckets + 1);
    buckets = index_.bucket_count();
    if (i % 2500 == 0) check();
  }
  EXPECT_GT(buckets, 3000u);
  EXPECT_EQ(index_.long_bucket_count(), 0u);
  EXPECT_LT(index_.memory_bytes(), 20000u * 18);
  check();
}

TEST_F(BucketIndexTest, EqualsAModelUnderRandomChanges) {
  Rng rng(2);
  for (int step = 0; step < 30000; ++step) {
    const std::string key = "k" + std::to_string(rng.below(3000));
    if (!model_.contains(key)) {
      insert(key, static_cast<uint32_t>(rng.next()));
    } else if (rng.chance(0.5)) {
      erase(key);
    } else {
      move(key);
    }
    if (step % 3000 == 0) check();
  }
  check();
}

TEST_F(BucketIndexTest, KeysAimedAtOnePlaceCostNoMoreThanOthers) {
  const size_t memory = index_.memory_bytes();
  for (int i = 0; i < 20000; ++i) insert("k" + std::to_string(i), 0x12345678);
  EXPECT_LT(index_.bucket_count(), 20000u / 4 + 64);
  EXPECT_LE(index_.long_bucket_count(), 16u) << "one tree, to which a few buckets lead";
  EXPECT_LT(index_.memory_bytes(), memory + 20000 * 100);
  std::vector<Entry*> found;
  index_.collect_place(0x12345678, found);
  EXPECT_EQ(found.size(), 20000u);
  found.clear();
  index_.collect_place(0x12345679, found);
  EXPECT_TRUE(found.empty());
  check();
  for (int i = 0; i < 20000; i += 2) erase("k" + std::to_string(i));
  for (int i = 1; i < 20000; i += 2) move("k" + std::to_string(i));
  check();
}

// As a store is read at start: what was crowded stands in lines again once the index has grown.
TEST_F(BucketIndexTest, KeysInRingOrderLeaveNoLongBuckets) {
  constexpr uint32_t kKeys = 60000;
  for (uint32_t i = 0; i < kKeys; ++i) {
    insert("k" + std::to_string(i), static_cast<uint32_t>((uint64_t{i} << 32) / kKeys));
  }
  check();
  EXPECT_GE(index_.bucket_count(), kKeys / 6);
  EXPECT_LE(index_.long_bucket_count(), index_.bucket_count() / 50);
}

// Long buckets are split when others make the index grow: shared first, lines again when small.
TEST_F(BucketIndexTest, LongBucketsAreSplitWithTheirNeighbours) {
  Rng rng(3);
  for (int i = 0; i < 3000; ++i) {
    const auto place = static_cast<uint32_t>(0x80000000u + rng.below(1 << 22));
    insert("near" + std::to_string(i), place);
  }
  EXPECT_GT(index_.long_bucket_count(), 0u);
  check();
  for (int i = 0; i < 60000; ++i) {
    insert("far" + std::to_string(i), static_cast<uint32_t>(rng.next()));
    if (i % 7000 == 0) check();
    if (i % 20 == 0) erase("near" + std::to_string(i / 20));
  }
  check();
  while (!model_.empty()) erase(model_.begin()->first);
  check();
}

TEST(SlotWords, TagsAreComparedTogetherAsOneByOne) {
  Rng rng(7);
  alignas(64) LineWords words{};
  for (int round = 0; round < 10'000; ++round) {
    const auto tag = static_cast<uint16_t>(rng.below(3) * 0x7fff);
    for (std::atomic<uint64_t>& word : words) {
      const uint64_t other = rng.next();
      word = rng.below(2) == 0 ? (other & kAddressMask) | uint64_t{tag} << 48 : other;
    }
    unsigned wanted = 0;
    for (size_t at = 0; at < words.size(); ++at) wanted |= unsigned{tag_of(words[at]) == tag} << at;
    ASSERT_EQ(tags_equal(words, tag), wanted);
    ASSERT_EQ(tags_equal_one_by_one(words, tag), wanted);
  }
}

}  // namespace
}  // namespace kvorum::engine
