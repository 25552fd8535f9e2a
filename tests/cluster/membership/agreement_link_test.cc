// SPDX-License-Identifier: Apache-2.0
// The link of an agreement alone: what it tells to whom and when, and what it makes of what it
// hears. What agreements come to stands in agreement_test.cc.
#include "cluster/membership/agreement_link.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_core.h"
#include "tests/cluster/test_members.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kLookUs = 200'000;

struct LoneLink : LoneCore {
  explicit LoneLink(const LoneShape& shape = {.kept = {{}}}) : LoneCore(shape) {}

  // What member 1 says of itself: the same configuration, but for the conflicts of these keyspaces.
  Telling telling_of(MemberIndex member, std::vector<uint8_t> lww = {}) const {
    Telling telling;
    telling.node = id_of(member);
    telling.address = view->members[member].peer.to_text();
    telling.configuration = configuration_of(*view);
    for (const uint8_t keyspace : lww) {
      telling.configuration.keyspaces[keyspace].conflicts = ConflictPolicy::kLww;
    }
    telling.in_force = telling.caught_up = true;
    return telling;
  }
  Frame frame_of(const Telling& telling, MessageType type = MessageType::kTelling) {
    return made([&](std::string& batch) {
      FrameWriter frame(batch, {type, 0, 0, 0});
      encode_telling(telling, frame.out());
      frame.finish();
    });
  }
  Telling told(const Frame& frame) {
    Telling telling;
    EXPECT_TRUE(decode_telling(frame.payload, &telling));
    return telling;
  }
  void hear(MemberIndex link, const Telling& telling) {
    EXPECT_TRUE(agreements.on_message(link, frame_of(telling), now));
  }
  void turn() {
    pass_us(kLookUs);
    agreements.on_time(now);
  }

  AgreementLink agreements{core};
};

struct AgreementLinkTest : ::testing::Test {
  LoneLink lone;
};

