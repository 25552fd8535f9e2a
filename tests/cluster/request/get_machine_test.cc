// SPDX-License-Identifier: Apache-2.0
// A get alone: when it answers and with what, what it waits for afterwards, and what it leaves.
#include "cluster/request/get_machine.h"

#include <gmock/gmock.h>

#include "base/check.h"
#include "tests/cluster/lone_requests.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Phase = Operation::Phase;

class Gets : public ::testing::Test {
 protected:
  explicit Gets(const LoneShape& shape = {}) : lone(shape) {
    lone.stand_at(0);
    lone.link_all();
  }

  void start() { start(lone.get()); }
  void start(const Request& request) {
    id = lone.acquire(Operation::Kind::kGet, request, 5);
    machine.start(id, lone.of(id), lone.now);
  }
  void reply(MemberIndex from, const ReplicaReadReply& reply) {
    lone.read_reply(machine, id, {from, reply});
  }
  void acknowledge(MemberIndex from) {
    lone.write_reply(machine, id, {from, LoneRequests::written()});
  }
  // Answers a digest that differs, and then the question for the object.
  void reply_other(MemberIndex from, const Object& object) {
    reply(from, LoneRequests::digest(object));
    reply(from, lone.full(object));
  }
  void forget_questions() {
    for (size_t place = 0; place < lone.view->members.size(); ++place) lone.sent(lone.at(place));
  }
  Phase phase() { return lone.of(id).phase; }
  Object old_one() const { return lone.object_of(1, 1, "old"); }
  Object new_one() const { return lone.object_of(1, 2, "new"); }
  const CoordinatorCounters& counters() const { return lone.core.counters; }

  LoneRequests lone;
  QuorumRead reads{lone.core};
  ReadRepair repairs{lone.core};
  GetMachine machine{lone.core, reads, repairs};
  SlotId id = 0;
};

TEST_F(Gets, AnswersAtRAndEndsOnceAllHaveAnswered) {
  lone.put(lone.key, old_one());
  start();
  EXPECT_THAT(lone.answers, IsEmpty());
  reply(lone.at(1), LoneRequests::digest(old_one()));
  const NotedAnswer answer = lone.answer();
  EXPECT_EQ(answer.tag, 5u);
  EXPECT_EQ(answer.outcome, Outcome::kOk);
  EXPECT_THAT(answer.values, ElementsAre("old"));
  EXPECT_EQ(answer.acknowledged, 2);
  EXPECT_EQ(answer.needed, 2);
  EXPECT_EQ(answer.service.primaries, 2);
  EXPECT_EQ(answer.service.repairs, 0);
  EXPECT_EQ(answer.fastest, lone.id_of(0));
  EXPECT_EQ(phase(), Phase::kSettling);
  reply(lone.at(2), LoneRequests::digest(old_one()));
  EXPECT_TRUE(lone.ended(id));
  EXPECT_EQ(lone.answers.size(), 1u);
  EXPECT_EQ(lone.core.open.held_bytes, 0u);
}

TEST_F(Gets, OfNothingIsAnEmptyObject) {
  start();
  reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kAbsent));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_TRUE(lone.answer().has_object);
  EXPECT_THAT(lone.answer().values, IsEmpty());
}

