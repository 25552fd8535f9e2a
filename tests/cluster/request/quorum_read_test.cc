// SPDX-License-Identifier: Apache-2.0
// The reading half alone: whom it asks for what, what it makes of answers, and its verdicts.
#include "cluster/request/quorum_read.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_requests.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using State = Target::State;
using Verdict = TallyVerdict;

class Reads : public ::testing::Test {
 protected:
  explicit Reads(const LoneShape& shape = {}) : lone(shape) {
    lone.stand_at(0);
    lone.link_all();
  }

  Verdict begin(uint8_t r = 2, Operation::Kind kind = Operation::Kind::kGet) {
    id = lone.acquire(kind, lone.get());
    return reads.begin(id, operation(), r, lone.now);
  }
  // Its next reading of the same operation.
  Verdict begin_again(uint8_t r = 2) { return reads.begin(id, operation(), r, lone.now); }
  Operation& operation() { return lone.of(id); }
  Reading& reading() { return operation().reading; }
  Verdict reply(MemberIndex from, const ReplicaReadReply& reply) {
    return reads.on_reply(id, operation(), {from, reply}, lone.now);
  }
  Target target(MemberIndex member) {
    for (const Target& target : reading().tally.targets) {
      if (target.member == member) return target;
    }
    ADD_FAILURE() << "member " << member << " is no target";
    return {};
  }
  std::vector<std::string> held() { return LoneRequests::values_of(reading().held.object()); }
  Object old_one() const { return lone.object_of(1, 1, "old"); }
  Object new_one() const { return lone.object_of(1, 2, "new"); }

  LoneRequests lone;
  QuorumRead reads{lone.core};
  SlotId id = 0;
};

TEST_F(Reads, TheOwnCopyIsTheObjectAndTheOthersAreAskedForDigests) {
  lone.put(lone.key, old_one());
  EXPECT_EQ(begin(), Verdict::kNotYet);
  EXPECT_EQ(operation().phase, Operation::Phase::kReading);
  for (const MemberIndex other : {lone.at(1), lone.at(2)}) {
    const ReplicaRead question = lone.asked(other);
    EXPECT_EQ(question.key.key, lone.key);
    EXPECT_FALSE(question.full);
    EXPECT_FALSE(question.hinted);
    EXPECT_EQ(question.attempt, 0);
    EXPECT_EQ(question.claimant, 0u) << "a read claims nothing";
  }
  EXPECT_EQ(reply(lone.at(1), LoneRequests::digest(old_one())), Verdict::kEnough);
  EXPECT_THAT(held(), ElementsAre("old"));
  EXPECT_EQ(reading().fastest, lone.id_of(0));
  EXPECT_EQ(lone.core.counters.digest_mismatches, 0u);
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(Reads, WithROfOneTheOwnCopyIsEnoughAndTheOthersAreAskedAllTheSame) {
  lone.put(lone.key, old_one());
  EXPECT_EQ(begin(1), Verdict::kEnough);
  lone.asked(lone.at(1));
  lone.asked(lone.at(2));
  EXPECT_EQ(lone.core.open.timers.next_due_us(), lone.now.steady_us + 250'000)
      << "stragglers are looked at";
}

TEST_F(Reads, ADigestThatDiffersIsFetchedOnceAndMerged) {
  lone.put(lone.key, old_one());
  begin();
  lone.sent(lone.at(1));
  EXPECT_EQ(reply(lone.at(1), LoneRequests::digest(new_one())), Verdict::kNotYet);
  EXPECT_TRUE(lone.asked(lone.at(1)).full);
  EXPECT_EQ(target(lone.at(1)).state, State::kFetching);
  EXPECT_EQ(lone.core.counters.digest_mismatches, 1u);
  EXPECT_EQ(reply(lone.at(1), LoneRequests::digest(new_one())), Verdict::kNotYet);
  EXPECT_TRUE(lone.sent(lone.at(1)).empty()) << "the question under way is enough";
  EXPECT_EQ(reply(lone.at(1), lone.full(new_one())), Verdict::kEnough);
  EXPECT_THAT(held(), ElementsAre("new"));
  EXPECT_EQ(reading().digest, versions_digest(new_one()));
  EXPECT_EQ(reading().tally.stale(reading().digest), 1u) << "the own copy";
}

TEST_F(Reads, ADigestOfWhatAnotherOneSentNeedsNoFetch) {
  lone.put(lone.key, old_one());
  begin(3);
  reply(lone.at(1), LoneRequests::digest(new_one()));
  reply(lone.at(1), lone.full(new_one()));
  EXPECT_EQ(reply(lone.at(2), LoneRequests::digest(old_one())), Verdict::kEnough)
      << "what the own copy had is known too";
  EXPECT_EQ(lone.core.counters.digest_mismatches, 1u);
}

TEST_F(Reads, SiblingsOfTwoCopiesAreBothHeld) {
  lone.put(lone.key, lone.object_of(1, 1, "a"));
  begin();
  reply(lone.at(1), LoneRequests::digest(lone.object_of(2, 2, "b")));
  EXPECT_EQ(reply(lone.at(1), lone.full(lone.object_of(2, 2, "b"))), Verdict::kEnough);
  EXPECT_THAT(held(), UnorderedElementsAre("a", "b"));
  EXPECT_EQ(reading().tally.stale(reading().digest), 2u);
}

TEST_F(Reads, AbsenceIsAnAnswer) {
  lone.put(lone.key, old_one());
  begin();
  EXPECT_EQ(reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kAbsent)), Verdict::kEnough);
  EXPECT_THAT(held(), ElementsAre("old")) << "a frontier that nobody knows kills nothing";
  EXPECT_EQ(reading().tally.stale(reading().digest), 1u);
}

