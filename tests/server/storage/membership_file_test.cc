// SPDX-License-Identifier: Apache-2.0
#include "server/storage/membership_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/engine/scratch_directory.h"
#include "tests/server/membership/founded.h"

namespace kvorum::server {
namespace {

using ::testing::HasSubstr;

class MembershipFileTest : public ::testing::Test {
 protected:
  std::string path() const { return directory.path() + "/membership"; }
  std::string content() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put(std::string_view bytes) const { std::ofstream(path(), std::ios::binary) << bytes; }

  engine::testing::ScratchDirectory directory;
};

TEST_F(MembershipFileTest, WithoutAFileNothingIsKept) {
  const auto kept = read_membership(directory.path());
  ASSERT_TRUE(kept.ok());
  EXPECT_FALSE(kept.value());
  EXPECT_TRUE(read_membership(directory.path() + "/none").ok());
}

TEST_F(MembershipFileTest, WhatWasWrittenIsRead) {
  ASSERT_TRUE(write_membership(directory.path(), 77, "f", {}).ok());
  auto kept = read_membership(directory.path()).value();
  EXPECT_EQ(kept->id, 77u);
  EXPECT_EQ(kept->node_name, "f");
  EXPECT_FALSE(kept->history);
  cluster::History history(testing::founding(3));
  ASSERT_TRUE(history.add(testing::join_of("f", 77)));
  std::string bytes;
  history.encode(bytes);
  ASSERT_TRUE(write_membership(directory.path(), 77, "f", bytes).ok());
  kept = read_membership(directory.path()).value();
  ASSERT_TRUE(kept->history);
  EXPECT_EQ(kept->history->digest(), history.digest());
  struct stat found {};
  ASSERT_EQ(stat(path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  EXPECT_FALSE(std::filesystem::exists(path() + ".new"));
}

TEST_F(MembershipFileTest, AFoundingWithALaterPlacementIsOfVersionTwo) {
  KeptMembership written;
  written.id = 77;
  written.node_name = "a";
  written.founded = {cluster::kPlacementMended, true};
  ASSERT_TRUE(write_founding(directory.path(), written).ok());
  EXPECT_EQ(content()[4], 2);  // which releases without one refuse
  auto kept = read_membership(directory.path()).value();
  EXPECT_EQ(kept->id, 77u);
  EXPECT_EQ(kept->founded, written.founded);
  EXPECT_FALSE(kept->history);
  written.founded = {cluster::kPlacementUnmended, true};
  ASSERT_TRUE(write_founding(directory.path(), written).ok());
  EXPECT_EQ(content()[4], 1);
  kept = read_membership(directory.path()).value();
  EXPECT_EQ(kept->founded, (FoundedPlacement{cluster::kPlacementUnmended, false}));
}

TEST_F(MembershipFileTest, AHistorySaysHowTheClusterWasFounded) {
  for (const uint8_t placement : {cluster::kPlacementUnmended, cluster::kPlacementMended}) {
    cluster::Founding founding = testing::founding(3);
    founding.placement = placement;
    cluster::History history(founding);
    ASSERT_TRUE(history.add(testing::join_of("f", 77)));
    std::string bytes;
    history.encode(bytes);
    ASSERT_TRUE(write_membership(directory.path(), 77, "f", bytes).ok());
    EXPECT_EQ(content()[4], 1);
    const auto kept = read_membership(directory.path()).value();
    EXPECT_EQ(kept->founded, (FoundedPlacement{placement, true}));
  }
}

TEST_F(MembershipFileTest, EveryDamageIsNoticedAndSaysWhatToDo) {
  ASSERT_TRUE(write_membership(directory.path(), 77, "f", {}).ok());
  const std::string whole = content();
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    put(changed);
    EXPECT_EQ(read_membership(directory.path()).status().code(), Code::kCorruption) << at;
    put(whole.substr(0, at));
    EXPECT_EQ(read_membership(directory.path()).status().code(), Code::kCorruption) << at;
  }
  EXPECT_THAT(read_membership(directory.path()).status().message(), HasSubstr("move it away"));
}

TEST_F(MembershipFileTest, WhatCannotBeWrittenLeavesWhatWas) {
  ASSERT_TRUE(write_membership(directory.path(), 77, "f", {}).ok());
  std::filesystem::create_directory(path() + ".new");  // in the way
  EXPECT_FALSE(write_membership(directory.path(), 78, "f", {}).ok());
  EXPECT_EQ(read_membership(directory.path()).value()->id, 77u);
  EXPECT_FALSE(write_membership(directory.path() + "/none", 1, "f", {}).ok());
}

}  // namespace
}  // namespace kvorum::server
