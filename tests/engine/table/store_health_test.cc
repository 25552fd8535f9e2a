// SPDX-License-Identifier: Apache-2.0
// A table whose store lost objects, or has older states of them: what it says until its trees were
// built anew, and after.
#include <gtest/gtest.h>

#include "engine/table/object_table.h"
#include "tests/engine/store_fixture.h"

namespace kvorum::engine::testing {
namespace {

class Losses : public LossListener {
 public:
  void on_loss(uint8_t, uint32_t) override { ++of_one; }
  void on_loss_of_all() override { ++of_all; }
  int of_one = 0, of_all = 0;
};

class StoreHealthTest : public StoreFixture {
 protected:
  static constexpr int kKeys = 5000;  // far more than are in memory

  void start_filled(uint64_t memory_bytes_max = kSmallMemory) {
    start(memory_bytes_max);
    crowd_out("k", kKeys);
    table_->store_health().set_loss_listener(&losses_);
  }
  KeyRef key(int number) {
    name_ = "k" + std::to_string(number);
    return key_ref(name_);
  }
  int not_resident() {
    for (int number = 0; number < kKeys; ++number) {
      if (access_of(key(number)) == Access::kNotResident) return number;
    }
    ADD_FAILURE();
    return 0;
  }
  int resident() {
    for (int number = kKeys - 1; number >= 0; --number) {
      if (access_of(key(number)) == Access::kDone) return number;
    }
    ADD_FAILURE();
    return 0;
  }
  // What the committer does with a damaged store.
  void salvage() {
    table_->store_health().fail();
    table_->store_health().lose_all();
    ASSERT_TRUE(store_.salvage({}).ok());
    table_->store_health().recover();
  }
  TreeBuild build(uint32_t partition) {
    for (;;) {
      const TreeBuild resident = table_->trees().build(0, partition);
      if (resident == TreeBuild::kDone || resident == TreeBuild::kMismatch) return resident;
      if (resident == TreeBuild::kGoesOn) continue;
      const Result<TreeBuild> built = table_->store_reader().build_tree(0, partition);
      EXPECT_TRUE(built.ok());
      if (!built.ok() || built.value() != TreeBuild::kGoesOn) return built.value();
    }
  }
  int build_all() {
    int mismatches = 0;
    for (uint32_t partition = 0; partition < 4; ++partition) {
      mismatches += build(partition) == TreeBuild::kMismatch;
    }
    return mismatches;
  }
  uint64_t records() {
    uint64_t sum = 0;
    for (uint32_t partition = 0; partition < 4; ++partition) {
      sum += table_->record_count(0, partition);
      EXPECT_EQ(table_->record_count(0, partition), table_->live_count(0, partition));
    }
    return sum;
  }
  // Of what a table that starts with this store finds there.
  void expect_as_after_a_restart() {
    std::vector<uint64_t> digests;
    for (uint32_t partition = 0; partition < 4; ++partition) {
      digests.push_back(table_->digest(0, partition));
    }
    const uint64_t counted = records();
    start(kSmallMemory);
    EXPECT_EQ(records(), counted);
    for (uint32_t partition = 0; partition < 4; ++partition) {
      EXPECT_EQ(table_->digest(0, partition), digests[partition]);
    }
  }

