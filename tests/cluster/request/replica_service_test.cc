// SPDX-License-Identifier: Apache-2.0
// A replica's reads and writes, one frame at a time: what it answers, and when.
#include "cluster/request/replica_service.h"

#include <gmock/gmock.h>

#include "tests/cluster/request/lone_replica.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kTinyMemory = 1;

std::string encoded(const Object& object) {
  std::string bytes;
  encode_object(object, bytes);
  return bytes;
}

// ---- reads

TEST(ReplicaReads, AFullOneGetsTheObjectAndHowFarTheCopyIsComplete) {
  LoneReplica replica({.has_frontier = true});
  replica.put("k", replica.object_of(2, 5, "v"));
  replica.raise_frontier(Hlc{77});
  const Frame question = replica.read_frame({.key = replica.ref("k"), .full = true, .attempt = 3});
  EXPECT_TRUE(replica.service.on_read(1, question, replica.now));
  const Frame answer = replica.only(1);
  EXPECT_EQ(answer.head.operation, 9u);
  const ReplicaReadReply reply = parsed(answer, parse_replica_read_reply);
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kOk);
  EXPECT_TRUE(reply.full);
  EXPECT_TRUE(reply.whole);
  EXPECT_EQ(reply.attempt, 3);
  EXPECT_EQ(reply.frontier, Hlc{77});
  EXPECT_EQ(reply.digest, versions_digest(replica.object_of(2, 5, "v")));
  Object object;
  ASSERT_TRUE(decode_object(reply.object, object));
  ASSERT_EQ(object.versions.size(), 1u);
  EXPECT_EQ(object.versions[0].bytes, "v");
  EXPECT_EQ(replica.core.counters.replica_reads, 1u);
  EXPECT_EQ(replica.core.latency.served(), 0u) << "an exchange asked, no client";
}

TEST(ReplicaReads, ADigestComesAlone) {
  LoneReplica replica({.has_frontier = true});
  replica.put("k", replica.object_of(2, 5, "v"));
  replica.raise_frontier(Hlc{77});
  const ReplicaReadReply reply = replica.read({.key = replica.ref("k")});
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kOk);
  EXPECT_FALSE(reply.full);
  EXPECT_EQ(reply.frontier, Hlc{});
  EXPECT_EQ(reply.digest, versions_digest(replica.object_of(2, 5, "v")));
  EXPECT_THAT(reply.object, IsEmpty());
  EXPECT_EQ(replica.core.latency.served(), 1u);
}

TEST(ReplicaReads, WhatIsNotHereIsSaidWithTheFrontier) {
  LoneReplica replica({.has_frontier = true});
  replica.raise_frontier(Hlc{77});
  const ReplicaReadReply reply = replica.read({.key = replica.ref("k")});
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kAbsent);
  EXPECT_EQ(reply.frontier, Hlc{77}) << "absence counts below it";
  EXPECT_EQ(reply.digest, versions_digest(Object{}));
}

TEST(ReplicaReads, WhetherTheCopyCounts) {
  LoneReplica replica;
  const uint32_t partition = replica.core.partition_for(replica.ref("k"));
  const auto state = [&] {
    const ReplicaReadReply reply = replica.read({.key = replica.ref("k")});
    return std::pair(reply.whole, reply.is_new);
  };
  EXPECT_EQ(state(), std::pair(true, false));
  replica.whole.note_new(0, partition);
  EXPECT_EQ(state(), std::pair(false, true));
  replica.whole.set(0, partition, true);
  replica.whole.set(0, partition, false);
  EXPECT_EQ(state(), std::pair(false, false));
  replica.damage(0, partition);
  EXPECT_EQ(state(), std::pair(false, false));
}

TEST(ReplicaReads, WhatAFlushMarkCoversIsNotHereAndGoes) {
  LoneReplica replica;
  replica.put("k", replica.object_of(2, 5, "v"));
  replica.marks.merge(
      0, {{replica.id_of(2), LoneCore::run_of(2), Hlc::from_ms(LoneCore::kWallMs + 5)}});
  EXPECT_EQ(replica.read({.key = replica.ref("k")}).verdict, ReplicaVerdict::kAbsent);
  EXPECT_FALSE(replica.holds("k"));
}

