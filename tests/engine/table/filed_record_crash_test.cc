// SPDX-License-Identifier: Apache-2.0
// Files of large bodies after a crash, scans that need none of them, and races for one of them.
#include <atomic>
#include <thread>

#include "tests/engine/large_file_fixture.h"

namespace kvorum::engine::testing {
namespace {

using Ids = std::vector<uint64_t>;

class FiledRecordCrashTest : public LargeFileFixture {};

TEST_F(FiledRecordCrashTest, AFileWithoutItsRecordGoesAtTheStart) {
  put(key_, large('a'));
  commit(true);
  EXPECT_EQ(try_put(key_, large('b')).access, Access::kNotResident);
  ASSERT_TRUE(table_->store_reader().load(key_).ok());
  EXPECT_EQ(ids().size(), 2U);
  start();
  EXPECT_EQ(ids(), Ids{reference_of(key_).id});
  EXPECT_TRUE(holds(key_, 'a'));
}

TEST_F(FiledRecordCrashTest, AFileWhoseRecordWentGoesAtTheStart) {
  put(key_, large('a'));
  put(key_ref("erased"), large('c'));
  commit(true);
  put(key_, large('b'));
  remove(key_ref("erased"));
  commit(false);
  EXPECT_EQ(ids().size(), 3U);
  start();
  EXPECT_EQ(ids(), Ids{reference_of(key_).id});
  EXPECT_TRUE(holds(key_, 'b'));
}

TEST_F(FiledRecordCrashTest, ACommitThatWasLostLeavesTheRecordBeforeWithItsFile) {
  put(key_, large('a'));
  commit(true);
  const std::string before = stored(key_);
  put(key_, large('b'));
  commit(false);
  store_.set(store_key(key_), before);
  start();
  EXPECT_TRUE(holds(key_, 'a'));
  EXPECT_EQ(ids(), Ids{reference_of(key_).id});
}

TEST_F(FiledRecordCrashTest, FilesThatASalvageLeftUnnamedStay) {
  put(key_, large('a'));
  commit(true);
  store_.lose(store_key(key_));
  keeps_unnamed_files_ = true;
  start();
  EXPECT_EQ(ids().size(), 1U);
}

TEST_F(FiledRecordCrashTest, WhereARecordIsDamagedNoFileGoes) {
  put(key_, large('a'));
  commit(true);
  store_.set(store_key(key_), "?");
  start();
  EXPECT_EQ(table_->store_reader().damaged_count(), 1U);
  EXPECT_EQ(ids().size(), 1U);
}

TEST_F(FiledRecordCrashTest, ARecordWhoseFileIsMissingIsLeftOutByAStart) {
  put(key_, large('a'));
  put(key_ref("whole"), large('b'));
  commit(true);
  files_->remove(reference_of(key_).id);
  start();
  EXPECT_EQ(table_->store_reader().damaged_count(), 1U);
  EXPECT_EQ(table_->live_count(0, 0), 1U);
  EXPECT_TRUE(holds(key_ref("whole"), 'b'));
}

TEST_F(FiledRecordCrashTest, AScanOfTheStoreReadsNoFiles) {
  for (char name = 'a'; name < 'd'; ++name) put(key_ref(std::string(1, name)), large(name));
  commit(true);
  memory_bytes_max_ = kLarge / 2;
  start();
  for (const uint64_t id : ids()) files_->remove(id);
  int shown = 0;
  const auto show = [&](const ScanItem& item) {
    ++shown;
    EXPECT_EQ(item.record.bytes, record_head(true, 0));
  };
  EXPECT_EQ(table_->scan({0, 0, {}, 10}, show).access, Access::kNotResident);
  ASSERT_TRUE(table_->store_reader().scan({0, 0, {}, 10}, show).ok());
  EXPECT_EQ(shown, 3);
}

// What is rewritten after a salvage is what the store has otherwise.
class RewriteTest : public FiledRecordCrashTest, public LossListener {
 protected:
  void on_loss(uint8_t, uint32_t) override {}
  void on_loss_of_all() override {}
  void salvage() {
    table_->store_health().fail();
    table_->store_health().lose_all();
    table_->store_health().recover();
    TreeBuild built = TreeBuild::kGoesOn;
    while (built == TreeBuild::kGoesOn) built = table_->store_reader().build_tree(0, 0).value();
  }
};

TEST_F(RewriteTest, AFileThatTheStoreNamesIsTakenForTheSame) {
  put(key_, large('a'));
  commit(true);
  table_->store_health().set_loss_listener(this);
  salvage();
  EXPECT_FALSE(table_->commits().has_dirty());
}

TEST_F(RewriteTest, ARecordThatNamesAnotherFileIsWrittenAgain) {
  put(key_, large('a'));
  commit(true);
  const std::string before = stored(key_);
  put(key_, large('b'));
  commit(true);
  const FileReference file = reference_of(key_);
  store_.set(store_key(key_), before);
  table_->store_health().set_loss_listener(this);
  salvage();
  commit(true);
  EXPECT_EQ(reference_of(key_), file);
}

// The file of the record that load() found in the store went before load() came to read it.
TEST_F(FiledRecordCrashTest, ALoadThatLosesItsFileToAReplacementReadsAgain) {
  put(key_, large('a'));
  commit(true);
  memory_bytes_max_ = kLarge / 2;
  start();
  ASSERT_EQ(access_of(key_), Access::kNotResident);
  const FileReference first = reference_of(key_);
  store_.on_read_done = [&] {
    store_.on_read_done = nullptr;
    put(key_, large('b'));
    commit(true);
    std::filesystem::remove(path_of(first));  // as the thread that removes it does
  };
  EXPECT_TRUE(table_->store_reader().load(key_).ok());
  EXPECT_TRUE(holds(key_, 'b'));
  EXPECT_EQ(table_->store_health().faults().total(), 0U);
}

TEST_F(FiledRecordCrashTest, WritersOfOneKeyAllComeThroughAndLeaveOneFile) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 15;
  std::atomic<int> working{kThreads};
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      for (int round = 0; round < kRounds; ++round) {
        put(key_, large(static_cast<char>('a' + number)));
      }
      --working;
    });
  }
  while (working > 0) commit(true);
  for (std::thread& thread : threads) thread.join();
  commit(true);
  const FileReference file = reference_of(key_);
  EXPECT_EQ(*files_->read(file).value(), body_of(key_).bytes);
  EXPECT_EQ(ids_at_the_end(), Ids{file.id});
}

}  // namespace
}  // namespace kvorum::engine::testing
