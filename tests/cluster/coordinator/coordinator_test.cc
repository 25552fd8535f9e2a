// SPDX-License-Identifier: Apache-2.0
// The coordinator's behaviour as a client and an operator would describe it, without faults in
// time: quorums, forwarding, blind writes, siblings, hints, suspicion. Random faults: tests/sim.
#include "cluster/coordinator/coordinator.h"

#include <gmock/gmock.h>

#include "tests/cluster/frame_of.h"
#include "tests/cluster/test_cluster.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

uint64_t pending_hints(const TestNode& node) { return node.hints->pending(); }

TEST(Coordinator, ALoneNodeAnswersAtOnce) {
  TestCluster cluster(1);
  EXPECT_EQ(cluster.set(0, "k", "v").outcome, Outcome::kOk);
  const Answer answer = cluster.get(0, "k");
  EXPECT_THAT(answer.values, ElementsAre("v"));
  EXPECT_EQ(answer.service.answered, 1);
  EXPECT_EQ(cluster.remove(0, "k").number, 1);
  EXPECT_THAT(cluster.get(0, "k").values, IsEmpty());
  EXPECT_EQ(cluster.nodes[0]->table->record_count(0, 0), 0u) << "no tombstone without a peer";
}

TEST(Coordinator, WhatOneNodeWritesEveryNodeReads) {
  TestCluster cluster(3);
  for (size_t writer = 0; writer < 3; ++writer) {
    const std::string value = "by " + std::to_string(writer);
    EXPECT_EQ(cluster.set(writer, "k", value).outcome, Outcome::kOk);
    for (size_t reader = 0; reader < 3; ++reader) {
      EXPECT_THAT(cluster.get(reader, "k").values, ElementsAre(value));
      EXPECT_THAT(cluster.own_values(reader, "k"), ElementsAre(value));
    }
  }
}

TEST(Coordinator, OperationsOfOwnClientsAreCountedByHowLongTheyTook) {
  TestCluster lone(1);
  lone.set(0, "k", "v");
  lone.get(0, "k");
  LatencyCounts at_once;
  lone.nodes[0]->coordinator->latency().add_recent(lone.steady_us, &at_once);
  EXPECT_EQ(at_once.buckets[0], 2u);

  TestCluster cluster(5);
  const size_t asked = cluster.node_for("k", 4);
  const size_t first = cluster.node_for("k", 0);
  cluster.cut(asked, first, true);
  cluster.set(asked, "k", "v");  // goes to the second primary after a quarter of a second
  LatencyCounts puts;
  cluster.nodes[asked]->coordinator->latency().puts.add_ever(&puts);
  EXPECT_EQ(puts.total, 1u);
  EXPECT_GE(puts.quantile_us(1.0), 250'000u);
  LatencyCounts elsewhere;
  cluster.nodes[cluster.node_for("k", 1)]->coordinator->latency().puts.add_ever(&elsewhere);
  EXPECT_EQ(elsewhere.total, 0u) << "the node that the client asked counts it";
}

TEST(Coordinator, AMissingKeyIsEmptyAtEveryNode) {
  TestCluster cluster(5);
  for (size_t node = 0; node < 5; ++node) {
    const Answer answer = cluster.get(node, "nothing");
    EXPECT_EQ(answer.outcome, Outcome::kOk);
    EXPECT_THAT(answer.values, IsEmpty());
    EXPECT_TRUE(answer.context.empty());
  }
}

TEST(Coordinator, KeysLiveOnNOfFiveNodesAndAnyNodeServesThem) {
  TestCluster cluster(5);
  cluster.set(cluster.node_for("k", 4), "k", "v");
  size_t holders = 0;
  for (size_t node = 0; node < 5; ++node) holders += !cluster.own_values(node, "k").empty();
  EXPECT_EQ(holders, 3u);
  const Answer answer = cluster.get(cluster.node_for("k", 4), "k");
  EXPECT_THAT(answer.values, ElementsAre("v"));
  EXPECT_EQ(answer.service.hops, 1);
}

TEST(Coordinator, PutsWithoutContextAreSiblingsAndAContextResolvesThem) {
  TestCluster cluster(3);
  const Context none{};
  const Context first = cluster.put(0, "cart", none, "book").context;
  cluster.put(1, "cart", none, "dvd");
  EXPECT_THAT(cluster.get(2, "cart").values, UnorderedElementsAre("book", "dvd"));
  cluster.put(1, "cart", first, "book2");
  const Answer both = cluster.get(0, "cart");
  EXPECT_THAT(both.values, UnorderedElementsAre("book2", "dvd"));
  cluster.put(2, "cart", both.context, "book2,dvd");
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.get(node, "cart").values, ElementsAre("book2,dvd"));
  }
}

