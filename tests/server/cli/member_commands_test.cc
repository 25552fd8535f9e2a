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
  MembershipWish placement{Kind::kPlacement};
  placement.placement = 2;
  EXPECT_EQ(wish_target(placement), "/api/v1/members?change=placement&placement=2");
  MembershipWish remove{Kind::kRemove, "a&b"};
  remove.force = true;
  EXPECT_EQ(wish_target(remove), "/api/v1/members?change=remove&name=a%26b&force=true");
  EXPECT_EQ(wish_target({Kind::kReplace, "b", "f"}), "/api/v1/members?change=replace&name=b&by=f");
}

TEST(MemberCommandsTest, WhoWaitsSeesHowTheMovesGoOn) {
  const std::string rows = R"({"transfers": [{}, {}], "progress": )";
  const std::string bar = "[====================                    ] 2 of 4 partitions moved";
  EXPECT_EQ(move_line(R"({"transfers": [{}, {}]})", 4), bar);
  EXPECT_EQ(move_line(rows + R"({"percent": null, "seconds_left": null}})", 4), bar);
  EXPECT_EQ(move_line(rows + R"({"percent": 61, "keys_per_second": 0, "seconds_left": null}})", 4),
            bar + ", 61 % of the keys");
  EXPECT_EQ(move_line(rows + R"({"percent": 61, "keys_per_second": 900, "seconds_left": 7}})", 4),
            bar + ", 61 % of the keys, 900 a second, about 7 s left");
  EXPECT_EQ(move_line(R"({"transfers": [], "progress": {"percent": 100}})", 4),
            "[========================================] 4 of 4 partitions moved");
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
