// SPDX-License-Identifier: Apache-2.0
// A request that another node coordinates, without a cluster: whom it is given to, and what is made
// of answers, silence and broken links.
#include <gmock/gmock.h>

#include "cluster/request/forwarding.h"
#include "tests/cluster/lone_requests.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Of five members, this one stands in for the key at best.
class Forwards : public ::testing::Test {
 protected:
  explicit Forwards(size_t place = 4) : lone({.members = 5}) {
    lone.stand_at(place);
    lone.link_all();
  }
  MemberIndex choose(const Request& request, std::initializer_list<MemberIndex> tried = {}) {
    InlineVector<MemberIndex, 4> known;
    for (const MemberIndex member : tried) known.push_back(member);
    return machine.choose(request, known);
  }
  void start(const Request& request) {
    id = lone.acquire(Operation::Kind::kForward, request, 5);
    Operation& operation = lone.of(id);
    operation.forwarded.origin = LoneRequests::kOrigin;
    encode_forwarded(request, LoneRequests::kOrigin, operation.payload);
    operation.payload_is_encoded = true;
    send_to(lone.at(0));
  }
  void send_to(MemberIndex member) { machine.send(id, lone.of(id), member, lone.now); }
  void set() { start(lone.edit(test_edits::kSet)); }
  void increment() { start(lone.edit(test_edits::kIncrement)); }
  void get() { start(lone.get()); }
  ForwardEnvelope asked(MemberIndex member) {
    ForwardEnvelope envelope;
    std::string_view payload;
    EXPECT_TRUE(parse_forward_envelope(lone.only(member), &envelope, &payload));
    return envelope;
  }
  void reply(MemberIndex from, Outcome outcome, bool stored = true) {
    Completion completion;
    completion.outcome = outcome;
    completion.stored = outcome == Outcome::kOk && stored;
    Object nothing;
    if (!lone.ended(id) && lone.of(id).request().kind == Request::Kind::kRead) {
      completion.object = &nothing;
    }
    const Frame frame =
        lone.made([&](std::string& batch) { put_forward_reply(batch, id, completion); });
    EXPECT_TRUE(machine.on_reply(from, frame, lone.now));
  }
  // As the next coordinator is asked by the machine, and then goes on.
  void expect_passed_to(MemberIndex member) {
    ASSERT_EQ(lone.passed_on.size(), 1u);
    EXPECT_EQ(lone.passed_on[0], std::make_pair(member, id));
    lone.passed_on.clear();
    send_to(member);
  }
  const CoordinatorCounters& counters() const { return lone.core.counters; }

  LoneRequests lone;
  Forwarding machine{lone.core};
  SlotId id = 0;
};

// ---- whom

TEST_F(Forwards, PutsMeetAtTheFirstPrimaryThatIsThere) {
  const Request put = lone.edit(test_edits::kSet);
  EXPECT_EQ(choose(put), lone.at(0));
  EXPECT_EQ(choose(put, {lone.at(0)}), lone.at(1));
  lone.link(lone.at(0), false);
  lone.suspect(lone.at(1));
  EXPECT_EQ(choose(put), lone.at(2));
  lone.link(lone.at(2), false);
  EXPECT_EQ(choose(put), lone.at(3)) << "the first fallback";
  EXPECT_EQ(choose(put, {lone.at(3)}), lone.core.self());
  EXPECT_EQ(choose(put, {lone.at(3), lone.core.self()}), kNoMember);
}

TEST_F(Forwards, APutGoesWhereItsContextWasRead) {
  Request put = lone.edit(test_edits::kSet);
  put.preferred = lone.id_of(lone.at(2));
  EXPECT_EQ(choose(put), lone.at(2));
  EXPECT_EQ(choose(put, {lone.at(2)}), lone.at(0));
  put.preferred = lone.id_of(lone.at(3));
  EXPECT_EQ(choose(put), lone.at(0)) << "no primary";
}

struct ReadsAtThird : Forwards {
  ReadsAtThird() : Forwards(2) {}
};

