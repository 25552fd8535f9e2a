// SPDX-License-Identifier: Apache-2.0
// The copies of a put: who gets one, who takes the place of whom, and what counts as a vote.
#include "tests/cluster/put/lone_put_machine.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Puts = LonePutMachine;

TEST_F(Puts, AreStoredHereSentToTheOthersAndAnsweredAtW) {
  set();
  EXPECT_THAT(lone.own(lone.key), ElementsAre("new"));
  for (const MemberIndex other : {lone.at(1), lone.at(2)}) {
    const ReplicaWrite write = lone.wrote(other);
    EXPECT_EQ(write.key.key, lone.key);
    EXPECT_TRUE(write.blind);
    EXPECT_FALSE(write.second);
    EXPECT_FALSE(write.repair);
    EXPECT_EQ(write.hint_for, 0u);
    EXPECT_EQ(write.releases, 0u);
    EXPECT_THAT(LoneRequests::values_of(write), ElementsAre("new"));
  }
  EXPECT_THAT(lone.answers, IsEmpty());
  write_reply(lone.at(2));
  const NotedAnswer answer = lone.answer();
  EXPECT_EQ(answer.tag, 5u);
  EXPECT_EQ(answer.outcome, Outcome::kOk);
  EXPECT_TRUE(answer.stored);
  EXPECT_EQ(answer.acknowledged, 2);
  EXPECT_EQ(answer.needed, 2);
  EXPECT_EQ(answer.service.short_of_w, 0);
  EXPECT_EQ(phase(), Phase::kSettling);
  write_reply(lone.at(1));
  EXPECT_TRUE(lone.ended(id));
  EXPECT_EQ(lone.answers.size(), 1u);
  EXPECT_EQ(lone.core.open.held_bytes, 0u);
}

TEST_F(Puts, TheSecondAnswerOfOneReplicaIsNoSecondVote) {
  set_with_w(3);
  write_reply(lone.at(1));
  write_reply(lone.at(1));
  refuse(lone.at(1));
  EXPECT_THAT(lone.answers, IsEmpty());
  write_reply(lone.at(2));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_EQ(counters().hints_stored, 0u) << "nor does it take its vote back";
}

TEST_F(Puts, ARefusalLeavesAHintThatIsNoVote) {
  set();
  refuse(lone.at(1));
  EXPECT_TRUE(has_hint_for(lone.at(1)));
  EXPECT_THAT(lone.answers, IsEmpty());
  write_reply(lone.at(2));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_EQ(lone.answer().service.hints, 1);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Puts, WhereAllRefuseNobodyKnowsWhatBecomesOfIt) {
  set();
  refuse(lone.at(1));
  refuse(lone.at(2));
  EXPECT_EQ(lone.answer().outcome, Outcome::kUncertain);
  EXPECT_EQ(lone.answer().acknowledged, 1);
  EXPECT_EQ(lone.answer().needed, 2);
  EXPECT_EQ(counters().uncertain, 1u);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Puts, SilenceForAQuarterLeavesHintsAndForAllOfTheTimeIsUncertain) {
  set();
  live_ms(249);
  EXPECT_EQ(counters().timeouts, 0u);
  live_ms(1);
  EXPECT_EQ(counters().timeouts, 2u);
  EXPECT_TRUE(has_hint_for(lone.at(1)));
  EXPECT_TRUE(has_hint_for(lone.at(2)));
  live_ms(749);
  EXPECT_THAT(lone.answers, IsEmpty());
  live_ms(1);
  EXPECT_EQ(lone.answer().outcome, Outcome::kUncertain);
  EXPECT_EQ(counters().hints_stored, 2u) << "once for each";
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Puts, ALateAnswerIsAVoteAllTheSame) {
  set();
  live_ms(900);
  write_reply(lone.at(1));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_EQ(lone.answer().service.hints, 2);
  live_ms(100);
  EXPECT_TRUE(lone.ended(id)) << "the other one is not awaited longer";
  EXPECT_EQ(lone.answers.size(), 1u);
}

TEST_F(Puts, AStragglerThatIsSilentGetsAHintAfterTheAnswer) {
  set();
  write_reply(lone.at(1));
  ASSERT_EQ(lone.answer().service.hints, 0);
  live_ms(250);
  EXPECT_FALSE(has_hint_for(lone.at(1)));
  EXPECT_TRUE(has_hint_for(lone.at(2)));
  EXPECT_FALSE(lone.ended(id));
}

TEST_F(Puts, AStragglerWhoseLinkBreaksGetsAHintAfterTheAnswer) {
  set();
  write_reply(lone.at(1));
  link_down(1);
  EXPECT_FALSE(has_hint_for(lone.at(1))) << "it has its copy";
  link_down(2);
  EXPECT_TRUE(has_hint_for(lone.at(2)));
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Puts, BytesThatFlowHoldSilenceBack) {
  set();
  live_ms(200);
  lone.core.note_flow(operation(), lone.now);
  live_ms(249);
  EXPECT_EQ(counters().timeouts, 0u);
  live_ms(1);
  EXPECT_EQ(counters().timeouts, 2u);
}