TEST_F(Gets, TheRequestsOwnRGoesBeforeTheKeyspaces) {
  Request request = lone.get();
  request.r = 3;
  start(request);
  reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kAbsent));
  EXPECT_THAT(lone.answers, IsEmpty());
  reply(lone.at(2), LoneRequests::verdict(ReplicaVerdict::kAbsent));
  EXPECT_EQ(lone.answer().needed, 3);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Gets, TooManyRefusalsEndItWithoutAQuorum) {
  start();
  reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kRefused));
  EXPECT_THAT(lone.answers, IsEmpty());
  reply(lone.at(2), LoneRequests::verdict(ReplicaVerdict::kRefused));
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_TRUE(lone.answer().has_object) << "an empty one";
  EXPECT_EQ(lone.answer().acknowledged, 1);
  EXPECT_EQ(counters().no_quorum, 1u);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Gets, WithoutLinksItFailsAtOnce) {
  lone.link(1, false);
  lone.link(2, false);
  start();
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Gets, SilenceEndsItAtTheDeadlineAndNotBefore) {
  start();
  lone.live_ms(machine, 999);
  EXPECT_THAT(lone.answers, IsEmpty());
  EXPECT_EQ(counters().timeouts, 2u) << "noticed after a quarter";
  lone.live_ms(machine, 1);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_EQ(lone.answer().service.micros, 1'000'000u);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Gets, ItsOwnTimeIsTheRequests) {
  Request request = lone.get();
  request.timeout_ms = 100;
  start(request);
  lone.live_ms(machine, 24);
  EXPECT_EQ(counters().timeouts, 0u);
  lone.live_ms(machine, 1);
  EXPECT_EQ(counters().timeouts, 2u);
  lone.live_ms(machine, 75);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
}

TEST_F(Gets, ALateAnswerBeforeTheDeadlineIsTaken) {
  start();
  lone.live_ms(machine, 900);
  reply(lone.at(2), LoneRequests::verdict(ReplicaVerdict::kAbsent));
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
}

TEST_F(Gets, BytesThatFlowHoldSilenceBack) {
  start();
  lone.live_ms(machine, 200);
  lone.core.note_flow(lone.of(id), lone.now);
  lone.live_ms(machine, 249);
  EXPECT_EQ(counters().timeouts, 0u);
  lone.live_ms(machine, 1);
  EXPECT_EQ(counters().timeouts, 2u);
}

TEST_F(Gets, BrokenLinksEndItWithoutAQuorum) {
  start();
  lone.link_down(machine, id, lone.at(1));
  EXPECT_THAT(lone.answers, IsEmpty());
  lone.link_down(machine, id, lone.at(2));
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
}

// ---- after the answer

TEST_F(Gets, StragglersAreAwaitedForAWhileAndNoLonger) {
  lone.put(lone.key, old_one());
  start();
  reply(lone.at(1), LoneRequests::digest(old_one()));
  lone.live_ms(machine, 99);
  EXPECT_EQ(phase(), Phase::kSettling);
  lone.live_ms(machine, 1);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Gets, TimersOfTheReadingDoNotShortenThatWhile) {
  start();
  lone.live_ms(machine, 200);
  reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kAbsent));
  lone.live_ms(machine, 99);
  EXPECT_FALSE(lone.ended(id)) << "the one of a quarter came in between";
  lone.live_ms(machine, 1);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Gets, WhoAnswersWhileOthersAreRepairedIsNotAskedAnyMore) {
  lone.put(lone.key, new_one());
  start();
  reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kAbsent));
  lone.live_ms(machine, 100);
  ASSERT_EQ(phase(), Phase::kRepairing);
  forget_questions();
  reply(lone.at(2), LoneRequests::digest(old_one()));
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(Gets, AStragglerThatIsStaleIsRepaired) {
  lone.put(lone.key, new_one());
  start();
  reply(lone.at(1), LoneRequests::digest(new_one()));
  forget_questions();
  EXPECT_EQ(lone.answer().service.repairs, 0);
  reply(lone.at(2), LoneRequests::verdict(ReplicaVerdict::kAbsent));
  const ReplicaWrite repair = lone.wrote(lone.at(2));
  EXPECT_TRUE(repair.repair);
  EXPECT_THAT(LoneRequests::values_of(repair), ElementsAre("new"));
  EXPECT_TRUE(lone.sent(lone.at(1)).empty());
  EXPECT_EQ(phase(), Phase::kRepairing);
  EXPECT_EQ(counters().read_repairs, 1u);
  acknowledge(lone.at(1));
  EXPECT_FALSE(lone.ended(id)) << "it has nothing to acknowledge";
  acknowledge(lone.at(2));
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Gets, AStragglersNewerObjectIsFetchedAfterTheAnswerAndGoesToTheOthers) {
  lone.put(lone.key, old_one());
  start();
  reply(lone.at(1), LoneRequests::digest(old_one()));
  forget_questions();
  reply(lone.at(2), LoneRequests::digest(new_one()));
  EXPECT_TRUE(lone.asked(lone.at(2)).full);
  EXPECT_EQ(phase(), Phase::kSettling);
  reply(lone.at(2), lone.full(new_one()));
  EXPECT_THAT(lone.answer().values, ElementsAre("old")) << "which was all that R knew";
  EXPECT_THAT(LoneRequests::values_of(lone.wrote(lone.at(1))), ElementsAre("new"));
  EXPECT_THAT(lone.own(lone.key), ElementsAre("new"));
  EXPECT_EQ(counters().read_repairs, 2u);
}

