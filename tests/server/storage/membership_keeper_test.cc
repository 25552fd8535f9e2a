// SPDX-License-Identifier: Apache-2.0
#include "server/storage/membership_keeper.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "server/storage/membership_file.h"
#include "tests/engine/scratch_directory.h"
#include "tests/server/membership/founded.h"

namespace kvorum::server {
namespace {

class MembershipKeeperTest : public ::testing::Test {
 protected:
  void change(uint32_t weight) {
    known.add(testing::weight_change(known, weight));
    const Status status = keeper.keep(std::make_shared<const cluster::History>(known));
    ASSERT_TRUE(status.ok()) << status.message();
  }
  uint64_t digest_on_disk() const {
    const auto kept = read_membership(directory.path());
    EXPECT_TRUE(kept.ok()) << kept.status().message();
    return kept.value()->history->digest();
  }
  bool has_log() const { return std::filesystem::exists(directory.path() + "/membership.log"); }
  auto written_at() const {
    return std::filesystem::last_write_time(directory.path() + "/membership");
  }

  engine::testing::ScratchDirectory directory;
  cluster::History known{testing::founding(3)};
  MembershipKeeper keeper{directory.path(), 77, "a"};
};

TEST_F(MembershipKeeperTest, EachStepIsOnDisk) {
  for (uint32_t weight = 2; weight < 30; ++weight) {
    change(weight);
    EXPECT_EQ(digest_on_disk(), known.digest());
  }
}

TEST_F(MembershipKeeperTest, TheFileIsWrittenAgainOnceTheLogIsFull) {
  change(2);
  const auto first = written_at();
  change(3);
  EXPECT_EQ(written_at(), first) << "it went to the log";
  for (uint32_t weight = 4; written_at() == first; ++weight) {
    ASSERT_LT(weight, 5000u);
    change(weight);
  }
  EXPECT_EQ(digest_on_disk(), known.digest());
}

TEST_F(MembershipKeeperTest, FoldedItIsOneFile) {
  ASSERT_TRUE(keeper.fold(known).ok());
  EXPECT_FALSE(std::filesystem::exists(directory.path() + "/membership")) << "nothing to keep";
  change(2);
  change(3);
  EXPECT_TRUE(has_log());
  MembershipKeeper next_run(directory.path(), 77, "a");
  ASSERT_TRUE(next_run.fold(known).ok());
  EXPECT_FALSE(has_log());
  EXPECT_EQ(digest_on_disk(), known.digest());
}

TEST_F(MembershipKeeperTest, WhatCannotBeWrittenIsKeptTheNextTime) {
  change(2);
  known.add(testing::weight_change(known, 3));
  std::filesystem::create_directory(directory.path() + "/membership.new");
  MembershipKeeper second(directory.path(), 77, "a");
  EXPECT_FALSE(second.keep(std::make_shared<const cluster::History>(known)).ok());
  std::filesystem::remove(directory.path() + "/membership.new");
  EXPECT_TRUE(second.keep(std::make_shared<const cluster::History>(known)).ok());
  EXPECT_EQ(digest_on_disk(), known.digest());
}

}  // namespace
}  // namespace kvorum::server
