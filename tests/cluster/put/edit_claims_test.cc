// SPDX-License-Identifier: Apache-2.0
// Which edits want a claim, whose grant they take, and what is given back.
#include "cluster/put/edit_claims.h"

#include <gmock/gmock.h>

#include "cluster/request/forwarding.h"
#include "tests/cluster/lone_requests.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ClaimsOfEdits : public ::testing::Test {
 protected:
  explicit ClaimsOfEdits(const LoneShape& shape = {}) : lone(shape) {
    lone.stand_at(0);
    lone.link_all();
    begin(lone.edit(test_edits::kIncrement));
  }
  void begin(const Request& request, bool blind = false) {
    id = lone.acquire(Operation::Kind::kPut, request);
    operation().writing.blind = blind;
  }
  void begin_blind() { begin(lone.edit(test_edits::kSet), true); }
  Operation& operation() { return lone.of(id); }
  size_t wanted() { return claims.wanted(operation(), lone.now); }
  void claim_for(MemberIndex member, uint64_t ms = 100) {
    const uint64_t now_ms = lone.now.steady_us / 1000;
    lone.claims.take(position(), {member, now_ms, now_ms + ms});
  }
  MemberIndex holder() const { return lone.claims.holder(position(), lone.now.steady_us / 1000); }
  Position position() const { return lone.ref(lone.key).position; }

  LoneRequests lone;
  EditClaims claims{lone.core};
  SlotId id = 0;
};

TEST_F(ClaimsOfEdits, AnEditOfTheOldValueWantsOneOfMoreThanHalf) { EXPECT_EQ(wanted(), 2u); }

TEST_F(ClaimsOfEdits, ABlindOneOfTheFirstPrimaryWantsNone) {
  begin_blind();
  EXPECT_EQ(wanted(), 0u);
}

TEST_F(ClaimsOfEdits, ABlindOneOfAnotherPrimaryWantsOne) {
  lone.stand_at(1);
  begin_blind();
  EXPECT_EQ(wanted(), 2u);
}

TEST_F(ClaimsOfEdits, ABlindOneBesideAnothersClaimWantsOne) {
  begin_blind();
  claim_for(lone.core.self());
  EXPECT_EQ(wanted(), 0u) << "edits of this node follow each other anyway";
  lone.claims.release(position(), lone.core.self());
  claim_for(2, 100);
  EXPECT_EQ(wanted(), 2u);
  lone.pass_ms(100);
  EXPECT_EQ(wanted(), 0u) << "it is over";
}

TEST_F(ClaimsOfEdits, ASecondWriteWantsOne) {
  begin_blind();
  operation().writing.second_write_done = true;
  EXPECT_EQ(wanted(), 2u);
}

TEST_F(ClaimsOfEdits, WhoBringsAContextOrGaveUpWantsNone) {
  operation().claim.given_up = true;
  EXPECT_EQ(wanted(), 0u);
  Request request = lone.edit(test_edits::kIncrement);
  Context context;
  request.has_context = true;
  request.context = &context;
  begin(request);
  EXPECT_EQ(wanted(), 0u);
}

struct FarQuorums : ClaimsOfEdits {
  FarQuorums()
      : ClaimsOfEdits({.adjust_founding = [](Founding& founding) {
          for (KeyspacePolicy& policy : founding.keyspaces) policy.w = 1;
        }}) {}
};

TEST_F(FarQuorums, WhereWritesNeedNotMeetNobodyClaims) { EXPECT_EQ(wanted(), 0u); }

struct FirstMoments : ClaimsOfEdits {
  FirstMoments() : ClaimsOfEdits({.has_frontier = true}) {}
};

TEST_F(FirstMoments, ABlindOneOfTheFirstPrimaryWantsNoneOnceAllAreLinked) {
  begin_blind();
  EXPECT_EQ(wanted(), 0u);
  lone.link(lone.at(1), false);
  EXPECT_EQ(wanted(), 2u) << "who is not linked may have written for this node";
  lone.core.contact.on_time(lone.now);
  lone.pass_us(FirstContact::kGraceUs);
  EXPECT_EQ(wanted(), 0u);
}

TEST_F(FirstMoments, AReadingWithTooFewGrantsComesTooEarlyForHalfOfItsTime) {
  operation().claim.quorum = 2;
  Targets& targets = operation().reading.tally.targets;
  targets.push_back({.member = 0, .state = Target::State::kAnswered});
  EXPECT_TRUE(claims.comes_too_early(operation(), lone.now));
  targets.push_back({.member = 1, .stands_for = 2, .state = Target::State::kAnswered});
  EXPECT_TRUE(claims.comes_too_early(operation(), lone.now)) << "a stand-in grants nothing";
  targets.push_back({.member = 2, .state = Target::State::kAnswered});
  EXPECT_FALSE(claims.comes_too_early(operation(), lone.now));
  targets.clear();
  operation().claim.quorum = 0;
  EXPECT_FALSE(claims.comes_too_early(operation(), lone.now));
  operation().claim.quorum = 2;
  lone.pass_ms(500);
  EXPECT_FALSE(claims.comes_too_early(operation(), lone.now));
}

