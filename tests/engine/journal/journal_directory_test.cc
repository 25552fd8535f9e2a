// SPDX-License-Identifier: Apache-2.0
#include "engine/journal/journal_directory.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "tests/engine/scratch_directory.h"

namespace kvorum::engine::testing {
namespace {

class JournalDirectoryTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override { open(); }
  void open() {
    auto opened = JournalDirectory::open(directory_.path() + "/journal", GetParam());
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    disk_ = std::move(opened).value();
  }

  ScratchDirectory directory_;
  std::unique_ptr<JournalDirectory> disk_;
};

TEST_P(JournalDirectoryTest, PartsAreWrittenOneBehindTheOther) {
  ASSERT_TRUE(disk_->create(3, 8192).ok());
  std::vector<std::string> pieces;
  for (int i = 0; i < 200; ++i)
    pieces.push_back(std::string(static_cast<size_t>(i % 5), static_cast<char>('a' + i % 26)));
  std::vector<std::string_view> parts(pieces.begin(), pieces.end());
  std::string whole;
  for (const std::string_view part : parts) whole.append(part);
  ASSERT_TRUE(disk_->write(3, 100, parts).ok());
  ASSERT_TRUE(disk_->sync(3).ok());
  open();
  const auto slots = disk_->slots();
  ASSERT_TRUE(slots.ok());
  EXPECT_EQ(slots.value(), std::vector<uint32_t>{3});
  const auto bytes = disk_->read(3, UINT64_MAX);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes.value().size(), 8192U);
  EXPECT_EQ(bytes.value().substr(100, whole.size()), whole);
  disk_->done_reading();
}

TEST_P(JournalDirectoryTest, SlotsComeAndGo) {
  for (const uint32_t slot : {0U, 12U, 100U}) ASSERT_TRUE(disk_->create(slot, 4096).ok());
  EXPECT_FALSE(disk_->create(12, 4096).ok());
  ASSERT_TRUE(disk_->remove(12).ok());
  EXPECT_FALSE(disk_->remove(12).ok());
  const auto slots = disk_->slots();
  ASSERT_TRUE(slots.ok());
  EXPECT_EQ(slots.value(), (std::vector<uint32_t>{0, 100}));
  EXPECT_FALSE(disk_->read(12, UINT64_MAX).ok());
}

TEST_P(JournalDirectoryTest, WhereThereIsNoRoomItSaysForHowMuchAndWhere) {
  constexpr uint64_t kTooMuch = uint64_t{1} << 60;
  const Status status = disk_->create(7, kTooMuch);
  EXPECT_EQ(status.message().rfind("cannot make room for 1152921504606846976 bytes in " +
                                       directory_.path() + "/journal/07.journal: ",
                                   0),
            0U)
      << status.message();
  EXPECT_TRUE(disk_->slots().value().empty());
}

TEST_P(JournalDirectoryTest, ADamagedOneIsCopied) {
  ASSERT_TRUE(disk_->create(0, 4096).ok());
  for (const char* end : {".damaged-1", ".damaged-2"}) {
    const auto kept = disk_->set_aside();
    ASSERT_TRUE(kept.ok()) << kept.status().message();
    EXPECT_EQ(kept.value(), directory_.path() + "/journal" + end);
    EXPECT_TRUE(std::filesystem::exists(kept.value() + "/00.journal"));
  }
}

INSTANTIATE_TEST_SUITE_P(Zeroes, JournalDirectoryTest, ::testing::Bool());

}  // namespace
}  // namespace kvorum::engine::testing
