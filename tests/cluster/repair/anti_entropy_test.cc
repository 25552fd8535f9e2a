// SPDX-License-Identifier: Apache-2.0
// Rounds of anti-entropy, one frame at a time: when they begin, what they compare, how they end.
#include "cluster/repair/anti_entropy.h"

#include <gmock/gmock.h>

#include "tests/cluster/repair/lone_asker.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr MemberIndex kPeer = LoneAsker::kPeer;
constexpr uint64_t kAnswerUs = ExchangeAsker::kAnswerUs;
constexpr uint64_t kIntervalUs = 30'000'000;  // as the options have it
constexpr uint64_t kAfterFailureUs = 1'000'000;

struct AntiEntropyRound : ::testing::Test {
  // The next round comes after about so long.
  void expect_next_after(uint64_t wait_us) {
    EXPECT_FALSE(lone.machine.progress().active);
    const uint64_t ended_us = lone.now.steady_us;
    const uint64_t due_us = lone.machine.next_deadline_us();
    EXPECT_GE(due_us, ended_us + wait_us / 2);
    EXPECT_LE(due_us, ended_us + wait_us / 2 + wait_us);
    lone.turn(due_us - ended_us - 1);
    EXPECT_TRUE(lone.sent_nothing());
    lone.turn(1);
    EXPECT_THAT(types_of(lone.sent(kPeer)), ElementsAre(MessageType::kExchangeOpen));
  }
  PartitionRoots roots_of(const Frame& frame) { return parsed(frame, parse_partition_roots); }

  LoneAsker lone;
};

// ---- openings