TEST_F(Gets, TheAnswerTellsHowManyWereStale) {
  lone.put(lone.key, old_one());
  start();
  reply_other(lone.at(1), new_one());
  EXPECT_EQ(lone.answer().service.repairs, 1);
  EXPECT_THAT(lone.answer().values, ElementsAre("new"));
  EXPECT_THAT(lone.own(lone.key), ElementsAre("old")) << "repair comes last";
  lone.live_ms(machine, 100);
  EXPECT_THAT(lone.own(lone.key), ElementsAre("new"));
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Gets, ARepairIsNotAwaitedAcrossABrokenLink) {
  lone.put(lone.key, new_one());
  start();
  reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kAbsent));
  reply(lone.at(2), LoneRequests::digest(new_one()));
  ASSERT_EQ(phase(), Phase::kRepairing);
  lone.link_down(machine, id, lone.at(2));
  EXPECT_FALSE(lone.ended(id));
  lone.link_down(machine, id, lone.at(1));
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Gets, ARepairIsAwaitedForItsTimeAlone) {
  lone.put(lone.key, new_one());
  start();
  lone.live_ms(machine, 10);
  reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kAbsent));
  reply(lone.at(2), LoneRequests::digest(new_one()));
  reply(lone.at(2), LoneRequests::digest(old_one()));
  EXPECT_EQ(phase(), Phase::kRepairing) << "its read is over";
  lone.live_ms(machine, 999);
  EXPECT_FALSE(lone.ended(id));
  lone.live_ms(machine, 1);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Gets, ABrokenLinkOfTheLastStragglerBeginsTheRepair) {
  lone.put(lone.key, new_one());
  start();
  reply(lone.at(1), LoneRequests::verdict(ReplicaVerdict::kAbsent));
  forget_questions();
  lone.link_down(machine, id, lone.at(2));
  EXPECT_TRUE(lone.wrote(lone.at(1)).repair);
}

// ---- siblings that may be none

struct FarGets : Gets {
  FarGets() : Gets({.members = 5}) { lone.stand_at(4); }
};

// By that of copies which are not merged any more everything that comes would be dead.
TEST_F(FarGets, ASecondReadingForgetsTheFrontierOfTheFirst) {
  ReplicaReadReply whole = lone.full(old_one());
  whole.frontier = Hlc::from_ms(LoneCore::kWallMs + 100);
  start();
  const Reading& reading = lone.of(id).reading;
  for (const uint8_t attempt : {uint8_t{0}, uint8_t{1}}) {
    if (attempt > 0) reads.begin(id, lone.of(id), 2, lone.now);
    whole.attempt = attempt;
    reads.on_reply(id, lone.of(id), {lone.at(0), whole}, lone.now);
    EXPECT_THAT(LoneRequests::values_of(reading.held.object()), ElementsAre("old"));
  }
}