TEST(ReplicaReads, AFallbackAnswersFromAllItsHints) {
  LoneReplica replica({.members = 5});
  const ReplicaRead question{.key = replica.ref("k"), .hinted = true, .attempt = 2};
  replica.put("k", replica.object_of(1, 1, "its own copy"));
  ReplicaReadReply reply = replica.read(question);
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kNotHeld);
  EXPECT_EQ(reply.attempt, 2);
  EXPECT_TRUE(reply.full);
  replica.hints.store({replica.id_of(1), replica.ref("k")}, replica.object_of(1, 2, "a"));
  replica.hints.store({replica.id_of(2), replica.ref("k")}, replica.object_of(2, 3, "b"));
  reply = replica.read(question);
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kOk);
  EXPECT_TRUE(reply.full) << "though a digest was asked for";
  Object object;
  ASSERT_TRUE(decode_object(reply.object, object));
  ASSERT_EQ(object.versions.size(), 2u);
  EXPECT_EQ(object.versions[0].bytes, "b");
  EXPECT_EQ(object.versions[1].bytes, "a");
  EXPECT_EQ(reply.digest, versions_digest(object));
}

TEST(ReplicaReads, ALargeValueIsSharedWithItsFrame) {
  LoneReplica replica;
  replica.core.outbox.takes_large = true;
  const std::string value(kLargeFrameBytes + 1, 'x');
  replica.put("k", replica.object_of(1, 1, value));
  const Frame question = replica.read_frame({.key = replica.ref("k"), .full = true});
  EXPECT_TRUE(replica.service.on_read(2, question, replica.now));
  ASSERT_EQ(replica.core.outbox.large.size(), 1u);
  EXPECT_EQ(replica.core.outbox.large[0].to, 2);
  EXPECT_EQ(replica.core.outbox.waiting_bytes(2), 0u);
  EXPECT_TRUE(replica.core.outgoing.body.empty()) << "scratch memory holds on to nothing";
}

TEST(ReplicaReads, MalformedOnesAreNotAnswered) {
  LoneReplica replica;
  const Frame whole =
      replica.read_frame({.key = replica.ref("k"), .claimant = replica.id_of(1), .claim_ms = 300});
  for (size_t bytes = 0; bytes < whole.payload.size(); ++bytes) {
    EXPECT_FALSE(replica.service.on_read(1, cut_to(whole, bytes), replica.now)) << bytes;
  }
  const std::string longer = std::string(whole.payload) + 'x';
  Frame frame = whole;
  frame.payload = longer;
  EXPECT_FALSE(replica.service.on_read(1, frame, replica.now));
  frame = whole;
  frame.head.keyspace = kKeyspacesMax;
  EXPECT_FALSE(replica.service.on_read(1, frame, replica.now));
  EXPECT_TRUE(replica.sent_nothing());
  EXPECT_EQ(replica.core.counters.replica_reads, 0u);
  EXPECT_EQ(replica.holder(), kNoMember) << "nor do they claim anything";
}

// ---- writes

TEST(ReplicaWrites, AreKeptAndAcknowledged) {
  LoneReplica replica;
  const Object object = replica.object_of(1, 200, "v");
  const Frame frame = replica.write_frame({.second = true}, object, 31);
  EXPECT_TRUE(replica.service.on_write(2, frame, replica.now));
  const Frame answer = replica.only(2);
  EXPECT_EQ(answer.head.operation, 31u);
  const ReplicaWriteReply reply = parsed(answer, parse_replica_write_reply);
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kOk);
  EXPECT_TRUE(reply.second);
  EXPECT_THAT(reply.vector, IsEmpty());
  EXPECT_THAT(replica.own("k"), ElementsAre("v"));
  EXPECT_EQ(replica.core.counters.replica_writes, 1u);
  EXPECT_EQ(replica.core.latency.served(), 1u);
  EXPECT_GE(replica.clock.reading(0), object.versions[0].dot.hlc) << "the clock follows";
}

TEST(ReplicaWrites, ARepairServesNoClient) {
  LoneReplica replica;
  replica.write({.repair = true}, replica.object_of(1, 1, "v"));
  EXPECT_EQ(replica.core.latency.served(), 0u);
  EXPECT_EQ(replica.core.counters.replica_writes, 1u);
}