TEST_F(ReadsAtThird, ACopyHereIsTheNearest) {
  EXPECT_EQ(choose(lone.get()), lone.core.self());
  EXPECT_EQ(choose(lone.edit(test_edits::kSet)), lone.at(0));
}

TEST_F(ReadsAtThird, AnEditIsPassedOnToAnEarlierPrimaryThatIsLively) {
  id = lone.acquire(Operation::Kind::kPut, lone.edit(test_edits::kSet));
  Operation& operation = lone.of(id);
  EXPECT_EQ(machine.coordinator_of(operation, lone.now), lone.core.self()) << "it may be frozen";
  lone.core.health.heard(lone.at(0), lone.now.steady_us);
  EXPECT_EQ(machine.coordinator_of(operation, lone.now), lone.at(0));
  operation.route.retried = true;
  EXPECT_EQ(machine.coordinator_of(operation, lone.now), lone.core.self()) << "it was there";
  operation.route.retried = false;
  operation.route.hops = Forwarding::kHopsMax;
  EXPECT_EQ(machine.coordinator_of(operation, lone.now), lone.core.self()) << "no circles";
}

// ---- the answer

TEST_F(Forwards, TheAnswerIsPassedToTheClient) {
  set();
  const ForwardEnvelope envelope = asked(lone.at(0));
  EXPECT_EQ(envelope.hops, 1);
  EXPECT_FALSE(envelope.retried);
  EXPECT_EQ(envelope.remaining_ms, 968u) << "a little less, so that its answer arrives";
  EXPECT_EQ(counters().forwards, 1u);
  reply(lone.at(0), Outcome::kOk);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_TRUE(lone.answer().stored);
  EXPECT_EQ(lone.answer().service.hops, 1);
  EXPECT_TRUE(lone.ended(id));
  reply(lone.at(0), Outcome::kNoQuorum);
  EXPECT_EQ(lone.answers.size(), 1u);
}

TEST_F(Forwards, AMalformedAnswerIsNone) {
  set();
  const Frame frame =
      lone.made([&](std::string& batch) { put_forward_reply(batch, id, Completion{}); });
  EXPECT_FALSE(machine.on_reply(lone.at(0), cut_to(frame, 3), lone.now));
  EXPECT_FALSE(lone.ended(id));
}

TEST_F(Forwards, AnErrorIsPassedToTheClient) {
  increment();
  reply(lone.at(0), Outcome::kNoQuorum);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_TRUE(lone.ended(id));
}

// ---- silence and broken links

TEST_F(Forwards, AnIdempotentEditIsGivenToTheNextAfterAQuarter) {
  set();
  lone.live_ms(machine, 249);
  EXPECT_THAT(lone.passed_on, IsEmpty());
  lone.live_ms(machine, 1);
  EXPECT_EQ(counters().timeouts, 1u);
  EXPECT_EQ(counters().forward_retries, 1u);
  expect_passed_to(lone.at(1));
  const ForwardEnvelope envelope = asked(lone.at(1));
  EXPECT_TRUE(envelope.retried);
  EXPECT_EQ(envelope.hops, Forwarding::kHopsMax) << "it must not go back";
  reply(lone.at(0), Outcome::kNoQuorum);
  EXPECT_THAT(lone.answers, IsEmpty()) << "the last one decides";
  reply(lone.at(1), Outcome::kNoQuorum);
  EXPECT_EQ(lone.answer().outcome, Outcome::kUncertain) << "the first may have run it";
}

TEST_F(Forwards, TheFirstOnesAnswerIsTakenWhileNobodyHasAPermit) {
  set();
  lone.live_ms(machine, 250);
  expect_passed_to(lone.at(1));
  reply(lone.at(0), Outcome::kOk);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Forwards, AnEditThatCountsIsAwaitedUntilTheDeadline) {
  increment();
  lone.live_ms(machine, 999);
  EXPECT_THAT(lone.passed_on, IsEmpty());
  EXPECT_THAT(lone.answers, IsEmpty());
  EXPECT_EQ(counters().timeouts, 1u);
  lone.live_ms(machine, 1);
  EXPECT_EQ(lone.answer().outcome, Outcome::kUncertain);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Forwards, AnEditThatCountsIsUncertainWhereTheLinkBreaks) {
  increment();
  lone.link_down(machine, id, lone.at(1));
  EXPECT_THAT(lone.answers, IsEmpty());
  lone.link_down(machine, id, lone.at(0));
  EXPECT_EQ(lone.answer().outcome, Outcome::kUncertain);
  EXPECT_THAT(lone.passed_on, IsEmpty());
}

