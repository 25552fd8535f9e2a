// SPDX-License-Identifier: Apache-2.0
// What exchanges are good for, on one node: copies that become whole.
#include "cluster/repair/wholeness.h"

#include <gmock/gmock.h>

#include "tests/cluster/repair/lone_asker.h"
#include "tests/cluster/test_members.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;

constexpr MemberIndex kPeer = LoneAsker::kPeer;
constexpr uint32_t kPartition = LoneAsker::kPartition;
constexpr uint64_t kGraceUs = Wholeness::kGraceUs;
constexpr size_t kCopies = size_t{kKeyspacesMax} * LoneCore::kPartitions;

struct LoneForgetful : LoneAsker {
  explicit LoneForgetful(LoneShape shape = {}) : LoneAsker(lacking(std::move(shape))) {}
  static LoneShape lacking(LoneShape shape) {
    shape.whole = false;
    return shape;
  }
  // All of it is equal with the peer.
  void exchange_with(MemberIndex peer) { EXPECT_TRUE(opened(open_round(peer), {}, peer)); }
  size_t missing() const { return whole.missing(); }
};

struct WholenessTest : ::testing::Test {
  LoneForgetful lone;
};

TEST_F(WholenessTest, ACopyIsWholeOnceAllItsHoldersWereCompared) {
  lone.link(2);
  lone.exchange_with(kPeer);
  EXPECT_EQ(lone.missing(), kCopies) << "another one may know what it forgot";
  lone.exchange_with(2);
  EXPECT_EQ(lone.missing(), 0u);
}

