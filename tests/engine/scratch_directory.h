// SPDX-License-Identifier: Apache-2.0
// A fresh directory that goes with the object.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace kvorum::engine::testing {

class ScratchDirectory {
 public:
  ScratchDirectory() : path_(::testing::TempDir() + "kvorum-engine-XXXXXX") {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace kvorum::engine::testing
