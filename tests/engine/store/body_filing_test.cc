// SPDX-License-Identifier: Apache-2.0
#include "engine/store/body_filing.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <thread>

#include "tests/engine/scratch_directory.h"
#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {
namespace {

constexpr size_t kLarge = 300 * 1024;

class BodyFilingTest : public ::testing::Test {
 protected:
  BodyFilingTest() : files_(LargeFiles::open({scratch_.path()}).value()) {
    filing_.emplace(files_.get());
  }

  static SharedView body(char fill) {
    const SharedBytes bytes = share(std::string(kLarge, fill));
    return {bytes, *bytes};
  }
  // Nothing where the body has no file.
  std::optional<FileReference> take(const SharedView& body, std::string_view key = "k") {
    FileReference file;
    if (!filing_->take(key_ref(key), body, &file)) return {};
    return file;
  }
  FileReference filed(const SharedView& body, std::string_view key = "k") {
    EXPECT_FALSE(take(body, key));
    EXPECT_TRUE(filing_->write_waiting(key_ref(key)).ok());
    return take(body, key).value_or(FileReference{});
  }
  std::string read(const FileReference& file) { return std::string(*filing_->read(file).value()); }
  // What the directory holds once all that is due was removed.
  std::vector<uint64_t> files_at_the_end() {
    filing_.reset();
    std::vector<uint64_t> ids = files_->ids().value();
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  ScratchDirectory scratch_;
  std::unique_ptr<LargeFiles> files_;
  std::optional<BodyFiling> filing_;
};

TEST_F(BodyFilingTest, ABodyIsHandedItsFileOnce) {
  const SharedView value = body('a');
  EXPECT_FALSE(take(value));
  EXPECT_FALSE(take(value));
  ASSERT_TRUE(filing_->write_waiting(key_ref("k")).ok());
  const auto file = take(value);
  ASSERT_TRUE(file);
  EXPECT_EQ(read(*file), value.bytes);
  EXPECT_FALSE(take(value));
  EXPECT_EQ(files_->ids().value().size(), 1U);
}

TEST_F(BodyFilingTest, OnceItIsFiledItsMemoryIsNotKept) {
  SharedView value = body('a');
  const SharedBytes::weak_type owner = value.owner;
  EXPECT_FALSE(take(value));
  value = {};
  EXPECT_FALSE(owner.expired());
  ASSERT_TRUE(filing_->write_waiting(key_ref("k")).ok());
  EXPECT_TRUE(owner.expired());
}

TEST_F(BodyFilingTest, WhoMakesTheValueAnewEachTimeGetsTheFileToo) {
  EXPECT_FALSE(take(body('a')));
  EXPECT_FALSE(take(body('a')));
  ASSERT_TRUE(filing_->write_waiting(key_ref("k")).ok());
  EXPECT_FALSE(take(body('b')));
  const auto file = take(body('a'));
  ASSERT_TRUE(file);
  EXPECT_EQ(read(*file), std::string(kLarge, 'a'));
}

TEST_F(BodyFilingTest, BodiesOfOneKeyWaitSideBySide) {
  const SharedView first = body('a'), second = body('b');
  EXPECT_FALSE(take(first));
  EXPECT_FALSE(take(second));
  ASSERT_TRUE(filing_->write_waiting(key_ref("k")).ok());
  EXPECT_EQ(read(*take(second)), second.bytes);
  EXPECT_EQ(read(*take(first)), first.bytes);
}

TEST_F(BodyFilingTest, TwoKeysNeverShareAFile) {
  const SharedView value = body('a');
  EXPECT_NE(filed(value, "one").id, filed(value, "two").id);
}

TEST_F(BodyFilingTest, AFileThatCannotBeWrittenIsToldAndForgotten) {
  const SharedView value = body('a');
  EXPECT_FALSE(take(value));
  std::filesystem::remove_all(scratch_.path());
  EXPECT_EQ(filing_->write_waiting(key_ref("k")).code(), Code::kIoError);
  EXPECT_TRUE(filing_->write_waiting(key_ref("k")).ok());
  std::filesystem::create_directory(scratch_.path());
  EXPECT_EQ(read(filed(value)), value.bytes);
}

TEST_F(BodyFilingTest, AFileGoesOnceItsTicketIsSynced) {
  const FileReference first = filed(body('a')), second = filed(body('b'));
  filing_->part_with(second, 8);
  filing_->part_with(first, 7);
  filing_->note_synced(6);
  filing_->note_synced(7);
  EXPECT_EQ(files_at_the_end(), std::vector<uint64_t>{second.id});
}

TEST_F(BodyFilingTest, WhatNobodyCameBackForIsForgottenWithItsFile) {
  const SharedView waiting = body('a'), filed_one = body('b');
  EXPECT_FALSE(take(filed_one));
  ASSERT_TRUE(filing_->write_waiting(key_ref("k")).ok());
  EXPECT_FALSE(take(waiting));
  filing_->forget_since(BodyFiling::Clock::now() - BodyFiling::kWaitMax);
  EXPECT_EQ(waiting.owner.use_count(), 2);
  filing_->forget_since(BodyFiling::Clock::now());
  EXPECT_EQ(waiting.owner.use_count(), 1);
  ASSERT_TRUE(filing_->write_waiting(key_ref("k")).ok());
  EXPECT_EQ(files_at_the_end(), std::vector<uint64_t>{});
}

TEST_F(BodyFilingTest, LeftOversAreRemovedAndNothingElse) {
  const FileReference first = filed(body('a')), second = filed(body('b')), third = filed(body('c'));
  ASSERT_TRUE(filing_->remove_all_but({first.id, third.id}).ok());
  EXPECT_EQ(files_at_the_end(), (std::vector<uint64_t>{first.id, third.id}));
  EXPECT_LT(first.id, second.id);
}

TEST_F(BodyFilingTest, ThreadsThatWriteOneKeyWaitForEachOther) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20;
  const SharedView value = body('a');
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        FileReference file;
        while (!filing_->take(key_ref("k"), value, &file)) {
          EXPECT_TRUE(filing_->write_waiting(key_ref("k")).ok());
        }
        filing_->part_with(file, 1);
        ++taken;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, kThreads * kRounds);
  filing_->note_synced(1);
  filing_->forget_since(BodyFiling::Clock::now());
  EXPECT_EQ(files_at_the_end(), std::vector<uint64_t>{});
}

}  // namespace
}  // namespace kvorum::engine::testing
