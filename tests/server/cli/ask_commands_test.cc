// SPDX-License-Identifier: Apache-2.0
#include "server/cli/ask_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/status/status_json.h"

namespace kvorum::server {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(AskCommandsTest, AMemberStandsOnALineWithNameAddressAndState) {
  NodeStatus status;
  status.name = "a";
  status.cluster_name = "demo";
  for (const char* const name : {"a", "bb"}) {
    MemberStatus& member = status.members.emplace_back();
    member.name = name;
    member.peer = "127.0.0.1:7379";
    member.self = member.name == "a";
    member.state = member.self ? cluster::PeerState::kUp : cluster::PeerState::kDown;
  }
  const auto table = status_table(status_json(status));
  ASSERT_TRUE(table.ok());
  EXPECT_THAT(table.value(), HasSubstr("cluster demo: "));
  EXPECT_THAT(table.value(), ContainsRegex("\na +127.0.0.1:7379 +up \\(asked\\)"));
  EXPECT_THAT(table.value(), ContainsRegex("\nbb +127.0.0.1:7379 +down"));
  EXPECT_EQ(state_of(status_json(status)), status.state());
}

TEST(AskCommandsTest, AStoreThatFailedIsShown) {
  NodeStatus status;
  status.members.emplace_back().name = "a";
  status.store_failed = true;
  status.store_error = "disk full";
  const auto table = status_table(status_json(status));
  ASSERT_TRUE(table.ok());
  EXPECT_THAT(table.value(), HasSubstr("refuses writes: disk full"));
}

TEST(AskCommandsTest, FaultsOfTheDiskAreShownByKindAndNothingWhereThereAreNone) {
  NodeStatus status;
  status.members.emplace_back().name = "a";
  EXPECT_THAT(status_table(status_json(status)).value(), Not(HasSubstr("storage")));
  status.storage.damage_met = 2;
  status.storage.syncs_failed = 1;
  status.storage.salvages = 1;
  status.copies_not_whole = 7;
  const auto table = status_table(status_json(status));
  ASSERT_TRUE(table.ok());
  EXPECT_THAT(table.value(), HasSubstr("\n3 storage faults: damage 2 sync 1; damaged stores "
                                       "salvaged: 1; 7 copies are not whole yet\n"));
}

TEST(AskCommandsTest, HintsStandOnALinePerTargetWithAgeRateAndReason) {
  NodeStatus status;
  status.name = "a";
  status.hints_pending = 12;
  status.hints_max_bytes = 1 << 20;
  status.hints_refused = 3;
  HintStatus& row = status.hints.emplace_back();
  row.target = "bb";
  row.count = 12;
  row.bytes = 48'000;
  row.oldest_ms = 192'000;
  row.delivered = 7;
  row.bytes_per_second = 600;
  row.reason = "being delivered";
  HintStatus& waiting = status.hints.emplace_back();
  waiting.target = "c";
  waiting.count = 1;
  waiting.oldest_ms = 90'061'000;
  waiting.reason = "no link to it";
  status.hints.emplace_back().target = "d";
  const auto table = hints_table(hints_json(status));
  ASSERT_TRUE(table.ok());
  EXPECT_THAT(table.value(),
              ContainsRegex("\nbb +12 +48000 +3m12s +7 +600 +1m21s +being delivered\n"));
  EXPECT_THAT(table.value(), ContainsRegex("\nc +1 +0 +1d1h +0 +0 +- +no link to it\n"));
  EXPECT_THAT(table.value(), ContainsRegex("\nd +0 +0 +- +0 +0 +-\n"));
  EXPECT_THAT(table.value(), HasSubstr("keeps 12 hints in 0 of 1048576 bytes, has refused 3\n"));
}

TEST(AskCommandsTest, WhatIsNoSuchDocumentIsAnErrorNotATable) {
  for (const char* const text : {"", "x", "[]", "{}", "{\"members\":[1]}", "{\"members\":{}}"}) {
    EXPECT_FALSE(status_table(text).ok()) << text;
    EXPECT_FALSE(hints_table(text).ok()) << text;
    EXPECT_FALSE(ring_table(text).ok()) << text;
    EXPECT_FALSE(key_table(text).ok()) << text;
    EXPECT_EQ(state_of(text), "") << text;
  }
}

TEST(AskCommandsTest, AnAddressThatIsNoneIsWrongUsage) { EXPECT_EQ(show_status("nonsense"), 2); }

}  // namespace
}  // namespace kvorum::server
