// SPDX-License-Identifier: Apache-2.0
#include "server/cli/member_commands.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

using Kind = MembershipWish::Kind;

TEST(MemberCommandsTest, AWishIsARequest) {
  EXPECT_EQ(wish_target({Kind::kJoin, "f"}), "/api/v1/members?change=join&name=f");
  EXPECT_EQ(wish_target({Kind::kLeave, ""}), "/api/v1/members?change=leave");
  EXPECT_EQ(wish_target({Kind::kWeight, "b", "", 3}),
            "/api/v1/members?change=weight&name=b&weight=3");
  MembershipWish remove{Kind::kRemove, "a&b"};
  remove.force = true;
  EXPECT_EQ(wish_target(remove), "/api/v1/members?change=remove&name=a%26b&force=true");
  EXPECT_EQ(wish_target({Kind::kReplace, "b", "f"}), "/api/v1/members?change=replace&name=b&by=f");
}

TEST(MemberCommandsTest, NobodyThereIsAFailure) {
  MemberCommand command;
  command.wish = {Kind::kJoin, "f"};
  command.yes = true;
  EXPECT_NE(change_members("127.0.0.1:1", command), 0);
  EXPECT_NE(change_members("nonsense", command), 0);
  EXPECT_NE(show_members("127.0.0.1:1", false), 0);
  EXPECT_NE(show_transfers("127.0.0.1:1", true), 0);
}

}  // namespace
}  // namespace kvorum::server
