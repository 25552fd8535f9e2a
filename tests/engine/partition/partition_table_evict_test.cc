// SPDX-License-Identifier: Apache-2.0
// What each policy of eviction would rather lose, as a table without a store does it.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "engine/table/object_table.h"
#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {
namespace {

constexpr uint64_t kMemoryBytes = 1024 * 1024;
constexpr int kCount = 20'000;  // several times what there is room for
constexpr uint64_t kSoon = 1'000'000;

class EvictionPolicyTest : public ::testing::TestWithParam<EvictionPolicy> {
 protected:
  static std::unique_ptr<ObjectTable> make(EvictionPolicy policy) {
    TableOptions options;
    options.partition_bits = 2;
    options.memory_bytes_max = kMemoryBytes;
    options.eviction = policy;
    options.evicting_keyspaces = 1;
    return std::make_unique<ObjectTable>(options);
  }
  static std::string name(int number) { return "key:" + std::to_string(number); }

  void make_room() {
    if (!table_->crowded()) return;
    table_->evict([&](const KeyRef& key, std::string_view record) {
      RecordChange change;
      if (kept_.contains(std::string(key.key))) return change;
      change.action = RecordChange::Action::kErase;
      change.digest_change = digest_of(key.key, record);
      gone_.emplace_back(key.key);
      return change;
    });
  }
  Access put_key(const std::string& key, uint64_t deadline_ms = 0) {
    make_room();
    return put_until(*table_, key_ref(key), std::string(100, 'v'), deadline_ms).access;
  }
  bool has(const std::string& key) { return get(*table_, key_ref(key)).has_value(); }
  int count(int first, int end, const std::string& prefix = "") {
    int found = 0;
    for (int i = first; i < end; ++i) found += table_has(prefix + name(i));
    return found;
  }
  // Without that it counts as a use of a key that stays.
  bool table_has(const std::string& key) { return has(key); }

