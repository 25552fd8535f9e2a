// SPDX-License-Identifier: Apache-2.0
// What a replica grants to whom: claims of a key, their ends, and writes beside them.
#include <gmock/gmock.h>

#include "tests/cluster/request/lone_replica.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct ReplicaClaims : ::testing::Test {
  bool contested() { return replica.read({.key = replica.ref("k")}).contested; }

  LoneReplica replica;
};

TEST_F(ReplicaClaims, AreGrantedWithTheReading) {
  EXPECT_EQ(replica.claim(1).verdict, ReplicaVerdict::kAbsent);
  EXPECT_EQ(replica.holder(), 1);
  replica.pass_ms(299);
  EXPECT_EQ(replica.holder(), 1);
  replica.pass_ms(1);
  EXPECT_EQ(replica.holder(), kNoMember) << "its time is over";
}

TEST_F(ReplicaClaims, AnotherNodeIsToldWhoHasTheKeyAndReadsNothing) {
  replica.claim(1);
  const ReplicaReadReply reply = replica.claim(2, 9, 5);
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kClaimed);
  EXPECT_EQ(reply.holder, replica.id_of(1));
  EXPECT_EQ(reply.attempt, 5);
  EXPECT_EQ(replica.core.counters.replica_reads, 1u);
  EXPECT_EQ(replica.holder(), 1);
  replica.pass_ms(300);
  EXPECT_EQ(replica.claim(2, 10).verdict, ReplicaVerdict::kAbsent);
  EXPECT_EQ(replica.holder(), 2);
}

TEST_F(ReplicaClaims, AreANodesNotAnOperations) {
  replica.claim(1, 9);
  EXPECT_EQ(replica.claim(1, 10).verdict, ReplicaVerdict::kAbsent);
  replica.unclaim(1, 9);
  EXPECT_EQ(replica.holder(), 1) << "the second one holds it";
  replica.unclaim(1, 10);
  EXPECT_EQ(replica.holder(), kNoMember);
}

TEST_F(ReplicaClaims, AStrangerReadsWithoutOne) {
  const ReplicaRead message{.key = replica.ref("k"), .claimant = 4711, .claim_ms = 300};
  EXPECT_EQ(replica.read(message).verdict, ReplicaVerdict::kAbsent);
  EXPECT_EQ(replica.holder(), kNoMember);
}

TEST_F(ReplicaClaims, ANodeWithoutThemServesAllTheSame) {
  LoneReplica without({.adjust_parts = [](NodeParts& parts) { parts.claims = nullptr; }});
  EXPECT_EQ(without.claim(1).verdict, ReplicaVerdict::kAbsent);
  EXPECT_EQ(without.claim(2).verdict, ReplicaVerdict::kAbsent);
  without.unclaim(1);
  const TestWrite message{.blind = true, .releases = without.id_of(1)};
  without.write(message, without.object_of(1, 1, "a"));
  without.write(message, without.object_of(2, 2, "b"));
  EXPECT_FALSE(without.read({.key = without.ref("k")}).contested);
}

// ---- an edit that was made for other owners

TEST_F(ReplicaClaims, ALateEditIsToldOfAnotherBesideIt) {
  const Object one = replica.object_of(1, 1, "a");
  const Object other = replica.object_of(2, 1, "b");
  replica.put("k", one);
  EXPECT_EQ(replica.write({}, other).verdict, ReplicaVerdict::kOk) << "it is not late";
  EXPECT_EQ(replica.write({.late = true}, other).verdict, ReplicaVerdict::kUncovered);
}

TEST_F(ReplicaClaims, NotOfOneThatKnewIt) {
  const Object one = replica.object_of(1, 1, "a");
  Object later = replica.object_of(2, 1, "b");
  later.vector.join(one.vector);
  replica.put("k", later);
  EXPECT_EQ(replica.write({.late = true}, one).verdict, ReplicaVerdict::kOk);
  EXPECT_EQ(replica.write({.late = true}, later).verdict, ReplicaVerdict::kOk);
}

TEST_F(ReplicaClaims, NorOfItsTwinThatWasRetried) {
  Object first = replica.object_of(1, 1, "a"), twin = replica.object_of(2, 1, "a");
  first.versions[0].origin = twin.versions[0].origin = 77;
  twin.versions[0].retried = true;
  replica.put("k", twin);
  EXPECT_EQ(replica.write({.late = true}, first).verdict, ReplicaVerdict::kOk);
}