TEST_F(AgreementLinkTest, ALinkThatComesUpIsToldFirst) {
  lone.agreements.on_link(1, true, lone.now);
  const Frame frame = lone.only(1);
  EXPECT_EQ(frame.head.type, MessageType::kTelling);
  const Telling telling = lone.told(frame);
  EXPECT_EQ(telling.node, lone.id_of(0));
  EXPECT_EQ(telling.configuration, configuration_of(*lone.view));
  EXPECT_EQ(telling.started, Hlc::from_ms(LoneCore::kWallMs));
  EXPECT_TRUE(telling.caught_up);
  EXPECT_TRUE(lone.sent_nothing()) << "and nobody else";
  lone.agreements.on_link(1, false, lone.now);
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(AgreementLinkTest, ATellingIsHeardAndAnswered) {
  lone.agreements.on_link(1, true, lone.now);
  lone.only(1);
  EXPECT_FALSE(lone.agreement->same_as(1));
  lone.hear(1, lone.telling_of(1));
  EXPECT_TRUE(lone.agreement->same_as(1));
  const Frame answer = lone.only(1);
  EXPECT_EQ(answer.head.type, MessageType::kTellingReply);
  EXPECT_EQ(lone.told(answer).node, lone.id_of(0));
}

TEST_F(AgreementLinkTest, AnAnswerIsHeardAndNotAnswered) {
  lone.agreements.on_link(1, true, lone.now);
  lone.only(1);
  const Frame answer = lone.frame_of(lone.telling_of(1), MessageType::kTellingReply);
  EXPECT_TRUE(lone.agreements.on_message(1, answer, lone.now));
  EXPECT_TRUE(lone.agreement->same_as(1));
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(AgreementLinkTest, WhoseLinkIsGoneSaysNothingAnyMore) {
  lone.agreements.on_link(1, true, lone.now);
  lone.hear(1, lone.telling_of(1));
  lone.agreements.on_link(1, false, lone.now);
  EXPECT_FALSE(lone.agreement->same_as(1));
}

TEST_F(AgreementLinkTest, MalformedTellingsAreNeitherHeardNorAnswered) {
  lone.agreements.on_link(1, true, lone.now);
  lone.only(1);
  const Frame whole = lone.frame_of(lone.telling_of(1, {2}));
  for (size_t bytes = 0; bytes < whole.payload.size(); ++bytes) {
    EXPECT_FALSE(lone.agreements.on_message(1, cut_to(whole, bytes), lone.now)) << bytes;
  }
  const std::string longer = std::string(whole.payload) + 'x';
  Frame frame = whole;
  frame.payload = longer;
  EXPECT_FALSE(lone.agreements.on_message(1, frame, lone.now));
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_FALSE(lone.agreements.is_foreign(1, 2));
  EXPECT_THAT(lone.agreement->problems(), IsEmpty());
}

TEST(AgreementLinkAlone, WhoHasNobodyToAgreeWithIsSilent) {
  for (const LoneShape& silent : {LoneShape{}, LoneShape{.members = 1, .kept = {{}}}}) {
    LoneLink lone(silent);
    const Frame frame = lone.frame_of(lone.telling_of(0, {2}));
    lone.agreements.on_link(0, true, lone.now);
    EXPECT_TRUE(lone.agreements.on_message(0, frame, lone.now));
    lone.turn();
    EXPECT_EQ(lone.agreements.next_deadline_us(), 0u);
    EXPECT_FALSE(lone.agreements.is_foreign(0, 2));
    EXPECT_TRUE(lone.sent_nothing());
  }
}

// ---- who treats concurrent versions otherwise

TEST_F(AgreementLinkTest, ALinkIsForeignInTheKeyspacesThatDiffer) {
  EXPECT_FALSE(lone.agreements.is_foreign(1, 2)) << "nothing was said yet";
  lone.hear(1, lone.telling_of(1, {2, 15}));
  for (uint8_t keyspace = 0; keyspace <= kKeyspacesMax; ++keyspace) {
    EXPECT_EQ(lone.agreements.is_foreign(1, keyspace), keyspace == 2 || keyspace == 15);
    EXPECT_FALSE(lone.agreements.is_foreign(0, keyspace));
    EXPECT_FALSE(lone.agreements.is_foreign(2, keyspace)) << "a link that was silent";
  }
  EXPECT_FALSE(lone.agreements.is_foreign(1, 32 + 2)) << "a frame may name any";
}

TEST_F(AgreementLinkTest, OtherDifferencesDoNotMakeItForeign) {
  Telling telling = lone.telling_of(1);
  telling.configuration.keyspaces[2].n = 1;
  lone.hear(1, telling);
  EXPECT_FALSE(lone.agreements.is_foreign(1, 2));
}

TEST_F(AgreementLinkTest, WhoSpeaksOnTheLinkNextIsJudgedAnew) {
  lone.hear(1, lone.telling_of(1, {2}));
  lone.hear(1, lone.telling_of(1, {3}));
  EXPECT_FALSE(lone.agreements.is_foreign(1, 2));
  EXPECT_TRUE(lone.agreements.is_foreign(1, 3));
}

// A link that was accepted has a number beyond the members'.
TEST_F(AgreementLinkTest, LinksThatWereAcceptedAreJudgedToo) {
  constexpr MemberIndex kAccepted = 40;
  lone.hear(kAccepted, lone.telling_of(2, {2}));
  EXPECT_TRUE(lone.agreements.is_foreign(kAccepted, 2));
  EXPECT_FALSE(lone.agreements.is_foreign(2, 2)) << "its own link has not said so";
  EXPECT_EQ(lone.only(kAccepted).head.type, MessageType::kTellingReply);
}

// ---- as time passes

TEST_F(AgreementLinkTest, WhatHasComeIntoForceIsToldToAllThatAreLinked) {
  lone.link(1);
  EXPECT_EQ(lone.agreements.next_deadline_us(), 1u);
  lone.turn();
  EXPECT_TRUE(lone.told(lone.only(1)).caught_up) << "its copies are whole from the start";
  EXPECT_THAT(lone.sent(2), IsEmpty()) << "not linked";
  EXPECT_EQ(lone.agreements.next_deadline_us(), lone.now.steady_us + kLookUs);
  lone.turn();
  EXPECT_TRUE(lone.sent_nothing()) << "nothing changed";
  lone.link(2);
  lone.agreements.on_link(1, true, lone.now);
  lone.hear(1, lone.telling_of(1));
  lone.sent(1);
  ASSERT_TRUE(lone.agreement->in_force());
  lone.turn();
  EXPECT_TRUE(lone.told(lone.only(1)).in_force);
  EXPECT_TRUE(lone.told(lone.only(2)).in_force);
  EXPECT_EQ(lone.agreements.next_deadline_us(), 0u) << "all is settled";
}

TEST(AgreementLinkCopies, ThatBecomeWholeAreToldOf) {
  LoneLink lone({.whole = false, .kept = {{configuration_of(*LoneCore().view)}}});
  ASSERT_TRUE(lone.agreement->in_force());
  lone.link(1);
  lone.turn();
  EXPECT_FALSE(lone.told(lone.only(1)).caught_up);
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
      EXPECT_NE(lone.agreements.next_deadline_us(), 0u);
      lone.whole.set(keyspace, partition, true);
    }
  }
  lone.pass_us(kLookUs - 1);
  lone.agreements.on_time(lone.now);
  EXPECT_TRUE(lone.sent_nothing()) << "it looks a few times a second";
  lone.pass_us(1);
  lone.agreements.on_time(lone.now);
  EXPECT_TRUE(lone.told(lone.only(1)).caught_up);
  EXPECT_EQ(lone.agreements.next_deadline_us(), 0u);
  lone.whole.set(0, 3, false);
  EXPECT_NE(lone.agreements.next_deadline_us(), 0u);
  lone.turn();
  EXPECT_FALSE(lone.told(lone.only(1)).caught_up) << "nor is a loss kept secret";
}

