// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/tracking_hub.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

using Coverage = TrackingHub::Coverage;
using cluster::ChangedKeys;
using cluster::kTrackingVersion;
using cluster::MemberIndex;

struct TrackingHubTest : ::testing::Test {
  TrackingHubTest() {
    parts.marks = &marks;
    parts.renewed_incarnation = &incarnation;
    hub.watch(&parts);
    hub.on_mail = [this](uint32_t reactor) { ++woken[reactor]; };
  }
  Coverage want() {
    too_old = cluster::kNoMember;
    return hub.want(now_us, &too_old);
  }
  TrackingMail mail_of(uint32_t reactor) {
    TrackingMail mail;
    hub.take(reactor, &mail);
    return mail;
  }
  static std::shared_ptr<const ChangedKeys> changed(std::string_view key) {
    auto keys = std::make_shared<ChangedKeys>();
    keys->note(key, 1);
    return keys;
  }

  cluster::NodeParts parts;
  cluster::FlushMarks marks;
  std::atomic<uint64_t> incarnation{5};
  TrackingHub hub{3};
  uint64_t now_us = 1'000'000;
  MemberIndex too_old = cluster::kNoMember;
  std::vector<int> woken = std::vector<int>(3);
};

TEST_F(TrackingHubTest, FindsConnectionsByTheirId) {
  hub.add_client(7, {2, 99});
  ASSERT_TRUE(hub.find_client(7));
  EXPECT_EQ(hub.find_client(7)->reactor, 2u);
  EXPECT_EQ(hub.find_client(7)->slot, 99u);
  hub.remove_client(7);
  EXPECT_FALSE(hub.find_client(7));
}

TEST_F(TrackingHubTest, TellsChangesWhileSomebodyWantsThem) {
  EXPECT_FALSE(parts.tells_changes());
  hub.count_tracking(1, true);
  EXPECT_TRUE(parts.tells_changes());
  hub.set_interested(2, true, now_us);
  hub.count_tracking(1, false);
  EXPECT_TRUE(parts.tells_changes());
  EXPECT_TRUE(hub.is_interested(2));
  hub.set_interested(2, false, now_us);
  EXPECT_FALSE(parts.tells_changes());
}

TEST_F(TrackingHubTest, ALoneNodeIsCovered) { EXPECT_EQ(want(), Coverage::kCovered); }

TEST_F(TrackingHubTest, IsCoveredOnceAllThatAreLinkedAnswered) {
  hub.on_link(1, true, kTrackingVersion);
  hub.on_link(2, true, kTrackingVersion);
  hub.on_link(3, false, kTrackingVersion);
  EXPECT_EQ(want(), Coverage::kAwaited);
  const auto asked = hub.look(now_us);
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_TRUE(asked[0].on && asked[1].on);
  EXPECT_TRUE(hub.on_answer(1, {asked[0].number, false}));
  EXPECT_FALSE(hub.on_answer(1, {asked[0].number, false}));  // once
  EXPECT_EQ(want(), Coverage::kAwaited);
  EXPECT_TRUE(hub.on_answer(2, {asked[1].number, false}));
  EXPECT_EQ(want(), Coverage::kCovered);
}

TEST_F(TrackingHubTest, AnAnswerOfTheLinkBeforeCountsForNothing) {
  hub.on_link(1, true, kTrackingVersion);
  want();
  const auto before = hub.look(now_us);
  hub.on_link(1, false, kTrackingVersion);
  hub.on_link(1, true, kTrackingVersion);
  EXPECT_FALSE(hub.on_answer(1, {before[0].number, false}));
  EXPECT_EQ(want(), Coverage::kAwaited);
  const auto asked = hub.look(now_us);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_TRUE(hub.on_answer(1, {asked[0].number, false}));
}

TEST_F(TrackingHubTest, AsksAgainWhereNobodyAnswers) {
  hub.on_link(1, true, kTrackingVersion);
  want();
  ASSERT_EQ(hub.look(now_us).size(), 1u);
  EXPECT_TRUE(hub.wants_look(now_us + TrackingHub::kLookUs));
  EXPECT_EQ(hub.look(now_us + TrackingHub::kAskAgainUs - 1).size(), 0u);
  EXPECT_EQ(hub.look(now_us + TrackingHub::kAskAgainUs).size(), 1u);
}