TEST_F(Reads, AbsenceBelowItsFrontierKillsWhatIsOlder) {
  lone.put(lone.key, old_one());
  begin();
  ReplicaReadReply absent = LoneRequests::verdict(ReplicaVerdict::kAbsent);
  absent.frontier = Hlc::from_ms(LoneCore::kWallMs + 100);
  EXPECT_EQ(reply(lone.at(1), absent), Verdict::kEnough);
  EXPECT_THAT(held(), IsEmpty());
  EXPECT_EQ(reading().frontier, absent.frontier);
}

TEST_F(Reads, AnIllFormedObjectIsARefusal) {
  begin();
  ReplicaReadReply broken = lone.full(new_one());
  broken.object = "no object";
  EXPECT_EQ(reply(lone.at(1), broken), Verdict::kNotYet);
  EXPECT_EQ(target(lone.at(1)).state, State::kFailed);
  EXPECT_EQ(reply(lone.at(2), LoneRequests::verdict(ReplicaVerdict::kRefused)),
            Verdict::kImpossible);
}

TEST_F(Reads, ASecondAnswerOfOneReplicaIsNoSecondVote) {
  lone.put(lone.key, old_one());
  EXPECT_EQ(begin(3), Verdict::kNotYet);
  EXPECT_EQ(reply(lone.at(1), LoneRequests::digest(old_one())), Verdict::kNotYet);
  EXPECT_EQ(reply(lone.at(1), LoneRequests::digest(old_one())), Verdict::kNotYet);
  EXPECT_EQ(reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kRefused)), Verdict::kNotYet);
  EXPECT_EQ(target(lone.at(1)).state, State::kAnswered) << "nor does it take its vote back";
  EXPECT_EQ(reply(lone.at(2), LoneRequests::digest(old_one())), Verdict::kEnough);
}

TEST_F(Reads, AnswersToTheReadingBeforeDoNotCount) {
  lone.put(lone.key, old_one());
  begin();
  begin_again();
  EXPECT_EQ(lone.sent(lone.at(1)).size(), 2u);
  ReplicaReadReply late = LoneRequests::digest(new_one(), 0);
  late.contested = true;
  EXPECT_EQ(reply(lone.at(1), late), Verdict::kNotYet);
  EXPECT_EQ(target(lone.at(1)).state, State::kWaiting);
  EXPECT_FALSE(reading().contested);
  EXPECT_TRUE(lone.sent(lone.at(1)).empty());
  EXPECT_EQ(reply(lone.at(1), LoneRequests::digest(old_one(), 1)), Verdict::kEnough);
}

