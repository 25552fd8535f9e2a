// SPDX-License-Identifier: Apache-2.0
#include "engine/store/leveldb_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <utility>

#include "tests/engine/fault_env.h"
#include "tests/engine/scratch_directory.h"

namespace kvorum::engine::testing {
namespace {

using ::testing::HasSubstr;

class LevelDbStoreTest : public ::testing::Test {
 protected:
  void open() {
    Result<std::unique_ptr<LevelDbStore>> opened = LevelDbStore::open(options());
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    store_ = std::move(opened).value();
  }
  LevelDbOptions options() {
    LevelDbOptions options;
    options.directory = directory_.path() + "/data";
    options.write_buffer_bytes = 64 * 1024;
    options.logged = logged_;
    options.env = &env_;
    return options;
  }
  void cut_power_and_open() {
    store_.reset();
    env_.drop_unsynced();
    open();
  }
  Status put(const std::string& key, const std::string& value, bool sync = false) {
    StoreBatch batch;
    batch.put(key, value);
    return store_->write(batch, sync);
  }
  std::string get(const std::string& key) {
    std::string value;
    const Status status = store_->read(key, &value);
    return status.ok() ? value : status.message();
  }
  size_t count() {
    size_t keys = 0;
    EXPECT_TRUE(
        store_->scan({}, {}, [&](std::string_view, std::string_view) { return ++keys > 0; }).ok());
    return keys;
  }

  ScratchDirectory directory_;
  FaultEnv env_;
  bool logged_ = true;
  std::unique_ptr<LevelDbStore> store_;
};

TEST_F(LevelDbStoreTest, BatchesAreReadAndScannedInKeyOrder) {
  open();
  StoreBatch batch;
  batch.put("b", "2");
  batch.put("a", "1");
  batch.put("c", "3");
  batch.put("d", "4");
  ASSERT_TRUE(store_->write(batch, false).ok());
  batch.clear();
  batch.erase("c");
  ASSERT_TRUE(store_->write(batch, true).ok());
  std::string value;
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(store_->read("c", &value).code(), Code::kNotFound);
  std::string all;
  const auto append = [&](std::string_view key, std::string_view found) {
    all.append(key).append(found);
    return true;
  };
  EXPECT_TRUE(store_->scan({}, {}, append).ok());
  EXPECT_EQ(all, "a1b2d4");
  all.clear();
  EXPECT_TRUE(store_->scan("b", "d", append).ok());
  EXPECT_EQ(all, "b2");
  store_.reset();
  open();
  EXPECT_EQ(get("d"), "4");
}

TEST_F(LevelDbStoreTest, ASecondOneIsToldThatTheDirectoryIsInUse) {
  open();
  const auto second = LevelDbStore::open(options());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kUnavailable);
  EXPECT_THAT(second.status().message(),
              HasSubstr("data directory " + options().directory + " is in use by another kvorum"));
}

TEST_F(LevelDbStoreTest, ADirectoryThatCannotBeMadeIsAnError) {
  LevelDbOptions bad = options();
  bad.directory = "/proc/none/data";
  EXPECT_EQ(LevelDbStore::open(bad).status().code(), Code::kIoError);
}

TEST_F(LevelDbStoreTest, APowerCutLosesOnlyWhatWasNotSynced) {
  open();
  ASSERT_TRUE(put("synced", "1", true).ok());
  ASSERT_TRUE(put("not synced", "2").ok());
  cut_power_and_open();
  EXPECT_EQ(get("synced"), "1");
  EXPECT_EQ(count(), 1u);
  ASSERT_TRUE(put("later synced", "3").ok());
  ASSERT_TRUE(store_->sync().ok());
  cut_power_and_open();
  EXPECT_EQ(get("later synced"), "3");
}

// LevelDB leaves a full log without syncing it; sync() covers it all the same.
TEST_F(LevelDbStoreTest, SyncCoversLogsThatWereLeft) {
  open();
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(put("k" + std::to_string(i), std::string(10000, 'v')).ok());
  }
  ASSERT_TRUE(store_->sync().ok());
  cut_power_and_open();
  EXPECT_EQ(count(), 30u);
}

