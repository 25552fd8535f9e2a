// SPDX-License-Identifier: Apache-2.0
// What an ObjectTable over LevelDB keeps when the power is cut, the disk fails, fills up or lies.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/rng.h"
#include "engine/store/leveldb_store.h"
#include "engine/table/object_table.h"
#include "tests/engine/fault_env.h"
#include "tests/engine/scratch_directory.h"
#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {
namespace {

class DurabilityTest : public ::testing::Test {
 protected:
  void SetUp() override { start(); }

  void start() {
    LevelDbOptions store_options;
    store_options.directory = directory_.path();
    store_options.write_buffer_bytes = 64 * 1024;  // logs are left and tables made all the time
    store_options.env = &env_;
    auto opened = LevelDbStore::open(store_options);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    store_ = std::move(opened).value();
    TableOptions options;
    options.partition_bits = 2;
    options.store = store_.get();
    options.codec = &codec_;
    options.memory_bytes_max = memory_bytes_max_;
    table_ = std::make_unique<ObjectTable>(options);
    ASSERT_TRUE(table_->store_reader().warm().ok());
  }
  void cut_power_and_start() {
    table_.reset();
    store_.reset();
    env_.drop_unsynced();
    start();
  }
  void start_again() {
    table_.reset();
    store_.reset();
    start();
  }
  // Flips a byte in the middle of every table file.
  void damage_tables() {
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      if (entry.path().extension() != ".ldb") continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      const auto middle = static_cast<std::streamoff>(entry.file_size() / 2);
      file.seekg(middle);
      const char byte = static_cast<char>(file.get() ^ 1);
      file.seekp(middle);
      file.put(byte);
    }
  }
  UpdateResult put_loading(const KeyRef& key, std::string_view value) {
    UpdateResult result = put(*table_, key, value);
    while (result.access == Access::kNotResident && table_->store_reader().load(key).ok()) {
      result = put(*table_, key, value);
    }
    return result;
  }
  std::optional<std::string> get_loading(const KeyRef& key) {
    Access access = Access::kNotResident;
    std::optional<std::string> value = get(*table_, key, &access);
    while (access == Access::kNotResident && table_->store_reader().load(key).ok()) {
      value = get(*table_, key, &access);
    }
    EXPECT_EQ(access, Access::kDone);
    return value;
  }

  uint64_t memory_bytes_max_ = 0;
  ScratchDirectory directory_;
  FaultEnv env_;
  TestCodec codec_;
  std::unique_ptr<LevelDbStore> store_;
  std::unique_ptr<ObjectTable> table_;
};

// What a client knows of its key: the values that it wrote since the last one acknowledged. After
// a crash the key holds the acknowledged one or one of those.
struct Known {
  std::optional<std::string> acknowledged;
  std::vector<std::pair<Ticket, std::optional<std::string>>> waiting;

  void acknowledge(Ticket committed) {
    while (!waiting.empty() && waiting.front().first <= committed) {
      acknowledged = waiting.front().second;
      waiting.erase(waiting.begin());
    }
  }
  bool explains(const std::optional<std::string>& found) const {
    if (found == acknowledged) return true;
    for (const auto& [ticket, value] : waiting) {
      if (found == value) return true;
    }
    return false;
  }
};

class CrashRun : public DurabilityTest {
 protected:
  // Operations on 300 keys, a commit every so often, a power cut now and then. With `interval`,
  // only what a sync covered counts as acknowledged.
  void run(uint64_t seed, bool always) {
    Rng rng(seed);
    int cuts = 0;
    for (int step = 0; step < 12000; ++step) {
      const std::string name = "k" + std::to_string(rng.below(300));
      Known& known = known_[name];
      if (rng.chance(0.8)) {
        const std::string value = std::to_string(step) + std::string(rng.below(600), 'v');
        known.waiting.emplace_back(put(*table_, key_ref(name), value).ticket, value);
      } else if (get(*table_, key_ref(name))) {
        known.waiting.emplace_back(erase(*table_, key_ref(name)).ticket, std::nullopt);
      }
      if (rng.chance(0.05)) {
        ASSERT_TRUE(table_->commits().commit(always).ok());
      }
      const bool synced = always || (rng.chance(0.01) && store_->sync().ok());
      if (synced) acknowledge();
      if (!rng.chance(0.002)) continue;
      ++cuts;
      cut_power_and_start();
      check();
    }
    EXPECT_GT(cuts, 10);
  }
  void acknowledge() {
    for (auto& [name, known] : known_) known.acknowledge(table_->commits().committed());
  }
  void check() {
    for (auto& [name, known] : known_) {
      const std::optional<std::string> found = get(*table_, key_ref(name));
      ASSERT_TRUE(known.explains(found)) << name << ": " << found.value_or("none");
      known = {found, {}};
    }
  }
  std::map<std::string, Known> known_;
};

