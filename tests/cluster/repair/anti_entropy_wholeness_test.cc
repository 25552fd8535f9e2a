// SPDX-License-Identifier: Apache-2.0
// What rounds are good for, on one node: copies that become whole; and repairs that an operator
// wishes for.
#include <gmock/gmock.h>

#include "tests/cluster/repair/lone_asker.h"
#include "tests/cluster/test_members.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;

constexpr MemberIndex kPeer = LoneAsker::kPeer;
constexpr uint32_t kPartition = LoneAsker::kPartition;
constexpr uint64_t kGraceUs = AntiEntropy::kGraceUs;
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

struct AntiEntropyWholeness : ::testing::Test {
  LoneForgetful lone;
};

TEST_F(AntiEntropyWholeness, ACopyIsWholeOnceAllItsHoldersWereCompared) {
  lone.link(2);
  lone.exchange_with(kPeer);
  EXPECT_EQ(lone.missing(), kCopies) << "another one may know what it forgot";
  lone.exchange_with(2);
  EXPECT_EQ(lone.missing(), 0u);
}

TEST_F(AntiEntropyWholeness, WhoIsAwayIsWaitedForOnlySoLong) {
  lone.machine.on_time(lone.now);
  lone.exchange_with(kPeer);
  lone.live(kGraceUs - LoneAsker::kLinkUpMaxUs - 100'000);
  EXPECT_EQ(lone.missing(), kCopies) << "its link may still come up";
  lone.live(200'000);
  EXPECT_EQ(lone.missing(), 0u);
}

TEST_F(AntiEntropyWholeness, ALinkThatBrokeIsWaitedForAsLong) {
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

TEST_F(AntiEntropyWholeness, WhoIsLinkedAndSilentIsWaitedFor) {
  lone.link(2);
  lone.exchange_with(kPeer);
  lone.live(10 * kGraceUs);
  EXPECT_EQ(lone.missing(), kCopies);
}

TEST_F(AntiEntropyWholeness, WithoutAnyPeerNothingBecomesWhole) {
  lone.live(20 * kGraceUs);
  EXPECT_EQ(lone.missing(), kCopies);
}

TEST_F(AntiEntropyWholeness, ItLooksAFewTimesASecondWhileSomethingIsMissing) {
  lone.machine.on_time(lone.now);
  EXPECT_EQ(lone.machine.next_deadline_us(), lone.now.steady_us + 100'000);
  lone.link(2, false);
  lone.exchange_with(kPeer);
  lone.exchange_with(2);
  EXPECT_EQ(lone.missing(), 0u);
}

TEST_F(AntiEntropyWholeness, RoundsComeQuicklyUntilThen) {
  lone.link(2);
  lone.exchange_with(kPeer);
  lone.live(450'000);
  EXPECT_THAT(types_of(lone.sent(kPeer)), ElementsAre(MessageType::kExchangeOpen));
}

TEST_F(AntiEntropyWholeness, AnExchangeOfAnotherSessionSaysNothing) {
  const auto note = [&](MemberIndex peer, uint64_t session) {
    const std::vector<uint32_t> partitions{kPartition};
    lone.exchanges.note(0, partitions, {lone.id_of(peer), session, 1, Hlc{session}});
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

TEST(AntiEntropyCopies, WhatThisNodeDoesNotHoldIsNotMissing) {
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

TEST(AntiEntropyCopies, ALoneCopyIsWholeAtOnce) {
  LoneForgetful lone({.n = 1});
  lone.machine.on_time(lone.now);
  EXPECT_EQ(lone.missing(), 0u);
}

// ---- damage

TEST_F(AntiEntropyWholeness, ADamagedCopyIsNotWholeWhateverWasCompared) {
  lone.damage(0, kPartition);
  lone.exchange_with(1);
  lone.exchange_with(2);
  EXPECT_EQ(lone.missing(), 1u);
  EXPECT_FALSE(lone.noted(kPartition)) << "nor was it compared";
  EXPECT_TRUE(lone.noted(kPartition + 1));
}

TEST(AntiEntropyDamage, OnlyExchangesFromThenOnCount) {
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

TEST(AntiEntropyDamage, NobodyIsAskedWhoIsNotLinked) {
  LoneAsker lone;
  lone.machine.on_time(lone.now);
  lone.machine.on_damage(0, kPartition, lone.now);
  lone.live(10'000);
  EXPECT_TRUE(lone.sent_nothing());
}

// ---- after the configuration changed

class AntiEntropyAfterChange : public ::testing::Test {
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

TEST_F(AntiEntropyAfterChange, NothingIsWholeBeforeMostMembersAgree) {
  ASSERT_TRUE(lone.former.any());
  lone.exchange_with(1);
  lone.exchange_with(2);
  EXPECT_EQ(lone.missing(), kCopies);
}

TEST_F(AntiEntropyAfterChange, ExchangesFromBeforeThatDoNotCount) {
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
TEST_F(AntiEntropyAfterChange, AFormerPrimaryThatIsAwayIsWaitedForWithoutEnd) {
  agree();
  lone.exchange_with(1);
  lone.live(10 * kGraceUs);
  EXPECT_EQ(lone.missing(), formerly_of(2));
  EXPECT_GT(formerly_of(2), 0u);
  lone.exchange_with(2);
  EXPECT_EQ(lone.missing(), 0u);
}

// ---- what an operator wishes for

struct AntiEntropyWish : ::testing::Test {
  LoneAsker lone;
};

TEST_F(AntiEntropyWish, BeginsRoundsWithAllThatAreLinkedAtOnce) {
  EXPECT_EQ(lone.machine.progress().peers_unreachable, 2u);
  EXPECT_TRUE(lone.opened(lone.open_round(), {}));
  lone.machine.repair({}, lone.now);
  RepairProgress progress = lone.machine.progress();
  EXPECT_TRUE(progress.active);
  EXPECT_EQ(progress.peers_unreachable, 1u);
  EXPECT_EQ(progress.began_us, lone.now.steady_us);
  EXPECT_EQ(progress.partitions_done, 0u) << "not what was before";
  lone.machine.on_time(lone.now);
  EXPECT_TRUE(lone.opened(lone.only(kPeer), {0}));
  EXPECT_TRUE(parsed(lone.only(kPeer), parse_partition_roots).all) << "whoever drives it";
  progress = lone.machine.progress();
  EXPECT_EQ(progress.partitions_done, kCopies - LoneCore::kPartitions);
}

TEST_F(AntiEntropyWish, NamesWhatIsExchanged) {
  struct Case {
    RepairWish wish;
    std::vector<MessageType> begun;
  };
  const std::vector<MessageType> all{MessageType::kRangeDigests};
  const std::vector<Case> cases = {{{-1, -1}, all}, {{0, -1}, all}, {{0, 6}, all}, {{-1, 6}, all},
                                   {{1, -1}, {}},   {{0, 7}, {}},   {{1, 6}, {}}};
  for (const Case& one : cases) {
    lone.link(kPeer);
    lone.machine.repair(one.wish, lone.now);
    lone.machine.on_time(lone.now);
    EXPECT_TRUE(lone.opened(lone.only(kPeer), {0}));
    EXPECT_TRUE(lone.rooted(lone.only(kPeer), {{6, 0}}));
    EXPECT_EQ(types_of(lone.sent(kPeer)), one.begun)
        << one.wish.keyspace << " " << one.wish.partition;
    EXPECT_EQ(lone.machine.progress().active, !one.begun.empty());
    EXPECT_EQ(lone.machine.progress().partitions_left, one.begun.size());
    EXPECT_FALSE(lone.noted(6)) << "it differs all the same";
    lone.link_down();
    lone.live(AntiEntropy::kAnswerUs + LoneAsker::kTickUs);
  }
}

TEST_F(AntiEntropyWish, DuringARoundMeansTheNextOneAtOnce) {
  const Frame open = lone.open_round();
  lone.machine.repair({2, 3}, lone.now);
  lone.machine.on_time(lone.now);
  EXPECT_TRUE(lone.sent_nothing()) << "one at a time";
  EXPECT_TRUE(lone.opened(open, {0}));
  EXPECT_FALSE(parsed(lone.only(kPeer), parse_partition_roots).all) << "this one goes on as it was";
  lone.turn(AntiEntropy::kAnswerUs);
  lone.machine.on_time(lone.now);
  EXPECT_THAT(types_of(lone.sent(kPeer)), ElementsAre(MessageType::kExchangeOpen));
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
