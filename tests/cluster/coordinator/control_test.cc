// SPDX-License-Identifier: Apache-2.0
// What a node does once: that each of its machines hears of links and of the time.
#include "cluster/coordinator/control.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_core.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

class Controls : public ::testing::Test {
 protected:
  static constexpr MemberIndex kPeer = 1;

  explicit Controls(const LoneShape& shape = {.has_frontier = true}) : lone(shape) {}

  void link_up() {
    lone.link(kPeer);
    control.on_link(kPeer, true, lone.now);
  }
  void hint() {
    ASSERT_EQ(
        lone.hints.store({lone.id_of(kPeer), lone.ref("k")}, lone.object_of(0, 1, "v")).access,
        engine::Access::kDone);
  }
  // As its deadlines come.
  std::vector<MessageType> live_ms(uint64_t ms) {
    const uint64_t until_us = lone.now.steady_us + ms * 1000;
    control.on_time(lone.now);
    for (int turn = 0; turn < 10'000 && control.next_deadline_us() <= until_us; ++turn) {
      if (control.next_deadline_us() == 0) break;
      lone.pass_us(std::max(control.next_deadline_us(), lone.now.steady_us) - lone.now.steady_us);
      control.on_time(lone.now);
    }
    EXPECT_GE(until_us, lone.now.steady_us);
    lone.pass_us(until_us - lone.now.steady_us);
    return types_of(lone.sent(kPeer));
  }

  LoneCore lone;
  HistoryLink histories{lone.core, [](Now) {}};
  Gossip gossip{lone.core, histories};
  AgreementLink agreement{lone.core};
  HeldCopiesLink held_copies{lone.core};
  Control control{lone.core, {gossip, agreement, histories, held_copies}};
};

TEST_F(Controls, ALinkThatComesUpStartsGossipHintsAndExchanges) {
  hint();
  live_ms(3000);
  EXPECT_TRUE(lone.sent_nothing());
  link_up();
  EXPECT_THAT(types_of(lone.sent(kPeer)), ::testing::ElementsAre(MessageType::kGossip));
  const std::vector<MessageType> types = live_ms(50);
  EXPECT_THAT(types, Contains(MessageType::kReplicaWrite));
  EXPECT_THAT(types, Contains(MessageType::kExchangeOpen));
}

TEST_F(Controls, ALinkThatBreaksStartsNothing) {
  link_up();
  live_ms(50);
  lone.link(kPeer, false);
  control.on_link(kPeer, false, lone.now);
  hint();
  EXPECT_THAT(live_ms(6000), IsEmpty());
}

TEST_F(Controls, InTheirTimeGossipAndHintsComeAgain) {
  link_up();
  live_ms(50);
  hint();
  const std::vector<MessageType> types = live_ms(6000);
  EXPECT_THAT(types, Contains(MessageType::kGossip));
  EXPECT_THAT(types, Contains(MessageType::kReplicaWrite));
}

TEST_F(Controls, WhatIsOverIsEmptied) {
  Version version = lone.version_of(1, 1, "v");
  version.deadline_ms = LoneCore::kWallMs + 700;
  Object object;
  update(object, {}, version);
  lone.put("k", object);
  live_ms(1000);
  EXPECT_THAT(lone.own("k"), ::testing::ElementsAre("-"));
}

struct QuietControls : Controls {
  QuietControls() : Controls({.options = {.anti_entropy_ms = 0, .gossip_ms = 0}}) {}
};

TEST_F(QuietControls, TheSoonestOfAllDeadlinesIsTheNext) {
  control.on_time(lone.now);
  const uint64_t hints_us = lone.now.steady_us + 5'000'000;
  EXPECT_LE(control.next_deadline_us(), hints_us);
  Version version = lone.version_of(1, 1, "v");
  version.deadline_ms = LoneCore::kWallMs + 1;
  Object object;
  update(object, {}, version);
  lone.put("k", object);
  EXPECT_LE(control.next_deadline_us(), lone.now.steady_us + 1000);
}

TEST_F(Controls, TheMachinesOfTheirPoolsAreReachable) {
  link_up();
  hint();
  live_ms(50);
  EXPECT_EQ(control.hint_replay().open(), 1u);
  EXPECT_EQ(control.key_repair().open(), 0u);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
