// SPDX-License-Identifier: Apache-2.0
// The fence of a replica: what it serves only to those who know the same sets in play.
#include <gmock/gmock.h>

#include "tests/cluster/moving_view.h"
#include "tests/cluster/request/lone_replica.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct NotedApart final : ApartListener {
  void on_apart(LinkIndex peer, Now) override { peers.push_back(peer); }

  std::vector<LinkIndex> peers;
};

class ReplicaFence : public ::testing::Test {
 protected:
  explicit ReplicaFence(const LoneShape& shape = {.members = 5}) : replica(shape) {
    replica.core.apart = &apart;
  }

  uint64_t signature() const { return replica.core.signature(replica.ref("k")); }
  uint64_t other() const { return signature() + 1; }
  void move(std::initializer_list<MemberIndex> older, std::initializer_list<MemberIndex> newer) {
    replica.publish([&](ClusterView& view) {
      move_partition(view, view.ring.partition_of(replica.ref("k").position),
                     {owner_set(view.cluster_id, older), owner_set(12, newer)}, 1);
    });
  }
  Object object() const { return replica.object_of(1, 1, "v"); }
  void expect_told_once() {
    ASSERT_EQ(apart.peers.size(), 1u);
    EXPECT_EQ(apart.peers[0], 1);
  }

  NotedApart apart;
  LoneReplica replica;
};

TEST_F(ReplicaFence, AReadUnderOtherSetsIsNotServed) {
  replica.put("k", object());
  const ReplicaReadReply reply =
      replica.read({.key = replica.ref("k"), .full = true, .attempt = 3, .signature = other()});
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kApart);
  EXPECT_EQ(reply.attempt, 3) << "of the reading that asked";
  EXPECT_THAT(reply.object, IsEmpty());
  EXPECT_EQ(replica.core.counters.replica_reads, 0u);
  expect_told_once();
}

TEST_F(ReplicaFence, NorDoesItClaimAnything) {
  const ReplicaReadReply reply = replica.read({.key = replica.ref("k"),
                                               .claimant = replica.id_of(1),
                                               .claim_ms = 300,
                                               .signature = other()});
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kApart);
  EXPECT_EQ(replica.holder(), kNoMember);
  expect_told_once();
}

// Its coordinator ends what it asked for as soon as it begins anew, before it hears that nothing
// was granted; meanwhile another of its edits may have been.
TEST_F(ReplicaFence, TheEndOfAClaimThatWasApartEndsNoOther) {
  const auto claim = [&](SlotId operation, uint64_t fence) {
    const ReplicaRead message{
        .key = replica.ref("k"), .claimant = replica.id_of(1), .claim_ms = 300, .signature = fence};
    EXPECT_TRUE(replica.service.on_read(1, replica.read_frame(message, operation), replica.now));
    return parsed(replica.only(1), parse_replica_read_reply).verdict;
  };
  EXPECT_EQ(claim(20, signature()), ReplicaVerdict::kAbsent);
  EXPECT_EQ(claim(30, other()), ReplicaVerdict::kApart);
  replica.unclaim(1, 30);
  EXPECT_EQ(replica.holder(), 1);
  EXPECT_EQ(claim(31, other()), ReplicaVerdict::kApart);
  EXPECT_EQ(claim(31, signature()), ReplicaVerdict::kAbsent) << "asked again, and granted";
  replica.unclaim(1, 31);
  EXPECT_EQ(replica.holder(), 1) << "that of the first is there";
  replica.unclaim(1, 20);
  EXPECT_EQ(replica.holder(), kNoMember);
}

TEST_F(ReplicaFence, OneThatAsksForHintsNeither) {
  replica.hints.store({replica.id_of(2), replica.ref("k")}, object());
  ReplicaRead question{.key = replica.ref("k"), .hinted = true, .signature = other()};
  EXPECT_EQ(replica.read(question).verdict, ReplicaVerdict::kApart);
  question.signature = signature();
  EXPECT_EQ(replica.read(question).verdict, ReplicaVerdict::kOk);
}

