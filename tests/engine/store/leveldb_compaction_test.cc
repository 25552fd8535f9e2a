// SPDX-License-Identifier: Apache-2.0
#include "engine/store/leveldb_compaction.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "engine/store/leveldb_store.h"
#include "tests/engine/scratch_directory.h"

namespace kvorum::engine::testing {
namespace {

std::string key_of(uint32_t number) {
  const uint64_t spread = number * 0x9e3779b97f4a7c15ULL;
  return store_key({"key" + std::to_string(number), {spread, 0}, 0});
}

class CompactionTest : public ::testing::Test {
 protected:
  void open() {
    options_.directory = directory_.path() + "/data";
    options_.compaction.look_ms = 20;
    Result<std::unique_ptr<LevelDbStore>> opened = LevelDbStore::open(options_);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    store_ = std::move(opened).value();
  }
  void put(uint32_t first, uint32_t end, size_t bytes) {
    for (uint32_t i = first; i < end; ++i) {
      StoreBatch batch;
      batch.put(key_of(i), std::string(bytes, static_cast<char>('a' + i % 26)));
      ASSERT_TRUE(store_->write(batch, false).ok());
    }
  }
  void erase(uint32_t first, uint32_t end) {
    StoreBatch batch;
    for (uint32_t i = first; i < end; ++i) batch.erase(key_of(i));
    ASSERT_TRUE(store_->write(batch, false).ok());
  }
  uint64_t disk_bytes() const {
    uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options_.directory)) {
      std::error_code gone;
      const uint64_t size = entry.file_size(gone);
      if (!gone) bytes += size;
    }
    return bytes;
  }
  bool shrinks_to(uint64_t bytes) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (disk_bytes() > bytes && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return disk_bytes() <= bytes;
  }

  ScratchDirectory directory_;
  LevelDbOptions options_;
  std::unique_ptr<LevelDbStore> store_;
};

