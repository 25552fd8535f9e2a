// SPDX-License-Identifier: Apache-2.0
#include "server/membership/change_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/server/membership/founded.h"

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

uint32_t sum(const ChangePlan& plan, uint32_t ChangePlan::Row::*count) {
  return std::accumulate(
      plan.members.begin(), plan.members.end(), 0u,
      [&](uint32_t so_far, const ChangePlan::Row& row) { return so_far + row.*count; });
}

TEST(ChangePlanTest, WhatOneTakesOthersGive) {
  const cluster::History history(testing::founding(4));
  const cluster::Change join = testing::join_of("f", 77);
  const ChangePlan plan = plan_changes(history, {&join, 1}, {10, 1000});
  EXPECT_EQ(plan.partitions, 64u);
  EXPECT_EQ(plan.based_on, set_text(history.newest()));
  ASSERT_EQ(plan.members.size(), 5u);
  EXPECT_EQ(plan.members[4].name, "f");
  EXPECT_EQ(plan.members[4].copies_before, 0u);
  EXPECT_NEAR(plan.members[4].copies_after, 64 * 3 / 5, 4);
  EXPECT_EQ(sum(plan, &ChangePlan::Row::takes), sum(plan, &ChangePlan::Row::gives));
  EXPECT_EQ(sum(plan, &ChangePlan::Row::takes), plan.copies_moving);
  EXPECT_EQ(sum(plan, &ChangePlan::Row::copies_after), 3 * 64u);
  EXPECT_EQ(plan.keys, 10u * plan.copies_moving);
  EXPECT_EQ(plan.bytes, 1000u * plan.copies_moving);
  EXPECT_THAT(plan.violations, IsEmpty());
}

TEST(ChangePlanTest, TheTimeIsThatOfWhoTakesMost) {
  const cluster::History history(testing::founding(2));
  const cluster::Change join = testing::join_of("f", 77);
  EXPECT_DOUBLE_EQ(plan_changes(history, {&join, 1}, {240'000, 0}).seconds, 64);
  EXPECT_DOUBLE_EQ(plan_changes(history, {&join, 1}, {1, 76e6}).seconds, 64);
}

TEST(ChangePlanTest, TheLossOfAZoneIsThoughtOf) {
  const auto losses = [](const std::vector<std::string>& zones) {
    cluster::Founding founding = testing::founding(zones.size());
    for (size_t at = 0; at < zones.size(); ++at) founding.members[at].zone = zones[at];
    cluster::SetPlacements placements;
    const cluster::History history(founding);
    std::vector<std::string> found;
    for (const std::string& one : placement_violations(*placements.of(history, history.newest()))) {
      if (one.starts_with("if zone")) found.push_back(one);
    }
    return found;
  };
  EXPECT_THAT(losses({"", "", ""}), IsEmpty()) << "nobody named any";
  EXPECT_THAT(losses({"east", "west", "north"}), IsEmpty());
  EXPECT_THAT(losses({"east", "west", "west"}),
              ElementsAre("if zone west were lost, 64 partitions could not be read"));
}

TEST(ChangePlanTest, WhereEverybodyHasEverythingOnlyTheNewcomerCopies) {
  const cluster::History history(testing::founding(2));
  const cluster::Change join = testing::join_of("f", 77);
  const ChangePlan plan = plan_changes(history, {&join, 1}, {});
  EXPECT_EQ(plan.copies_moving, 64u);
  EXPECT_EQ(plan.partitions_moving, 64u);
  EXPECT_EQ(plan.keys, 0u);
}

TEST(ChangePlanTest, TooFewMembersRacksOrZonesAreNamed) {
  cluster::Founding founding = testing::founding(3);
  founding.members[0].zone = "east";
  founding.members[1].zone = founding.members[2].zone = "west";
  const cluster::History history(founding);
  cluster::Change leave;
  leave.kind = cluster::ChangeKind::kLeave;
  leave.member = testing::id_of(history, "a");
  const ChangePlan plan = plan_changes(history, {&leave, 1}, {});
  EXPECT_THAT(plan.violations, ElementsAre(HasSubstr("n is 3 and there would be 2 members")));
  cluster::Change weight;
  weight.kind = cluster::ChangeKind::kWeight;
  weight.member = leave.member;
  weight.described.weight = 2;
  EXPECT_THAT(plan_changes(history, {&weight, 1}, {}).violations,
              ElementsAre(HasSubstr("64 partitions would have two copies in one zone"),
                          HasSubstr("if zone west were lost, 64 partitions could not be read")));
}

}  // namespace
}  // namespace kvorum::server
