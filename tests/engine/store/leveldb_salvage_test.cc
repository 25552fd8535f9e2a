// SPDX-License-Identifier: Apache-2.0
// What is left of a database after each kind of damage: never a wrong value, and as much as the
// damage leaves.
#include "engine/store/leveldb_salvage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/store/leveldb_store.h"
#include "tests/engine/fault_env.h"
#include "tests/engine/scratch_directory.h"

namespace kvorum::engine::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string value_of(int key, int generation) {
  std::string value;
  for (int i = 0; i < 8; ++i) value += std::to_string(generation) + ":" + std::to_string(key) + ";";
  return value;
}

void flip(const fs::path& file, int places) {
  const auto size = static_cast<int64_t>(fs::file_size(file));
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  for (int at = 0; at < places; ++at) {
    const std::streamoff offset = size * (2 * at + 1) / (2 * places);
    bytes.seekg(offset);
    const char byte = static_cast<char>(bytes.get() ^ 0x20);
    bytes.seekp(offset);
    bytes.put(byte);
  }
}

// Generation 1 of all keys is in tables, generation 2 of the even ones in the log.
class LevelDbSalvageTest : public ::testing::Test {
 protected:
  static constexpr int kKeys = 2000;

  void SetUp() override {
    open();
    for (int key = 0; key < kKeys; ++key) put(key, 1);
    store_.reset();
    open();
    for (int key = 0; key < kKeys; key += 2) put(key, 2);
    store_.reset();
  }
  LevelDbOptions options() {
    LevelDbOptions options;
    options.directory = directory_.path() + "/data";
    options.write_buffer_bytes = 256 * 1024;
    options.env = &env_;
    options.replicated = replicated_;
    options.keeps_damaged = !replicated_;
    options.salvage_erases = erases_;
    return options;
  }
  void open() {
    auto opened = LevelDbStore::open(options());
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    store_ = std::move(opened).value();
  }
  // Opens it; what opening does not notice, reading all of it does.
  Status open_damaged() {
    report_.clear();
    auto opened = LevelDbStore::open_or_salvage(options(), &report_);
    if (!opened.ok()) return opened.status();
    store_ = std::move(opened).value();
    if (Status status = read_all(); !status.ok()) {
      const Result<std::string> done = store_->salvage(status);
      if (!done.ok()) return done.status();
      report_ = done.value();
    }
    return read_all();
  }
  Status read_all() {
    return store_->scan({}, {}, [](std::string_view, std::string_view) { return true; });
  }
  void put(int key, int generation) {
    StoreBatch batch;
    batch.put("key" + std::to_string(key), value_of(key, generation));
    ASSERT_TRUE(store_->write(batch, false).ok());
  }
  // Counts what is as it was last, and as it was before; everything else must be gone.
  void count() {
    latest_ = older_ = 0;
    for (int key = 0; key < kKeys; ++key) {
      std::string value;
      const Status status = store_->read("key" + std::to_string(key), &value);
      if (status.code() == Code::kNotFound) continue;
      ASSERT_TRUE(status.ok()) << status.message();
      const bool latest = value == value_of(key, key % 2 == 0 ? 2 : 1);
      ASSERT_TRUE(latest || value == value_of(key, 1)) << value;
      ++(latest ? latest_ : older_);
    }
  }
  std::vector<fs::path> files(const std::string& extension) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(options().directory)) {
      if (entry.path().extension() == extension) found.push_back(entry.path());
    }
    return found;
  }
  fs::path beside(const std::string& ending) { return options().directory + ending; }

  ScratchDirectory directory_;
  FaultEnv env_;
  bool replicated_ = true;
  std::string erases_;
  std::unique_ptr<LevelDbStore> store_;
  std::string report_;
  int latest_ = 0, older_ = 0;
};

TEST_F(LevelDbSalvageTest, WhatIsNotDamagedIsLeftAlone) {
  ASSERT_TRUE(open_damaged().ok());
  EXPECT_EQ(report_, "");
  count();
  EXPECT_EQ(latest_, kKeys);
}