TEST_F(Reads, ASecondReadingForgetsWhatTheFirstHeld) {
  lone.put(lone.key, old_one());
  begin(3);
  reply(lone.at(1), LoneRequests::digest(new_one()));
  reply(lone.at(1), lone.full(new_one()));
  EXPECT_THAT(held(), ElementsAre("new"));
  begin_again(3);
  EXPECT_THAT(held(), ElementsAre("old"));
  EXPECT_EQ(reading().digest, versions_digest(old_one()));
}

TEST_F(Reads, WhatOneReplicaSaysOfContestsIsKept) {
  lone.put(lone.key, old_one());
  begin(3);
  EXPECT_FALSE(reading().contested);
  ReplicaReadReply contested = LoneRequests::digest(old_one());
  contested.contested = true;
  reply(lone.at(1), contested);
  reply(lone.at(2), LoneRequests::digest(old_one()));
  EXPECT_TRUE(reading().contested);
}

TEST_F(Reads, TheOwnCopyTellsOfContestsToo) {
  lone.claims.note_contest(lone.ref(lone.key).position, lone.now.steady_us / 1000 + 5);
  begin();
  EXPECT_TRUE(reading().contested);
}

// ---- silence and broken links

TEST_F(Reads, WithoutFallbacksSilenceIsCountedAndWaitedFor) {
  begin();
  lone.sent(lone.at(1));
  lone.sent(lone.at(2));
  lone.pass_ms(250);
  EXPECT_EQ(reads.on_silence(id, operation(), lone.now), Verdict::kNotYet);
  EXPECT_EQ(lone.core.counters.timeouts, 2u);
  EXPECT_EQ(lone.core.health.report(lone.at(1)).timeouts, 1u);
  reads.on_silence(id, operation(), lone.now);
  EXPECT_EQ(lone.core.counters.timeouts, 2u) << "once for each of them";
  EXPECT_TRUE(lone.sent_nothing()) << "nobody is there to take their places";
  EXPECT_EQ(reply(lone.at(2), LoneRequests::verdict(ReplicaVerdict::kAbsent)), Verdict::kEnough)
      << "a late answer is one";
}

TEST_F(Reads, OfBrokenLinksAllButRMayBe) {
  begin();
  EXPECT_EQ(reads.on_link_down(id, operation(), lone.at(1)), Verdict::kNotYet);
  EXPECT_EQ(target(lone.at(1)).state, State::kFailed);
  EXPECT_EQ(reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kAbsent)), Verdict::kNotYet)
      << "its answer from before comes too late";
  EXPECT_EQ(reads.on_link_down(id, operation(), lone.at(2)), Verdict::kImpossible);
}

TEST_F(Reads, ABrokenLinkTakesNoAnswerBack) {
  begin(3);
  reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kAbsent));
  reads.on_link_down(id, operation(), lone.at(1));
  EXPECT_EQ(target(lone.at(1)).state, State::kAnswered);
}

// ---- five members: stand-ins

class SloppyReads : public Reads {
 protected:
  explicit SloppyReads(const LoneShape& shape = {.members = 5}) : Reads(shape) {}
};

TEST_F(SloppyReads, ASilentReplicaGetsAStandInThatAnswersFromItsHints) {
  lone.put(lone.key, old_one());
  begin(3);
  reply(lone.at(1), LoneRequests::digest(old_one()));
  lone.pass_ms(250);
  EXPECT_EQ(reads.on_silence(id, operation(), lone.now), Verdict::kNotYet);
  const ReplicaRead question = lone.asked(lone.at(3));
  EXPECT_TRUE(question.hinted);
  EXPECT_TRUE(question.full);
  EXPECT_EQ(target(lone.at(3)).stands_for, lone.at(2));
  EXPECT_TRUE(lone.sent(lone.at(4)).empty()) << "one was silent";
  EXPECT_EQ(reply(lone.at(3), lone.full(new_one())), Verdict::kEnough);
  EXPECT_THAT(held(), ElementsAre("new"));
}