TEST_F(TrackingHubTest, AsksAgainWhatCouldNotBeSent) {
  hub.on_link(1, true, kTrackingVersion);
  want();
  const auto asked = hub.look(now_us);
  hub.not_asked(asked[0]);
  EXPECT_EQ(hub.look(now_us).size(), 1u);
}

TEST_F(TrackingHubTest, AsksToTellNoMoreSomeTimeBehindTheLast) {
  hub.on_link(1, true, kTrackingVersion);
  want();
  hub.count_tracking(0, true);
  const auto asked = hub.look(now_us);
  hub.on_answer(1, {asked[0].number, false});
  EXPECT_EQ(hub.look(now_us + 1).size(), 0u);
  hub.count_tracking(0, false);
  EXPECT_EQ(hub.look(now_us + 2).size(), 0u);
  const auto off = hub.look(now_us + 2 + TrackingHub::kLingerUs);
  ASSERT_EQ(off.size(), 1u);
  EXPECT_FALSE(off[0].on);
}

TEST_F(TrackingHubTest, ALinkThatComesUpLearnsThatNothingIsWanted) {
  hub.on_link(1, true, kTrackingVersion);  // this node, before a restart, may have asked it
  const auto asked = hub.look(now_us);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_FALSE(asked[0].on);
  EXPECT_FALSE(hub.on_answer(1, {asked[0].number, false}));  // no gap ends
  EXPECT_TRUE(hub.look(now_us + TrackingHub::kLookUs).empty());
  EXPECT_FALSE(hub.wants_look(now_us + 1'000'000'000));
}

TEST_F(TrackingHubTest, AsksAgainNowAndThenAndIsCoveredMeanwhile) {
  hub.on_link(1, true, kTrackingVersion);
  hub.count_tracking(0, true);
  const auto first = hub.look(now_us);
  EXPECT_TRUE(hub.on_answer(1, {first[0].number, false}));
  EXPECT_TRUE(hub.wants_look(now_us + TrackingHub::kRenewUs));
  now_us += TrackingHub::kRenewUs;
  const auto again = hub.look(now_us);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(want(), Coverage::kCovered);
  EXPECT_FALSE(hub.on_answer(1, {again[0].number, true}));
  now_us += TrackingHub::kRenewUs;
  const auto third = hub.look(now_us);
  // It stood still for long, say, and forgot this node: it told nothing since.
  EXPECT_TRUE(hub.on_answer(1, {third[0].number, false}));
}

TEST_F(TrackingHubTest, ForgetsWhoIsHeardOfNoMore) {
  EXPECT_FALSE(hub.set_interested(2, true, now_us));
  hub.look(now_us);
  EXPECT_TRUE(hub.wants_look(now_us + TrackingHub::kLookUs));
  EXPECT_TRUE(hub.set_interested(2, true, now_us + 10));
  hub.look(now_us + TrackingHub::kForgetUs);
  EXPECT_TRUE(hub.tells_changes());
  hub.look(now_us + 10 + TrackingHub::kForgetUs);
  EXPECT_FALSE(hub.tells_changes());
  EXPECT_FALSE(hub.set_interested(2, true, now_us));
}

TEST_F(TrackingHubTest, NamesANodeThatCannotTell) {
  hub.on_link(2, true, kTrackingVersion - 1);
  EXPECT_EQ(want(), Coverage::kTooOld);
  EXPECT_EQ(too_old, 2);
  EXPECT_TRUE(hub.look(now_us).empty());
}

TEST_F(TrackingHubTest, WhileANodeCannotTellNothingIsCachedForLong) {
  hub.count_tracking(1, true);
  hub.on_link(2, true, kTrackingVersion - 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(hub.wants_look(now_us));
    hub.look(now_us);
    EXPECT_TRUE(mail_of(1).gap);
    now_us += TrackingHub::kLookUs;
  }
  hub.on_link(2, true, kTrackingVersion);
  hub.look(now_us);
  EXPECT_FALSE(mail_of(1).gap);
}

TEST_F(TrackingHubTest, OneReactorSeesAFlushAndALoss) {
  hub.count_tracking(0, true);
  EXPECT_FALSE(hub.take_news().flushed);
  marks.merge(0, {{1, 1, Hlc{7}}});
  EXPECT_TRUE(hub.take_news().flushed);
  EXPECT_FALSE(hub.take_news().flushed);
  incarnation = 6;
  EXPECT_TRUE(hub.take_news().lost);
  EXPECT_FALSE(hub.take_news().lost);
}

TEST_F(TrackingHubTest, WhatWasFlushedBeforeIsNoNews) {
  marks.merge(0, {{1, 1, Hlc{7}}});
  hub.count_tracking(0, true);
  EXPECT_FALSE(hub.take_news().flushed);
}

TEST_F(TrackingHubTest, AMarkThatIsForgottenIsNoNews) {
  hub.count_tracking(0, true);
  marks.merge(0, {{1, 1, Hlc{7}}});
  EXPECT_TRUE(hub.take_news().flushed);
  const uint64_t before = marks.generation();
  marks.forget_below(Hlc{8});
  EXPECT_GT(marks.generation(), before);
  EXPECT_FALSE(hub.take_news().flushed);
}

TEST_F(TrackingHubTest, MailGoesToReactorsWithSuchClients) {
  hub.count_tracking(1, true);
  hub.count_monitor(2, true);
  woken.assign(3, 0);
  hub.post_changes(0, changed("k"));
  hub.post_line(0, std::make_shared<const std::string>("line"));
  hub.post_gap();
  EXPECT_EQ(woken, (std::vector<int>{0, 1, 1}));
  EXPECT_TRUE(mail_of(0).empty());
  const TrackingMail of_one = mail_of(1), of_two = mail_of(2);
  ASSERT_EQ(of_one.changes.size(), 1u);
  EXPECT_TRUE(of_one.gap);
  EXPECT_TRUE(of_one.lines.empty());
  ASSERT_EQ(of_two.lines.size(), 1u);
  EXPECT_FALSE(of_two.gap);
  EXPECT_TRUE(mail_of(1).empty());
}

TEST_F(TrackingHubTest, ChangesThatAreTooManyAreAGap) {
  hub.count_tracking(1, true);
  const auto large = changed(std::string(TrackingHub::kMailBytesMax / 2, 'x'));
  hub.post_changes(0, large);
  hub.post_changes(0, large);
  const TrackingMail mail = mail_of(1);
  EXPECT_EQ(mail.changes.size(), 1u);
  EXPECT_TRUE(mail.gap);
}

TEST_F(TrackingHubTest, LinesThatAreTooManyAreDropped) {
  hub.count_monitor(1, true);
  const auto large = std::make_shared<const std::string>(TrackingHub::kMailBytesMax / 2, 'x');
  for (int i = 0; i < 5; ++i) hub.post_line(0, large);
  EXPECT_EQ(mail_of(1).lines.size(), 2u);
  hub.post_line(0, large);
  EXPECT_EQ(mail_of(1).lines.size(), 1u);
}

TEST_F(TrackingHubTest, CountsWhatReactorsHave) {
  hub.count_tracking(0, true);
  hub.count_tracking(2, true);
  hub.count_monitor(1, true);
  hub.note_totals(0, {.keys = 1, .items = 2, .prefixes = 3});
  hub.note_totals(2, {.keys = 10, .items = 20, .prefixes = 30});
  const TrackingStatus status = hub.status();
  EXPECT_EQ(status.clients, 2u);
  EXPECT_EQ(status.monitors, 1u);
  EXPECT_EQ(status.keys, 11u);
  EXPECT_EQ(status.items, 22u);
  EXPECT_EQ(status.prefixes, 33u);
}

}  // namespace
}  // namespace kvorum::server