TEST_F(LevelDbSalvageTest, ATornLogIsWhatAKillLeavesAndNoDamage) {
  for (const fs::path& log : files(".log")) fs::resize_file(log, fs::file_size(log) * 2 / 3);
  ASSERT_TRUE(open_damaged().ok());
  EXPECT_EQ(report_, "");
  count();
  EXPECT_EQ(latest_ + older_, kKeys);
  EXPECT_GT(older_, 0);
}

TEST_F(LevelDbSalvageTest, ADamagedLogCostsWhatWasInTheDamagedBlocks) {
  for (const fs::path& log : files(".log")) flip(log, 3);
  ASSERT_TRUE(open_damaged().ok());
  EXPECT_THAT(report_, HasSubstr("what could be read was saved"));
  count();
  EXPECT_EQ(latest_ + older_, kKeys);
  EXPECT_GT(older_, 0);
  EXPECT_GT(latest_, kKeys / 2);
}

TEST_F(LevelDbSalvageTest, ADamagedTableCostsItsDamagedBlocks) {
  for (const fs::path& table : files(".ldb")) flip(table, 2);
  ASSERT_TRUE(open_damaged().ok());
  EXPECT_NE(report_, "");
  count();
  EXPECT_LT(latest_, kKeys);
  EXPECT_GT(latest_, kKeys * 3 / 4);
  EXPECT_FALSE(fs::exists(beside(".damaged-1")));
  EXPECT_FALSE(fs::exists(beside(".salvage")));
}

TEST_F(LevelDbSalvageTest, AMissingTableCostsWhatItHeld) {
  fs::remove(files(".ldb").front());
  ASSERT_TRUE(open_damaged().ok());
  EXPECT_THAT(report_, HasSubstr("missing"));
  count();
  EXPECT_GE(latest_, kKeys / 2) << "the log is there";
}

// Unnoticed this would be the silent end of everything: LevelDB founds a new database there.
TEST_F(LevelDbSalvageTest, AMissingCurrentCostsNothing) {
  fs::remove(beside("/CURRENT"));
  EXPECT_EQ(LevelDbStore::open(options()).status().code(), Code::kCorruption);
  ASSERT_TRUE(open_damaged().ok());
  EXPECT_THAT(report_, HasSubstr("no CURRENT"));
  count();
  EXPECT_EQ(latest_, kKeys);
}

TEST_F(LevelDbSalvageTest, ADamagedManifestCostsNothing) {
  for (const auto& entry : fs::directory_iterator(options().directory)) {
    if (entry.path().filename().string().starts_with("MANIFEST")) flip(entry.path(), 4);
  }
  ASSERT_TRUE(open_damaged().ok());
  EXPECT_NE(report_, "");
  count();
  EXPECT_EQ(latest_, kKeys);
}

// The tool that repairs tables takes log records unchecked: they must not get there.
TEST_F(LevelDbSalvageTest, AMissingTableDoesNotMakeADamagedLogTrusted) {
  fs::remove(files(".ldb").front());
  for (const fs::path& log : files(".log")) flip(log, 9);
  ASSERT_TRUE(open_damaged().ok());
  count();
  EXPECT_GT(latest_, 0);
}

// A mark of a clean stop that comes back with the past would make a lie of every root.
TEST_F(LevelDbSalvageTest, WhatIsToBeErasedIsNotThereWhateverWasDamaged) {
  for (const char* extension : {".log", ".ldb"}) {
    open();
    StoreBatch batch;
    batch.put("marker", "1");
    ASSERT_TRUE(store_->write(batch, true).ok());
    store_.reset();
    for (const fs::path& file : files(extension)) flip(file, 2);
    erases_ = "marker";
    const Status opened = open_damaged();
    ASSERT_TRUE(opened.ok()) << opened.message();
    ASSERT_NE(report_, "");
    std::string value;
    EXPECT_EQ(store_->read("marker", &value).code(), Code::kNotFound);
    store_.reset();
  }
}

TEST_F(LevelDbSalvageTest, ALoneNodeKeepsTheDamagedFiles) {
  replicated_ = false;
  for (const fs::path& table : files(".ldb")) flip(table, 2);
  const fs::path damaged = files(".ldb").front().filename();
  ASSERT_TRUE(open_damaged().ok());
  EXPECT_THAT(report_, HasSubstr("kept in " + beside(".damaged-1").string()));
  EXPECT_TRUE(fs::exists(beside(".damaged-1") / damaged));
}

