// SPDX-License-Identifier: Apache-2.0
// One node that asks and answers what members hold of the partitions that move: a test is the
// others.
#include "cluster/membership/held_copies_link.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_core.h"
#include "tests/cluster/moving_view.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr MemberIndex kPeer = 1, kOther = 2;
constexpr uint32_t kMoving = 5;
constexpr SetId kNewest = 99;
constexpr uint64_t kAskUs = HeldCopiesLink::kAskUs, kFirstUs = HeldCopiesLink::kFirstUs;

struct PercentBudget final : BackgroundBudget {
  uint64_t wait_us(BackgroundWork, size_t, Now) override { return 0; }
  uint8_t percent(BackgroundWork work, Now) override {
    return work == BackgroundWork::kAntiEntropy ? 40 : 100;
  }
};

struct HeldCopiesLinkTest : ::testing::Test {
  static LoneShape shape(ToldCopies* told, BackgroundBudget* budget) {
    LoneShape shape;
    shape.members = 4;
    shape.adjust_parts = [=](NodeParts& parts) {
      parts.told_copies = told;
      parts.budget = budget;
    };
    return shape;
  }
  HeldCopiesLinkTest() : lone(shape(&told, &budget)), link(lone.core) {
    for (const MemberIndex peer : {kPeer, kOther, MemberIndex{3}}) lone.link(peer);
  }

  // From here on the partition moves from this node and kPeer to kOther, and not to the last one.
  void move(SetId newest = kNewest) {
    lone.publish([newest](ClusterView& view) {
      view.generation += 1;
      move_partition(view, kMoving, {owner_set(1, {0, kPeer}), owner_set(newest, {kPeer, kOther})},
                     1);
    });
    link.publish(lone.now);
  }
  void settle() {
    lone.publish([](ClusterView& view) {
      view.generation += 1;
      view.moving.clear();
    });
    link.publish(lone.now);
  }
  void pass(uint64_t us) {
    lone.pass_us(us);
    link.on_time(lone.now);
  }
  std::vector<MessageType> asked(MemberIndex member) { return types_of(lone.sent(member)); }
  bool hear(const HeldCopies& held, MemberIndex from = kOther) {
    return link.on_message(
        from, lone.made([&](std::string& batch) { put_held_copies(batch, held); }), lone.now);
  }
  HeldCopies answer() {
    const Frame question = lone.made(put_held_copies_question);
    EXPECT_TRUE(link.on_message(kPeer, question, lone.now));
    HeldCopies held;
    EXPECT_TRUE(parse_held_copies(lone.only(kPeer), LoneCore::kPartitions, &held));
    return held;
  }
  ToldCopies::Told told_by(MemberIndex member) { return told.by_member(4)[member]; }

  ToldCopies told;
  PercentBudget budget;
  LoneCore lone;
  HeldCopiesLink link;
};