TEST(Coordinator, TheContextOfAPutSparesSiblingsThatItsWriterNeverSaw) {
  TestCluster cluster(3);
  cluster.put(0, "k", Context{}, "x");
  const Context own = cluster.put(1, "k", Context{}, "y").context;
  cluster.put(0, "k", own, "z");
  EXPECT_THAT(cluster.get(2, "k").values, UnorderedElementsAre("x", "z"));
}

TEST(Coordinator, ABlindWriteReplacesSiblings) {
  TestCluster cluster(3);
  cluster.put(0, "k", Context{}, "x");
  cluster.put(1, "k", Context{}, "y");
  cluster.set(2, "k", "only");
  EXPECT_THAT(cluster.get(0, "k").values, ElementsAre("only"));
}

TEST(Coordinator, IncrementsThroughEveryNodeCountOnce) {
  TestCluster cluster(5);
  for (int64_t n = 1; n <= 20; ++n) {
    EXPECT_EQ(cluster.increment(static_cast<size_t>(n) % 5, "n").number, n);
  }
}

TEST(Coordinator, WritesGoOnWithAPrimaryDownAndReachItAsHints) {
  TestCluster cluster(3);
  const size_t dead = cluster.node_for("k", 0);
  cluster.isolate(dead);
  const size_t alive = cluster.node_for("k", 1);
  EXPECT_EQ(cluster.set(alive, "k", "v").outcome, Outcome::kOk);
  EXPECT_EQ(pending_hints(*cluster.nodes[alive]), 1u);
  EXPECT_THAT(cluster.get(cluster.node_for("k", 2), "k").values, ElementsAre("v"));
  EXPECT_THAT(cluster.own_values(dead, "k"), IsEmpty());
  cluster.heal_all();
  cluster.pass_ms(100);
  EXPECT_THAT(cluster.own_values(dead, "k"), ElementsAre("v"));
  EXPECT_EQ(pending_hints(*cluster.nodes[alive]), 0u);
}

TEST(Coordinator, AFallbackTakesADeadPrimarysCopyWithAHint) {
  TestCluster cluster(5);
  const size_t dead = cluster.node_for("k", 1);
  cluster.isolate(dead);
  const Answer answer = cluster.set(cluster.node_for("k", 0), "k", "v");
  EXPECT_EQ(answer.outcome, Outcome::kOk);
  const size_t fallback = cluster.node_for("k", 3);
  EXPECT_EQ(pending_hints(*cluster.nodes[fallback]), 1u);
  EXPECT_THAT(cluster.own_values(fallback, "k"), IsEmpty()) << "a hint is no copy";
  cluster.heal_all();
  cluster.pass_ms(100);
  EXPECT_THAT(cluster.own_values(dead, "k"), ElementsAre("v"));
  EXPECT_EQ(pending_hints(*cluster.nodes[fallback]), 0u);
}

TEST(Coordinator, AnAliveNodeAloneStillTakesWritesButNotStrictOnes) {
  TestCluster cluster(3);
  cluster.isolate(0);
  const Answer soft = cluster.set(0, "k", "v");
  EXPECT_EQ(soft.outcome, Outcome::kOk);
  EXPECT_EQ(soft.service.hints, 2);
  EXPECT_EQ(cluster.get(0, "k").outcome, Outcome::kNoQuorum);
  Request strict = test_edits::request(test_edits::kSet, "w");
  strict.w = 2;
  strict.strict_w = true;
  EXPECT_EQ(cluster.run(0, strict, "k").outcome, Outcome::kNoQuorum);
  EXPECT_EQ(cluster.increment(0, "n").outcome, Outcome::kNoQuorum) << "it must read at R first";
  cluster.heal_all();
  cluster.pass_ms(100);
  EXPECT_THAT(cluster.get(1, "k").values, ElementsAre("v"));
}