TEST_F(CompactionTest, WhatWasErasedGivesItsDiskBackWithoutFurtherWrites) {
  options_.write_buffer_bytes = 1 << 20;
  open();
  put(0, 3000, 10'000);
  ASSERT_GT(disk_bytes(), 30'000'000u);
  erase(0, 3000);
  EXPECT_TRUE(shrinks_to(2'000'000)) << disk_bytes();
  std::string value;
  EXPECT_EQ(store_->read(key_of(7), &value).code(), Code::kNotFound);
}

// All of it stands in the log, and then in one table.
TEST_F(CompactionTest, AlsoWhatNeverLeftTheLog) {
  open();
  put(0, 2000, 10'000);
  erase(0, 2000);
  EXPECT_TRUE(shrinks_to(2'000'000)) << disk_bytes();
}

TEST_F(CompactionTest, WhatIsAliveStays) {
  options_.write_buffer_bytes = 1 << 20;
  open();
  put(0, 3000, 10'000);
  erase(300, 3000);
  EXPECT_TRUE(shrinks_to(6'000'000)) << disk_bytes();
  std::string value;
  for (uint32_t i = 0; i < 300; ++i) {
    ASSERT_TRUE(store_->read(key_of(i), &value).ok()) << i;
    ASSERT_EQ(value, std::string(10'000, static_cast<char>('a' + i % 26)));
  }
  EXPECT_EQ(store_->read(key_of(300), &value).code(), Code::kNotFound);
}

TEST_F(CompactionTest, WhatWasErasedBeforeARestartTooOnceAllWasRead) {
  options_.write_buffer_bytes = 1 << 20;
  options_.compaction.busy_looks_max = 1'000'000;
  options_.compaction.quiet_writes_max = 0;
  options_.compaction.wait_ms = [](size_t) -> uint64_t { return 10; };
  open();
  put(0, 3000, 10'000);
  erase(0, 3000);
  store_.reset();
  options_.compaction = {};
  open();
  const auto nothing = [](std::string_view, std::string_view) { return true; };
  ASSERT_TRUE(store_->scan({}, {}, nothing).ok());
  EXPECT_TRUE(shrinks_to(2'000'000)) << disk_bytes();
}

TEST_F(CompactionTest, AStopWaitsForOneStepAtMost) {
  options_.write_buffer_bytes = 1 << 20;
  options_.compaction.step_bytes = 1 << 20;
  open();
  put(0, 5000, 10'000);
  erase(0, 5000);
  EXPECT_TRUE(shrinks_to(45'000'000)) << disk_bytes();  // it has begun
  const auto began = std::chrono::steady_clock::now();
  store_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

// A store in memory that says what was asked of it.
class FakeTarget final : public CompactionTarget {
 public:
  uint64_t written_batches() const override { return batches += writes_a_look; }
  uint64_t log_bytes_now() const override { return 0; }
  void flush_memory() override {}
  uint64_t table_bytes(std::string_view, std::string_view) const override { return 100'000; }
  bool measure(std::string_view, std::string_view, ErasedBook::Live* live) override {
    ++measured;
    live->records = 100;
    live->bytes = live_bytes;
    return true;
  }
  void compact(std::string_view, std::string_view) override { ++compacted; }

  mutable std::atomic<uint64_t> batches{0};
  std::atomic<uint64_t> writes_a_look{0}, live_bytes{0};
  std::atomic<int> measured{0}, compacted{0};
};

class CompactionThreadTest : public ::testing::Test {
 protected:
  CompactionThreadTest() {
    options.look_ms = 1;
    options.worth_bytes = 1;
  }
  template <class Condition>
  static bool until(Condition condition, int milliseconds = 10'000) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return condition();
  }

  FakeTarget target;
  ErasedBook book;
  CompactionOptions options;
};

TEST_F(CompactionThreadTest, WhatIsAliveIsReadOnceAndNotRewritten) {
  target.live_bytes = 90'000;
  book.note_erased(key_of(1));
  CompactionThread thread(&target, &book, options);
  EXPECT_TRUE(until([&] { return target.measured == 1; }));
  EXPECT_FALSE(until([&] { return target.measured > 1 || target.compacted > 0; }, 200));
}

TEST_F(CompactionThreadTest, WhatIsDeadIsRewrittenOnce) {
  book.note_erased(key_of(1));
  CompactionThread thread(&target, &book, options);
  EXPECT_TRUE(until([&] { return target.compacted == 1; }));
  EXPECT_FALSE(until([&] { return target.compacted > 1; }, 200));
}

TEST_F(CompactionThreadTest, ABusyNodeWaitsButNotForEver) {
  target.writes_a_look = 1000;
  options.busy_looks_max = 2000;
  book.note_erased(key_of(1));
  CompactionThread thread(&target, &book, options);
  EXPECT_FALSE(until([&] { return target.compacted > 0; }, 100));
  EXPECT_TRUE(until([&] { return target.compacted == 1; }));
}

TEST_F(CompactionThreadTest, NothingIsDoneForTooLittle) {
  options.worth_bytes = 1 << 20;
  book.note_erased(key_of(1));
  CompactionThread thread(&target, &book, options);
  EXPECT_FALSE(until([&] { return target.measured > 0; }, 200));
}

TEST(ErasedBook, AThirdOfAStretchHasToBeGone) {
  ErasedBook book;
  const std::string key = key_of(1);
  const auto stretch = static_cast<size_t>(static_cast<unsigned char>(key[1]));
  book.note_live(stretch, {100, 10'000});
  for (int i = 0; i < 49; ++i) book.note_erased(key);
  EXPECT_FALSE(book.may_be_dead(stretch));
  book.note_erased(key);
  EXPECT_TRUE(book.may_be_dead(stretch));
  book.note_erased(
      "\xff"
      "fact");
  book.note_erased("x");
}

TEST(ErasedBook, AfterACensusWhatIsOnDiskDecides) {
  ErasedBook book;
  ErasedBook::Census census;
  census.count(key_of(1), std::string(50'000, 'v'));
  book.take(census);
  const auto stretch = static_cast<size_t>(static_cast<unsigned char>(key_of(1)[1]));
  EXPECT_TRUE(book.may_be_dead(stretch));
  EXPECT_FALSE(book.looks_dead(stretch, 60'000));
  EXPECT_FALSE(book.may_be_dead(stretch));
  book.take(census);
  EXPECT_TRUE(book.looks_dead(stretch, 200'000));
}

}  // namespace
}  // namespace kvorum::engine::testing