TEST_F(SloppyReads, ASlowPrimaryAndItsStandInAreOneVote) {
  begin(3);
  lone.pass_ms(250);
  reads.on_silence(id, operation(), lone.now);
  ASSERT_EQ(target(lone.at(3)).stands_for, lone.at(1));
  EXPECT_EQ(reply(lone.at(3), lone.full(new_one())), Verdict::kNotYet);
  EXPECT_EQ(reply(lone.at(1), lone.full(new_one())), Verdict::kNotYet);
  EXPECT_EQ(reply(lone.at(4), lone.full(new_one())), Verdict::kEnough);
}

TEST_F(SloppyReads, AStandInWithoutAHintCountsOnceNobodyBetterCanAnswer) {
  lone.put(lone.key, old_one());
  begin(2);
  reads.on_link_down(id, operation(), lone.at(1));
  EXPECT_EQ(reply(lone.at(3), LoneRequests::verdict(ReplicaVerdict::kNotHeld)), Verdict::kNotYet);
  EXPECT_EQ(target(lone.at(3)).state, State::kWeak);
  EXPECT_EQ(reply(lone.at(2), LoneRequests::verdict(ReplicaVerdict::kRefused)), Verdict::kEnough);
}

TEST_F(SloppyReads, ABrokenLinkAfterSilenceAsksNoSecondStandIn) {
  begin(3);
  reply(lone.at(2), LoneRequests::verdict(ReplicaVerdict::kAbsent));
  lone.pass_ms(250);
  reads.on_silence(id, operation(), lone.now);
  lone.sent(lone.at(3));
  lone.link(lone.at(1), false);
  reads.on_link_down(id, operation(), lone.at(1));
  EXPECT_TRUE(lone.sent(lone.at(4)).empty());
}

TEST_F(SloppyReads, OnceItIsAnsweredABrokenLinkAsksNobody) {
  lone.put(lone.key, old_one());
  begin(1);
  operation().phase = Operation::Phase::kSettling;
  reads.on_link_down(id, operation(), lone.at(1));
  EXPECT_TRUE(lone.sent(lone.at(3)).empty());
}

TEST_F(SloppyReads, ForADeadPrimaryAStandInIsAskedAtOnce) {
  lone.link(lone.at(1), false);
  begin();
  EXPECT_FALSE(lone.asked(lone.at(2)).hinted);
  EXPECT_TRUE(lone.asked(lone.at(3)).hinted);
  EXPECT_TRUE(lone.sent(lone.at(1)).empty());
}

TEST_F(SloppyReads, AStandInReadsItsOwnHints) {
  lone.stand_at(3);
  lone.link(lone.at(0), false);
  lone.hints.store({lone.id_of(lone.at(0)), lone.ref(lone.key)}, new_one());
  lone.put(lone.key, old_one());
  EXPECT_EQ(begin(2), Verdict::kNotYet);
  EXPECT_THAT(held(), ElementsAre("new")) << "its copy is no primary's";
  EXPECT_EQ(target(0).state, State::kAnswered);
  EXPECT_EQ(target(0).stands_for, lone.at(0));
}

TEST_F(SloppyReads, AStandInWithoutHintsHasNoAnswerOfItsOwn) {
  lone.stand_at(3);
  lone.link(lone.at(0), false);
  lone.put(lone.key, old_one());
  begin(2);
  EXPECT_EQ(target(0).state, State::kWeak);
  EXPECT_FALSE(reading().held.is_set());
  const bool first_full = lone.asked(lone.at(1)).full;
  const bool second_full = lone.asked(lone.at(2)).full;
  EXPECT_NE(first_full, second_full) << "one of the others is to send the object";
}

struct StrictFive : SloppyReads {
  StrictFive()
      : SloppyReads({.members = 5, .adjust_founding = [](Founding& founding) {
                       for (KeyspacePolicy& policy : founding.keyspaces) {
                         policy.sloppy = false;
                       }
                     }}) {}
};