// ... also where its table cannot be written, and the log stays the only copy.
TEST_F(LevelDbStoreTest, SyncCoversALogWhoseTableFails) {
  const std::string value(1000, 'v');
  for (int keys = 40; keys < 80; ++keys) {
    store_.reset();
    std::filesystem::remove_all(options().directory);
    open();
    env_.fail_tables(true);
    int taken = 0;
    while (taken < keys && put("k" + std::to_string(taken), value).ok()) ++taken;
    const bool synced = store_->sync().ok();
    store_.reset();
    env_.fail_tables(false);
    env_.drop_unsynced();
    open();
    if (synced) {
      ASSERT_EQ(count(), static_cast<size_t>(taken)) << keys;
    }
  }
}

// A disk may take a second to sync: who writes meanwhile, also past the end of a log, waits for
// nothing.
TEST_F(LevelDbStoreTest, WritesGoOnBesideASync) {
  open();
  ASSERT_TRUE(put("before", "1").ok());
  std::promise<void> syncing, written;
  env_.on_sync = [&, told = false]() mutable {
    if (std::exchange(told, true)) return;
    syncing.set_value();
    written.get_future().wait();
  };
  auto synced = std::async(std::launch::async, [&] { return store_->sync(); });
  syncing.get_future().wait();
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(put("k" + std::to_string(i), std::string(10000, 'v')).ok());
  }
  written.set_value();
  ASSERT_TRUE(synced.get().ok());
  cut_power_and_open();
  EXPECT_EQ(get("before"), "1");
}

TEST_F(LevelDbStoreTest, AfterAFailedWriteNothingIsTakenUntilReopened) {
  open();
  ASSERT_TRUE(put("before", "1").ok());
  env_.fail_writes(true);
  EXPECT_EQ(put("failed", "2").code(), Code::kIoError);
  env_.fail_writes(false);
  EXPECT_EQ(put("after", "3").code(), Code::kUnavailable);
  EXPECT_EQ(store_->sync().code(), Code::kUnavailable);
  EXPECT_EQ(get("before"), "1");
  ASSERT_TRUE(store_->reopen().ok());
  EXPECT_TRUE(put("again", "4", true).ok());
  EXPECT_EQ(get("before"), "1");
  EXPECT_EQ(get("again"), "4");
}

TEST_F(LevelDbStoreTest, AFailedSyncIsAFailure) {
  open();
  ASSERT_TRUE(put("a", "1").ok());
  env_.fail_syncs(true);
  EXPECT_EQ(store_->sync().code(), Code::kIoError);
  EXPECT_EQ(put("b", "2").code(), Code::kUnavailable);
  EXPECT_FALSE(store_->reopen().ok());
  env_.fail_syncs(false);
  ASSERT_TRUE(store_->reopen().ok());
  EXPECT_TRUE(put("b", "2", true).ok());
  EXPECT_EQ(get("a"), "1");
}

class UnloggedLevelDbStoreTest : public LevelDbStoreTest {
 protected:
  UnloggedLevelDbStoreTest() { logged_ = false; }
  uint64_t log_bytes() const {
    uint64_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory_.path() + "/data")) {
      if (file.path().extension() == ".log") bytes += file.file_size();
    }
    return bytes;
  }
};

TEST_F(UnloggedLevelDbStoreTest, WhatWasNotSyncedIsLostFromItsEnd) {
  open();
  ASSERT_TRUE(put("synced", "1", true).ok());
  ASSERT_TRUE(put("not synced", "2").ok());
  EXPECT_EQ(get("not synced"), "2");
  EXPECT_EQ(log_bytes(), 0u);
  store_.reset();
  open();
  EXPECT_EQ(get("synced"), "1");
  EXPECT_EQ(count(), 1u);
  ASSERT_TRUE(put("later synced", "3").ok());
  ASSERT_TRUE(store_->sync().ok());
  cut_power_and_open();
  EXPECT_EQ(get("later synced"), "3");
  ASSERT_TRUE(put("not synced", "4").ok());
  ASSERT_TRUE(store_->reopen().ok());
  EXPECT_EQ(count(), 2u);
}

TEST_F(UnloggedLevelDbStoreTest, ASyncWhoseTableFailsIsAFailure) {
  open();
  ASSERT_TRUE(put("a", "1", true).ok());
  ASSERT_TRUE(put("b", "2").ok());
  env_.fail_tables(true);
  EXPECT_EQ(store_->sync().code(), Code::kIoError);
  EXPECT_EQ(put("c", "3").code(), Code::kUnavailable);
  env_.fail_tables(false);
  ASSERT_TRUE(store_->reopen().ok());
  EXPECT_EQ(get("a"), "1");
  ASSERT_TRUE(put("c", "3", true).ok());
  cut_power_and_open();
  EXPECT_EQ(count(), 2u);
}