TEST_F(Forwards, AReadIsGivenToAnotherOneWhereTheLinkBreaks) {
  get();
  lone.link_down(machine, id, lone.at(0));
  ASSERT_EQ(lone.passed_on.size(), 1u);
  EXPECT_NE(lone.passed_on[0].first, lone.at(0));
  EXPECT_THAT(lone.answers, IsEmpty());
}

TEST_F(Forwards, AReadThatNobodyAnswersHasNoQuorum) {
  get();
  for (int quarter = 1; quarter < 4; ++quarter) {
    lone.live_ms(machine, 250);
    ASSERT_EQ(lone.passed_on.size(), 1u);
    EXPECT_NE(lone.passed_on[0].first, lone.at(0));
    send_to(lone.passed_on[0].first);
    lone.passed_on.clear();
  }
  lone.live_ms(machine, 250);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
  EXPECT_EQ(counters().timeouts, 1u) << "only the first one had a whole quarter for itself";
}

// ---- who cannot take it

TEST_F(Forwards, AStoreThatRefusesRanNothingSoAnotherOneMay) {
  increment();
  reply(lone.at(0), Outcome::kStoreFailed);
  EXPECT_EQ(lone.of(id).route.refusals, 1);
  expect_passed_to(lone.at(1));
  EXPECT_FALSE(asked(lone.at(1)).retried) << "nobody can have run it";
  reply(lone.at(1), Outcome::kNoQuorum);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum) << "for certain";
}

TEST_F(Forwards, OneThatStopsHandsItBack) {
  increment();
  reply(lone.at(0), Outcome::kClusterDown);
  expect_passed_to(lone.at(1));
}

TEST_F(Forwards, WhereAllRefuseTheClientIsTold) {
  increment();
  for (size_t place = 1; place < 4; ++place) lone.link(lone.at(place), false);
  lone.of(id).route.tried.push_back(lone.core.self());
  std::swap(lone.of(id).route.tried[0], lone.of(id).route.tried[1]);
  lone.of(id).route.refusals = 1;
  reply(lone.at(0), Outcome::kStoreFailed);
  EXPECT_EQ(lone.answer().outcome, Outcome::kStoreFailed);
}

// ---- permits: a twin may follow

class Permits : public Forwards {
 protected:
  Permits() {
    set();
    lone.live_ms(machine, 250);
    lone.passed_on.clear();
    send_to(lone.at(1));
    lone.of(id).handing.permitted.push_back(lone.at(1));
  }
};

TEST_F(Permits, TheFirstOnesAnswerIsHeldUntilTheOtherStoredNothing) {
  reply(lone.at(0), Outcome::kOk);
  EXPECT_THAT(lone.answers, IsEmpty());
  EXPECT_TRUE(lone.of(id).handing.holds_answer);
  reply(lone.at(1), Outcome::kNoQuorum);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_TRUE(lone.answer().stored);
  EXPECT_TRUE(lone.ended(id));
  EXPECT_EQ(lone.core.open.held_bytes, 0u);
}

TEST_F(Permits, TheAnswerOfWhoHasOneIsTakenAtOnce) {
  reply(lone.at(0), Outcome::kOk);
  reply(lone.at(1), Outcome::kOk);
  EXPECT_EQ(lone.answers.size(), 1u);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Permits, ABrokenLinkOfWhoHasOneIsUncertain) {
  reply(lone.at(0), Outcome::kOk);
  lone.link_down(machine, id, lone.at(0));
  EXPECT_THAT(lone.answers, IsEmpty());
  lone.link_down(machine, id, lone.at(1));
  EXPECT_EQ(lone.answer().outcome, Outcome::kUncertain);
}