TEST_F(HeldCopiesLinkTest, NobodyIsAskedWhileNothingMoves) {
  EXPECT_EQ(link.next_deadline_us(), 0u);
  pass(10 * kAskUs);
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(HeldCopiesLinkTest, OwnersAreAskedTwiceASecond) {
  move();
  EXPECT_EQ(link.next_deadline_us(), lone.now.steady_us + kFirstUs);
  pass(kFirstUs);
  EXPECT_THAT(asked(kPeer), ElementsAre(MessageType::kHeldCopies));
  EXPECT_THAT(asked(kOther), ElementsAre(MessageType::kHeldCopies));
  EXPECT_THAT(asked(3), IsEmpty());
  for (uint64_t pause_us = 2 * kFirstUs; pause_us < kAskUs; pause_us *= 2) {
    pass(pause_us - 1);
    EXPECT_TRUE(lone.sent_nothing());
    pass(1);
    EXPECT_THAT(asked(kOther), ElementsAre(MessageType::kHeldCopies));
    EXPECT_THAT(asked(kPeer), ElementsAre(MessageType::kHeldCopies));
  }
  pass(kAskUs - 1);
  EXPECT_TRUE(lone.sent_nothing());
  lone.link(kPeer, false);
  pass(1);
  EXPECT_THAT(asked(kOther), ElementsAre(MessageType::kHeldCopies));
  EXPECT_THAT(asked(kPeer), IsEmpty());
  settle();
  EXPECT_EQ(link.next_deadline_us(), 0u);
  pass(kAskUs);
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(HeldCopiesLinkTest, MembersOfTheReleaseBeforeAreNotAsked) {
  lone.core.health.set_version(kPeer, kHeldCopiesVersion - 1);
  move();
  pass(kFirstUs);
  EXPECT_THAT(asked(kPeer), IsEmpty());
  EXPECT_THAT(asked(kOther), ElementsAre(MessageType::kHeldCopies));
}

TEST_F(HeldCopiesLinkTest, AnAnswerIsWhatIsHeldOfWhatMoves) {
  move();
  const size_t keys = 20;
  for (const std::string& key : lone.keys_in(kMoving, keys)) {
    lone.put(key, lone.object_of(0, 1, std::string(1000, 'x')));
  }
  lone.put(lone.key_in(kMoving, 700), lone.object_of(0, 1, "x"), 3);  // of another keyspace
  lone.put(lone.key_in(kMoving + 1), lone.object_of(0, 1, "x"));
  const HeldCopies held = answer();
  EXPECT_EQ(held.newest_set, kNewest);
  EXPECT_EQ(held.background_percent, 40);
  ASSERT_EQ(held.copies.size(), 1u);
  ASSERT_NE(held.find(kMoving), nullptr);
  EXPECT_EQ(held.find(kMoving + 1), nullptr);
  EXPECT_EQ(held.find(kMoving)->keys, keys + 1);
  EXPECT_GT(held.find(kMoving)->bytes, keys * 1000);
  EXPECT_LT(held.find(kMoving)->bytes, keys * 1400);
}

TEST_F(HeldCopiesLinkTest, AnAnswerIsKeptForAMoment) {
  move();
  lone.put(lone.key_in(kMoving, 0), lone.object_of(0, 1, "x"));
  EXPECT_EQ(answer().find(kMoving)->keys, 1u);
  lone.put(lone.key_in(kMoving, 1), lone.object_of(0, 1, "x"));
  EXPECT_EQ(answer().find(kMoving)->keys, 1u);
  lone.pass_us(HeldCopiesLink::kKeptUs);
  EXPECT_EQ(answer().find(kMoving)->keys, 2u);
  lone.put(lone.key_in(kMoving, 2), lone.object_of(0, 1, "x"));
  move(kNewest + 1);
  EXPECT_EQ(answer().find(kMoving)->keys, 3u);  // of another view
}

TEST_F(HeldCopiesLinkTest, WhatIsToldIsKnownUntilTheSetIsAnother) {
  EXPECT_TRUE(hear({kNewest, 100, {{kMoving, 7, 700}}}));
  EXPECT_EQ(told_by(kOther), nullptr);  // nothing moves: it was asked before
  move();
  EXPECT_TRUE(hear({kNewest, 30, {{kMoving, 7, 700}}}));
  ASSERT_NE(told_by(kOther), nullptr);
  EXPECT_EQ(told_by(kOther)->find(kMoving)->keys, 7u);
  EXPECT_EQ(told_by(kOther)->find(kMoving)->bytes, 700u);
  EXPECT_EQ(told_by(kOther)->background_percent, 30);
  EXPECT_EQ(told_by(kPeer), nullptr);
  pass(kFirstUs);
  move();  // facts make another view, too
  EXPECT_NE(told_by(kOther), nullptr);
  move(kNewest + 1);
  EXPECT_EQ(told_by(kOther), nullptr);
  EXPECT_EQ(link.next_deadline_us(), lone.now.steady_us + kFirstUs);
  EXPECT_TRUE(hear({kNewest + 1, 30, {}}));
  settle();
  EXPECT_EQ(told_by(kOther), nullptr);
}

TEST_F(HeldCopiesLinkTest, WhoBeginsWhileSomethingMovesAsks) {
  move();
  HeldCopiesLink anew(lone.core);
  EXPECT_NE(anew.next_deadline_us(), 0u);
  anew.on_time(lone.now);
  EXPECT_THAT(asked(kOther), ElementsAre(MessageType::kHeldCopies));
}

TEST_F(HeldCopiesLinkTest, MalformedFramesAreRefused) {
  move();
  const HeldCopies held{kNewest, 100, {{3, 300, 70'000}, {kMoving, 7, 700}}};
  const Frame whole = lone.made([&](std::string& batch) { put_held_copies(batch, held); });
  HeldCopies parsed;
  EXPECT_TRUE(parse_held_copies(whole, kMoving + 1, &parsed));
  EXPECT_EQ(parsed.copies.size(), 2u);
  for (size_t bytes = 0; bytes < whole.payload.size(); ++bytes) {
    HeldCopies part;
    const bool at_border = bytes == 9 || bytes == 9 + 6;  // before a copy
    EXPECT_EQ(parse_held_copies(cut_to(whole, bytes), 16, &part), at_border) << bytes;
  }
  HeldCopies other;
  EXPECT_FALSE(parse_held_copies(whole, kMoving, &other)) << "of a partition that there is not";
  std::string bad(whole.payload);
  bad[8] = 101;  // per cent
  Frame damaged = whole;
  damaged.payload = bad;
  EXPECT_FALSE(parse_held_copies(damaged, 16, &other));
  EXPECT_FALSE(hear({kNewest, 100, {{LoneCore::kPartitions, 1, 1}}}));
  Frame question = lone.made(put_held_copies_question);
  question.payload = "x";
  EXPECT_FALSE(link.on_message(kPeer, question, lone.now));
}

TEST(HeldCopiesLinkAlone, AsksNobodyWhereNobodyKeepsTheAnswers) {
  LoneCore lone;
  HeldCopiesLink link(lone.core);
  lone.publish([](ClusterView& view) {
    move_partition(view, kMoving, {owner_set(1, {0, 1}), owner_set(kNewest, {1, 2})}, 1);
  });
  link.publish(lone.now);
  EXPECT_EQ(link.next_deadline_us(), 0u);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
