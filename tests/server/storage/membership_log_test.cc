// SPDX-License-Identifier: Apache-2.0
#include "server/storage/membership_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "cluster/history/history_delta.h"
#include "tests/engine/scratch_directory.h"
#include "tests/server/membership/founded.h"

namespace kvorum::server {
namespace {

class MembershipLogTest : public ::testing::Test {
 protected:
  MembershipLogTest() { EXPECT_TRUE(log.begin().ok()); }

  // One more change is known, and stands in the log.
  void add() {
    const cluster::History before = known;
    known.add(testing::weight_change(known, 2 + ++changes));
    std::string added;
    cluster::encode_additions(before, known, added);
    ends.push_back(ends.back() + (added.size() + 16 + 63) / 64 * 64);
    ASSERT_TRUE(log.add(added).ok());
  }
  size_t changes_read() {
    cluster::History history = founded;
    const Status status = read_membership_log(directory.path(), &history);
    EXPECT_TRUE(status.ok()) << status.message();
    return history.changes().size();
  }
  std::string content() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void damage(size_t at) const {
    std::string bytes = content();
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    std::ofstream(path(), std::ios::binary) << bytes;
  }
  std::string path() const { return directory.path() + "/membership.log"; }

  engine::testing::ScratchDirectory directory;
  const cluster::History founded{testing::founding(3)};
  cluster::History known = founded;
  MembershipLog log{directory.path()};
  std::vector<size_t> ends = {0};  // of records
  uint32_t changes = 0;
};

TEST_F(MembershipLogTest, WhatWasAddedIsRead) {
  EXPECT_EQ(changes_read(), 0u);
  for (int count = 0; count < 5; ++count) add();
  EXPECT_TRUE(log.is_on_disk());
  EXPECT_EQ(changes_read(), 5u);
  EXPECT_EQ(content().size(), MembershipLog::kBytes) << "no record changes its size";
}

TEST_F(MembershipLogTest, ATornEndIsNoDamage) {
  add();
  add();
  for (size_t at = ends[1]; at < ends[2]; ++at) {
    const std::string before = content();
    damage(at);
    const size_t read = changes_read();
    // The last bytes fill the record up.
    EXPECT_THAT(read, ::testing::AnyOf(1u, 2u)) << at;
    const size_t torn = at < ends[1] + 16 ? 1u : read;
    EXPECT_EQ(read, torn) << at;
    std::ofstream(path(), std::ios::binary) << before;
  }
}

TEST_F(MembershipLogTest, DamageBeforeTheEndIsNoticedAndSaysWhatToDo) {
  add();
  add();
  add();
  for (const size_t at : {ends[0], ends[0] + 20, ends[1] + 5, ends[1] + 30}) {
    const std::string before = content();
    damage(at);
    cluster::History history = founded;
    const Status status = read_membership_log(directory.path(), &history);
    EXPECT_EQ(status.code(), Code::kCorruption) << at;
    EXPECT_THAT(status.message(), ::testing::HasSubstr("move it"));
    std::ofstream(path(), std::ios::binary) << before;
  }
}

TEST_F(MembershipLogTest, WhatIsInTheFileAlreadyDoesNoHarm) {
  add();
  add();
  cluster::History history = known;
  ASSERT_TRUE(read_membership_log(directory.path(), &history).ok());
  EXPECT_EQ(history.digest(), known.digest());
}

TEST_F(MembershipLogTest, ItBeginsAnewWithoutWhatItHad) {
  add();
  add();
  ASSERT_TRUE(log.begin().ok());
  EXPECT_EQ(changes_read(), 0u);
  log.remove();
  EXPECT_FALSE(log.is_on_disk());
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_EQ(changes_read(), 0u);
}

TEST_F(MembershipLogTest, ItHasRoomForSoMuch) {
  EXPECT_TRUE(log.has_room_for(std::string(MembershipLog::kBytes - 16, 'x')));
  EXPECT_FALSE(log.has_room_for(std::string(MembershipLog::kBytes - 15, 'x')));
}

}  // namespace
}  // namespace kvorum::server
