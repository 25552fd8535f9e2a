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

MovesStatus::Row a_row(const std::string& waits) {
  MovesStatus::Row row;
  row.partition = 7;
  row.from = {"a", "b"};
  row.to = {"f"};
  row.keys = 12;
  row.waits = waits;
  return row;
}

TEST(MembershipText, TransfersNameWhomTheyWaitFor) {
  NodeStatus status = a_status();
  EXPECT_EQ(transfers_text(status), "nothing moves\n");
  const json::object idle = json::parse(transfers_json(status)).as_object();
  EXPECT_EQ(idle.at("progress").at("percent").as_int64(), 100);
  EXPECT_EQ(idle.at("progress").at("keys_left").as_int64(), 0);
  status.members[1].standing = cluster::Standing::kLeaving;
  EXPECT_EQ(transfers_text(status), "handing over what they hold: b\n");
  status.moves.rows.push_back(a_row("the vote of b"));
  status.moves.rows[0].voted = {"a"};
  status.moves.total.partitions_left = 1;
  status.moves.total.is_counted = false;
  EXPECT_THAT(
      transfers_text(status),
      HasSubstr("7          a b   f   -          a      -     -      -       0/s   the vote "
                "of b\n1 partitions move; how much is copied is not known of all\n"));
  EXPECT_THAT(transfers_text(status), Not(HasSubstr("nothing")));
  const json::object document = json::parse(transfers_json(status)).as_object();
  EXPECT_EQ(document.at("transfers").at(0).at("waits").as_string(), "the vote of b");
  EXPECT_TRUE(document.at("transfers").at(0).at("percent").is_null());
  EXPECT_TRUE(document.at("progress").at("percent").is_null());
  EXPECT_EQ(document.at("leaving").at(0).as_string(), "b");
}

TEST(MembershipText, TransfersSayHowFarTheyAre) {
  NodeStatus status = a_status();
  MovesStatus::Row row = a_row("f copies it");
  row.is_counted = true;
  row.copied = {30, 3000};
  row.of = {40, 4000};
  row.per_second = {10, 1000};
  status.moves.rows = {row};
  status.moves.total = {true, 3, 1, {130, 13000}, {10, 1000}, {10, 1000}, 1};
  EXPECT_THAT(
      transfers_text(status),
      HasSubstr("7          a b   f   -          -      30/40  3.0 KB/4.0 KB  75 %    10/s  "
                "f copies it\n1 partitions move, 92 % is copied: 130 keys (13.0 KB), 10 "
                "left (1.0 KB); 10 keys/s (1.0 KB/s), about 1 s left\n"));
  const json::object document = json::parse(transfers_json(status)).as_object();
  const json::object& transfer = document.at("transfers").at(0).as_object();
  EXPECT_EQ(transfer.at("keys").as_int64(), 12);
  EXPECT_EQ(transfer.at("keys_copied").as_int64(), 30);
  EXPECT_EQ(transfer.at("keys_total").as_int64(), 40);
  EXPECT_EQ(transfer.at("bytes_total").as_int64(), 4000);
  EXPECT_EQ(transfer.at("percent").as_int64(), 75);
  EXPECT_EQ(transfer.at("keys_per_second").as_int64(), 10);
  const json::object& progress = document.at("progress").as_object();
  EXPECT_EQ(progress.at("partitions_moved").as_int64(), 3);
  EXPECT_EQ(progress.at("partitions_left").as_int64(), 1);
  EXPECT_EQ(progress.at("keys_left").as_int64(), 10);
  EXPECT_EQ(progress.at("bytes_copied").as_int64(), 13000);
  EXPECT_EQ(progress.at("seconds_left").as_int64(), 1);
  status.moves.total.seconds_left.reset();
  EXPECT_THAT(transfers_text(status), HasSubstr("10 left (1.0 KB)\n"));
}

}  // namespace
}  // namespace kvorum::server
