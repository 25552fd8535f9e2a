// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <gtest/gtest.h>

#include <memory>

namespace kvorum {
namespace {

TEST(Status, IsOkUntilAnErrorIsGiven) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().code(), Code::kOk);
  const Status status(Code::kIoError, "disk is gone");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), Code::kIoError);
  EXPECT_EQ(status.message(), "disk is gone");
}

TEST(Result, HoldsAValue) {
  Result<int> result(7);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.value(), 7);
  EXPECT_TRUE(result.status().ok());
  result.value() = 8;
  EXPECT_EQ(result.value(), 8);
}

TEST(Result, HoldsAnErrorInstead) {
  const Result<int> result(Status(Code::kNotFound, "no such key"));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), Code::kNotFound);
  EXPECT_EQ(result.status().message(), "no such key");
}

TEST(Result, GivesAwayWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(3));
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 3);
}

TEST(ResultDeathTest, AValueThatIsNotThereIsABrokenInvariant) {
  const Result<int> result(Status(Code::kInvalid, "bad"));
  EXPECT_DEATH((void)result.value(), "invariant broken: ok\\(\\)");
}

}  // namespace
}  // namespace kvorum