TEST_F(CrashRun, SyncAlwaysLosesNothingAcknowledged) { run(1, true); }

TEST_F(CrashRun, SyncByIntervalLosesOnlyWhatWasNotSynced) { run(2, false); }

TEST_F(DurabilityTest, AClosedTableIsFoundAgainAsItWas) {
  std::map<std::string, std::string> model;
  for (int i = 0; i < 3000; ++i) {
    const std::string name = "k" + std::to_string(i % 1000);
    put(*table_, key_ref(name), model[name] = std::to_string(i));
    if (i % 100 == 0) {
      ASSERT_TRUE(table_->commits().commit(false).ok());
    }
  }
  ASSERT_TRUE(table_->commits().commit(true).ok());
  table_.reset();
  store_.reset();
  start();
  for (const auto& [name, value] : model) ASSERT_EQ(get(*table_, key_ref(name)), value);
}

TEST_F(DurabilityTest, AFullDiskRefusesUpdatesReadsOnAndLosesNothingOnceThereIsSpace) {
  memory_bytes_max_ = 300 * 1024;
  start_again();
  env_.set_bytes_left(1500 * 1024);
  std::map<std::string, std::string> taken;
  Access access = Access::kDone;
  for (int i = 0; access == Access::kDone; ++i) {
    ASSERT_LT(i, 20000);
    const std::string name = "k" + std::to_string(i);
    access = put_loading(key_ref(name), std::string(300, 'v') + name).access;
    if (access == Access::kDone) taken[name] = std::string(300, 'v') + name;
    if (i % 20 == 19 && !table_->commits().commit(true).ok()) {
      EXPECT_TRUE(table_->store_health().failed());
    }
  }
  EXPECT_EQ(access, Access::kRefused);
  EXPECT_GT(taken.size(), 1000u);
  EXPECT_FALSE(store_->reopen().ok());
  EXPECT_EQ(put(*table_, key_ref("refused"), "v").access, Access::kRefused);
  for (const auto& [name, value] : taken) ASSERT_EQ(get_loading(key_ref(name)), value);
  env_.set_bytes_left(~uint64_t{0});
  ASSERT_TRUE(store_->reopen().ok());
  table_->store_health().recover();
  EXPECT_EQ(put_loading(key_ref("taken again"), "v").access, Access::kDone);
  ASSERT_TRUE(table_->commits().commit(true).ok());
  cut_power_and_start();
  for (const auto& [name, value] : taken) ASSERT_EQ(get_loading(key_ref(name)), value);
  EXPECT_EQ(get_loading(key_ref("taken again")), "v");
}

TEST_F(DurabilityTest, AFailedSyncKeepsTheObjectsForTheNextRound) {
  put(*table_, key_ref("k"), "v");
  env_.fail_syncs(true);
  EXPECT_FALSE(table_->commits().commit(true).ok());
  EXPECT_EQ(put(*table_, key_ref("k"), "w").access, Access::kRefused);
  EXPECT_FALSE(store_->reopen().ok());
  env_.fail_syncs(false);
  ASSERT_TRUE(store_->reopen().ok());
  table_->store_health().recover();
  EXPECT_EQ(table_->commits().commit(true).value(), 1u);
  cut_power_and_start();
  EXPECT_EQ(get(*table_, key_ref("k")), "v");
}

TEST_F(DurabilityTest, ADamagedTableFileIsReportedByLoadAndByWarming) {
  memory_bytes_max_ = 100 * 1024;
  for (int i = 0; i < 2000; ++i)
    put(*table_, key_ref("k" + std::to_string(i)), std::string(50, 'v'));
  ASSERT_TRUE(table_->commits().commit(true).ok());
  start_again();
  damage_tables();
  int damaged = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string name = "k" + std::to_string(i);
    Access access;
    std::optional<std::string> value = get(*table_, key_ref(name), &access);
    if (access == Access::kNotResident) {
      const Status status = table_->store_reader().load(key_ref(name));
      damaged += status.code() == Code::kCorruption ? 1 : 0;
      if (!status.ok()) continue;
      value = get(*table_, key_ref(name), &access);
    }
    if (access == Access::kDone) {
      ASSERT_EQ(value, std::string(50, 'v'));
    }
  }
  EXPECT_GT(damaged, 0);
  TableOptions options;
  options.store = store_.get();
  options.codec = &codec_;
  EXPECT_EQ(ObjectTable(options).store_reader().warm().code(), Code::kCorruption);
}

}  // namespace
}  // namespace kvorum::engine::testing
