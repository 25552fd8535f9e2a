// SPDX-License-Identifier: Apache-2.0
// What a replica keeps beside its memory: what waits for a commit, hints, and objects to load.
#include <gmock/gmock.h>

#include "tests/cluster/request/lone_replica.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReplicaOverStore : public ::testing::Test {
 protected:
  ReplicaOverStore() : replica({.store = &store}) {}

  void send_write(std::string_view key, SlotId operation, TestWrite message = {}) {
    message.key = key;
    const Frame frame = replica.write_frame(message, replica.object_of(1, 1, "v"), operation);
    EXPECT_TRUE(replica.service.on_write(2, frame, replica.now));
  }
  // The operations that were answered, with a plain yes or a no.
  std::vector<SlotId> answered(ReplicaVerdict verdict) {
    std::vector<SlotId> operations;
    for (const Frame& frame : replica.sent(2)) {
      EXPECT_EQ(parsed(frame, parse_replica_write_reply).verdict, verdict);
      operations.push_back(frame.head.operation);
    }
    return operations;
  }
  void commit(engine::Ticket ticket, bool ok = true) {
    own_votes = replica.commit_to(replica.core.open.awaited_commits, ticket, ok);
  }

  engine::testing::MapStore store;
  LoneReplica replica;
  std::vector<SlotId> own_votes;
};

TEST_F(ReplicaOverStore, AWriteIsAcknowledgedOnceItIsCommitted) {
  send_write("a", 1);
  EXPECT_TRUE(replica.sent_nothing());
  ASSERT_TRUE(replica.table.commits().commit(true).ok());
  commit(replica.table.commits().committed());
  EXPECT_THAT(answered(ReplicaVerdict::kOk), ElementsAre(1));
  commit(replica.table.commits().committed());
  EXPECT_TRUE(replica.sent_nothing()) << "once";
}

// Not what a repair sent: that one may forget it then.
TEST(BufferedReplica, AcknowledgesFromMemoryWhatNobodyForgets) {
  engine::testing::MapStore store, hint_store;
  LoneReplica replica(
      {.store = &store, .hint_store = &hint_store, .options = {.buffers_writes = true}});
  const Object object = replica.object_of(1, 1, "v");
  EXPECT_EQ(replica.write({.key = "a"}, object).verdict, ReplicaVerdict::kOk);
  EXPECT_EQ(replica.write({.key = "a", .hint_for = replica.id_of(2)}, object).verdict,
            ReplicaVerdict::kOk);
  EXPECT_EQ(replica.table.commits().committed(), 0u);
  const Frame repair = replica.write_frame({.key = "b", .repair = true}, object, 3);
  EXPECT_TRUE(replica.service.on_write(2, repair, replica.now));
  EXPECT_TRUE(replica.sent_nothing());
  EXPECT_EQ(replica.core.open.awaited_commits.size(), 1u);
}

TEST_F(ReplicaOverStore, WhatStoresNothingNeedNotWait) {
  const Frame frame = replica.write_frame({.key = "a", .repair = true}, {}, 2);
  EXPECT_TRUE(replica.service.on_write(2, frame, replica.now));
  EXPECT_THAT(answered(ReplicaVerdict::kOk), ElementsAre(2));
}

TEST_F(ReplicaOverStore, ACommitAnswersWhatCameBeforeItAlone) {
  send_write("a", 1);
  ASSERT_TRUE(replica.table.commits().commit(true).ok());
  send_write("b", 2);
  const engine::Ticket first = replica.table.commits().committed();
  ASSERT_EQ(replica.core.open.awaited_commits.size(), 2u);
  ASSERT_LT(first, replica.core.open.awaited_commits.back().ticket);
  commit(first - 1);
  EXPECT_TRUE(replica.sent_nothing());
  commit(first);
  EXPECT_THAT(answered(ReplicaVerdict::kOk), ElementsAre(1));
  ASSERT_TRUE(replica.table.commits().commit(true).ok());
  commit(replica.table.commits().committed());
  EXPECT_THAT(answered(ReplicaVerdict::kOk), ElementsAre(2));
}