TEST(ReplicaWrites, ADuplicateChangesNothing) {
  LoneReplica replica;
  const TestWrite message{};
  replica.write(message, replica.object_of(1, 2, "v"));
  const uint64_t digest = replica.table.digest(0, replica.core.partition_for(replica.ref("k")));
  EXPECT_EQ(replica.write(message, replica.object_of(1, 2, "v")).verdict, ReplicaVerdict::kOk);
  EXPECT_EQ(replica.write(message, replica.object_of(1, 1, "older")).verdict, ReplicaVerdict::kOk);
  EXPECT_THAT(replica.own("k"), ElementsAre("v"));
  EXPECT_EQ(replica.table.digest(0, replica.core.partition_for(replica.ref("k"))), digest);
}

TEST(ReplicaWrites, NothingForNothingIsTakenAndNotKept) {
  LoneReplica replica;
  const TestWrite message{.repair = true, .frontier = Hlc{5}};
  EXPECT_EQ(replica.write(message, {}).verdict, ReplicaVerdict::kOk);
  EXPECT_FALSE(replica.holds("k"));
}

TEST(ReplicaWrites, ABlindOneIsToldWhatItDidNotCover) {
  LoneReplica replica;
  replica.put("k", replica.object_of(2, 1, "unseen"));
  const ReplicaWriteReply reply = replica.write({.blind = true}, replica.object_of(1, 2, "v"));
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kUncovered);
  Context context;
  ASSERT_TRUE(decode_context(reply.vector, context));
  EXPECT_TRUE(context.covers(replica.version_of(2, 1, {}).dot));
  EXPECT_TRUE(context.covers(replica.version_of(1, 2, {}).dot));
  EXPECT_THAT(replica.own("k"), ElementsAre("v", "unseen"));
}

TEST(ReplicaWrites, NobodyElseIsToldAndWhoCoveredAllNeedNotBe) {
  LoneReplica replica;
  replica.put("k", replica.object_of(2, 1, "unseen"));
  const TestWrite seen{};
  EXPECT_EQ(replica.write(seen, replica.object_of(1, 2, "v")).verdict, ReplicaVerdict::kOk);
  Object all = merge(replica.object_of(2, 1, "unseen"), replica.object_of(1, 2, "v"));
  update(all, {all.vector, {}}, replica.version_of(1, 3, "over both"));
  const TestWrite blind{.blind = true};
  EXPECT_EQ(replica.write(blind, all).verdict, ReplicaVerdict::kOk);
  EXPECT_THAT(replica.own("k"), ElementsAre("over both"));
}

// What was replaced before it came, as the twin of another write, covers nothing.
TEST(ReplicaWrites, ATwinThatWasReplacedIsToldOfNothing) {
  LoneReplica replica;
  Version retried = replica.version_of(1, 1, "twin");
  retried.origin = 7;
  retried.retried = true;
  Object own;
  update(own, {}, retried);
  update(own, {own.vector, {}}, replica.version_of(1, 2, "replaced it"));
  ASSERT_NE(own.find_spent(7), nullptr);
  replica.put("k", own);
  Version twin = replica.version_of(2, 3, "twin");
  twin.origin = 7;
  Object incoming;
  update(incoming, {}, twin);
  const ReplicaWriteReply reply = replica.write({.blind = true}, incoming);
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kOk);
  EXPECT_THAT(replica.own("k"), ElementsAre("replaced it"));
}

TEST(ReplicaWrites, ATwinOfARetriedOneIsToldOfNothing) {
  LoneReplica replica;
  Version retried = replica.version_of(1, 1, "bytes");
  retried.origin = 7;
  retried.retried = true;
  Object own;
  update(own, {}, retried);
  replica.put("k", own);
  Version twin = replica.version_of(2, 3, "bytes");
  twin.origin = 7;
  Object incoming;
  update(incoming, {}, twin);
  EXPECT_EQ(replica.write({.blind = true}, incoming).verdict, ReplicaVerdict::kOk);
  EXPECT_THAT(replica.own("k"), ElementsAre("bytes", "bytes"));
}

TEST(ReplicaWrites, TheLastOneWinsWhereThatIsThePolicy) {
  LoneReplica replica({.conflicts = ConflictPolicy::kLww});
  replica.put("k", replica.object_of(2, 1, "older"));
  replica.write({}, replica.object_of(1, 2, "newer"));
  EXPECT_THAT(replica.own("k"), ElementsAre("newer"));
  EXPECT_EQ(replica.core.counters.concurrent_dropped, 1u);
}