TEST_F(ClaimsOfEdits, OfASessionThatIsOldNothingComesTooEarly) {
  operation().claim.quorum = 2;
  EXPECT_FALSE(claims.comes_too_early(operation(), lone.now));
}

TEST_F(ClaimsOfEdits, HalfOfTheTimeIsTheRequests) {
  EXPECT_FALSE(claims.waited_for_half(operation(), lone.now));
  lone.pass_us(499'999);
  EXPECT_FALSE(claims.waited_for_half(operation(), lone.now));
  lone.pass_us(1);
  EXPECT_TRUE(claims.waited_for_half(operation(), lone.now));
}

// ---- the own grant

TEST_F(ClaimsOfEdits, TheOwnGrantLastsThreeQuartersAndIsUsedForTwo) {
  EXPECT_TRUE(claims.take_own(operation(), lone.now));
  EXPECT_TRUE(operation().claim.own);
  EXPECT_EQ(operation().claim.holder, kNoMember);
  EXPECT_EQ(operation().claim.until_us, lone.now.steady_us + 500'000);
  lone.pass_ms(749);
  EXPECT_EQ(holder(), lone.core.self());
  lone.pass_ms(1);
  EXPECT_EQ(holder(), kNoMember);
}

TEST_F(ClaimsOfEdits, AnothersClaimIsNotTakenAway) {
  claim_for(2);
  EXPECT_FALSE(claims.take_own(operation(), lone.now));
  EXPECT_FALSE(operation().claim.own);
  EXPECT_EQ(operation().claim.holder, 2);
  claims.release(id, operation());
  EXPECT_EQ(holder(), 2) << "what was not granted is not given back";
}

struct FiveClaims : ClaimsOfEdits {
  FiveClaims() : ClaimsOfEdits({.members = 5}) {}
};

TEST_F(FiveClaims, WhoIsNoPrimaryHasNoGrantToTake) {
  lone.stand_at(4);
  begin(lone.edit(test_edits::kIncrement));
  EXPECT_TRUE(claims.take_own(operation(), lone.now));
  EXPECT_FALSE(operation().claim.own);
  EXPECT_EQ(holder(), kNoMember);
  EXPECT_NE(operation().claim.until_us, 0u);
}

// ---- what is given back

TEST_F(ClaimsOfEdits, AReleaseTellsWhoeverWasAskedAndIsLinked) {
  claims.take_own(operation(), lone.now);
  operation().reading.attempt = 3;
  operation().claim.asked.push_back(1);
  operation().claim.asked.push_back(2);
  lone.link(2, false);
  claims.release(id, operation());
  EXPECT_EQ(holder(), kNoMember);
  const Frame frame = lone.only(1);
  EXPECT_EQ(frame.head.operation, id);
  const Unclaim unclaim = parsed(frame, parse_unclaim);
  EXPECT_EQ(unclaim.position, position());
  EXPECT_EQ(unclaim.claimant, lone.id_of(0));
  EXPECT_EQ(unclaim.attempt, 3);
  EXPECT_TRUE(lone.sent_nothing());
  claims.release(id, operation());
  EXPECT_TRUE(lone.sent_nothing()) << "once";
}

TEST_F(ClaimsOfEdits, AReleaseOfOneEditLeavesTheClaimOfAnother) {
  claim_for(lone.core.self());
  claims.take_own(operation(), lone.now);
  claims.release(id, operation());
  claims.release(id, operation());
  EXPECT_EQ(holder(), lone.core.self());
}

// ---- who runs the edit instead

class PassedOn : public ClaimsOfEdits {
 protected:
  PassedOn() {
    operation().claim.holder = 2;
    lone.core.health.heard(2, lone.now.steady_us);
  }
  bool passes_on() { return claims.passes_on(operation(), lone.now); }
};

TEST_F(PassedOn, ToALivelyHolder) {
  EXPECT_TRUE(passes_on());
  lone.pass_us(PeerHealth::kLivelyUs);
  EXPECT_FALSE(passes_on()) << "it may be frozen";
}

TEST_F(PassedOn, NotToNobodyNorToThisNode) {
  operation().claim.holder = kNoMember;
  EXPECT_FALSE(passes_on());
  operation().claim.holder = lone.core.self();
  EXPECT_FALSE(passes_on());
}

TEST_F(PassedOn, NotToWhoHandedItBack) {
  operation().route.tried.push_back(2);
  operation().route.refusals = 1;
  EXPECT_FALSE(passes_on());
}

TEST_F(PassedOn, NoRetry) {
  operation().route.retried = true;
  EXPECT_FALSE(passes_on());
}

TEST_F(PassedOn, NoSecondWrite) {
  operation().writing.second_write_done = true;
  EXPECT_FALSE(passes_on());
}

TEST_F(PassedOn, NotRoundInCircles) {
  operation().route.hops = Forwarding::kHopsMax;
  EXPECT_FALSE(passes_on());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