TEST_F(ReplicaOverStore, AfterAFailureAllThatWaitAreRefused) {
  send_write("a", 1);
  send_write("b", 2, {.blind = true});
  store.set_broken(true);
  ASSERT_FALSE(replica.table.commits().commit(true).ok());
  commit(0, false);
  EXPECT_THAT(answered(ReplicaVerdict::kRefused), ElementsAre(1, 2));
  EXPECT_THAT(replica.core.open.awaited_commits, IsEmpty());
  send_write("c", 3, {.second = true});
  const ReplicaWriteReply reply = parsed(replica.only(2), parse_replica_write_reply);
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kRefused) << "and what comes until it is open anew";
  EXPECT_TRUE(reply.second);
}

AwaitedCommit own_vote(engine::Ticket ticket, SlotId operation) {
  AwaitedCommit vote;
  vote.ticket = ticket;
  vote.operation = operation;
  return vote;
}

TEST_F(ReplicaOverStore, VotesOfThisNodeGoToTheirOperationsInTheirTurn) {
  replica.core.open.awaited_commits.push_back(own_vote(1, 71));
  send_write("a", 1);
  replica.core.open.awaited_commits.push_back(own_vote(99, 72));
  commit(98);
  EXPECT_THAT(own_votes, ElementsAre(71));
  EXPECT_THAT(answered(ReplicaVerdict::kOk), ElementsAre(1));
  commit(0, false);
  EXPECT_THAT(own_votes, ElementsAre(72)) << "a failure, too, is told";
  EXPECT_TRUE(replica.sent_nothing());
}

// Whoever is told of its vote may begin something that waits, too.
TEST_F(ReplicaOverStore, WhatBeginsToWaitWithinIsNotAnsweredByTheSameFailure) {
  replica.core.open.awaited_commits.push_back(own_vote(1, 71));
  replica.service.on_committed(replica.core.open.awaited_commits, {0, false}, [&](SlotId) {
    replica.core.open.awaited_commits.push_back(own_vote(5, 72));
  });
  ASSERT_EQ(replica.core.open.awaited_commits.size(), 1u);
  EXPECT_EQ(replica.core.open.awaited_commits[0].operation, 72u);
}

TEST_F(ReplicaOverStore, TheVectorOfABlindWriteWaitsWithIt) {
  replica.put("a", replica.object_of(2, 1, "unseen"));
  ASSERT_TRUE(replica.table.commits().commit(true).ok());
  send_write("a", 1, {.blind = true});
  ASSERT_TRUE(replica.table.commits().commit(true).ok());
  commit(replica.table.commits().committed());
  const ReplicaWriteReply reply = parsed(replica.only(2), parse_replica_write_reply);
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kUncovered);
  Context context;
  ASSERT_TRUE(decode_context(reply.vector, context));
  EXPECT_TRUE(context.covers(replica.version_of(2, 1, {}).dot));
}

// ---- hints

TEST(ReplicaHints, AreKeptApartFromTheOwnCopy) {
  LoneReplica replica({.members = 5});
  const TestWrite message{.second = true, .hint_for = replica.id_of(3)};
  const ReplicaWriteReply reply = replica.write(message, replica.object_of(1, 1, "v"));
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kOk);
  EXPECT_TRUE(reply.second);
  EXPECT_FALSE(replica.holds("k"));
  EXPECT_EQ(replica.hints.ledger().count_for(replica.id_of(3)), 1u);
  EXPECT_EQ(replica.core.counters.hints_stored, 1u);
}

TEST(ReplicaHints, OneForThisNodeItselfGoesIntoItsCopy) {
  LoneReplica replica;
  replica.write({.hint_for = replica.id_of(0)}, replica.object_of(1, 1, "v"));
  EXPECT_THAT(replica.own("k"), ElementsAre("v"));
  EXPECT_EQ(replica.hints.pending(), 0u);
}

