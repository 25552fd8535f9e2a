// SPDX-License-Identifier: Apache-2.0
#include "server/status/membership_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace kvorum::server {
namespace {

namespace json = boost::json;

using ::testing::HasSubstr;
using ::testing::Not;

ChangePlan a_plan() {
  ChangePlan plan;
  plan.wish = "join f";
  plan.based_on = "0000000000000001";
  plan.partitions = 256;
  plan.partitions_moving = plan.copies_moving = 188;
  plan.keys = 1469;
  plan.bytes = 465'200;
  plan.members = {{"a", 256, 194, 0, 62}, {"f", 0, 188, 188, 0}};
  plan.violations = {"two copies in one rack"};
  return plan;
}

NodeStatus a_status() {
  NodeStatus status;
  status.cluster_name = "demo";
  MemberStatus& a = status.members.emplace_back();
  a.name = "a";
  a.self = true;
  MemberStatus& b = status.members.emplace_back();
  b.name = "b";
  b.state = cluster::PeerState::kUp;
  cluster::Member& waiting = status.waiting_nodes.emplace_back();
  waiting.name = "f";
  waiting.id = 77;
  status.departed = {"old"};
  return status;
}

TEST(MembershipText, APlanOfAFileThatChangesNothingSaysWhatDiffersAllTheSame) {
  ChangePlan plan;
  plan.is_empty = true;
  EXPECT_EQ(plan_text(plan), "nothing differs: the cluster is as the file says\n");
  plan.lines = {"c: its peer address is another one"};
  EXPECT_EQ(plan_text(plan),
            "c: its peer address is another one\nnothing of it is to be changed from here\n");
}

TEST(MembershipText, APlanSaysWhatMovesAndWhatIsWorse) {
  const std::string text = plan_text(a_plan());
  EXPECT_THAT(text, HasSubstr("join f: 188 of 256 partitions move, 188 copies, about 1469 keys "
                              "(465.2 KB)"));
  EXPECT_THAT(text, HasSubstr("f       0       188   188    0\n"));
  EXPECT_THAT(text, HasSubstr("warning: two copies in one rack\n"));
  const json::object document = json::parse(plan_json(a_plan())).as_object();
  EXPECT_EQ(document.at("text").as_string(), text);
  EXPECT_EQ(document.at("based_on").as_string(), "0000000000000001");
  EXPECT_EQ(document.at("members").as_array().size(), 2u);
  EXPECT_FALSE(json::parse(taken_json(a_plan(), false)).as_object().at("written").as_bool());
}

TEST(MembershipText, MembersAreWhatTheyAreInOneWord) {
  NodeStatus status = a_status();
  EXPECT_STREQ(member_condition(status.members[0]), "up");
  status.members[1].joining = true;
  EXPECT_STREQ(member_condition(status.members[1]), "joining");
  status.members[1].standing = cluster::Standing::kLeaving;
  EXPECT_STREQ(member_condition(status.members[1]), "leaving");
  status.members[1].state = cluster::PeerState::kDown;
  EXPECT_STREQ(member_condition(status.members[1]), "down");
  const std::string text = members_text(status);
  EXPECT_THAT(text, HasSubstr("a (asked)  up"));
  EXPECT_THAT(text, HasSubstr("f          waiting"));
  EXPECT_THAT(text, HasSubstr("departed: old\n"));
  EXPECT_THAT(text, HasSubstr("f waits: kvorum join f\n"));
  const json::object document = json::parse(members_json(status)).as_object();
  EXPECT_EQ(document.at("members").as_array().size(), 3u);
  EXPECT_EQ(document.at("members").at(2).at("state").as_string(), "waiting");
}

TEST(MembershipText, TransfersNameWhomTheyWaitFor) {
  NodeStatus status = a_status();
  EXPECT_EQ(transfers_text(status), "nothing moves\n");
  status.members[1].standing = cluster::Standing::kLeaving;
  EXPECT_EQ(transfers_text(status), "handing over what they hold: b\n");
  status.moves.rows.push_back({7, {"a", "b"}, {"f"}, {}, {"a"}, 12, "the vote of b"});
  EXPECT_THAT(transfers_text(status), HasSubstr("7          a b   f   -          a      12    the "
                                                "vote of b\n1 partitions move\n"));
  EXPECT_THAT(transfers_text(status), Not(HasSubstr("nothing")));
  const json::object document = json::parse(transfers_json(status)).as_object();
  EXPECT_EQ(document.at("transfers").at(0).at("waits").as_string(), "the vote of b");
  EXPECT_EQ(document.at("leaving").at(0).as_string(), "b");
}

}  // namespace
}  // namespace kvorum::server