  Losses losses_;
  std::string name_;
};

TEST_F(StoreHealthTest, DamageIsNoAbsenceAndAsksForASalvage) {
  start_filled();
  const int damaged = not_resident();
  store_.damage(store_key(key(damaged)));
  EXPECT_FALSE(table_->store_health().damaged());
  EXPECT_EQ(table_->store_reader().load(key(damaged)).code(), Code::kCorruption);
  EXPECT_EQ(access_of(key(damaged)), Access::kNotResident);
  EXPECT_TRUE(table_->store_health().damaged());
  EXPECT_EQ(table_->store_health().faults().damage_met, 1u);
}

TEST_F(StoreHealthTest, WithoutOtherCopiesItIsAnErrorAndStaysOne) {
  start_filled();
  table_->store_health().set_loss_listener(nullptr);
  const int damaged = not_resident();
  store_.damage(store_key(key(damaged)));
  EXPECT_EQ(table_->store_reader().load(key(damaged)).code(), Code::kCorruption);
  EXPECT_FALSE(table_->store_health().damaged());
  EXPECT_EQ(access_of(key(damaged)), Access::kNotResident);
}

TEST_F(StoreHealthTest, ASalvageLeavesCountsAndTreesOfWhatIsLeft) {
  start_filled();
  for (int number = 0; number < kKeys; number += 50) store_.damage(store_key(key(number)));
  salvage();
  EXPECT_EQ(losses_.of_all, 1);
  EXPECT_EQ(build_all(), 4);
  commit();
  EXPECT_LE(records(), uint64_t{kKeys});
  EXPECT_GE(records(), uint64_t{kKeys - kKeys / 50});
  expect_as_after_a_restart();
}

TEST_F(StoreHealthTest, WhatMemoryHasAndTheStoreLostIsWrittenAgain) {
  start_filled();
  const int lost = resident();
  store_.lose(store_key(key(lost)));
  salvage();
  EXPECT_EQ(build_all(), 0);
  EXPECT_TRUE(table_->commits().has_dirty());
  commit();
  EXPECT_EQ(stored(key(lost)), std::string(200, 'c'));
  EXPECT_EQ(records(), uint64_t{kKeys});
}

TEST_F(StoreHealthTest, AnOlderStateGivesWayToTheOneInMemory) {
  start_filled();
  const int older = resident();
  store_.set(store_key(key(older)), make_record("old"));
  salvage();
  EXPECT_EQ(build_all(), 0);
  commit();
  EXPECT_EQ(stored(key(older)), std::string(200, 'c'));
}

TEST_F(StoreHealthTest, WhatIsAsItWasIsNotWrittenAgain) {
  start_filled();
  salvage();
  EXPECT_EQ(build_all(), 0);
  EXPECT_FALSE(table_->commits().has_dirty());
  expect_as_after_a_restart();
}

// What was erased and comes back with the past is an object again, as long as nobody says better.
TEST_F(StoreHealthTest, AnObjectThatReturnsIsCountedAndInTheTree) {
  start_filled(0);
  erase(*table_, key(7));
  commit();
  EXPECT_EQ(records(), uint64_t{kKeys - 1});
  store_.set(store_key(key(7)), make_record("from the past"));
  salvage();
  EXPECT_EQ(access_of(key(7)), Access::kNotResident) << "absence is not known before the tree is";
  EXPECT_EQ(build_all(), 1);
  EXPECT_EQ(records(), uint64_t{kKeys});
  EXPECT_EQ(get_loading(key(7)), "from the past");
}

TEST_F(StoreHealthTest, UpdatesWhileATreeIsBuiltAnewAreCountedOnce) {
  start_filled();
  for (int number = 0; number < kKeys; number += 50) store_.damage(store_key(key(number)));
  salvage();
  for (int step = 0; step < 2000; ++step) {
    const auto partition = static_cast<uint32_t>(step % 4);
    if (step % 16 < 4) {
      const Result<TreeBuild> built = table_->store_reader().build_tree(0, partition);
      ASSERT_TRUE(built.ok());
    }
    put_loading(key(step * 37 % (2 * kKeys)), std::string(200, 'd'));
    if (step % 20 == 0) commit();
    if (step % 7 == 0 && access_of(key(step)) == Access::kDone) erase(*table_, key(step));
  }
  commit();
  build_all();
  commit();
  expect_as_after_a_restart();
}

TEST_F(StoreHealthTest, ARecordThatMakesNoSenseIsLostAtOnceAndCanBeWritten) {
  start_filled();
  const int senseless = not_resident();
  store_.set(store_key(key(senseless)), "xy");
  ASSERT_TRUE(table_->store_reader().load(key(senseless)).ok());
  EXPECT_EQ(losses_.of_one, 1);
  EXPECT_EQ(get(*table_, key(senseless)), std::nullopt);
  put_loading(key(senseless), "new");
  commit();
  EXPECT_EQ(stored(key(senseless)), "new");
  build_all();
  EXPECT_EQ(records(), uint64_t{kKeys});
  expect_as_after_a_restart();
}

TEST_F(StoreHealthTest, AllOfATableWithoutListenerIsWrittenAgain) {
  start(0);
  for (int number = 0; number < 100; ++number) put_loading(key(number), "v");
  commit();
  for (int number = 0; number < 100; ++number) store_.lose(store_key(key(number)));
  table_->store_health().fail();
  table_->store_health().lose_all();
  table_->store_health().recover();
  commit();
  for (int number = 0; number < 100; ++number) EXPECT_EQ(stored(key(number)), "v");
}

}  // namespace
}  // namespace kvorum::engine::testing