TEST_F(Puts, WhatIsDeadThereIsRefusedAndTheClockPassesIt) {
  set();
  ReplicaWriteReply dead = LoneRequests::written(Verdict::kDead);
  dead.frontier = Hlc::from_ms(LoneCore::kWallMs + 5000);
  write_reply(lone.at(1), dead);
  EXPECT_TRUE(has_hint_for(lone.at(1)));
  EXPECT_THAT(lone.answers, IsEmpty());
  const Hlc next = lone.clock.mint(Hlc::from_ms(LoneCore::kWallMs));
  EXPECT_GT(next, dead.frontier);
}

// ---- dead primaries

TEST_F(Puts, WithTooFewAliveItIsSoftenedToThoseAndTheRestIsPromised) {
  lone.link(1, false);
  lone.link(2, false);
  set();
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_EQ(lone.answer().acknowledged, 1);
  EXPECT_EQ(lone.answer().service.short_of_w, 1);
  EXPECT_EQ(lone.answer().service.hints, 2);
  EXPECT_TRUE(has_hint_for(1));
  EXPECT_TRUE(has_hint_for(2));
  EXPECT_EQ(counters().writes_softened, 1u);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Puts, AWThatWasAskedForIsNotSoftened) {
  lone.link(1, false);
  lone.link(2, false);
  set_with_w(2);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_THAT(lone.own(lone.key), IsEmpty());
  EXPECT_EQ(lone.hints.pending(), 0u);
  EXPECT_TRUE(lone.ended(id));
}

struct NoRoomForHints : Puts {
  explicit NoRoomForHints(uint64_t bytes = 1) : Puts({.hint_bytes_max = bytes}) {}
};

TEST_F(NoRoomForHints, NothingIsPromisedAndNothingTouched) {
  lone.link(1, false);
  lone.link(2, false);
  set();
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_THAT(lone.own(lone.key), IsEmpty());
}

TEST_F(NoRoomForHints, WithWAliveItIsWrittenWithoutThem) {
  lone.link(2, false);
  set();
  write_reply(lone.at(lone.at(1) == 2 ? 2 : 1));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_EQ(lone.answer().service.hints, 0);
}

// Siblings that the hint merges with are not counted before.
struct LittleRoomForHints : NoRoomForHints {
  LittleRoomForHints() : NoRoomForHints(2000) {}
};

TEST_F(LittleRoomForHints, APromiseThatCannotBeKeptCountsInFullAgain) {
  lone.put(lone.key, lone.object_of(1, 1, std::string(5000, 'a')));
  lone.link(1, false);
  lone.link(2, false);
  set_knowing({});
  EXPECT_EQ(lone.answer().outcome, Outcome::kUncertain);
  EXPECT_EQ(lone.answer().needed, 2);
  EXPECT_EQ(lone.hints.pending(), 0u);
}

// ---- stand-ins

struct FivePuts : Puts {
  explicit FivePuts(const LoneShape& shape = {.members = 5}) : Puts(shape) {}
};

TEST_F(FivePuts, ForADeadPrimaryAFallbackGetsTheCopyWithAHint) {
  lone.link(lone.at(1), false);
  set();
  EXPECT_EQ(lone.wrote(lone.at(2)).hint_for, 0u);
  EXPECT_EQ(lone.wrote(lone.at(3)).hint_for, lone.id_of(lone.at(1)));
  EXPECT_TRUE(lone.sent(lone.at(4)).empty());
  write_reply(lone.at(3));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_EQ(lone.answer().service.fallbacks, 1);
  EXPECT_EQ(lone.answer().service.primaries, 1);
  EXPECT_EQ(lone.answer().service.hints, 1);
}

TEST_F(FivePuts, OneThatRefusesIsReplacedAndTheStandInCounts) {
  set();
  forget_frames();
  refuse(lone.at(1));
  const ReplicaWrite write = lone.wrote(lone.at(3));
  EXPECT_EQ(write.hint_for, lone.id_of(lone.at(1)));
  EXPECT_THAT(LoneRequests::values_of(write), ElementsAre("new"));
  EXPECT_EQ(counters().hints_stored, 0u) << "the stand-in keeps it";
  write_reply(lone.at(3));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
}

TEST_F(FivePuts, OneWhoseLinkBreaksIsReplaced) {
  set();
  link_down(2);
  EXPECT_EQ(lone.wrote(lone.at(3)).hint_for, lone.id_of(lone.at(2)));
}