TEST_F(ReplicaClaims, ALateEditWaitsForWhoIsAboutToEdit) {
  const Object one = replica.object_of(1, 1, "a"), other = replica.object_of(2, 1, "b");
  replica.claim(2);
  EXPECT_EQ(replica.write({.late = true}, one).verdict, ReplicaVerdict::kApart);
  EXPECT_THAT(replica.own("k"), IsEmpty());
  replica.unclaim(2);
  EXPECT_EQ(replica.write({.late = true}, one).verdict, ReplicaVerdict::kOk) << "it made nothing";
  replica.claim(2, 10);
  replica.write({.releases = replica.id_of(2)}, other);
  replica.unclaim(2, 10);
  EXPECT_EQ(replica.write({.late = true}, one).verdict, ReplicaVerdict::kUncovered);
}

// ---- their ends

TEST_F(ReplicaClaims, OnlyWhoHasOneEndsIt) {
  replica.claim(1);
  replica.unclaim(2);
  EXPECT_EQ(replica.holder(), 1);
  const Unclaim of_stranger{.position = {}, .claimant = 4711};
  EXPECT_TRUE(replica.service.on_unclaim(1, replica.unclaim_frame("k", of_stranger), replica.now));
  EXPECT_EQ(replica.holder(), 1);
  replica.unclaim(1);
  EXPECT_EQ(replica.holder(), kNoMember);
  replica.unclaim(1);
  EXPECT_EQ(replica.claim(2).verdict, ReplicaVerdict::kAbsent);
}

// The end of a claim that was refused comes late, when the same node has been granted another one.
TEST_F(ReplicaClaims, TheEndOfARefusedOneEndsNoOther) {
  replica.claim(1, 20);
  EXPECT_EQ(replica.claim(2, 30, 0).verdict, ReplicaVerdict::kClaimed);
  replica.unclaim(1, 20);
  EXPECT_EQ(replica.claim(2, 30, 1).verdict, ReplicaVerdict::kAbsent);
  replica.unclaim(2, 30, 0);
  EXPECT_EQ(replica.holder(), 2) << "that was the first attempt's";
  replica.unclaim(2, 30, 1);
  EXPECT_EQ(replica.holder(), kNoMember);
}

TEST_F(ReplicaClaims, ARefusalIsRememberedByOperationAndMember) {
  replica.claim(1, 20);
  replica.claim(2, 30);
  replica.unclaim(1, 20);
  replica.claim(2, 31);
  const Unclaim message{.position = {}, .claimant = replica.id_of(2)};
  EXPECT_TRUE(replica.service.on_unclaim(1, replica.unclaim_frame("k", message, 30), replica.now));
  EXPECT_EQ(replica.holder(), kNoMember) << "another link's operation 30 was not refused";
}

TEST_F(ReplicaClaims, OneEndUsesUpOneRefusal) {
  replica.claim(1, 20);
  replica.claim(2, 30);
  replica.unclaim(1, 20);
  replica.claim(2, 30);
  replica.unclaim(2, 30);
  EXPECT_EQ(replica.holder(), 2);
  replica.unclaim(2, 30);
  EXPECT_EQ(replica.holder(), kNoMember);
}

TEST_F(ReplicaClaims, SoManyRefusalsAreRemembered) {
  constexpr SlotId kRemembered = 1024;
  replica.claim(1, 20);
  for (SlotId operation = 100; operation <= 100 + kRemembered; ++operation) {
    replica.claim(2, operation);
  }
  replica.unclaim(1, 20);
  replica.claim(2, 5000);
  replica.unclaim(2, 101);
  EXPECT_EQ(replica.holder(), 2) << "the oldest that is remembered";
  replica.unclaim(2, 100);
  EXPECT_EQ(replica.holder(), kNoMember) << "one was too many";
}

TEST_F(ReplicaClaims, RefusalsAreRememberedForASecond) {
  const auto end_after_ms = [&](uint64_t ms) {
    replica.claim(1, 20);
    replica.claim(2, 30);
    replica.unclaim(1, 20);
    replica.pass_ms(ms);
    replica.claim(2, 40);
    replica.unclaim(2, 30);
    const MemberIndex left = replica.holder();
    replica.unclaim(2, 40);
    return left;
  };
  EXPECT_EQ(end_after_ms(1000), 2);
  EXPECT_EQ(end_after_ms(1001), kNoMember);
}

