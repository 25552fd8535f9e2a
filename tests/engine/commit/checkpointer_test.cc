// SPDX-License-Identifier: Apache-2.0
// The pace of a checkpoint, and what hurries it.
#include "engine/commit/checkpointer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "engine/journal/journaled_store.h"
#include "engine/table/object_table.h"
#include "tests/engine/map_store.h"
#include "tests/engine/memory_journal_disk.h"
#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {
namespace {

class CheckpointerTest : public ::testing::Test {
 protected:
  static constexpr int kObjects = 2000;  // of 4 KB: sixteen batches of a checkpoint

  void SetUp() override {
    JournalOptions journal;
    journal.fresh_id = 7;
    journal.capacity_bytes = capacity_bytes_;
    auto below = std::make_unique<MapStore>();
    below_ = below.get();
    std::string damage;
    auto opened = JournaledStore::open(journal, std::make_unique<MemoryJournalDisk>(&medium_),
                                       std::move(below), &damage);
    ASSERT_TRUE(opened.ok());
    store_ = std::move(opened).value();
    TableOptions options;
    options.store = store_.get();
    options.journal = store_.get();
    options.codec = &codec_;
    table_ = std::make_unique<ObjectTable>(options);
    ASSERT_TRUE(table_->store_reader().warm().ok());
    write_all();
  }
  void write_all(int generation = 0) {
    for (int number = 0; number < kObjects; ++number) {
      put(*table_, key_ref(name_of(generation, number)), std::string(4096, 'v'));
    }
    ASSERT_TRUE(table_->commits().commit(false).ok());
  }

  static std::string name_of(int generation, int number) {
    return "k" + std::to_string(generation) + "-" + std::to_string(number);
  }
  // Nobody writes meanwhile. One that nothing hurries takes half a minute.
  bool ends_soon() {
    using Clock = std::chrono::steady_clock;
    Checkpointer checkpointer(table_.get(), {});
    checkpointer.note_round();
    const Clock::time_point late = Clock::now() + std::chrono::seconds(10);
    while (store_->checkpoint_runs() && Clock::now() < late) std::this_thread::yield();
    return !store_->checkpoint_runs();
  }

  uint64_t capacity_bytes_ = 64 * 1024 * 1024;
  JournalMedium medium_;
  TestCodec codec_;
  MapStore* below_ = nullptr;
  std::unique_ptr<JournaledStore> store_;
  std::unique_ptr<ObjectTable> table_;
};

TEST_F(CheckpointerTest, RestsThoughRoundsAreCommittedAndHurriesAtAStop) {
  using Clock = std::chrono::steady_clock;
  constexpr uint64_t kWritesFew = 3;
  Checkpointer checkpointer(table_.get(), {});
  const uint64_t before = below_->writes();
  table_->commits().begin_checkpoint();
  ASSERT_TRUE(store_->checkpoint_runs());
  checkpointer.note_round();
  const Clock::time_point late = Clock::now() + std::chrono::seconds(30);
  while (below_->writes() == before && Clock::now() < late) std::this_thread::yield();
  ASSERT_GT(below_->writes(), before);
  // A hundredth of the time that a checkpoint takes which nothing hurries.
  const Clock::time_point until = Clock::now() + std::chrono::milliseconds(300);
  while (Clock::now() < until) {
    checkpointer.note_round();
    std::this_thread::yield();
  }
  EXPECT_LE(below_->writes() - before, kWritesFew);
  EXPECT_TRUE(store_->checkpoint_runs());
  EXPECT_TRUE(checkpointer.finish());
  EXPECT_FALSE(store_->checkpoint_runs());
  EXPECT_GE(below_->values().size(), static_cast<size_t>(kObjects));
}

// As after a start with a full journal. Writers would be slowed down until it ends, and the less
// they write the longer it would rest.
TEST_F(CheckpointerTest, DoesNotRestWhereTheJournalIsNearlyFull) {
  while (store_->pressure() == 0) write_all();
  ASSERT_TRUE(store_->checkpoint_runs());
  EXPECT_TRUE(ends_soon());
  EXPECT_EQ(store_->pressure(), 0);
}

TEST_F(CheckpointerTest, DoesNotRestWhereMemoryIsFullOfWhatItHasToPutBelow) {
  table_->commits().begin_checkpoint();
  table_->directory().shared().checkpoint_wanted = true;
  EXPECT_TRUE(ends_soon());
}

class SmallJournalTest : public CheckpointerTest {
 protected:
  // The journal has no room for a fourth round of 8 MB, and is not seven eighths full.
  SmallJournalTest() { capacity_bytes_ = 33 * 1024 * 1024; }
};

// Nobody else would wake the thread, or tell it that somebody waits.
TEST_F(SmallJournalTest, TheRoundThatBeginsACheckpointMayHaveToWaitForItsEnd) {
  const auto began = std::chrono::steady_clock::now();
  Checkpointer checkpointer(table_.get(), {});
  for (int round = 1; round < 8; ++round) write_all(round);
  const JournalStats stats = store_->stats();
  EXPECT_GT(stats.checkpoints, 0U);
  EXPECT_GT(stats.stalled_us, 0U);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
}

}  // namespace
}  // namespace kvorum::engine::testing