TEST(ReplicaHints, AreRefusedWithoutRoom) {
  LoneReplica replica({.hint_bytes_max = 1});
  const TestWrite message{.second = true, .hint_for = replica.id_of(1)};
  const ReplicaWriteReply reply = replica.write(message, replica.object_of(1, 1, "v"));
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kRefused);
  EXPECT_TRUE(reply.second);
  EXPECT_EQ(replica.core.counters.hints_stored, 0u);
}

TEST(ReplicaHints, AreAcknowledgedOnceTheirOwnTableIsCommitted) {
  engine::testing::MapStore store;
  LoneReplica replica({.hint_store = &store});
  const TestWrite message{.hint_for = replica.id_of(1)};
  const Frame frame = replica.write_frame(message, replica.object_of(1, 1, "v"));
  EXPECT_TRUE(replica.service.on_write(2, frame, replica.now));
  EXPECT_TRUE(replica.sent_nothing());
  EXPECT_THAT(replica.core.open.awaited_commits, IsEmpty());
  ASSERT_EQ(replica.core.open.awaited_hint_commits.size(), 1u);
  ASSERT_TRUE(replica.hint_table.commits().commit(true).ok());
  replica.commit_to(replica.core.open.awaited_hint_commits, replica.hints.committed());
  const Frame answer = replica.only(2);
  EXPECT_EQ(answer.head.operation, 9u);
  EXPECT_EQ(parsed(answer, parse_replica_write_reply).verdict, ReplicaVerdict::kOk);
}

// ---- objects that are not in memory

class ReplicaOfStoredObjects : public ::testing::Test {
 protected:
  ReplicaOfStoredObjects() {
    LoneCore before({.store = &store});
    before.put("k", before.object_of(2, 1, "stored"));
    before.put(before.key_in(0), before.object_of(2, 1, "fills the memory"));
    KVORUM_CHECK(before.table.commits().commit(true).ok());
    replica = std::make_unique<LoneReplica>(LoneShape{.store = &store, .memory_bytes_max = 1});
  }
  void expect_nothing_left() {
    EXPECT_EQ(replica->service.open(), 0u);
    EXPECT_EQ(replica->core.open.held_bytes, 0u);
    EXPECT_TRUE(replica->sent_nothing());
  }

  engine::testing::MapStore store;
  std::unique_ptr<LoneReplica> replica;
};

TEST_F(ReplicaOfStoredObjects, AReadWaitsForItsObject) {
  const ReplicaRead message{.key = replica->ref("k"), .full = true, .attempt = 4};
  EXPECT_TRUE(replica->service.on_read(1, replica->read_frame(message, 17), replica->now));
  ASSERT_EQ(replica->core.outbox.loads.size(), 1u);
  EXPECT_EQ(replica->core.outbox.loads[0].key, "k");
  EXPECT_EQ(replica->core.outbox.waiting_bytes(1), 0u);
  EXPECT_GT(replica->core.open.held_bytes, 0u);
  replica->end_load(true);
  const Frame answer = replica->only(1);
  EXPECT_EQ(answer.head.operation, 17u);
  const ReplicaReadReply reply = parsed(answer, parse_replica_read_reply);
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kOk);
  EXPECT_EQ(reply.attempt, 4);
  EXPECT_EQ(reply.digest, versions_digest(replica->object_of(2, 1, "stored")));
  expect_nothing_left();
}

TEST_F(ReplicaOfStoredObjects, WhatCannotBeLoadedIsRefused) {
  const ReplicaRead read{.key = replica->ref("k"), .attempt = 4};
  EXPECT_TRUE(replica->service.on_read(1, replica->read_frame(read, 17), replica->now));
  const Frame write = replica->write_frame({.second = true}, replica->object_of(1, 1, "v"), 18);
  EXPECT_TRUE(replica->service.on_write(1, write, replica->now));
  replica->end_load(false);
  const Frame no_read = replica->only(1);
  EXPECT_EQ(no_read.head.operation, 17u);
  EXPECT_EQ(parsed(no_read, parse_replica_read_reply).verdict, ReplicaVerdict::kRefused);
  EXPECT_EQ(parsed(no_read, parse_replica_read_reply).attempt, 4);
  replica->end_load(false);
  const Frame no_write = replica->only(1);
  EXPECT_EQ(no_write.head.operation, 18u);
  EXPECT_EQ(parsed(no_write, parse_replica_write_reply).verdict, ReplicaVerdict::kRefused);
  EXPECT_TRUE(parsed(no_write, parse_replica_write_reply).second);
  expect_nothing_left();
}

