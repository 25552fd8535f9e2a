// SPDX-License-Identifier: Apache-2.0
// A put before its version is made: what it reads first, whose claims stop it, and all the ways to
// end without having touched anything.
#include "base/check.h"
#include "tests/cluster/put/lone_put_machine.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PutsBefore : public LonePutMachine {
 protected:
  using LonePutMachine::LonePutMachine;

  // Another node edits the key, as far as this replica knows.
  void claim_for(MemberIndex member, uint64_t ms) {
    const uint64_t now_ms = lone.now.steady_us / 1000;
    ASSERT_EQ(lone.claims.take(position(), {member, now_ms, now_ms + ms}), kNoMember);
  }
  MemberIndex holder() const { return lone.claims.holder(position(), lone.now.steady_us / 1000); }
  Position position() const { return lone.ref(lone.key).position; }
  void expect_untouched() {
    EXPECT_TRUE(lone.ended(id));
    EXPECT_THAT(lone.own(lone.key), IsEmpty());
    EXPECT_EQ(lone.hints.pending(), 0u);
    EXPECT_EQ(holder(), kNoMember) << "no claim is left";
  }
  ReplicaReadReply claimed_by(MemberIndex member, uint8_t attempt = 0) {
    ReplicaReadReply reply = LoneRequests::verdict(Verdict::kClaimed, attempt);
    reply.holder = lone.id_of(member);
    return reply;
  }
  ReplicaReadReply absent(uint8_t attempt = 0) {
    return LoneRequests::verdict(Verdict::kAbsent, attempt);
  }
};

