// SPDX-License-Identifier: Apache-2.0
#include "server/storage/library_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/engine/scratch_directory.h"

namespace kvorum::server {
namespace {

FunctionLibrary library(std::string name) {
  FunctionLibrary made;
  made.name = std::move(name);
  made.text = "#!lua name=x\n";
  made.functions.push_back({"f_" + made.name, "", 0});
  return made;
}

struct LibraryFileTest : ::testing::Test {
  engine::testing::ScratchDirectory folder;
  std::string path = folder.path() + "/functions";
};

TEST_F(LibraryFileTest, WhatWasSavedIsRead) {
  FunctionLibraries before, after;
  LibraryFile file(folder.path(), before);
  EXPECT_TRUE(file.read().ok());
  EXPECT_TRUE(file.save().ok());
  EXPECT_FALSE(std::filesystem::exists(path));  // there was nothing to save
  EXPECT_EQ(before.add(library("a"), false, 1), "");
  EXPECT_TRUE(file.save().ok());
  EXPECT_TRUE(LibraryFile(folder.path(), after).read().ok());
  EXPECT_TRUE(after.find("f_a").library);
  EXPECT_EQ(after.digest(), before.digest());
}

TEST_F(LibraryFileTest, IsWrittenAgainAfterAChangeAlone) {
  FunctionLibraries libraries;
  LibraryFile file(folder.path(), libraries);
  EXPECT_EQ(libraries.add(library("a"), false, 1), "");
  EXPECT_TRUE(file.save().ok());
  std::filesystem::remove(path);
  EXPECT_TRUE(file.save().ok());
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(libraries.add(library("b"), false, 2), "");
  EXPECT_TRUE(file.save().ok());
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(LibraryFileTest, DamageIsTold) {
  FunctionLibraries libraries;
  LibraryFile file(folder.path(), libraries);
  EXPECT_EQ(libraries.add(library("a"), false, 1), "");
  EXPECT_TRUE(file.save().ok());
  std::fstream bytes(path, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(20);
  bytes.put('\x7f');
  bytes.close();
  FunctionLibraries after;
  const Status status = LibraryFile(folder.path(), after).read();
  EXPECT_EQ(status.code(), Code::kCorruption);
  EXPECT_TRUE(after.all().empty());
}

TEST_F(LibraryFileTest, WithoutAFolderNothingIsKept) {
  FunctionLibraries libraries;
  LibraryFile file("", libraries);
  EXPECT_EQ(libraries.add(library("a"), false, 1), "");
  EXPECT_TRUE(file.read().ok());
  EXPECT_TRUE(file.save().ok());
}

}  // namespace
}  // namespace kvorum::server
