// SPDX-License-Identifier: Apache-2.0
#include "server/process/directory_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace kvorum::server {
namespace {

using testing::HasSubstr;

class DirectoryLockTest : public testing::Test {
 protected:
  ~DirectoryLockTest() override { std::filesystem::remove_all(top); }

  const std::string top = testing::TempDir() + "kvorum-lock-" + std::to_string(getpid());
  const std::string directory = top + "/deep/down";
};

TEST_F(DirectoryLockTest, TheSecondIsToldWhoHoldsIt) {
  auto first = DirectoryLock::take(directory);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(first.value().describe("node a").ok());
  const auto second = DirectoryLock::take(directory);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kExists);
  EXPECT_THAT(second.status().message(), HasSubstr(std::to_string(getpid()) + " (node a)"));
}

TEST_F(DirectoryLockTest, ALockThatWasLetGoCanBeTaken) {
  { ASSERT_TRUE(DirectoryLock::take(directory).ok()); }
  EXPECT_TRUE(DirectoryLock::take(directory).ok());
}

TEST_F(DirectoryLockTest, APlaceThatCannotBeADirectoryIsAnError) {
  const auto refused = DirectoryLock::take("/dev/null/data");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(),
              HasSubstr("cannot use the data directory /dev/null/data"));
}

}  // namespace
}  // namespace kvorum::server