TEST_F(PutsBefore, AnEditThatNobodyKnowsIsRejected) {
  start(lone.edit(99));
  EXPECT_EQ(lone.answer().outcome, Outcome::kRejected);
  EXPECT_EQ(lone.answer().text, "ERR unknown edit");
  expect_untouched();
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(PutsBefore, AnIncrementReadsAQuorumUnderAClaimFirst) {
  lone.put(lone.key, lone.object_of(1, 1, "5"));
  increment();
  EXPECT_EQ(phase(), Phase::kReading);
  EXPECT_EQ(holder(), lone.core.self());
  EXPECT_EQ(lone.asked(lone.at(1)).claimant, lone.id_of(0));
  EXPECT_EQ(lone.asked(lone.at(2)).claimant, lone.id_of(0));
  const Object newer = lone.object_of(1, 2, "7");
  read_reply(lone.at(1), LoneRequests::digest(newer));
  lone.sent(lone.at(1));
  EXPECT_EQ(phase(), Phase::kReading);
  read_reply(lone.at(1), lone.full(newer));
  EXPECT_EQ(phase(), Phase::kWriting);
  EXPECT_THAT(lone.own(lone.key), ElementsAre("8"));
  for (const MemberIndex other : {lone.at(1), lone.at(2)}) {
    const ReplicaWrite write = lone.wrote(other);
    EXPECT_EQ(write.releases, lone.id_of(0)) << "the write ends the claim";
    EXPECT_FALSE(write.blind);
  }
  EXPECT_EQ(holder(), kNoMember);
  read_reply(lone.at(2), LoneRequests::digest(newer));
  EXPECT_THAT(lone.answers, IsEmpty()) << "a late answer to the reading is no vote of the write";
  write_reply(lone.at(2));
  EXPECT_EQ(lone.answer().number, 8);
}

TEST_F(PutsBefore, WithoutAQuorumOfTheOldValueAnIncrementTouchesNothing) {
  lone.put(lone.key, lone.object_of(1, 1, "5"));
  increment();
  read_reply(lone.at(1), LoneRequests::verdict(Verdict::kRefused));
  read_reply(lone.at(2), LoneRequests::verdict(Verdict::kRefused));
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_EQ(lone.answer().needed, 2) << "of the reading";
  EXPECT_EQ(lone.answer().acknowledged, 1);
  EXPECT_THAT(lone.own(lone.key), ElementsAre("5"));
  EXPECT_EQ(holder(), kNoMember);
}

TEST_F(PutsBefore, AnIncrementThatNobodyAnswersEndsAtTheDeadline) {
  increment();
  live_ms(250);
  EXPECT_EQ(counters().timeouts, 2u);
  EXPECT_TRUE(operation().claim.waited);
  live_ms(749);
  EXPECT_THAT(lone.answers, IsEmpty());
  lone.sent(lone.at(1));
  live_ms(1);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_EQ(lone.only(lone.at(1)).head.type, MessageType::kUnclaim);
  expect_untouched();
}

TEST_F(PutsBefore, BrokenLinksOfTheReadingEndIt) {
  increment();
  link_down(1);
  EXPECT_THAT(lone.answers, IsEmpty());
  link_down(2);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  expect_untouched();
}

TEST_F(PutsBefore, ASetAtTheSecondPrimaryReadsAndWritesEvenWhereNobodyAnswered) {
  lone.stand_at(1);
  set();
  EXPECT_EQ(phase(), Phase::kReading);
  forget_frames();
  read_reply(lone.at(0), LoneRequests::verdict(Verdict::kRefused));
  read_reply(lone.at(2), LoneRequests::verdict(Verdict::kRefused));
  EXPECT_EQ(phase(), Phase::kWriting) << "it is blind";
  EXPECT_THAT(lone.own(lone.key), ElementsAre("new"));
  EXPECT_TRUE(lone.wrote(lone.at(0)).blind);
}

TEST_F(PutsBefore, ADeleteOfNothingWritesNothingAndKeepsNoClaim) {
  start(lone.edit(test_edits::kDelete));
  forget_frames();
  read_reply(lone.at(1), absent());
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_FALSE(lone.answer().stored);
  EXPECT_EQ(lone.answer().number, 0);
  for (const MemberIndex other : {lone.at(1), lone.at(2)}) {
    const Unclaim unclaim = parsed(lone.only(other), parse_unclaim);
    EXPECT_EQ(unclaim.claimant, lone.id_of(0));
    EXPECT_EQ(unclaim.attempt, 0);
  }
  expect_untouched();
}

// ---- what the own copy cannot say

TEST_F(PutsBefore, ASetOverACopyThatMayLackWritesReadsFirst) {
  lone.damage(0, lone.core.partition_for(lone.ref(lone.key)));
  set();
  EXPECT_EQ(phase(), Phase::kReading);
  EXPECT_EQ(lone.asked(lone.at(1)).claimant, 0u)
      << "the first primary's blind write claims nothing";
}

TEST_F(PutsBefore, AContextThatTheOwnCopyCoversIsWrittenAtOnce) {
  const Object seen = lone.object_of(1, 1, "old");
  lone.put(lone.key, seen);
  Context context;
  context.vector = seen.vector;
  set_knowing(context);
  EXPECT_EQ(phase(), Phase::kWriting);
  EXPECT_THAT(lone.own(lone.key), ElementsAre("new"));
}

TEST_F(PutsBefore, AContextThatTheOwnCopyLacksIsReadFirstWithoutAClaim) {
  const Object seen = lone.object_of(1, 1, "old");
  Context context;
  context.vector = seen.vector;
  set_knowing(context);
  EXPECT_EQ(phase(), Phase::kReading);
  EXPECT_EQ(lone.asked(lone.at(1)).claimant, 0u);
  read_reply(lone.at(1), lone.full(seen));
  EXPECT_THAT(lone.own(lone.key), ElementsAre("new"));
}

TEST_F(PutsBefore, ASingleDotThatTheOwnCopyLacksIsReadFirstToo) {
  Context context;
  context.detached.push_back(lone.version_of(1, 1, "old").dot);
  set_knowing(context);
  EXPECT_EQ(phase(), Phase::kReading);
}

// ---- contention

TEST_F(PutsBefore, AnotherNodesClaimHereIsWaitedFor) {
  claim_for(2, 5);
  increment();
  EXPECT_EQ(counters().edits_contended, 1u);
  EXPECT_EQ(phase(), Phase::kContended);
  EXPECT_TRUE(lone.sent_nothing());
  live_ms(20);
  EXPECT_EQ(phase(), Phase::kReading);
  EXPECT_EQ(holder(), lone.core.self());
}

TEST_F(PutsBefore, AClaimThatNeverEndsIsToldAtTheDeadline) {
  claim_for(2, 10'000);
  increment();
  live_ms(1020);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_EQ(lone.answer().text, "another node is about to change the key, nothing was written");
  EXPECT_GT(counters().edits_contended, 10u);
  EXPECT_TRUE(lone.ended(id));
  EXPECT_THAT(lone.own(lone.key), IsEmpty());
  EXPECT_EQ(holder(), 2) << "which is left to it";
}

TEST_F(PutsBefore, AnEditIsPassedOnToALivelyHolder) {
  claim_for(2, 500);
  lone.core.health.heard(2, lone.now.steady_us);
  increment();
  ASSERT_EQ(lone.passed_on.size(), 1u);
  EXPECT_EQ(lone.passed_on[0], std::make_pair(MemberIndex{2}, id));
  EXPECT_EQ(operation().route.hops, 1) << "one more, and it cannot come back";
  EXPECT_EQ(holder(), 2);
}

TEST_F(PutsBefore, ABlindWriteWaitsForHalfOfItsTimeAndNoLonger) {
  claim_for(2, 10'000);
  set();
  live_ms(490);
  EXPECT_THAT(lone.own(lone.key), IsEmpty());
  live_ms(40);
  EXPECT_THAT(lone.own(lone.key), ElementsAre("new"));
  EXPECT_EQ(phase(), Phase::kWriting);
}

TEST_F(PutsBefore, WhereTwoReplicasRefuseTheClaimTheRestIsGivenBack) {
  increment();
  forget_frames();
  read_reply(lone.at(1), claimed_by(lone.at(2)));
  EXPECT_EQ(phase(), Phase::kReading) << "this node's grant and one more are enough";
  read_reply(lone.at(2), claimed_by(lone.at(2)));
  EXPECT_EQ(phase(), Phase::kContended);
  EXPECT_TRUE(lone.sent_nothing()) << "who refused has nothing to give back";
  EXPECT_EQ(holder(), kNoMember);
  live_ms(2);
  EXPECT_EQ(phase(), Phase::kReading);
  EXPECT_EQ(lone.asked(lone.at(1)).attempt, 1);
}

TEST_F(PutsBefore, ARefusedClaimBesideSilenceIsContendedAfterAQuarter) {
  increment();
  forget_frames();
  read_reply(lone.at(1), claimed_by(lone.at(2)));
  live_ms(249);
  EXPECT_EQ(phase(), Phase::kReading);
  live_ms(1);
  EXPECT_EQ(phase(), Phase::kReading) << "the reading itself has too few votes yet";
  read_reply(lone.at(2), absent());
  EXPECT_EQ(phase(), Phase::kWriting);
}

// This process stood still.
TEST_F(PutsBefore, AClaimThatIsTooOldIsTakenAnew) {
  lone.put(lone.key, lone.object_of(1, 1, "5"));
  increment();
  forget_frames();
  lone.pass_ms(500);
  read_reply(lone.at(1), LoneRequests::digest(lone.object_of(1, 1, "5")));
  EXPECT_EQ(phase(), Phase::kContended);
  EXPECT_THAT(lone.own(lone.key), ElementsAre("5"));
  EXPECT_EQ(lone.only(lone.at(1)).head.type, MessageType::kUnclaim);
  EXPECT_EQ(lone.only(lone.at(2)).head.type, MessageType::kUnclaim);
  live_ms(2);
  read_reply(lone.at(1), LoneRequests::digest(lone.object_of(1, 1, "5"), 0));
  EXPECT_EQ(phase(), Phase::kReading) << "an answer to the reading before";
  forget_frames();
  read_reply(lone.at(1), LoneRequests::digest(lone.object_of(1, 1, "5"), 1));
  EXPECT_THAT(lone.own(lone.key), ElementsAre("6"));
  EXPECT_EQ(lone.wrote(lone.at(1)).attempt, 1) << "it ends the claim of this reading";
}

// ---- edits that reject

EditOutput reject_siblings(const EditInput& input, std::string&) {
  EditOutput output;
  output.verdict = EditOutput::Verdict::kReject;
  output.reply_bytes = "ERR no";
  output.reply_number = static_cast<int64_t>(input.visible.size());
  return output;
}
constexpr EditRow kRejecting[] = {{"reject", reject_siblings, true, true}};

struct RejectedPuts : PutsBefore {
  RejectedPuts()
      : PutsBefore({.adjust_parts = [](NodeParts& parts) { parts.edits = kRejecting; }}) {}
};

TEST_F(RejectedPuts, TellTheErrorAndWriteNothing) {
  start(lone.edit(0));
  read_reply(lone.at(1), absent());
  EXPECT_EQ(lone.answer().outcome, Outcome::kRejected);
  EXPECT_EQ(lone.answer().text, "ERR no");
  expect_untouched();
}

TEST_F(RejectedPuts, BesideSiblingsThatMayBeNoneReadAgain) {
  lone.put(lone.key, merge(lone.object_of(1, 1, "a"), lone.object_of(2, 2, "b")));
  start(lone.edit(0));
  for (uint8_t attempt = 0; attempt < Core::kFluxReadings; ++attempt) {
    read_reply(lone.at(1), absent(attempt));
    ASSERT_EQ(phase(), Phase::kContended);
    live_ms(8);
  }
  read_reply(lone.at(1), absent(Core::kFluxReadings));
  EXPECT_EQ(lone.answer().outcome, Outcome::kRejected);
  EXPECT_EQ(lone.answer().number, 2);
}

// ---- bounds

struct FewSiblings : PutsBefore {
  FewSiblings() : PutsBefore({.options = {.siblings_max = 1}}) {}
};

TEST_F(FewSiblings, OneTooManyIsRefused) {
  lone.put(lone.key, lone.object_of(1, 1, "old"));
  set_knowing({});
  EXPECT_EQ(lone.answer().outcome, Outcome::kTooManySiblings);
  EXPECT_THAT(lone.own(lone.key), ElementsAre("old"));
  EXPECT_TRUE(lone.sent_nothing());
}

struct FullMemory : PutsBefore {
  FullMemory() : PutsBefore({.memory_bytes_max = 1}) {}
};

TEST_F(FullMemory, RefusesBeforeAnythingIsSent) {
  lone.put("another", lone.object_of(1, 1, "v"));
  set();
  EXPECT_EQ(lone.answer().outcome, Outcome::kOutOfMemory);
  EXPECT_TRUE(lone.sent_nothing());
  expect_untouched();
}

// ---- the first contact of a run

struct SilentPuts : PutsBefore {
  SilentPuts() : PutsBefore({.has_frontier = true}) {}
};

TEST_F(SilentPuts, WaitUntilAnotherMemberWasHeard) {
  set();
  EXPECT_EQ(phase(), Phase::kSilent);
  live_ms(999);
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_THAT(lone.answers, IsEmpty());
  live_ms(2);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_THAT(lone.answer().text, ::testing::HasSubstr("has not heard of another member yet"));
  expect_untouched();
}

TEST_F(SilentPuts, RunOnceTheGraceIsOver) {
  Request request = lone.edit(test_edits::kSet);
  request.timeout_ms = 3000;
  start(request);
  live_ms(1998);
  EXPECT_EQ(phase(), Phase::kSilent);
  live_ms(4);
  EXPECT_EQ(phase(), Phase::kWriting);
}

// ---- loads

class LoadingPuts : public OldStore, public PutsBefore {
 protected:
  LoadingPuts()
      : OldStore(1, "5", 0), PutsBefore({.store = &store, .memory_bytes_max = kMemoryBytes}) {}
  void end_load(bool ok) {
    EXPECT_EQ(lone.end_load(ok).key, lone.key);
    machine.on_loaded(id, operation(), ok, lone.now);
  }
};

TEST_F(LoadingPuts, AnIncrementBeginsAgainOnceItsObjectIsThere) {
  increment();
  EXPECT_EQ(phase(), Phase::kLoading);
  EXPECT_TRUE(lone.sent(lone.at(1)).empty());
  end_load(true);
  EXPECT_EQ(phase(), Phase::kReading);
  read_reply(lone.at(1), LoneRequests::digest(lone.object_of(1, 1, "5"), 1));
  EXPECT_THAT(LoneRequests::values_of(parsed(lone.sent(lone.at(1)).back(), parse_replica_write)),
              ElementsAre("6"));
}

TEST_F(LoadingPuts, ASetLoadsWhatItOverwrites) {
  set();
  EXPECT_EQ(phase(), Phase::kLoading);
  end_load(true);
  EXPECT_EQ(phase(), Phase::kWriting);
  EXPECT_THAT(LoneRequests::values_of(lone.wrote(lone.at(1))), ElementsAre("new"));
}

TEST_F(LoadingPuts, WhatCannotBeLoadedAnotherPrimaryMayRun) {
  set();
  end_load(false);
  EXPECT_THAT(lone.unreadable, ElementsAre(id));
  EXPECT_THAT(lone.answers, IsEmpty());
}

TEST_F(LoadingPuts, ALoadThatTookTooLongMakesNoVersion) {
  set();
  live_ms(1000);
  EXPECT_THAT(lone.answers, IsEmpty()) << "the load is still awaited";
  end_load(true);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_THAT(lone.own(lone.key), ElementsAre("5"));
  EXPECT_TRUE(lone.sent(lone.at(1)).empty());
  EXPECT_TRUE(lone.ended(id));
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