TEST_F(Permits, AHeldAnswerIsUncertainAtTheDeadline) {
  reply(lone.at(0), Outcome::kOk);
  lone.live_ms(machine, 749);
  EXPECT_THAT(lone.answers, IsEmpty());
  lone.live_ms(machine, 1);
  EXPECT_EQ(lone.answer().outcome, Outcome::kUncertain);
}

// ---- hedges

class ForwardHedges : public Forwards {
 protected:
  ForwardHedges() {
    for (uint32_t count = 0; count < HedgeBudget::kReadsPerHedge; ++count) lone.core.hedges.earn();
    get();
    lone.live_ms(machine, 2);
    EXPECT_EQ(counters().hedged_reads, 1u);
    hedge = lone.of(id).handing.hedge;
  }
  MemberIndex hedge = kNoMember;
};

TEST_F(ForwardHedges, WhoAnswersFirstDoes) {
  EXPECT_TRUE(lone.core.is_primary(hedge, lone.ref(lone.key)));
  EXPECT_EQ(lone.sent(hedge).size(), 1u);
  reply(hedge, Outcome::kOk);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  reply(lone.at(0), Outcome::kOk);
  EXPECT_EQ(lone.answers.size(), 1u);
}

TEST_F(ForwardHedges, AnErrorOfOneWaitsForTheOther) {
  reply(hedge, Outcome::kNoQuorum);
  EXPECT_THAT(lone.answers, IsEmpty());
  reply(lone.at(0), Outcome::kOk);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
}

TEST_F(ForwardHedges, TheErrorOfTheSecondIsTheAnswer) {
  reply(hedge, Outcome::kNoQuorum);
  reply(lone.at(0), Outcome::kNoQuorum);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum);
}

TEST_F(ForwardHedges, TheHedgeTakesThePlaceOfOneThatFails) {
  lone.link_down(machine, id, lone.at(0));
  EXPECT_THAT(lone.passed_on, IsEmpty());
  EXPECT_EQ(lone.of(id).route.tried.back(), hedge);
  reply(hedge, Outcome::kNoQuorum);
  EXPECT_EQ(lone.answer().outcome, Outcome::kNoQuorum) << "nobody else was asked";
}

TEST_F(ForwardHedges, BothAreSilentAfterAQuarter) {
  lone.live_ms(machine, 248);
  EXPECT_EQ(lone.core.health.report(lone.at(0)).timeouts, 1u);
  EXPECT_EQ(lone.core.health.report(hedge).timeouts, 1u);
  EXPECT_EQ(lone.passed_on.size(), 1u);
}

// ---- frames of others

TEST_F(Forwards, AnEditThatCountsIsRunOnce) {
  ForwardedRequest forwarded;
  forwarded.request = lone.edit(test_edits::kIncrement);
  forwarded.origin = 3;
  EXPECT_FALSE(machine.seen_before(forwarded));
  EXPECT_TRUE(machine.seen_before(forwarded));
  machine.forget_seen(forwarded);
  EXPECT_FALSE(machine.seen_before(forwarded)) << "it was handed back";
  forwarded.request = lone.edit(test_edits::kSet);
  forwarded.origin = 4;
  EXPECT_FALSE(machine.seen_before(forwarded));
  EXPECT_FALSE(machine.seen_before(forwarded)) << "twice is like once";
}

TEST_F(Forwards, AFirstAttemptThatWasHeldUpIsNotRun) {
  ForwardEnvelope envelope{.remaining_ms = 1000, .sent_us = 1};
  const Request put = lone.edit(test_edits::kSet);
  EXPECT_FALSE(machine.comes_too_late(1, envelope, put, lone.now))
      << "the first frame is the measure";
  lone.pass_ms(400);
  EXPECT_FALSE(machine.comes_too_late(1, envelope, lone.get(), lone.now)) << "reads harm nobody";
  EXPECT_TRUE(machine.comes_too_late(1, envelope, put, lone.now));
  EXPECT_EQ(counters().forwards_too_late, 1u);
  envelope.retried = true;
  EXPECT_FALSE(machine.comes_too_late(1, envelope, put, lone.now)) << "it asks for a permit";
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