void garble(const std::vector<fs::path>& files) {
  for (const fs::path& file : files) {
    const std::string noise(fs::file_size(file), 'x');
    std::ofstream(file, std::ios::binary | std::ios::trunc) << noise;
  }
}

TEST_F(LevelDbSalvageTest, WhereNothingCanBeReadALoneNodeRefusesAndLeavesAllAsItWas) {
  replicated_ = false;
  garble(files(".ldb"));
  garble(files(".log"));
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Status status = open_damaged();
    ASSERT_EQ(status.code(), Code::kCorruption);
    EXPECT_THAT(status.message(), HasSubstr("restore a backup"));
    EXPECT_FALSE(fs::exists(beside(".damaged-1")));
    EXPECT_FALSE(fs::exists(beside(".salvage")));
    EXPECT_FALSE(files(".ldb").empty());
  }
}

TEST_F(LevelDbSalvageTest, WhereNothingCanBeReadAReplicatedOneBeginsEmpty) {
  garble(files(".ldb"));
  garble(files(".log"));
  ASSERT_TRUE(open_damaged().ok());
  EXPECT_THAT(report_, HasSubstr("nothing in it could be read; the damaged files are kept"));
  EXPECT_TRUE(fs::exists(beside(".damaged-1")));
  count();
  EXPECT_EQ(latest_ + older_, 0);
  put(1, 3);
  store_.reset();
  ASSERT_TRUE(open_damaged().ok());
  EXPECT_EQ(report_, "");
}

TEST_F(LevelDbSalvageTest, AnEarlierSalvageThatWasCutShortDoesNoHarm) {
  fs::create_directories(beside(".salvage"));
  std::ofstream(beside(".salvage/000001.ldb").string()) << "half";
  for (const fs::path& log : files(".log")) flip(log, 3);
  ASSERT_TRUE(open_damaged().ok());
  count();
  EXPECT_EQ(latest_ + older_, kKeys);
}

// While it runs: a table that is gone reads as damaged, not as absent.
TEST_F(LevelDbSalvageTest, ATableThatIsRemovedUnderARunningStoreIsDamage) {
  open();
  for (const fs::path& table : files(".ldb")) fs::remove(table);
  std::string value;
  EXPECT_EQ(store_->read("key1", &value).code(), Code::kCorruption);
  StoreBatch batch;
  batch.put("more", "1");
  EXPECT_FALSE(store_->write(batch, false).ok()) << "it takes nothing until it was salvaged";
  const Status status = store_->reopen();
  EXPECT_EQ(status.code(), Code::kCorruption);
  ASSERT_TRUE(store_->salvage(status).ok());
  EXPECT_TRUE(store_->write(batch, true).ok());
  EXPECT_EQ(store_->read("key1", &value).code(), Code::kNotFound);
}

TEST_F(LevelDbSalvageTest, ALoneStoreGoesOnBesideAnObjectThatCannotBeRead) {
  replicated_ = false;
  open();
  for (const fs::path& table : files(".ldb")) fs::remove(table);
  std::string value;
  EXPECT_EQ(store_->read("key1", &value).code(), Code::kCorruption);
  put(5000, 1);
  EXPECT_EQ(store_->read("key1", &value).code(), Code::kCorruption);
  EXPECT_TRUE(store_->read("key5000", &value).ok());
}

// A compaction meets the damage: LevelDB takes no writes any more, and reopening does not help.
TEST_F(LevelDbSalvageTest, DamageThatACompactionMeetsIsSalvaged) {
  for (const fs::path& table : files(".ldb")) flip(table, 1);
  open();
  Status status;
  for (int generation = 3; generation < 60 && status.ok(); ++generation) {
    for (int key = 0; key < kKeys && status.ok(); ++key) {
      StoreBatch batch;
      batch.put("key" + std::to_string(key), value_of(key, generation));
      status = store_->write(batch, false);
    }
  }
  ASSERT_EQ(status.code(), Code::kCorruption) << status.message();
  status = store_->reopen();
  ASSERT_EQ(status.code(), Code::kCorruption);
  ASSERT_TRUE(store_->salvage(status).ok());
  EXPECT_TRUE(read_all().ok());
  put(1, 3);
}

}  // namespace
}  // namespace kvorum::engine::testing