TEST(ReplicaWrites, WhatIsDeadByTheOwnFrontierIsRefusedWithIt) {
  LoneReplica replica({.has_frontier = true});
  const Hlc frontier = Hlc::from_ms(LoneCore::kWallMs + 10);
  replica.raise_frontier(frontier);
  const ReplicaWriteReply reply = replica.write({.blind = true}, replica.object_of(1, 9, "dead"));
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kDead);
  EXPECT_EQ(reply.frontier, frontier);
  EXPECT_FALSE(replica.holds("k"));
  EXPECT_EQ(replica.core.counters.dead_versions, 1u);
  EXPECT_EQ(replica.write({}, replica.object_of(1, 10, "alive")).verdict, ReplicaVerdict::kOk);
}

TEST(ReplicaWrites, TheLivingPartOfADeadWriteIsKept) {
  LoneReplica replica({.has_frontier = true});
  replica.put("k", replica.object_of(0, 12, "unseen"));
  replica.raise_frontier(Hlc::from_ms(LoneCore::kWallMs + 10));
  const Object both = merge(replica.object_of(1, 9, "dead"), replica.object_of(2, 11, "alive"));
  const ReplicaWriteReply reply = replica.write({.blind = true}, both);
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kDead) << "whatever else was not covered";
  EXPECT_THAT(reply.vector, IsEmpty());
  EXPECT_THAT(replica.own("k"), ElementsAre("unseen", "alive"));
}

TEST(ReplicaWrites, WhatIsDeadByTheSendersFrontierGoesAndIsQuarantined) {
  LoneReplica replica;
  replica.put("k", replica.object_of(2, 1, "dead"));
  const Hlc frontier = Hlc::from_ms(LoneCore::kWallMs + 10);
  const TestWrite repair{.repair = true, .frontier = frontier};
  EXPECT_EQ(replica.write(repair, {}).verdict, ReplicaVerdict::kOk);
  EXPECT_THAT(replica.own("k"), IsEmpty());
  ASSERT_EQ(replica.core.outbox.quarantined.size(), 1u);
  EXPECT_EQ(replica.core.outbox.quarantined[0].bytes, "dead");
  EXPECT_EQ(replica.core.outbox.quarantined[0].node, replica.id_of(2));
}

TEST(ReplicaWrites, AFullTableTakesRepairsAlone) {
  LoneReplica replica({.memory_bytes_max = kTinyMemory});
  const TestWrite write{.second = true};
  const ReplicaWriteReply refused = replica.write(write, replica.object_of(1, 1, "v"));
  EXPECT_EQ(refused.verdict, ReplicaVerdict::kRefused);
  EXPECT_TRUE(refused.second);
  EXPECT_FALSE(replica.holds("k"));
  const TestWrite repair{.repair = true};
  EXPECT_EQ(replica.write(repair, replica.object_of(1, 1, "v")).verdict, ReplicaVerdict::kOk);
  EXPECT_THAT(replica.own("k"), ElementsAre("v"));
}

TEST(ReplicaWrites, MalformedOnesAreNeitherKeptNorAnswered) {
  LoneReplica replica;
  const TestWrite message{
      .hint_for = replica.id_of(1), .frontier = Hlc{5}, .releases = replica.id_of(1)};
  const Frame whole = replica.write_frame(message, replica.object_of(1, 1, {}));
  const size_t object_at = whole.payload.size() - encoded(replica.object_of(1, 1, {})).size();
  for (size_t bytes = 0; bytes < whole.payload.size(); ++bytes) {
    if (bytes == object_at) continue;  // no bytes are an object, too: nothing
    EXPECT_FALSE(replica.service.on_write(1, cut_to(whole, bytes), replica.now)) << bytes;
  }
  Frame frame = replica.write_frame({}, replica.object_of(1, 1, "v"));
  frame.head.keyspace = kKeyspacesMax;
  EXPECT_FALSE(replica.service.on_write(1, frame, replica.now));
  EXPECT_TRUE(replica.sent_nothing());
  EXPECT_FALSE(replica.holds("k"));
  EXPECT_EQ(replica.hints.pending(), 0u);
  EXPECT_EQ(replica.core.counters.replica_writes, 0u);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