TEST_F(UnloggedLevelDbStoreTest, TheLogOfAReleaseThatHadOneIsRead) {
  logged_ = true;
  open();
  ASSERT_TRUE(put("a", "1").ok());
  store_.reset();
  logged_ = false;
  open();
  EXPECT_EQ(get("a"), "1");
  cut_power_and_open();
  EXPECT_EQ(get("a"), "1");
}

TEST_F(LevelDbStoreTest, AFullDiskIsReadStillAndReopenedWhenThereIsSpace) {
  open();
  const std::string value(1000, 'v');
  env_.set_bytes_left(300000);
  int written = 0;
  while (put("k" + std::to_string(written), value).ok()) ASSERT_LT(++written, 1000);
  EXPECT_GT(written, 50);
  for (int attempt = 0; attempt < 3; ++attempt) {
    EXPECT_EQ(store_->reopen().code(), Code::kNoSpace);
    for (int i = 0; i < written; ++i) ASSERT_EQ(get("k" + std::to_string(i)), value) << i;
  }
  env_.set_bytes_left(~uint64_t{0});
  ASSERT_TRUE(store_->reopen().ok());
  for (int i = 0; i < written; ++i) ASSERT_EQ(get("k" + std::to_string(i)), value) << i;
  EXPECT_TRUE(put("more", value, true).ok());
}

// One byte of a table file differs: a key reads right or as damaged, never wrong and never absent.
TEST_F(LevelDbStoreTest, AFlippedByteIsReportedAndNeverReadAsAValue) {
  open();
  constexpr int kKeys = 600;
  const auto value = [](int i) { return "value " + std::to_string(i * 7919); };
  for (int i = 0; i < kKeys; ++i) ASSERT_TRUE(put("key" + std::to_string(i), value(i)).ok());
  store_.reset();
  open();  // the log becomes a table
  store_.reset();
  std::filesystem::path table;
  for (const auto& file : std::filesystem::directory_iterator(options().directory)) {
    if (file.path().extension() == ".ldb") table = file.path();
  }
  ASSERT_FALSE(table.empty());
  const auto size = static_cast<int64_t>(std::filesystem::file_size(table));
  size_t damaged = 0, good = 0;
  for (int64_t offset = 3; offset < size; offset += 1 + size / 60) {
    const auto flip = [&] {
      std::fstream file(table, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(offset);
      const char byte = static_cast<char>(file.get() ^ 0x10);
      file.seekp(offset);
      file.put(byte);
    };
    flip();
    auto opened = LevelDbStore::open(options());
    if (opened.ok()) {
      store_ = std::move(opened).value();
      for (int i = 0; i < kKeys; ++i) {
        std::string found;
        const Status status = store_->read("key" + std::to_string(i), &found);
        if (status.ok()) {
          ASSERT_EQ(found, value(i)) << "offset " << offset;
          ++good;
        } else {
          ASSERT_EQ(status.code(), Code::kCorruption) << status.message();
          ++damaged;
        }
      }
      store_.reset();
    }
    flip();
  }
  EXPECT_GT(damaged, 0u);
  EXPECT_GT(good, 0u);
  open();
  EXPECT_EQ(count(), static_cast<size_t>(kKeys));
}

TEST(StoreKeyTest, ObjectsAreOrderedByKeyspacePositionAndKey) {
  const KeyRef key{"name", {0x0102030405060708, 9}, 3};
  const std::string bytes = store_key(key);
  EXPECT_EQ(bytes, std::string("\x03\x01\x02\x03\x04\x05\x06\x07\x08name"));
  KeyRef parsed;
  ASSERT_TRUE(parse_store_key(bytes, &parsed));
  EXPECT_EQ(parsed.key, "name");
  EXPECT_EQ(parsed.keyspace, 3);
  EXPECT_EQ(parsed.position, (Position{0x0102030405060708, 0}));
}

TEST(StoreKeyTest, OtherBytesAreNoObjectKeys) {
  KeyRef key;
  EXPECT_FALSE(parse_store_key("", &key));
  EXPECT_FALSE(
      parse_store_key("\x01"
                      "1234567",
                      &key));
  EXPECT_FALSE(
      parse_store_key("\xff"
                      "identity",
                      &key));
  EXPECT_FALSE(
      parse_store_key("\x10"
                      "12345678k",
                      &key));
  EXPECT_TRUE(
      parse_store_key("\x0f"
                      "12345678",
                      &key));
}

}  // namespace
}  // namespace kvorum::engine::testing