TEST_F(FivePuts, AStandInThatRefusesIsReplacedInTurnAndAtLastByThisNode) {
  set();
  refuse(lone.at(1));
  refuse(lone.at(3));
  EXPECT_EQ(lone.wrote(lone.at(4)).hint_for, lone.id_of(lone.at(1)));
  refuse(lone.at(4));
  EXPECT_TRUE(has_hint_for(lone.at(1)));
  EXPECT_FALSE(has_hint_for(lone.at(3)));
  EXPECT_THAT(lone.answers, IsEmpty());
  write_reply(lone.at(2));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
}

TEST_F(FivePuts, ASilentPrimaryAndItsStandInAreOneVote) {
  set_with_w(3);
  live_ms(250);
  EXPECT_EQ(lone.wrote(lone.at(3)).hint_for, lone.id_of(lone.at(1)));
  EXPECT_EQ(lone.wrote(lone.at(4)).hint_for, lone.id_of(lone.at(2)));
  write_reply(lone.at(3));
  write_reply(lone.at(1));
  EXPECT_THAT(lone.answers, IsEmpty());
  write_reply(lone.at(4));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
}

TEST_F(FivePuts, OneThatWasReplacedIsNotReplacedOnceMore) {
  set_with_w(3);
  write_reply(lone.at(2));
  live_ms(250);
  forget_frames();
  refuse(lone.at(1));
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_FALSE(has_hint_for(lone.at(1)));
}

TEST_F(FivePuts, AFallbackStoresItsOwnCopyAsTheHint) {
  lone.stand_at(3);
  lone.link(lone.at(0), false);
  set_knowing({});
  EXPECT_TRUE(has_hint_for(lone.at(0)));
  EXPECT_FALSE(lone.holds(lone.key));
  EXPECT_EQ(counters().hints_stored, 1u);
  EXPECT_EQ(lone.wrote(lone.at(1)).hint_for, 0u);
  write_reply(lone.at(1));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_EQ(lone.answer().service.fallbacks, 1);
}

TEST_F(FivePuts, AFallbackBehindAnotherOneTakesItsPlace) {
  lone.stand_at(4);
  lone.link(lone.at(0), false);
  set();
  EXPECT_EQ(operation().writing.tally.targets.size(), 3u);
  forget_frames();
  read_reply(lone.at(1), lone.full({}));
  read_reply(lone.at(2), lone.full({}));
  EXPECT_TRUE(lone.sent(lone.at(3)).empty()) << "which is the nearer one";
  EXPECT_TRUE(has_hint_for(lone.at(0)));
}

TEST_F(FivePuts, WhoHasNoPlaceAmongThemWritesNothing) {
  lone.stand_at(4);
  set();
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_TRUE(lone.ended(id));
  EXPECT_TRUE(lone.sent_nothing());
}

struct StrictPuts : FivePuts {
  StrictPuts()
      : FivePuts({.members = 5, .adjust_founding = [](Founding& founding) {
                    for (KeyspacePolicy& policy : founding.keyspaces) {
                      policy.sloppy = false;
                    }
                  }}) {}
};

TEST_F(StrictPuts, NobodyStandsInAndNothingIsSoftened) {
  set();
  forget_frames();
  refuse(lone.at(1));
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_TRUE(has_hint_for(lone.at(1)));
  refuse(lone.at(2));
  EXPECT_EQ(lone.answer().outcome, Outcome::kUncertain);
}

// ---- the second write of a blind one

TEST_F(Puts, WhatABlindWriteDidNotCoverIsWrittenOverWithAClaim) {
  set();
  forget_frames();
  const Object kept = lone.object_of(2, 1, "kept");
  write_reply(lone.at(1), lone.uncovered(kept));
  EXPECT_THAT(lone.answers, IsEmpty());
  EXPECT_EQ(counters().second_writes, 1u);
  ASSERT_EQ(phase(), Phase::kReading);
  EXPECT_NE(lone.asked(lone.at(1)).claimant, 0u);
  lone.sent(lone.at(2));
  const uint8_t attempt = operation().reading.attempt;
  read_reply(lone.at(1), lone.full(kept, attempt));
  const ReplicaWrite second = lone.wrote(lone.at(1));
  EXPECT_TRUE(second.second);
  EXPECT_EQ(second.releases, lone.id_of(0));
  EXPECT_EQ(second.attempt, attempt);
  EXPECT_THAT(LoneRequests::values_of(second), ElementsAre("new")) << "over both";
  Object sent;
  ASSERT_TRUE(decode_object(second.object, sent));
  EXPECT_TRUE(sent.vector.covers_all(kept.vector));
  write_reply(lone.at(2));
  EXPECT_THAT(lone.answers, IsEmpty()) << "the answer to the first write is none to the second";
  ReplicaWriteReply reply = LoneRequests::written();
  reply.second = true;
  write_reply(lone.at(2), reply);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
}