class SiblingGets : public Gets {
 protected:
  using Gets::Gets;
  Object one() const { return lone.object_of(1, 1, "a"); }
  Object other() const { return lone.object_of(2, 2, "b"); }
};

TEST_F(SiblingGets, InCopiesThatDifferAreReadAgainThreeTimes) {
  lone.put(lone.key, one());
  start();
  for (uint8_t attempt = 0; attempt < Core::kFluxReadings; ++attempt) {
    reply(lone.at(1), lone.full(other(), attempt));
    ASSERT_EQ(phase(), Phase::kContended);
    ASSERT_THAT(lone.answers, IsEmpty());
    EXPECT_EQ(counters().reads_contested, attempt + 1u);
    lone.live_ms(machine, 8);
    ASSERT_EQ(phase(), Phase::kReading);
  }
  reply(lone.at(1), lone.full(other(), Core::kFluxReadings));
  EXPECT_THAT(lone.answer().values, UnorderedElementsAre("a", "b"));
  EXPECT_EQ(counters().siblings_seen, 1u);
}

TEST_F(SiblingGets, AnAnswerToTheReadingBeforeDoesNotEndTheNextOne) {
  lone.put(lone.key, one());
  start();
  reply(lone.at(1), lone.full(other(), 0));
  reply(lone.at(2), LoneRequests::digest(one(), 0));
  EXPECT_EQ(phase(), Phase::kContended);
  lone.live_ms(machine, 2);
  reply(lone.at(2), LoneRequests::digest(one(), 0));
  EXPECT_THAT(lone.answers, IsEmpty());
  reply(lone.at(2), LoneRequests::digest(one(), 1));
  EXPECT_THAT(lone.answer().values, ElementsAre("a"));
}

TEST_F(SiblingGets, ThatAreTheSameEverywhereAreShownAtOnce) {
  const Object both = merge(one(), other());
  lone.put(lone.key, both);
  start();
  reply(lone.at(1), LoneRequests::digest(both));
  EXPECT_THAT(lone.answer().values, UnorderedElementsAre("a", "b"));
}

TEST_F(SiblingGets, AreReadAgainWhereAReplicaSaysThatTheyAreContested) {
  const Object both = merge(one(), other());
  lone.put(lone.key, both);
  start();
  ReplicaReadReply contested = LoneRequests::digest(both);
  contested.contested = true;
  reply(lone.at(1), contested);
  EXPECT_THAT(lone.answers, IsEmpty());
  EXPECT_EQ(phase(), Phase::kContended);
}

TEST_F(SiblingGets, AreShownOnceHalfOfTheTimeIsOver) {
  lone.put(lone.key, one());
  start();
  lone.live_ms(machine, 500);
  reply(lone.at(1), lone.full(other()));
  EXPECT_THAT(lone.answer().values, UnorderedElementsAre("a", "b"));
}

struct LwwGets : SiblingGets {
  LwwGets() : SiblingGets({.conflicts = ConflictPolicy::kLww}) {}
};

TEST_F(LwwGets, ShowTheNewestAloneAndAtOnce) {
  lone.put(lone.key, one());
  start();
  reply(lone.at(1), lone.full(other()));
  EXPECT_THAT(lone.answer().values, ElementsAre("b"));
  EXPECT_EQ(counters().concurrent_dropped, 1u);
  EXPECT_EQ(counters().reads_contested, 0u);
}

// ---- short

struct ServingGets : Gets {
  ServingGets()
      : Gets({.adjust_founding = [](Founding& founding) {
          for (KeyspacePolicy& policy : founding.keyspaces) {
            policy.reads_when_short = ReadsWhenShort::kServe;
          }
        }}) {}
};