TEST_F(StrictFive, NobodyStandsIn) {
  lone.link(lone.at(1), false);
  begin();
  lone.asked(lone.at(2));
  lone.pass_ms(250);
  EXPECT_EQ(reads.on_silence(id, operation(), lone.now), Verdict::kNotYet);
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_EQ(reads.on_link_down(id, operation(), lone.at(2)), Verdict::kImpossible);
}

// ---- who is no primary, and hedges

class FarReads : public Reads {
 protected:
  FarReads() : Reads({.members = 5}) {
    lone.stand_at(4);
    for (int count = 0; count < 20; ++count) lone.core.hedges.earn();
  }
};

TEST_F(FarReads, TheNearestIsAskedForTheObject) {
  for (int count = 0; count < 20; ++count) {
    for (size_t place = 0; place < 3; ++place) {
      const uint64_t took_us = place == 1 ? 100 : 50'000;
      lone.core.health.answered(lone.at(place), {Ask::kRead, lone.now.steady_us - took_us},
                                lone.now.steady_us);
    }
  }
  begin();
  EXPECT_FALSE(lone.asked(lone.at(0)).full);
  EXPECT_TRUE(lone.asked(lone.at(1)).full);
  EXPECT_FALSE(lone.asked(lone.at(2)).full);
  EXPECT_TRUE(lone.sent(lone.at(3)).empty());
}

TEST_F(FarReads, ADigestBeforeAnyObjectIsFetched) {
  begin();
  MemberIndex other = lone.at(0);
  if (target(other).wants_object) other = lone.at(1);
  EXPECT_EQ(reply(other, LoneRequests::digest(new_one())), Verdict::kNotYet);
  EXPECT_EQ(target(other).state, State::kFetching);
  EXPECT_EQ(reading().fastest, 0u) << "a digest of nothing known is no answer";
  reply(other, lone.full(new_one()));
  EXPECT_EQ(reading().fastest, lone.id_of(other));
}

TEST_F(FarReads, AnObjectThatIsLateIsAskedOfAnotherOneOnce) {
  begin();
  for (size_t place = 0; place < 3; ++place) lone.sent(lone.at(place));
  EXPECT_EQ(lone.core.open.timers.next_due_us(), lone.now.steady_us + hedge_delay_us(0));
  lone.pass_ms(1);
  reads.hedge(id, operation(), lone.now);
  EXPECT_EQ(lone.core.counters.hedged_reads, 1u);
  size_t asked = 0;
  for (size_t place = 0; place < 3; ++place) {
    for (const Frame& frame : lone.sent(lone.at(place))) {
      EXPECT_TRUE(parsed(frame, parse_replica_read).full);
      EXPECT_EQ(target(lone.at(place)).state, State::kFetching);
      ++asked;
    }
  }
  EXPECT_EQ(asked, 1u);
  reads.hedge(id, operation(), lone.now);
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_EQ(lone.core.counters.hedged_reads, 1u);
}

TEST_F(FarReads, WithoutABudgetNothingIsHedged) {
  while (lone.core.hedges.spend()) {
  }
  begin();
  for (size_t place = 0; place < 3; ++place) lone.sent(lone.at(place));
  reads.hedge(id, operation(), lone.now);
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_FALSE(reading().hedged);
}

