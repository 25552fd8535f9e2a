// SPDX-License-Identifier: Apache-2.0
#include "server/cli/repair_command.h"

#include <gtest/gtest.h>

#include "server/status/status_json.h"

namespace kvorum::server {
namespace {

TEST(RepairCommand, TheLineSaysHowFarHowFastAndWhyItWaits) {
  RepairStatus repair;
  repair.active = true;
  repair.partitions_done = 30;
  repair.partitions_left = 90;
  repair.keys_repaired = 500;
  repair.seconds = 10;
  repair.waits = "members that cannot be reached: 1";
  const auto line = repair_line(repair_json(repair));
  ASSERT_TRUE(line.ok());
  EXPECT_TRUE(line.value().active);
  EXPECT_EQ(line.value().text,
            "25 % (30 of 120 comparisons), 500 keys repaired, 50 keys/s, about 30 s left; "
            "waits: members that cannot be reached: 1");
}

TEST(RepairCommand, WhatIsDoneHasNoTimeLeft) {
  RepairStatus repair;
  repair.partitions_done = 30;
  const auto line = repair_line(repair_json(repair));
  ASSERT_TRUE(line.ok());
  EXPECT_FALSE(line.value().active);
  EXPECT_EQ(line.value().text, "100 % (30 of 30 comparisons), 0 keys repaired");
}

TEST(RepairCommand, AnythingElseIsNotUnderstood) {
  EXPECT_FALSE(repair_line("").ok());
  EXPECT_FALSE(repair_line("[]").ok());
  EXPECT_FALSE(repair_line("{\"active\": 1}").ok());
}

}  // namespace
}  // namespace kvorum::server