TEST_F(Puts, WhatTheSecondWriteLeavesUncoveredIsLeft) {
  set();
  write_reply(lone.at(1), lone.uncovered(lone.object_of(2, 1, "kept")));
  read_reply(lone.at(1), lone.full(lone.object_of(2, 1, "kept"), operation().reading.attempt));
  ReplicaWriteReply reply = lone.uncovered(lone.object_of(2, 2, "more"));
  reply.second = true;
  write_reply(lone.at(1), reply);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_EQ(counters().second_writes, 1u);
}

TEST_F(Puts, ForASecondWriteWithoutReplicasTheFirstIsTheAnswer) {
  set_with_w(2);
  lone.link(1, false);
  lone.link(2, false);
  write_reply(lone.at(1), lone.uncovered(lone.object_of(2, 1, "kept")));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_EQ(lone.answer().acknowledged, 2);
  EXPECT_EQ(operation().writing.tally.targets.size(), 3u) << "its stragglers are awaited";
  live_ms(1000);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Puts, ASecondWriteThatFailsMayHaveLeftTheFirst) {
  set();
  write_reply(lone.at(1), lone.uncovered(lone.object_of(2, 1, "kept")));
  live_ms(1000);
  EXPECT_EQ(lone.answer().outcome, Outcome::kUncertain) << "it is no promise that nothing is there";
}

TEST_F(Puts, AnIllFormedVectorIsNoReasonForASecondWrite) {
  set();
  ReplicaWriteReply reply = LoneRequests::written(Verdict::kUncovered);
  reply.vector = "no context";
  write_reply(lone.at(1), reply);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_EQ(counters().second_writes, 0u);
}

// ---- the own vote

struct BothStores {
  engine::testing::MapStore store, hint_store;
};

class StoredPuts : public BothStores, public LonePutMachine {
 protected:
  StoredPuts() : LonePutMachine({.members = 5, .store = &store, .hint_store = &hint_store}) {}

  void tell_commit(bool ok, bool hinted = false) {
    machine.on_own_commit(id, operation(), {.hinted = hinted, .ok = ok}, lone.now);
  }
};

TEST_F(StoredPuts, TheOwnCopyIsAVoteFromItsCommitOn) {
  set();
  ASSERT_EQ(lone.core.open.awaited_commits.size(), 1u);
  EXPECT_EQ(lone.core.open.awaited_commits[0].operation, id);
  write_reply(lone.at(1));
  tell_commit(true);
  EXPECT_THAT(lone.answers, IsEmpty()) << "a commit of what came before it";
  ASSERT_TRUE(lone.table.commits().commit(true).ok());
  tell_commit(true);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_FALSE(lone.ended(id));
  write_reply(lone.at(2));
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(StoredPuts, TheOperationOutlivesItsAnswerUntilTheOwnCommit) {
  set();
  write_reply(lone.at(1));
  write_reply(lone.at(2));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  live_ms(1000);
  EXPECT_FALSE(lone.ended(id));
  ASSERT_TRUE(lone.table.commits().commit(true).ok());
  tell_commit(true);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(StoredPuts, AFailedOwnCommitIsNoVote) {
  set();
  write_reply(lone.at(1));
  tell_commit(false);
  EXPECT_THAT(lone.answers, IsEmpty());
  write_reply(lone.at(2));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk) << "two others have it";
  EXPECT_EQ(lone.answer().acknowledged, 2);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(StoredPuts, WithAFailedOwnCommitAndARefusalItIsUncertain) {
  set_with_w(3);
  tell_commit(false);
  write_reply(lone.at(1));
  write_reply(lone.at(2));
  EXPECT_EQ(lone.answer().outcome, Outcome::kUncertain);
}

TEST_F(StoredPuts, AnOwnHintIsAVoteFromTheCommitOfHintsOn) {
  lone.stand_at(3);
  lone.link(lone.at(0), false);
  set_knowing({});
  EXPECT_THAT(lone.core.open.awaited_commits, IsEmpty());
  ASSERT_EQ(lone.core.open.awaited_hint_commits.size(), 1u);
  write_reply(lone.at(1));
  ASSERT_TRUE(lone.hint_table.commits().commit(true).ok());
  tell_commit(true, false);
  EXPECT_THAT(lone.answers, IsEmpty()) << "a commit of objects says nothing of hints";
  tell_commit(true, true);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
}

TEST_F(StoredPuts, AStoreThatRefusesSendsNothing) {
  store.set_broken(true);
  lone.put("another", lone.object_of(1, 1, "v"));
  ASSERT_FALSE(lone.table.commits().commit(true).ok());
  set();
  EXPECT_EQ(lone.answer().outcome, Outcome::kStoreFailed);
  EXPECT_TRUE(lone.ended(id));
  EXPECT_TRUE(lone.sent_nothing());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