// Copies that still follow a former placement are settled once everybody's are whole.
TEST(AgreementLinkCopies, LookForTheEndOfAFormerPlacement) {
  Founding founding;
  founding.partitions = LoneCore::kPartitions;
  founding.members = make_members(3);
  for (KeyspacePolicy& policy : founding.keyspaces) policy.n = 1;
  const Configuration before = configuration_of(found_view(founding, "n0"));
  LoneLink lone({.kept = {{before}}});
  ASSERT_TRUE(lone.former.any());
  for (const MemberIndex peer : {MemberIndex{1}, MemberIndex{2}}) {
    lone.link(peer);
    lone.agreements.on_link(peer, true, lone.now);
    Telling telling = lone.telling_of(peer);
    telling.caught_up = peer == 1;
    lone.hear(peer, telling);
  }
  lone.turn();
  lone.turn();
  EXPECT_TRUE(lone.former.any());
  EXPECT_NE(lone.agreements.next_deadline_us(), 0u);
  lone.hear(2, lone.telling_of(2));
  lone.turn();
  EXPECT_FALSE(lone.former.any());
  EXPECT_EQ(lone.agreements.next_deadline_us(), 0u);
}

// Nobody says so again when the own copies are the last to become whole.
TEST(AgreementLinkCopies, ThatAreTheLastEndAFormerPlacement) {
  Founding founding;
  founding.partitions = LoneCore::kPartitions;
  founding.members = make_members(3);
  for (KeyspacePolicy& policy : founding.keyspaces) policy.n = 1;
  LoneLink lone({.kept = {{configuration_of(found_view(founding, "n0"))}}});
  lone.whole.set(0, 3, false);
  for (const MemberIndex peer : {MemberIndex{1}, MemberIndex{2}}) {
    lone.agreements.on_link(peer, true, lone.now);
    lone.hear(peer, lone.telling_of(peer));
  }
  lone.turn();
  EXPECT_TRUE(lone.former.any());
  lone.whole.set(0, 3, true);
  lone.turn();
  EXPECT_FALSE(lone.former.any());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