TEST_F(AntiEntropyRound, ComesAMomentAfterItsLink) {
  lone.machine.on_time(lone.now);
  EXPECT_EQ(lone.machine.next_deadline_us(), 0u) << "there is nobody to ask";
  lone.link_up();
  const uint64_t due_us = lone.machine.next_deadline_us();
  EXPECT_GE(due_us, lone.now.steady_us + 10'000);
  EXPECT_LT(due_us, lone.now.steady_us + 20'000);
  lone.turn(due_us - lone.now.steady_us - 1);
  EXPECT_TRUE(lone.sent_nothing());
  lone.turn(1);
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kExchangeOpen);
  EXPECT_EQ(lone.counters().exchange_rounds, 1u);
}

TEST_F(AntiEntropyRound, BeginsWithADigestOfEachKeyspace) {
  NotedGossip observer;
  lone.exchanges.set_observer(&observer);
  lone.put("k", lone.object_of(1, 1, "v"), 3);
  const Frame frame = lone.open_round();
  EXPECT_EQ(lone.counters().exchange_bytes, kFrameHeadBytes + frame.payload.size());
  const ExchangeOpen message = parsed(frame, parse_exchange_open);
  EXPECT_EQ(message.asker.node, lone.id_of(0));
  EXPECT_EQ(message.asker.run, LoneCore::kIncarnation);
  EXPECT_EQ(message.asker.clock, lone.clock.reading(lone.now.wall_ms));
  EXPECT_TRUE(message.asker.whole);
  EXPECT_EQ(message.view_hash, lone.view->exchange_hash());
  EXPECT_EQ(message.gossip, "to " + std::to_string(lone.id_of(kPeer)));
  ASSERT_EQ(message.keyspaces.size(), size_t{kKeyspacesMax});
  const auto shared = shared_partitions(lone.core, 3, kPeer);
  EXPECT_THAT(message.keyspaces[3], Pair(3, roots_digest(lone.core, 3, shared)));
  EXPECT_NE(message.keyspaces[3].second, message.keyspaces[4].second);
}

TEST_F(AntiEntropyRound, IsNotBegunWithWhoStops) {
  lone.link_up();
  lone.core.health.set_stopping(kPeer, lone.now.steady_us);
  lone.live(60'000'000);
  EXPECT_TRUE(lone.sent_nothing());
  lone.link_down();
  lone.link_up();
  lone.live(20'000);
  EXPECT_THAT(types_of(lone.sent(kPeer)), ElementsAre(MessageType::kExchangeOpen));
}

TEST(AntiEntropyOfMany, WhoSharesNoCopyIsNotAsked) {
  LoneAsker lone({.members = 40, .n = 1});
  lone.link_up();
  lone.live(100'000'000);
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_EQ(lone.counters().exchange_rounds, 0u);
  lone.machine.repair({}, lone.now);
  lone.live(20'000);
  EXPECT_THAT(types_of(lone.sent(kPeer)), ElementsAre(MessageType::kExchangeOpen))
      << "who wishes it is to see it end";
}

TEST(AntiEntropyOff, ThoseWhoDoNotExchange) {
  CoordinatorOptions without;
  without.anti_entropy_ms = 0;
  for (const LoneShape& idle :
       {LoneShape{.options = without}, LoneShape{.members = 1}, LoneShape{.is_member = false}}) {
    LoneAsker lone(idle);
    if (lone.view->members.size() > 1) lone.link_up();
    lone.turn(100'000'000);
    lone.machine.repair({}, lone.now);
    lone.turn(100'000'000);
    EXPECT_TRUE(lone.sent_nothing());
    EXPECT_EQ(lone.machine.next_deadline_us(), 0u);
  }
}

TEST_F(AntiEntropyRound, LinksThatWereAcceptedHaveNone) {
  lone.machine.on_link(40, true, lone.now);
  lone.machine.on_link(40, false, lone.now);
  lone.live(60'000'000);
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(AntiEntropyRound, EqualDigestsAreAllThereIsToDo) {
  NotedGossip observer;
  lone.exchanges.set_observer(&observer);
  const Frame frame = lone.open_round();
  const Hlc began = lone.clock.reading(lone.now.wall_ms);
  lone.pass_ms(3);
  ExchangeOpenReply reply;
  reply.peer = lone.party();
  reply.gossip = "of the peer";
  EXPECT_TRUE(lone.opened_as(frame, reply));
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_THAT(observer.heard, ElementsAre(Pair(lone.id_of(kPeer), "of the peer")));
  EXPECT_EQ(lone.exchanges.count(), uint64_t{kKeyspacesMax} * LoneCore::kPartitions);
  const auto exchange = lone.noted(7, 3);
  ASSERT_TRUE(exchange);
  EXPECT_EQ(exchange->began, began) << "not when the answer came";
  EXPECT_EQ(exchange->run, LoneCore::kIncarnation);
  EXPECT_EQ(exchange->peer_run, LoneCore::run_of(kPeer));
  EXPECT_EQ(lone.core.health.report(kPeer).heard_us, lone.now.steady_us);
  expect_next_after(kIntervalUs);
}

TEST_F(AntiEntropyRound, WhoIsRefusedTriesAgainSoon) {
  ExchangeOpenReply reply;
  reply.peer = lone.party();
  reply.refused = true;
  reply.differing = {0};
  EXPECT_TRUE(lone.opened_as(lone.open_round(), reply));
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_EQ(lone.exchanges.count(), 0u);
  expect_next_after(kAfterFailureUs);
}

TEST_F(AntiEntropyRound, AnotherNodeBehindTheLinkIsNotBelieved) {
  ExchangeOpenReply reply;
  reply.peer = lone.party(2);
  EXPECT_TRUE(lone.opened_as(lone.open_round(), reply));
  EXPECT_EQ(lone.exchanges.count(), 0u);
  expect_next_after(kAfterFailureUs);
}

TEST_F(AntiEntropyRound, AnswersThatNobodyWaitsForAreNotTaken) {
  Frame question = lone.open_round();
  EXPECT_TRUE(lone.opened(question, {}, 2)) << "of a member that was not asked";
  ++question.head.operation;
  EXPECT_TRUE(lone.opened(question, {})) << "to another round";
  EXPECT_EQ(lone.exchanges.count(), 0u);
  --question.head.operation;
  EXPECT_TRUE(lone.opened(question, {}));
  const uint64_t count = lone.exchanges.count();
  EXPECT_GT(count, 0u);
  EXPECT_TRUE(lone.opened(question, {0})) << "a duplicate";
  EXPECT_EQ(lone.exchanges.count(), count);
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(AntiEntropyRound, SilenceEndsIt) {
  const Frame question = lone.open_round();
  EXPECT_EQ(lone.machine.next_deadline_us(), lone.now.steady_us + kAnswerUs);
  lone.turn(kAnswerUs - 1);
  EXPECT_TRUE(lone.machine.progress().active);
  lone.turn(1);
  EXPECT_TRUE(lone.opened(question, {0})) << "too late";
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_EQ(lone.exchanges.count(), 0u);
  expect_next_after(kAfterFailureUs);
}

TEST_F(AntiEntropyRound, ABrokenLinkEndsItAndAnotherOneBeginsItAnew) {
  const Frame question = lone.open_round();
  lone.link_down();
  EXPECT_FALSE(lone.machine.progress().active);
  EXPECT_TRUE(lone.opened(question, {0}));
  lone.live(60'000'000);
  EXPECT_TRUE(lone.sent_nothing());
  const Frame next = lone.open_round();
  EXPECT_NE(next.head.operation, question.head.operation);
  EXPECT_TRUE(lone.opened(question, {0})) << "that was the one before";
  EXPECT_TRUE(lone.sent_nothing());
}

// ---- roots

TEST_F(AntiEntropyRound, RootsOfTheHalfThatItDrivesAreAskedFor) {
  for (uint32_t partition = 0; partition < 4; ++partition) {
    lone.put(lone.key_in(partition), lone.object_of(1, 1, "v"), 3);
  }
  const Frame open = lone.open_round();
  EXPECT_TRUE(lone.opened(open, {3}));
  const Frame frame = lone.only(kPeer);
  EXPECT_EQ(frame.head.keyspace, 3);
  EXPECT_EQ(frame.head.operation, open.head.operation);
  const PartitionRoots message = roots_of(frame);
  EXPECT_FALSE(message.all);
  EXPECT_FALSE(message.names_all);
  EXPECT_EQ(message.asker.run, LoneCore::kIncarnation);
  PartitionRootList driven;
  for (uint32_t partition = 0; partition < 4; ++partition) {
    if (!drives(0, kPeer, partition)) continue;
    driven.emplace_back(partition, lone.table.digest(3, partition));
  }
  EXPECT_EQ(driven.size(), 2u);
  EXPECT_EQ(message.roots, driven) << "the others are zero";
  EXPECT_TRUE(lone.noted(0, 4)) << "what is equal needs no more";
  EXPECT_FALSE(lone.noted(0, 3));
}

TEST_F(AntiEntropyRound, EachEighthRoundComparesAll) {
  for (int round = 1; round <= 16; ++round) {
    EXPECT_TRUE(lone.opened(lone.open_round(), {0}));
    EXPECT_EQ(roots_of(lone.only(kPeer)).all, round % 8 == 0) << round;
    lone.link_down();
  }
}

TEST_F(AntiEntropyRound, WhoIsNotWholeDrivesAll) {
  ExchangeOpenReply reply;
  reply.peer = lone.party();
  reply.differing = {0};
  lone.whole.set(9, 9, false);
  EXPECT_TRUE(lone.opened_as(lone.open_round(), reply));
  EXPECT_TRUE(roots_of(lone.only(kPeer)).all);
  lone.link_down();
  reply.peer.whole = false;
  EXPECT_TRUE(lone.opened_as(lone.open_round(), reply));
  EXPECT_FALSE(roots_of(lone.only(kPeer)).all) << "both lack something: each its half";
  lone.link_down();
  lone.whole.set(9, 9, true);
  EXPECT_TRUE(lone.opened_as(lone.open_round(), reply));
  EXPECT_TRUE(lone.sent_nothing()) << "the peer drives all";
  EXPECT_FALSE(lone.machine.progress().active);
}

TEST(AntiEntropyPlacements, WhereTheyMayDifferAllPartitionsAreNamed) {
  LoneAsker lone({.kept = {{}}});
  ASSERT_FALSE(lone.agreement->same_as(kPeer)) << "it has not said what it has";
  EXPECT_TRUE(lone.opened(lone.open_round(), {0}));
  const PartitionRoots message = parsed(lone.only(kPeer), parse_partition_roots);
  EXPECT_TRUE(message.names_all);
  EXPECT_EQ(message.roots.size(), LoneCore::kPartitions / 2);
  EXPECT_EQ(message.roots[0].second, 0u);
}

TEST_F(AntiEntropyRound, EqualRootsAreCleanByTheAnswersClock) {
  EXPECT_TRUE(lone.opened(lone.open_round(), {3}));
  EXPECT_TRUE(lone.rooted(lone.only(kPeer), {{5, 0}}));
  EXPECT_THAT(types_of(lone.sent(kPeer)), ElementsAre(MessageType::kRangeDigests));
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    const bool clean = drives(0, kPeer, partition) && partition != 5;
    const auto exchange = lone.noted(partition, 3);
    ASSERT_EQ(exchange.has_value(), clean) << partition;
  }
  EXPECT_EQ(lone.counters().exchanges_started, 1u);
}

TEST_F(AntiEntropyRound, AllRootsAreWaitedFor) {
  EXPECT_TRUE(lone.opened(lone.open_round(), {3, 7}));
  const std::vector<Frame> questions = lone.sent(kPeer);
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_TRUE(lone.rooted(questions[1], {{5, 0}}));
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_TRUE(lone.rooted(questions[0], {{5, 0}, {7, 0}}));
  const Frame frame = lone.only(kPeer);
  EXPECT_EQ(frame.head.type, MessageType::kRangeDigests) << "one after the other";
  EXPECT_EQ(frame.head.keyspace, 7) << "in the order in which they were found";
}

TEST_F(AntiEntropyRound, APeerThatStartedAnewMeanwhileIsNotClean) {
  EXPECT_TRUE(lone.opened(lone.open_round(), {3}));
  PartitionRootsReply reply;
  reply.peer = lone.party();
  ++reply.peer.run;
  EXPECT_TRUE(lone.rooted_as(lone.only(kPeer), reply));
  EXPECT_FALSE(lone.noted(5, 3));
  EXPECT_TRUE(lone.noted(5, 4)) << "that was known before";
  expect_next_after(kAfterFailureUs);
}

TEST_F(AntiEntropyRound, SilenceAfterTheRootsEndsItToo) {
  EXPECT_TRUE(lone.opened(lone.open_round(), {3}));
  const Frame question = lone.only(kPeer);
  lone.turn(kAnswerUs - 1);
  EXPECT_TRUE(lone.machine.progress().active);
  lone.turn(1);
  EXPECT_TRUE(lone.rooted(question, {}));
  EXPECT_FALSE(lone.noted(5, 3)) << "too late";
  expect_next_after(kAfterFailureUs);
}

TEST_F(AntiEntropyRound, RootsThatNobodyWaitsForAreNotTaken) {
  const Frame open = lone.open_round();
  EXPECT_TRUE(lone.rooted(open, {})) << "they were not asked for yet";
  EXPECT_TRUE(lone.opened(open, {3}));
  Frame question = lone.only(kPeer);
  PartitionRootsReply of_other;
  of_other.peer = lone.party(2);
  EXPECT_TRUE(lone.rooted_as(question, of_other, 2));
  ++question.head.operation;
  EXPECT_TRUE(lone.rooted(question, {}));
  EXPECT_FALSE(lone.noted(5, 3));
}

TEST_F(AntiEntropyRound, MalformedAnswersAreNotTaken) {
  const Frame open = lone.open_round();
  const Frame opened = lone.made([&](std::string& batch) {
    put_exchange_open_reply(batch, open.head.operation, {false, lone.party(), "gossip", {3, 4}});
  });
  constexpr size_t kParty = 25, kOpened = kParty + 1 + 6;
  for (size_t bytes = 0; bytes < opened.payload.size(); ++bytes) {
    if (bytes == kOpened || bytes == kOpened + 1) continue;  // fewer keyspaces differ
    EXPECT_FALSE(lone.machine.on_message(kPeer, cut_to(opened, bytes), lone.now)) << bytes;
  }
  EXPECT_FALSE(lone.opened(open, {kKeyspacesMax}));
  EXPECT_FALSE(lone.opened(open, std::vector<uint8_t>(kKeyspacesMax + 1)));
  EXPECT_FALSE(lone.machine.on_message(40, opened, lone.now)) << "of a link that was accepted";
  EXPECT_TRUE(lone.opened(open, {3})) << "the round goes on";
  const Frame question = lone.only(kPeer);
  const FrameHead head{MessageType::kPartitionRootsReply, 3, 0, question.head.operation};
  const Frame rooted = lone.made([&](std::string& batch) {
    put_partition_roots_reply(batch, head, {lone.party(), {{5, 1}}});
  });
  for (size_t bytes = 0; bytes < rooted.payload.size(); ++bytes) {
    if (bytes == kParty + 2) continue;  // none is apart, none is lacking
    EXPECT_FALSE(lone.machine.on_message(kPeer, cut_to(rooted, bytes), lone.now)) << bytes;
  }
  EXPECT_FALSE(lone.machine.on_message(40, rooted, lone.now));
  Frame elsewhere = rooted;
  elsewhere.head.keyspace = kKeyspacesMax;
  EXPECT_FALSE(lone.machine.on_message(kPeer, elsewhere, lone.now));
  elsewhere.head.type = MessageType::kExchangeOpen;
  EXPECT_FALSE(lone.machine.on_message(kPeer, elsewhere, lone.now)) << "no answer";
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_FALSE(lone.noted(5, 3));
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
