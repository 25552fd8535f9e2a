// SPDX-License-Identifier: Apache-2.0
#include "engine/store/large_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "base/hash.h"
#include "tests/engine/scratch_directory.h"

namespace kvorum::engine::testing {
namespace {

constexpr size_t kLarge = 3 * 1024 * 1024 + 17;

class LargeFilesTest : public ::testing::Test {
 protected:
  LargeFilesTest() { open(); }

  void open(bool sync = true) {
    files_.reset();
    auto opened = LargeFiles::open({directory(), sync});
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    files_ = std::move(opened).value();
  }
  std::string directory() const { return scratch_.path() + "/large"; }
  FileReference write(const std::string& body) {
    const Result<FileReference> file = files_->write(body);
    EXPECT_TRUE(file.ok()) << file.status().message();
    return file.ok() ? file.value() : FileReference{};
  }
  std::string path_of(uint64_t id) const {
    char name[17];
    std::snprintf(name, sizeof name, "%016lx", static_cast<unsigned long>(id));
    return directory() + "/" + name;
  }
  Code code_of_read(const FileReference& file) const { return files_->read(file).status().code(); }
  std::vector<uint64_t> ids() const { return files_->ids().value(); }
  size_t names() const {
    const std::filesystem::directory_iterator first(directory());
    return static_cast<size_t>(std::distance(first, std::filesystem::directory_iterator()));
  }

  ScratchDirectory scratch_;
  std::unique_ptr<LargeFiles> files_;
};

TEST_F(LargeFilesTest, GivesBackWhatWasWritten) {
  std::string body(kLarge, 'b');
  body[kLarge / 2] = '\0';
  const FileReference file = write(body);
  EXPECT_EQ(file.bytes, body.size());
  EXPECT_EQ(file.checksum, xxh64(body));
  const Result<SharedBytes> read = files_->read(file);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read.value(), body);
  EXPECT_EQ(ids(), std::vector<uint64_t>{file.id});
  EXPECT_EQ(names(), 1U);
}

TEST_F(LargeFilesTest, WritesWithoutSyncToo) {
  open(false);
  const FileReference file = write("body");
  EXPECT_EQ(*files_->read(file).value(), "body");
}

TEST_F(LargeFilesTest, WhatWasRemovedIsMissing) {
  const FileReference file = write("body");
  files_->remove(file.id);
  EXPECT_EQ(code_of_read(file), Code::kCorruption);
  EXPECT_TRUE(ids().empty());
  files_->remove(file.id);
}

TEST_F(LargeFilesTest, DamageIsMet) {
  const FileReference file = write(std::string(kLarge, 'b'));
  std::fstream stream(path_of(file.id), std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(kLarge - 1);
  stream.put('c');
  stream.close();
  EXPECT_EQ(code_of_read(file), Code::kCorruption);
}

TEST_F(LargeFilesTest, AnotherLengthIsDamageAndTakesNoMemory) {
  FileReference file = write(std::string(kLarge, 'b'));
  std::filesystem::resize_file(path_of(file.id), kLarge - 1);
  EXPECT_EQ(code_of_read(file), Code::kCorruption);
  file.bytes = ~uint64_t{0};
  EXPECT_EQ(code_of_read(file), Code::kCorruption);
}

TEST_F(LargeFilesTest, IdsGoOnAfterAReopenAndNeverComeAgain) {
  std::set<uint64_t> given;
  for (int round = 0; round < 3; ++round) {
    const FileReference kept = write("kept");
    const FileReference removed = write("removed");
    EXPECT_TRUE(given.empty() || kept.id > *given.rbegin());
    EXPECT_TRUE(given.insert(kept.id).second);
    EXPECT_TRUE(given.insert(removed.id).second);
    files_->remove(removed.id);
    open();
  }
  std::ofstream(path_of(~uint64_t{0} - 5)) << "of a clock far ahead";
  open();
  EXPECT_EQ(write("next").id, ~uint64_t{0} - 4);
}

TEST_F(LargeFilesTest, WhatWasLeftUnfinishedGoesAtTheStart) {
  const FileReference file = write("whole");
  std::ofstream(path_of(file.id + 1) + ".new") << "half";
  EXPECT_EQ(ids(), std::vector<uint64_t>{file.id});
  open();
  EXPECT_EQ(names(), 1U);
  EXPECT_EQ(*files_->read(file).value(), "whole");
}

TEST_F(LargeFilesTest, AFullDiskIsToldAndNothingIsLeft) {
  const FileReference file = write("first");
  std::filesystem::create_symlink("/dev/full", path_of(file.id + 1) + ".new");
  EXPECT_EQ(files_->write(std::string(kLarge, 'b')).status().code(), Code::kNoSpace);
  EXPECT_EQ(names(), 1U);
  EXPECT_EQ(*files_->read(write("next")).value(), "next");
}

TEST_F(LargeFilesTest, ADiskThatFailsIsTold) {
  const FileReference file = write("first");
  std::filesystem::create_directory(path_of(file.id + 1) + ".new");
  EXPECT_EQ(files_->write("body").status().code(), Code::kIoError);
  std::filesystem::remove_all(directory());
  EXPECT_EQ(files_->write("body").status().code(), Code::kIoError);
  EXPECT_EQ(files_->ids().status().code(), Code::kIoError);
}

TEST_F(LargeFilesTest, ADirectoryThatCannotBeMadeIsTold) {
  std::ofstream(scratch_.path() + "/file") << "no directory";
  const auto opened = LargeFiles::open({scratch_.path() + "/file"});
  EXPECT_EQ(opened.status().code(), Code::kIoError);
}

}  // namespace
}  // namespace kvorum::engine::testing