TEST(Coordinator, AHintInFlightIsNotSentAgainUntilItsTargetHadTimeToAnswer) {
  TestCluster cluster(3);
  const size_t dead = cluster.node_for("k", 0);
  const size_t keeper = cluster.node_for("k", 1);
  cluster.isolate(dead);
  for (int n = 0; n < 20; ++n) cluster.set(keeper, "k", std::to_string(n));
  cluster.cut(keeper, dead, true);
  cluster.nodes[keeper]->coordinator->on_link(static_cast<MemberIndex>(dead), true,
                                              cluster.now_of(keeper));
  cluster.pass_ms(900);
  EXPECT_EQ(cluster.frames_lost, 1u);
  cluster.heal_all();
  cluster.pass_ms(1500);
  EXPECT_EQ(pending_hints(*cluster.nodes[keeper]), 0u);
}

TEST(Coordinator, AllPrimariesDownAndFallbacksCarryOn) {
  TestCluster cluster(5);
  const std::vector<size_t> primaries = {cluster.node_for("k", 0), cluster.node_for("k", 1),
                                         cluster.node_for("k", 2)};
  for (const size_t node : primaries) cluster.isolate(node);
  const size_t fallback = cluster.node_for("k", 3);
  EXPECT_EQ(cluster.set(fallback, "k", "1").outcome, Outcome::kOk);
  EXPECT_EQ(cluster.set(cluster.node_for("k", 4), "k", "2").outcome, Outcome::kOk);
  EXPECT_THAT(cluster.get(fallback, "k").values, ElementsAre("2"));
  cluster.heal_all();
  cluster.pass_ms(200);
  for (const size_t node : primaries) {
    EXPECT_THAT(cluster.own_values(node, "k"), ElementsAre("2"));
  }
}

TEST(Coordinator, ASilentReplicaIsReplacedAndSuspectedThenTriedAgain) {
  TestCluster cluster(3);
  const size_t coordinator = cluster.node_for("k", 0);
  const size_t silent = cluster.node_for("k", 1);
  cluster.cut(coordinator, silent, true);
  for (int write = 0; write < 3; ++write) {
    EXPECT_EQ(cluster.set(coordinator, "k", std::to_string(write)).outcome, Outcome::kOk);
    cluster.pass_ms(300);
  }
  Coordinator& machine = *cluster.nodes[coordinator]->coordinator;
  EXPECT_EQ(machine.peer_state(static_cast<MemberIndex>(silent)), PeerState::kSuspected);
  cluster.heal(coordinator, silent);
  cluster.pass_ms(1500);
  EXPECT_EQ(machine.peer_state(static_cast<MemberIndex>(silent)), PeerState::kUp);
  EXPECT_THAT(cluster.own_values(silent, "k"), ElementsAre("2"));
  EXPECT_EQ(machine.counters().operations_in_flight, 0u) << "nothing leaks";
}

TEST(Coordinator, ASuspectedPeerIsFoundWellAgainWithoutARequest) {
  TestCluster cluster(3);
  cluster.cut(0, 1, true);
  cluster.pass_ms(4000);
  EXPECT_EQ(cluster.nodes[0]->coordinator->peer_state(1), PeerState::kSuspected);
  EXPECT_EQ(cluster.nodes[1]->coordinator->peer_state(0), PeerState::kSuspected);
  EXPECT_EQ(cluster.nodes[0]->coordinator->peer_state(2), PeerState::kUp) << "an idle link";
  cluster.mend(0, 1);
  cluster.pass_ms(4000);
  EXPECT_EQ(cluster.nodes[0]->coordinator->peer_state(1), PeerState::kUp);
  EXPECT_EQ(cluster.nodes[1]->coordinator->peer_state(0), PeerState::kUp);
}