TEST_F(ReplicaFence, AWriteUnderOtherSetsChangesNothing) {
  replica.claim(1, 20);
  const ReplicaWriteReply reply =
      replica.write({.blind = true, .releases = replica.id_of(1), .signature = other()}, object());
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kApart);
  EXPECT_FALSE(replica.holds("k"));
  EXPECT_EQ(replica.holder(), 1) << "it goes on under its claim";
  expect_told_once();
}

TEST_F(ReplicaFence, TheSecondWriteOfABlindOneIsToldFromTheFirst) {
  const ReplicaWriteReply reply = replica.write({.second = true, .signature = other()}, object());
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kApart);
  EXPECT_TRUE(reply.second);
}

TEST_F(ReplicaFence, NoHintIsKeptUnderOtherSets) {
  const ReplicaWriteReply reply =
      replica.write({.hint_for = replica.id_of(2), .signature = other()}, object());
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kApart);
  EXPECT_EQ(replica.hints.pending(), 0u);
  EXPECT_EQ(replica.core.counters.hints_stored, 0u);
}

TEST_F(ReplicaFence, TheSameSetsAreServed) {
  move({0, 1, 2}, {0, 1, 3});
  const TestWrite write{.signature = signature()};
  EXPECT_EQ(replica.write(write, object()).verdict, ReplicaVerdict::kOk);
  EXPECT_THAT(replica.own("k"), ElementsAre("v"));
  const ReplicaReadReply reply = replica.read({.key = replica.ref("k"),
                                               .full = true,
                                               .claimant = replica.id_of(1),
                                               .claim_ms = 300,
                                               .signature = signature()});
  EXPECT_EQ(reply.verdict, ReplicaVerdict::kOk);
  EXPECT_EQ(replica.holder(), 1);
  EXPECT_THAT(apart.peers, IsEmpty());
}

TEST_F(ReplicaFence, WhatChangesIsThePartitionThatMoves) {
  const uint64_t before = signature();
  move({0, 1, 2}, {0, 1, 3});
  EXPECT_NE(signature(), before);
  EXPECT_EQ(replica.read({.key = replica.ref("k"), .signature = before}).verdict,
            ReplicaVerdict::kApart);
  const std::string other =
      replica.key_in((replica.core.partition_for(replica.ref("k")) + 1) % replica.kPartitions);
  EXPECT_EQ(replica.read({.key = replica.ref(other), .signature = 12}).verdict,
            ReplicaVerdict::kAbsent)
      << "all others have the newest set alone";
  EXPECT_EQ(replica.read({.key = replica.ref(other), .signature = signature()}).verdict,
            ReplicaVerdict::kApart);
}

TEST_F(ReplicaFence, AnExchangeIsNotFenced) {
  move({0, 1, 2}, {0, 1, 3});
  replica.put("k", object());
  EXPECT_EQ(replica.read({.key = replica.ref("k"), .full = true}).verdict, ReplicaVerdict::kOk);
  EXPECT_EQ(replica.write({.repair = true}, replica.object_of(2, 2, "w")).verdict,
            ReplicaVerdict::kOk);
  EXPECT_THAT(replica.own("k"), ElementsAre("w", "v"));
  EXPECT_THAT(apart.peers, IsEmpty());
}

TEST_F(ReplicaFence, WithoutAHistoryNobodyIsTold) {
  replica.core.apart = nullptr;
  EXPECT_EQ(replica.read({.key = replica.ref("k"), .signature = other()}).verdict,
            ReplicaVerdict::kApart);
}

// ---- who owns the key no more