TEST_F(ReplicaClaims, TheWriteThatItWasForEndsIt) {
  replica.claim(1, 20, 3);
  const TestWrite message{.releases = replica.id_of(1), .attempt = 3};
  const Frame frame = replica.write_frame(message, replica.object_of(1, 1, "v"), 20);
  EXPECT_TRUE(replica.service.on_write(1, frame, replica.now));
  EXPECT_EQ(replica.holder(), kNoMember);
}

TEST_F(ReplicaClaims, AWriteWhoseClaimWasRefusedEndsNoOther) {
  replica.claim(1, 20);
  replica.claim(2, 30, 0);
  replica.unclaim(1, 20);
  replica.claim(2, 31);
  const TestWrite message{.releases = replica.id_of(2), .attempt = 0};
  const Frame frame = replica.write_frame(message, replica.object_of(2, 1, "v"), 30);
  EXPECT_TRUE(replica.service.on_write(2, frame, replica.now));
  EXPECT_EQ(replica.holder(), 2);
}

TEST_F(ReplicaClaims, AWriteThatIsRefusedEndsItToo) {
  LoneReplica full({.memory_bytes_max = 1});
  full.claim(1);
  const TestWrite message{.releases = full.id_of(1)};
  EXPECT_EQ(full.write(message, full.object_of(1, 1, "v")).verdict, ReplicaVerdict::kRefused);
  EXPECT_EQ(full.holder(), kNoMember);
}

TEST_F(ReplicaClaims, MalformedEndsEndNothing) {
  replica.claim(1);
  const Unclaim message{.position = {}, .claimant = replica.id_of(1)};
  const Frame whole = replica.unclaim_frame("k", message);
  for (size_t bytes = 0; bytes < whole.payload.size(); ++bytes) {
    EXPECT_FALSE(replica.service.on_unclaim(1, cut_to(whole, bytes), replica.now)) << bytes;
  }
  const std::string longer = std::string(whole.payload) + 'x';
  Frame frame = whole;
  frame.payload = longer;
  EXPECT_FALSE(replica.service.on_unclaim(1, frame, replica.now));
  EXPECT_EQ(replica.holder(), 1);
}

// ---- writes beside them

TEST_F(ReplicaClaims, ABlindWriteBesideOneIsToBeDoneAgain) {
  replica.claim(1);
  const ReplicaWriteReply reply = replica.write({.blind = true}, replica.object_of(2, 1, "v"));
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kUncovered) << "though there is nothing else yet";
  Context context;
  ASSERT_TRUE(decode_context(reply.vector, context));
  EXPECT_TRUE(context.covers(replica.version_of(2, 1, {}).dot));
  EXPECT_THAT(replica.own("k"), ElementsAre("v"));
}

TEST_F(ReplicaClaims, WritesThatNeedNotBeDoneAgain) {
  replica.claim(1);
  const TestWrite blind{.blind = true};
  EXPECT_EQ(replica.write(blind, replica.object_of(1, 1, "a")).verdict, ReplicaVerdict::kOk)
      << "of the node that has claimed it";
  const TestWrite seen{};
  EXPECT_EQ(replica.write(seen, replica.object_of(2, 2, "b")).verdict, ReplicaVerdict::kOk)
      << "of one that has read";
  LoneReplica other;
  other.claim(1);
  other.pass_ms(300);
  EXPECT_EQ(other.write(blind, other.object_of(2, 1, "v")).verdict, ReplicaVerdict::kOk)
      << "after the claim's time";
}

TEST_F(ReplicaClaims, SiblingsOfABlindWriteAreContestedForAWhile) {
  const TestWrite blind{.blind = true};
  replica.write(blind, replica.object_of(1, 1, "a"));
  EXPECT_FALSE(contested()) << "it stands alone";
  replica.write(blind, replica.object_of(2, 2, "b"));
  EXPECT_TRUE(contested());
  replica.pass_ms(499);
  EXPECT_TRUE(contested());
  replica.pass_ms(1);
  EXPECT_FALSE(contested());
}

TEST_F(ReplicaClaims, AClaimedWriteBesideABlindOneIsContestedToo) {
  replica.put("k", replica.object_of(2, 1, "blind"));
  replica.write({}, replica.object_of(1, 2, "a"));
  EXPECT_FALSE(contested()) << "neither blind nor claimed";
  replica.write({.releases = replica.id_of(1)}, replica.object_of(1, 3, "b"));
  EXPECT_TRUE(contested());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