TEST_F(WholenessTest, WhoIsAwayIsWaitedForOnlySoLong) {
  lone.machine.on_time(lone.now);
  lone.exchange_with(kPeer);
  lone.live(kGraceUs - LoneAsker::kLinkUpMaxUs - 100'000);
  EXPECT_EQ(lone.missing(), kCopies) << "its link may still come up";
  lone.live(200'000);
  EXPECT_EQ(lone.missing(), 0u);
}

TEST_F(WholenessTest, ALinkThatBrokeIsWaitedForAsLong) {
  lone.machine.on_time(lone.now);
  lone.link(2);
  lone.live(10 * kGraceUs);
  lone.link(2, false);
  lone.exchange_with(kPeer);
  lone.live(kGraceUs - LoneAsker::kLinkUpMaxUs - 100'000);
  EXPECT_EQ(lone.missing(), kCopies) << "it may come back";
  lone.live(200'000);
  EXPECT_EQ(lone.missing(), 0u);
}

TEST_F(WholenessTest, WhoIsLinkedAndSilentIsWaitedFor) {
  lone.link(2);
  lone.exchange_with(kPeer);
  lone.live(10 * kGraceUs);
  EXPECT_EQ(lone.missing(), kCopies);
}

TEST_F(WholenessTest, WithoutAnyPeerNothingBecomesWhole) {
  lone.live(20 * kGraceUs);
  EXPECT_EQ(lone.missing(), kCopies);
}

TEST_F(WholenessTest, ItLooksAFewTimesASecondWhileSomethingIsMissing) {
  lone.machine.on_time(lone.now);
  EXPECT_EQ(lone.machine.next_deadline_us(), lone.now.steady_us + 100'000);
  lone.link(2, false);
  lone.exchange_with(kPeer);
  lone.exchange_with(2);
  EXPECT_EQ(lone.missing(), 0u);
}

TEST_F(WholenessTest, RoundsComeQuicklyUntilThen) {
  lone.link(2);
  lone.exchange_with(kPeer);
  lone.live(450'000);
  EXPECT_THAT(types_of(lone.sent(kPeer)), ElementsAre(MessageType::kExchangeOpen));
}

TEST_F(WholenessTest, AnExchangeOfAnotherRunSaysNothing) {
  const auto note = [&](MemberIndex peer, uint64_t run) {
    const std::vector<uint32_t> partitions{kPartition};
    lone.exchanges.note(0, partitions, {lone.id_of(peer), run, 1, Hlc{run}});
    lone.turn(100'000);
  };
  note(1, LoneCore::kIncarnation - 1);
  note(2, LoneCore::kIncarnation - 1);
  EXPECT_FALSE(lone.whole.is_whole(0, kPartition));
  note(1, LoneCore::kIncarnation);
  EXPECT_FALSE(lone.whole.is_whole(0, kPartition));
  note(2, LoneCore::kIncarnation);
  EXPECT_TRUE(lone.whole.is_whole(0, kPartition));
  EXPECT_EQ(lone.missing(), kCopies - 1);
}

TEST(WholenessCopies, WhatThisNodeDoesNotHoldIsNotMissing) {
  LoneForgetful lone({.members = 5, .n = 2});
  lone.machine.on_time(lone.now);
  size_t held = 0;
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    const bool holds = lone.view->is_primary(0, 0, partition);
    held += holds;
    EXPECT_EQ(lone.whole.is_whole(0, partition), !holds);
  }
  EXPECT_GT(held, 0u);
  EXPECT_LT(held, LoneCore::kPartitions);
}

TEST(WholenessCopies, ALoneCopyIsWholeAtOnce) {
  LoneForgetful lone({.n = 1});
  lone.machine.on_time(lone.now);
  EXPECT_EQ(lone.missing(), 0u);
}

// ---- damage

TEST_F(WholenessTest, ADamagedCopyIsNotWholeWhateverWasCompared) {
  lone.damage(0, kPartition);
  lone.exchange_with(1);
  lone.exchange_with(2);
  EXPECT_EQ(lone.missing(), 1u);
  EXPECT_FALSE(lone.noted(kPartition)) << "nor was it compared";
  EXPECT_TRUE(lone.noted(kPartition + 1));
}

TEST(WholenessDamage, OnlyExchangesFromThenOnCount) {
  LoneAsker lone;
  for (const MemberIndex peer : {MemberIndex{1}, MemberIndex{2}}) {
    EXPECT_TRUE(lone.opened(lone.open_round(peer), {}, peer));
  }
  lone.pass_ms(10);
  lone.machine.on_damage(0, kPartition, lone.now);
  EXPECT_FALSE(lone.whole.is_whole(0, kPartition));
  EXPECT_EQ(lone.machine.next_deadline_us(), lone.now.steady_us) << "rounds begin at once";
  lone.machine.on_time(lone.now);
  EXPECT_FALSE(lone.whole.is_whole(0, kPartition)) << "what was compared before says nothing";
  for (const MemberIndex peer : {MemberIndex{1}, MemberIndex{2}}) {
    EXPECT_FALSE(lone.whole.is_whole(0, kPartition));
    EXPECT_TRUE(lone.opened(lone.only(peer), {}, peer));
  }
  EXPECT_TRUE(lone.whole.is_whole(0, kPartition));
}

TEST(WholenessDamage, NobodyIsAskedWhoIsNotLinked) {
  LoneAsker lone;
  lone.machine.on_time(lone.now);
  lone.machine.on_damage(0, kPartition, lone.now);
  lone.live(10'000);
  EXPECT_TRUE(lone.sent_nothing());
}

// ---- after the configuration changed

class WholenessAfterChange : public ::testing::Test {
 protected:
  // One copy of each key was held, three are now.
  static Configuration former() {
    Founding founding;
    founding.partitions = LoneCore::kPartitions;
    founding.members = make_members(3);
    for (KeyspacePolicy& policy : founding.keyspaces) {
      policy.n = 1;
      policy.r = policy.w = 1;
    }
    return configuration_of(found_view(founding, "n0"));
  }
  void agree() {
    for (const MemberIndex peer : {MemberIndex{1}, MemberIndex{2}}) {
      Telling telling;
      telling.node = lone.id_of(peer);
      telling.configuration = configuration_of(*lone.view);
      lone.agreement->on_link(peer, true, lone.now);
      lone.agreement->on_told(telling, lone.now);
    }
    ASSERT_TRUE(lone.agreement->in_force());
    lone.pass_ms(1);
  }
  size_t formerly_of(MemberIndex member) {
    const auto list = lone.former.list();
    size_t count = 0;
    for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
      count += list->at(0).primaries(0, partition)[0] == member;
    }
    return count * kKeyspacesMax;
  }

  LoneForgetful lone{{.kept = {{former()}}}};
};

TEST_F(WholenessAfterChange, NothingIsWholeBeforeMostMembersAgree) {
  ASSERT_TRUE(lone.former.any());
  lone.exchange_with(1);
  lone.exchange_with(2);
  EXPECT_EQ(lone.missing(), kCopies);
}

TEST_F(WholenessAfterChange, ExchangesFromBeforeThatDoNotCount) {
  lone.exchange_with(1);
  lone.exchange_with(2);
  lone.pass_ms(5);
  agree();
  lone.turn(100'000);
  EXPECT_EQ(lone.missing(), kCopies);
  lone.exchange_with(1);
  lone.exchange_with(2);
  EXPECT_EQ(lone.missing(), 0u);
}

// The former primary of a copy knows alone what was acknowledged: however long it is away.
TEST_F(WholenessAfterChange, AFormerPrimaryThatIsAwayIsWaitedForWithoutEnd) {
  agree();
  lone.exchange_with(1);
  lone.live(10 * kGraceUs);
  EXPECT_EQ(lone.missing(), formerly_of(2));
  EXPECT_GT(formerly_of(2), 0u);
  lone.exchange_with(2);
  EXPECT_EQ(lone.missing(), 0u);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