TEST_F(ReplicaOfStoredObjects, AWriteIsMergedIntoWhatWasLoaded) {
  const Frame write = replica->write_frame({}, replica->object_of(1, 2, "v"), 18);
  EXPECT_TRUE(replica->service.on_write(1, write, replica->now));
  EXPECT_EQ(replica->core.outbox.waiting_bytes(1), 0u);
  replica->end_load(true);
  EXPECT_EQ(replica->core.outbox.waiting_bytes(1), 0u) << "it is not committed yet";
  EXPECT_THAT(replica->own("k"), ElementsAre("v", "stored"));
  ASSERT_TRUE(replica->table.commits().commit(true).ok());
  replica->commit_to(replica->core.open.awaited_commits, replica->table.commits().committed());
  EXPECT_EQ(replica->only(1).head.operation, 18u);
  expect_nothing_left();
}

TEST_F(ReplicaOfStoredObjects, AWriteThatCameInChunksKeepsTheirBytes) {
  Frame write = replica->write_frame({}, replica->object_of(1, 2, "large"), 18);
  {
    const SharedBytes bytes = share(std::string(write.payload));
    write.payload = *bytes;
    write.owner = &bytes;
    EXPECT_TRUE(replica->service.on_write(1, write, replica->now));
  }
  EXPECT_EQ(replica->core.open.held_bytes, write.payload.size());
  replica->end_load(true);
  EXPECT_THAT(replica->own("k"), ElementsAre("large", "stored"));
  EXPECT_EQ(replica->core.open.held_bytes, 0u);
}

// The claim was taken when the read came: who claimed meanwhile is refused, not this one.
TEST_F(ReplicaOfStoredObjects, AClaimIsTakenBeforeTheObjectIsThere) {
  const ReplicaRead message{
      .key = replica->ref("k"), .claimant = replica->id_of(1), .claim_ms = 300};
  EXPECT_TRUE(replica->service.on_read(1, replica->read_frame(message), replica->now));
  EXPECT_EQ(replica->holder(), 1);
  replica->end_load(true);
  EXPECT_EQ(parsed(replica->only(1), parse_replica_read_reply).verdict, ReplicaVerdict::kOk);
  replica->unclaim(1);
  EXPECT_EQ(replica->holder(), kNoMember) << "it was counted once";
}

TEST_F(ReplicaOfStoredObjects, AClaimEndsWhenItsWriteIsDoneNotWhenItCame) {
  replica->claims.take(replica->ref("k").position, {1, 1000, 1300});
  const TestWrite message{.releases = replica->id_of(1)};
  const Frame write = replica->write_frame(message, replica->object_of(1, 2, "v"));
  EXPECT_TRUE(replica->service.on_write(1, write, replica->now));
  EXPECT_EQ(replica->holder(), 1);
  replica->end_load(true);
  EXPECT_EQ(replica->holder(), kNoMember);
}

TEST_F(ReplicaOfStoredObjects, WhatWaitsForItsObjectIsCountedOnce) {
  EXPECT_TRUE(
      replica->service.on_read(1, replica->read_frame({.key = replica->ref("k")}), replica->now));
  EXPECT_EQ(replica->service.open(), 1u);
  replica->end_load(true);
  EXPECT_EQ(replica->core.counters.replica_reads, 1u);
  EXPECT_EQ(replica->core.latency.served(), 1u);
  EXPECT_EQ(replica->service.open(), 0u);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