TEST_F(ReplicaFence, ARepairToWhoIsNoOwnerIsRefused) {
  move({1, 2, 3}, {2, 3, 4});
  EXPECT_EQ(replica.write({.repair = true}, object()).verdict, ReplicaVerdict::kRefused);
  EXPECT_FALSE(replica.holds("k"));
  EXPECT_EQ(replica.write({.repair = true, .signature = signature()}, object()).verdict,
            ReplicaVerdict::kRefused)
      << "though both know the same";
  EXPECT_FALSE(replica.holds("k"));
  EXPECT_THAT(apart.peers, IsEmpty());
}

TEST_F(ReplicaFence, AHintForItselfNeither) {
  move({1, 2, 3}, {2, 3, 4});
  EXPECT_EQ(replica.write({.hint_for = replica.id_of(0)}, object()).verdict,
            ReplicaVerdict::kRefused);
  EXPECT_FALSE(replica.holds("k"));
}

TEST_F(ReplicaFence, ButAHintForAnOwnerIsKept) {
  move({1, 2, 3}, {2, 3, 4});
  EXPECT_EQ(
      replica.write({.hint_for = replica.id_of(2), .signature = signature()}, object()).verdict,
      ReplicaVerdict::kOk);
  EXPECT_EQ(replica.hints.pending(), 1u);
}

TEST_F(ReplicaFence, AnOwnerOfAnySetInPlayIsRepaired) {
  move({1, 2, 3}, {0, 2, 3});
  EXPECT_EQ(replica.write({.repair = true}, object()).verdict, ReplicaVerdict::kOk) << "unvoted";
  move({0, 2, 3}, {1, 2, 3});
  EXPECT_EQ(replica.write({.repair = true}, replica.object_of(2, 2, "w")).verdict,
            ReplicaVerdict::kOk)
      << "the oldest";
  EXPECT_THAT(replica.own("k"), ElementsAre("w", "v"));
}

// A configuration file that changed is no history: hints and repairs find their own way there.
TEST_F(ReplicaFence, WithoutChangesANodeTakesWhatComes) {
  std::string key;
  for (int number = 0;; ++number) {
    key = "k" + std::to_string(number);
    if (!replica.core.is_owner(0, replica.ref(key))) break;
  }
  ASSERT_FALSE(replica.view->is_changed());
  EXPECT_EQ(replica.write({.key = key, .repair = true}, object()).verdict, ReplicaVerdict::kOk);
  replica.publish([](ClusterView& view) { view.newest_set = 12; });
  EXPECT_EQ(replica.write({.key = key, .repair = true}, object()).verdict,
            ReplicaVerdict::kRefused);
}

// ---- what waits for the store while the sets change

struct OneStore {
  engine::testing::MapStore store;
};

class StoredFence : public OneStore, public ReplicaFence {
 protected:
  StoredFence() : ReplicaFence({.members = 5, .store = &store, .memory_bytes_max = 1}) {
    replica.put("k", object());
    replica.put("another", replica.object_of(1, 1, "fills the memory"));
    KVORUM_CHECK(replica.table.commits().commit(true).ok());
    replica.put("another", replica.object_of(1, 2, "fills the memory"));
  }
};

TEST_F(StoredFence, ItsFrameIsFencedOnceMore) {
  const ReplicaRead question{.key = replica.ref("k"), .full = true, .signature = signature()};
  EXPECT_TRUE(replica.service.on_read(1, replica.read_frame(question), replica.now));
  const TestWrite write{.signature = signature()};
  EXPECT_TRUE(replica.service.on_write(1, replica.write_frame(write, replica.object_of(2, 2, "w")),
                                       replica.now));
  ASSERT_EQ(replica.core.outbox.loads.size(), 2u);
  move({0, 1, 2}, {0, 1, 3});
  replica.end_load(true);
  EXPECT_EQ(parsed(replica.only(1), parse_replica_read_reply).verdict, ReplicaVerdict::kApart);
  replica.end_load(true);
  EXPECT_EQ(parsed(replica.only(1), parse_replica_write_reply).verdict, ReplicaVerdict::kApart);
  EXPECT_EQ(apart.peers.size(), 2u);
  EXPECT_THAT(replica.own("k"), ElementsAre("v"));
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