TEST(Coordinator, ANodeThatWasStoppedDoesNotSuspectTheOthers) {
  TestCluster cluster(3);
  const size_t stopped = cluster.node_for("k", 0);
  Coordinator& machine = *cluster.nodes[stopped]->coordinator;
  Request request = test_edits::request(test_edits::kIncrement);
  const std::string key = "k";  // only seen by the request
  request.key = cluster.ref(key);
  for (uint64_t tag = 1000; tag < 1010; ++tag)
    machine.submit(request, tag, cluster.now_of(stopped));
  cluster.steady_us += 5'000'000;  // its questions and the answers wait in sockets
  machine.on_time(cluster.now_of(stopped));
  for (MemberIndex peer = 0; peer < 3; ++peer) EXPECT_EQ(machine.peer_state(peer), PeerState::kUp);
}

TEST(Coordinator, AForwardedRequestGoesToTheNextPrimaryWhenTheFirstBreaksAway) {
  TestCluster cluster(5);
  const size_t asked = cluster.node_for("k", 4);
  const size_t first = cluster.node_for("k", 0);
  cluster.cut(asked, first, true);
  EXPECT_EQ(cluster.set(asked, "k", "v").outcome, Outcome::kOk);
  EXPECT_THAT(cluster.get(asked, "k").values, ElementsAre("v"));
  TestCluster another(5);
  another.cut(asked, first, true);
  EXPECT_EQ(another.increment(asked, "k").outcome, Outcome::kUncertain)
      << "an increment that may have run is not run again";
}

TEST(Coordinator, ReadRepairMendsAStaleReplica) {
  TestCluster cluster(3);
  cluster.set(0, "k", "old");
  const size_t stale = cluster.node_for("k", 2);
  const size_t coordinator = cluster.node_for("k", 0);
  cluster.cut(coordinator, stale, true);
  cluster.set(coordinator, "k", "new");
  cluster.heal(coordinator, stale);
  EXPECT_THAT(cluster.own_values(stale, "k"), ElementsAre("old"));
  EXPECT_THAT(cluster.get(stale, "k").values, ElementsAre("new"));
  cluster.settle();
  EXPECT_THAT(cluster.own_values(stale, "k"), ElementsAre("new"));
}

TEST(Coordinator, ABlindWriteCoversWhatAHealedReplicaKept) {
  TestCluster cluster(3);
  const size_t first = cluster.node_for("k", 0);
  const size_t second = cluster.node_for("k", 1);
  cluster.isolate(first);
  cluster.set(first, "k", "alone");
  cluster.set(second, "k", "majority");
  cluster.nodes[first]->coordinator->on_link(static_cast<MemberIndex>(second), true,
                                             cluster.now_of(first));
  cluster.heal_all();
  EXPECT_EQ(cluster.set(first, "k", "last").outcome, Outcome::kOk);
  EXPECT_THAT(cluster.get(second, "k").values, ElementsAre("last")) << "no sibling of old writes";
  EXPECT_GE(cluster.nodes[first]->coordinator->counters().second_writes, 1u);
}

TEST(Coordinator, AfterAFailedWriteOfItsStoreANodeMintsUnderANewIncarnation) {
  TestCluster cluster(1);
  cluster.set(0, "k", "1");
  cluster.set(0, "k", "2");
  EXPECT_EQ(cluster.get(0, "k").context.vector.size(), 1u);
  cluster.nodes[0]->renewed_incarnation = 999;
  cluster.set(0, "k", "3");
  const Answer answer = cluster.get(0, "k");
  EXPECT_THAT(answer.values, ElementsAre("3"));
  ASSERT_EQ(answer.context.vector.size(), 2u);
  EXPECT_EQ(answer.context.vector.begin()[1].actor.incarnation, 999u);
}

TEST(Coordinator, AWriteWhoseCommitNeverComesIsUncertainAtItsDeadline) {
  TestCluster cluster(1);
  TestNode& node = *cluster.nodes[0];
  engine::testing::MapStore store;
  const StoredRecordCodec codec(&node.authors, 0);
  engine::TableOptions options;
  options.partition_bits = 4;
  options.store = &store;
  options.codec = &codec;
  node.table = std::make_unique<engine::ObjectTable>(options);
  ASSERT_TRUE(node.table->store_reader().warm().ok());
  node.start(cluster.view, {});
  EXPECT_EQ(cluster.set(0, "k", "v").outcome, Outcome::kUncertain);
  ASSERT_TRUE(node.table->commits().commit(true).ok());
  node.coordinator->on_committed(node.table->commits().committed(), true, cluster.now_of(0));
  EXPECT_EQ(node.coordinator->counters().operations_in_flight, 0u);
  EXPECT_THAT(cluster.get(0, "k").values, ElementsAre("v"));
  node.coordinator.reset();
  node.table.reset();
}