TEST_F(ServingGets, TheBestThatIsKnownIsServedAtTheDeadline) {
  lone.put(lone.key, old_one());
  start();
  lone.live_ms(machine, 1000);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_THAT(lone.answer().values, ElementsAre("old"));
  EXPECT_EQ(lone.answer().acknowledged, 1);
  lone.live_ms(machine, 100);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(ServingGets, WhereNobodyAnsweredNothingIsServed) {
  id = lone.acquire(Operation::Kind::kGet, lone.get());
  lone.of(id).reading.own_unreadable = true;
  machine.start(id, lone.of(id), lone.now);
  lone.live_ms(machine, 1000);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
}

// ---- the own copy alone

struct LoneGets : Gets {
  LoneGets() : Gets({.n = 1}) {}
};

TEST_F(LoneGets, AreAnsweredAtOnceWithoutAnOperation) {
  lone.put(lone.key, old_one());
  EXPECT_TRUE(machine.answer_at_once(lone.get(), 5, lone.now));
  EXPECT_EQ(lone.answer().tag, 5u);
  EXPECT_THAT(lone.answer().values, ElementsAre("old"));
  EXPECT_EQ(lone.answer().service.primaries, 1);
  EXPECT_EQ(lone.core.open.requests.used(), 0u);
}

TEST_F(LoneGets, OfAnotherNodesKeyAreNot) {
  lone.stand_at(1);
  EXPECT_FALSE(machine.answer_at_once(lone.get(), 5, lone.now));
  EXPECT_THAT(lone.answers, IsEmpty());
}

TEST_F(LoneGets, OfACopyThatMayLackWritesAreNot) {
  lone.damage(0, lone.core.partition_for(lone.ref(lone.key)));
  EXPECT_FALSE(machine.answer_at_once(lone.get(), 5, lone.now));
}

TEST_F(Gets, OfThreeCopiesAreNotAnsweredAtOnce) {
  EXPECT_FALSE(machine.answer_at_once(lone.get(), 5, lone.now));
  EXPECT_THAT(lone.answers, IsEmpty());
}

// ---- loads

class StoredGets : public OldStore, public Gets {
 protected:
  explicit StoredGets(uint8_t n = 3)
      : OldStore(1, "old", 0), Gets({.n = n, .store = &store, .memory_bytes_max = kMemoryBytes}) {}
  void end_load(bool ok) {
    const Load load = lone.end_load(ok);
    EXPECT_EQ(load.operation, id);
    EXPECT_EQ(load.key, lone.key);
    machine.on_loaded(id, lone.of(id), ok, lone.now);
  }
};

TEST_F(StoredGets, AskTheOthersOnceTheOwnObjectIsLoaded) {
  start();
  EXPECT_EQ(phase(), Phase::kLoading);
  EXPECT_TRUE(lone.sent(lone.at(1)).empty());
  end_load(true);
  EXPECT_EQ(phase(), Phase::kReading);
  EXPECT_EQ(lone.asked(lone.at(1)).attempt, 1);
  reply(lone.at(1), LoneRequests::digest(old_one(), 1));
  EXPECT_THAT(lone.answer().values, ElementsAre("old"));
}

TEST_F(StoredGets, ALoadThatFailsIsOneVoteLess) {
  start();
  end_load(false);
  EXPECT_THAT(lone.unreadable, IsEmpty());
  reply(lone.at(1), lone.full(old_one(), 1));
  EXPECT_THAT(lone.answers, IsEmpty());
  reply(lone.at(2), lone.full(old_one(), 1));
  EXPECT_THAT(lone.answer().values, ElementsAre("old"));
  EXPECT_EQ(lone.answer().service.primaries, 2);
  EXPECT_TRUE(lone.ended(id));
}

struct LoneStoredGets : StoredGets {
  LoneStoredGets() : StoredGets(1) {}
};

TEST_F(LoneStoredGets, NobodyElseHasWhatCannotBeLoaded) {
  EXPECT_FALSE(machine.answer_at_once(lone.get(), 5, lone.now));
  start();
  end_load(false);
  EXPECT_THAT(lone.unreadable, ElementsAre(id));
  EXPECT_THAT(lone.answers, IsEmpty()) << "whoever it was told to answers";
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
