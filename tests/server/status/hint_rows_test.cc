// SPDX-License-Identifier: Apache-2.0
#include "server/status/hint_rows.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

constexpr uint64_t kNowMs = 1'700'000'000'000;

NodeStatus status_of_three() {
  NodeStatus status;
  for (const uint64_t id : {1, 2, 3}) {
    MemberStatus& member = status.members.emplace_back();
    member.id = id;
    member.name = std::string(1, static_cast<char>('a' + id - 1));
    member.self = id == 1;
  }
  return status;
}

Hlc reading(uint64_t ms) { return Hlc::from_ms(ms); }

TEST(HintRows, ARowForEachOtherMemberAlsoWithoutHints) {
  const cluster::HintLedger ledger(1000);
  NodeStatus status = status_of_three();
  add_hint_rows(ledger, {1, kNowMs}, &status);
  ASSERT_EQ(status.hints.size(), 2u);
  EXPECT_EQ(status.hints[0].target, "b");
  EXPECT_EQ(status.hints[1].target, "c");
  EXPECT_EQ(status.hints[0].count, 0u);
  EXPECT_EQ(status.hints[0].reason, "");
  EXPECT_EQ(status.hints_max_bytes, 1000u);
}

TEST(HintRows, WhatWaitsForAMemberAndForANodeThatIsNone) {
  cluster::HintLedger ledger(0);
  const cluster::HintLedger::Facts old{reading(kNowMs - 5000), 10}, ahead{reading(kNowMs + 9), 7};
  const std::string name = "k";
  ASSERT_TRUE(ledger.note({2, name, nullptr, &old, true}));
  ASSERT_TRUE(ledger.note({0xabc, name, nullptr, &ahead, true}));
  ledger.waits(2, cluster::HintWait::kUnreachable);
  NodeStatus status = status_of_three();
  add_hint_rows(ledger, {1, kNowMs}, &status);
  ASSERT_EQ(status.hints.size(), 3u);
  EXPECT_EQ(status.hints_pending, 2u);
  EXPECT_EQ(status.hints_bytes, 17u);
  EXPECT_EQ(status.hints[0].count, 1u);
  EXPECT_EQ(status.hints[0].oldest_ms, 5000u);
  EXPECT_EQ(status.hints[0].reason, cluster::hint_wait_name(cluster::HintWait::kUnreachable));
  EXPECT_EQ(status.members[1].hints_pending, 1u);
  EXPECT_EQ(status.hints[2].target, "0000000000000abc");
  EXPECT_EQ(status.hints[2].oldest_ms, 0u);  // its clock is ahead
}

}  // namespace
}  // namespace kvorum::server