TEST(Coordinator, LastWriteWinsKeepsOne) {
  TestCluster cluster(
      3, [](Founding& founding) { founding.keyspaces[0].conflicts = ConflictPolicy::kLww; });
  cluster.put(0, "k", Context{}, "1");
  cluster.pass_ms(10);
  cluster.put(1, "k", Context{}, "2");
  EXPECT_THAT(cluster.get(2, "k").values, ElementsAre("2"));
  EXPECT_GE(cluster.nodes[cluster.node_for("k", 0)]->coordinator->counters().concurrent_dropped,
            1u);
}

TEST(Coordinator, InspectShowsEveryReplicaAndLocalOnlyTheOwnCopy) {
  TestCluster cluster(5);
  cluster.set(0, "k", "v");
  Request inspect;
  inspect.kind = Request::Kind::kInspect;
  EXPECT_EQ(cluster.run(cluster.node_for("k", 4), inspect, "k").replicas, 3u);
  Request local;
  local.kind = Request::Kind::kLocal;
  EXPECT_THAT(cluster.run(cluster.node_for("k", 1), local, "k").values, ElementsAre("v"));
  EXPECT_EQ(cluster.run(cluster.node_for("k", 4), local, "k").outcome, Outcome::kNotOwner);
}

TEST(Coordinator, TooManySiblingsAreRefusedAndNothingIsLost) {
  TestCluster cluster(3);
  for (int n = 0; n < 100; ++n) cluster.put(0, "k", Context{}, std::to_string(n));
  EXPECT_EQ(cluster.put(0, "k", Context{}, "x").outcome, Outcome::kTooManySiblings);
  EXPECT_EQ(cluster.get(1, "k").values.size(), 100u);
}

// The read before an edit is over at R; what the last replica says to it arrives during the write.
TEST(Coordinator, AReadReplyThatComesLateIsNoVoteOfTheWrite) {
  TestCluster cluster(3);
  const size_t asked = cluster.node_for("k", 0);
  TestNode& node = *cluster.nodes[asked];
  Request request = test_edits::request(test_edits::kIncrement);
  const std::string key = "k";  // only seen by the request
  request.key = cluster.ref(key);
  node.coordinator->submit(request, 77, cluster.now_of(asked));
  std::vector<std::pair<MemberIndex, SlotId>> questions;
  for (const LinkIndex link : node.coordinator->outbox().addressed()) {
    const Frame frame = frame_of(node.coordinator->outbox().batch(link));
    ASSERT_EQ(frame.head.type, MessageType::kReplicaRead);
    questions.emplace_back(link.member(), frame.head.operation);
  }
  ASSERT_EQ(questions.size(), 2u);
  for (const auto& [peer, operation] : questions) {
    std::string batch;
    ReplicaReadReply absent;
    absent.verdict = ReplicaVerdict::kAbsent;
    put_replica_read_reply(batch, operation, absent);
    node.coordinator->on_message(peer, frame_of(batch), cluster.now_of(asked));
  }
  node.coordinator->on_link(questions[0].first, false, cluster.now_of(asked));
  EXPECT_TRUE(node.answers.empty()) << "no replica but its own has the write";
  node.coordinator->on_link(questions[1].first, false, cluster.now_of(asked));
  EXPECT_EQ(node.answers.at(77).outcome, Outcome::kUncertain);
}

TEST(Coordinator, MalformedFramesAreCountedAndHarmless) {
  TestCluster cluster(3);
  Coordinator& machine = *cluster.nodes[0]->coordinator;
  for (int type = 0; type < 256; ++type) {
    for (const std::string_view payload : {"", "x", "\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f"}) {
      const Frame frame{{static_cast<MessageType>(type), 200, 0xffff, 12345}, payload};
      machine.on_message(1, frame, cluster.now_of(0));
    }
  }
  EXPECT_GE(machine.counters().malformed_frames, 100u);
  cluster.settle();
  EXPECT_EQ(cluster.set(0, "k", "v").outcome, Outcome::kOk);
}

}  // namespace
}  // namespace kvorum::cluster
