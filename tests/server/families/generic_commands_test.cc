// SPDX-License-Identifier: Apache-2.0
// Deletes of what is not there: nothing to write, unless another copy may still have it.
#include <gtest/gtest.h>

#include "server/commands/edits.h"

namespace kvorum::server {
namespace {

using Verdict = EditOutput::Verdict;

class AbsentKey : public ::testing::Test {
 protected:
  EditInput input(bool may_be_evicted) const {
    return {.key = key_,
            .object = object_,
            .visible = visible_,
            .now_ms = 1000,
            .origin = 7,
            .may_be_evicted = may_be_evicted,
            .argument = {},
            .value = {}};
  }
  const KeyRef key_{"k", {}, 0};
  cluster::Object object_;
  InlineVector<cluster::Version, 1> visible_;
  std::string scratch_;
};

TEST_F(AbsentKey, IsNotDeleted) {
  EXPECT_EQ(edit_remove(input(false), scratch_).verdict, Verdict::kKeep);
  EXPECT_EQ(edit_get_remove(input(false), scratch_).verdict, Verdict::kKeep);
}

TEST_F(AbsentKey, IsDeletedAllTheSameWhereItMayBeEvicted) {
  for (const auto edit : {edit_remove, edit_get_remove}) {
    const EditOutput output = edit(input(true), scratch_);
    EXPECT_EQ(output.verdict, Verdict::kStore);
    EXPECT_EQ(output.type, cluster::TypeTag::kTombstone);
    EXPECT_EQ(output.reply_number, 0);
    EXPECT_FALSE(output.has_reply_bytes);
  }
}

// Its own delete, whose answer was lost: it did remove something.
TEST_F(AbsentKey, ThatThisRequestDeletedCountsOnce) {
  cluster::Version tombstone;
  tombstone.dot = {{1, 2, Hlc{3}}, Hlc{4}};
  tombstone.type = cluster::TypeTag::kTombstone;
  tombstone.origin = 7;
  cluster::update(object_, {}, tombstone);
  EXPECT_EQ(edit_remove(input(true), scratch_).verdict, Verdict::kKeep);
  EXPECT_EQ(edit_remove(input(true), scratch_).reply_number, 1);
}

}  // namespace
}  // namespace kvorum::server