  std::unique_ptr<ObjectTable> table_;
  std::set<std::string> kept_;
  std::vector<std::string> gone_;
};

TEST_P(EvictionPolicyTest, EveryWriteFindsRoomAndTheLimitHolds) {
  table_ = make(GetParam());
  for (int i = 0; i < kCount; ++i) {
    ASSERT_EQ(put_key(name(i), kSoon + static_cast<uint64_t>(i % 500)), Access::kDone) << i;
    ASSERT_LE(table_->memory_bytes(), kMemoryBytes + 40'000);
  }
  EXPECT_GT(gone_.size(), static_cast<size_t>(kCount) / 2);
  EXPECT_GT(table_->memory_bytes(), kMemoryBytes * 8 / 10) << "memory is used";
}

// Of the policies for objects that have a deadline.
class ExpiringPolicyTest : public EvictionPolicyTest {};

TEST_P(ExpiringPolicyTest, WhatHasNoDeadlineStays) {
  table_ = make(GetParam());
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(put_key("stays:" + name(i)), Access::kDone);
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(put_key(name(i), kSoon), Access::kDone) << i;
  EXPECT_EQ(count(0, 1'000, "stays:"), 1'000);

  // Nothing else is left in the end: then writes are refused.
  int refused = 0;
  for (int i = 0; i < kCount && refused == 0; ++i) {
    refused += put_key("more:" + name(i)) == Access::kFull;
  }
  EXPECT_GT(refused, 0);
  for (int i = 0; i < 100; ++i) make_room();
  EXPECT_TRUE(table_->eviction_waits());
}

TEST_P(EvictionPolicyTest, WhatMayNotGoStays) {
  table_ = make(GetParam());
  for (int i = 0; i < 1'000; ++i) {
    kept_.insert(name(i));
    ASSERT_EQ(put_key(name(i), kSoon), Access::kDone);
  }
  for (int i = 1'000; i < kCount; ++i) ASSERT_EQ(put_key(name(i), kSoon + 5), Access::kDone) << i;
  EXPECT_EQ(count(0, 1'000), 1'000);
}

INSTANTIATE_TEST_SUITE_P(Policies, EvictionPolicyTest,
                         ::testing::Values(EvictionPolicy::kAllLru, EvictionPolicy::kAllLfu,
                                           EvictionPolicy::kAllRandom, EvictionPolicy::kExpiringLru,
                                           EvictionPolicy::kExpiringLfu,
                                           EvictionPolicy::kExpiringRandom,
                                           EvictionPolicy::kExpiringSoonest));
INSTANTIATE_TEST_SUITE_P(Policies, ExpiringPolicyTest,
                         ::testing::Values(EvictionPolicy::kExpiringLru,
                                           EvictionPolicy::kExpiringLfu,
                                           EvictionPolicy::kExpiringRandom,
                                           EvictionPolicy::kExpiringSoonest));

class EvictionOrderTest : public EvictionPolicyTest {};

TEST_F(EvictionOrderTest, WhatIsUsedOftenStaysThoughMuchIsNewer) {
  for (const EvictionPolicy policy : {EvictionPolicy::kAllLfu, EvictionPolicy::kExpiringLfu}) {
    table_ = make(policy);
    for (int i = 0; i < 1'000; ++i) ASSERT_EQ(put_key("often:" + name(i), kSoon), Access::kDone);
    for (int round = 0; round < 100; ++round) {
      for (int i = 0; i < 1'000; ++i) (void)has("often:" + name(i));
    }
    for (int i = 0; i < 5 * kCount; ++i) ASSERT_EQ(put_key(name(i), kSoon), Access::kDone);
    EXPECT_GE(count(0, 1'000, "often:"), 950);
  }
}

TEST_F(EvictionOrderTest, WhatWasUsedOftenGoesOnceItIsOldNews) {
  table_ = make(EvictionPolicy::kAllLfu);
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(put_key("often:" + name(i)), Access::kDone);
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 1'000; ++i) (void)has("often:" + name(i));
  }
  table_->set_minute(60);  // an hour later
  for (int i = 0; i < 5 * kCount; ++i) ASSERT_EQ(put_key(name(i)), Access::kDone);
  EXPECT_LE(count(0, 1'000, "often:"), 10);
}

TEST_F(EvictionOrderTest, WhatExpiresSoonestGoesFirst) {
  table_ = make(EvictionPolicy::kExpiringSoonest);
  for (int i = 0; i < kCount; ++i) {
    const auto late = static_cast<uint64_t>(i * 7919 % kCount);  // each once, in no order
    ASSERT_EQ(put_key(name(static_cast<int>(late)), kSoon + late), Access::kDone);
  }
  // What is there are the latest of all, but for those that came last.
  int kept = 0, among_latest = 0;
  for (int i = 0; i < kCount; ++i) {
    if (!has(name(i))) continue;
    ++kept;
    among_latest += i > kCount / 2;
  }
  EXPECT_GT(kept, 2'000);
  EXPECT_GT(among_latest, kept * 97 / 100);
}

TEST_F(EvictionOrderTest, DeadlinesThatMovedAwayAreSeenAsTheyAre) {
  table_ = make(EvictionPolicy::kExpiringSoonest);
  for (int i = 0; i < 2'000; ++i) ASSERT_EQ(put_key(name(i), kSoon), Access::kDone);
  for (int i = 0; i < 2'000; ++i) ASSERT_EQ(put_key(name(i), 10 * kSoon), Access::kDone);
  for (int i = 2'000; i < kCount; ++i) ASSERT_EQ(put_key(name(i), 2 * kSoon), Access::kDone);
  EXPECT_GT(count(0, 2'000), 1'900);
}

TEST_F(EvictionOrderTest, ByChanceOldAndNewGoAlike) {
  table_ = make(EvictionPolicy::kAllRandom);
  int stored = 0;
  while (gone_.empty()) ASSERT_EQ(put_key(name(stored++)), Access::kDone);
  const int held = stored;
  for (int i = 0; i < held; ++i) ASSERT_EQ(put_key(name(stored++)), Access::kDone);
  // Of the first ones about 1/e are left after as many came as there is room for.
  const int left = count(0, held);
  EXPECT_GT(left, held * 30 / 100);
  EXPECT_LT(left, held * 45 / 100);
}

TEST_F(EvictionOrderTest, ThePolicyChangesWhileTheTableServes) {
  table_ = make(EvictionPolicy::kExpiringLru);
  int stored = 0;
  while (put_key(name(stored)) == Access::kDone) ++stored;
  EXPECT_TRUE(gone_.empty());
  EXPECT_FALSE(table_->use_count(key_ref(name(0))).has_value());

  table_->set_limit(kMemoryBytes, EvictionPolicy::kAllLfu);
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(put_key("more:" + name(i)), Access::kDone);
  EXPECT_GE(gone_.size(), 900u);
  EXPECT_EQ(table_->use_count(key_ref("more:" + name(999))), 5);

  table_->set_limit(kMemoryBytes, EvictionPolicy::kNone);
  EXPECT_FALSE(table_->crowded());
  int refused = 0;
  for (int i = 0; i < 1'000; ++i) refused += put_key("none:" + name(i)) == Access::kFull;
  EXPECT_GT(refused, 0);

  table_->set_limit(2 * kMemoryBytes, EvictionPolicy::kNone);
  EXPECT_EQ(put_key("room"), Access::kDone);
  table_->set_limit(kMemoryBytes / 2, EvictionPolicy::kAllRandom);
  for (int i = 0; i < 2'000; ++i) (void)put_key("less:" + name(i));
  EXPECT_LE(table_->memory_bytes(), kMemoryBytes / 2 + 16'000);
}

}  // namespace
}  // namespace kvorum::engine::testing