TEST_F(FarReads, EditsAreNotHedged) {
  begin(2, Operation::Kind::kPut);
  EXPECT_EQ(lone.core.open.timers.next_due_us(), lone.now.steady_us + 250'000);
}

TEST_F(Reads, ASuspectedPrimaryIsTheHedgeOfACopyThatIsHere) {
  for (int count = 0; count < 20; ++count) lone.core.hedges.earn();
  lone.put(lone.key, old_one());
  lone.suspect(lone.at(1));
  begin();
  EXPECT_TRUE(lone.sent(lone.at(1)).empty());
  lone.asked(lone.at(2));
  reads.hedge(id, operation(), lone.now);
  EXPECT_TRUE(lone.asked(lone.at(1)).full);
  EXPECT_TRUE(lone.sent(lone.at(2)).empty());
  lone.pass_ms(250);
  reads.on_silence(id, operation(), lone.now);
  EXPECT_EQ(lone.core.counters.timeouts, 1u) << "the suspected one's silence says nothing";
  EXPECT_EQ(reply(lone.at(1), lone.full(old_one())), Verdict::kEnough);
}

// ---- claims

TEST_F(Reads, AnEditsReadingClaimsAndAsksWhoIsSuspected) {
  id = lone.acquire(Operation::Kind::kPut, lone.get());
  operation().claim.quorum = 2;
  lone.suspect(lone.at(1));
  reads.begin(id, operation(), 2, lone.now);
  for (const MemberIndex other : {lone.at(1), lone.at(2)}) {
    const ReplicaRead question = lone.asked(other);
    EXPECT_EQ(question.claimant, lone.id_of(0));
    EXPECT_EQ(question.claim_ms, 750u);
  }
  EXPECT_THAT(
      std::vector<MemberIndex>(operation().claim.asked.begin(), operation().claim.asked.end()),
      UnorderedElementsAre(lone.at(1), lone.at(2)));
}

TEST_F(Reads, AFetchDoesNotClaimAgain) {
  lone.put(lone.key, old_one());
  id = lone.acquire(Operation::Kind::kPut, lone.get());
  operation().claim.quorum = 2;
  reads.begin(id, operation(), 2, lone.now);
  EXPECT_NE(lone.asked(lone.at(1)).claimant, 0u);
  reply(lone.at(1), LoneRequests::digest(new_one()));
  EXPECT_EQ(lone.asked(lone.at(1)).claimant, 0u);
}

TEST_F(Reads, RefusedClaimsAreContendedOnceTooFewAreLeft) {
  id = lone.acquire(Operation::Kind::kPut, lone.get());
  operation().claim.quorum = 2;
  reads.begin(id, operation(), 1, lone.now);
  ReplicaReadReply claimed = LoneRequests::verdict(ReplicaVerdict::kClaimed);
  claimed.holder = lone.id_of(lone.at(2));
  EXPECT_EQ(reply(lone.at(1), claimed), Verdict::kNotYet) << "the own grant and one more will do";
  EXPECT_EQ(operation().claim.holder, lone.at(2));
  EXPECT_THAT(
      std::vector<MemberIndex>(operation().claim.asked.begin(), operation().claim.asked.end()),
      ElementsAre(lone.at(2)))
      << "who refused has nothing to be released";
  EXPECT_EQ(reply(lone.at(2), claimed), Verdict::kContended);
}

TEST_F(SloppyReads, AStandInIsNotAskedForAClaim) {
  id = lone.acquire(Operation::Kind::kPut, lone.get());
  operation().claim.quorum = 2;
  lone.link(lone.at(1), false);
  reads.begin(id, operation(), 2, lone.now);
  EXPECT_NE(lone.asked(lone.at(2)).claimant, 0u);
  EXPECT_EQ(lone.asked(lone.at(3)).claimant, 0u);
}

// ---- the own copy is not there

TEST_F(Reads, ACopyThatIsNotWholeDoesNotCountBesideOthers) {
  lone.damage(0, lone.core.partition_for(lone.ref(lone.key)));
  EXPECT_EQ(begin(2), Verdict::kNotYet);
  EXPECT_FALSE(target(0).whole);
  EXPECT_EQ(reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kAbsent)), Verdict::kNotYet);
  EXPECT_EQ(reply(lone.at(2), LoneRequests::verdict(ReplicaVerdict::kAbsent)), Verdict::kEnough);
}

TEST_F(Reads, OfAnUnreadableOwnCopyTheOthersAnswer) {
  id = lone.acquire(Operation::Kind::kGet, lone.get());
  reading().own_unreadable = true;
  EXPECT_EQ(begin_again(2), Verdict::kNotYet);
  EXPECT_EQ(target(0).state, State::kFailed);
  EXPECT_NE(lone.asked(lone.at(1)).full, lone.asked(lone.at(2)).full)
      << "one of them sends the object";
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
