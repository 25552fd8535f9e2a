// SPDX-License-Identifier: Apache-2.0
// The exchange of one partition, one frame at a time: down the trees, its end, and what breaks it.
#include "cluster/repair/exchange_asker.h"

#include <gmock/gmock.h>

#include "tests/cluster/repair/lone_asker.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr MemberIndex kPeer = LoneAsker::kPeer;
constexpr uint32_t kPartition = LoneAsker::kPartition;
constexpr uint64_t kAnswerUs = ExchangeAsker::kAnswerUs;

struct ExchangeAskerTest : ::testing::Test {
  // The first question about the trees of kPartition, of which the peer's is so deep.
  Frame begin_descent(uint8_t depth) {
    lone.begin_exchanges({{kPartition, depth}});
    return lone.only(kPeer);
  }
  static TreeNodes nodes_of(const Frame& frame) { return parsed(frame, parse_tree_nodes); }
  // This node's own, below a parent.
  std::vector<uint64_t> own_nodes(const TreeNodes& question) {
    std::vector<uint64_t> nodes;
    for (const uint64_t parent : question.parents) {
      EXPECT_TRUE(lone.table.trees().nodes(
          {0, kPartition, question.level, parent << question.fan, uint64_t{1} << question.fan},
          nodes));
    }
    return nodes;
  }
  // Of the ranges that were asked for, as numbers of leaves at that depth.
  std::vector<std::pair<uint64_t, uint64_t>> leaves_asked(int depth) {
    std::vector<std::pair<uint64_t, uint64_t>> leaves;
    const uint64_t start = lone.view->ring.start_of(kPartition).high;
    const int shift = 64 - LoneCore::kPartitionBits - depth;
    for (const Frame& frame : lone.sent(kPeer)) {
      const RangeDigests range = parsed(frame, parse_range_digests);
      EXPECT_EQ(range.partition, kPartition);
      EXPECT_EQ((range.from - start) & ((uint64_t{1} << shift) - 1), 0u);
      const uint64_t end = range.end == 0 ? uint64_t{1} << depth : (range.end - start) >> shift;
      leaves.emplace_back((range.from - start) >> shift, end);
    }
    return leaves;
  }
  // What ended an exchange that failed.
  void expect_failed() {
    EXPECT_EQ(lone.counters().exchanges_started, 1u);
    EXPECT_EQ(lone.counters().exchanges_failed, 1u);
    EXPECT_EQ(lone.counters().exchanges_clean, 0u);
    EXPECT_FALSE(lone.noted(kPartition));
    EXPECT_FALSE(lone.machine.progress().active);
    EXPECT_LE(lone.machine.next_deadline_us(), lone.now.steady_us + 1'500'000) << "again soon";
  }
  Frame question_of_done() {
    const Frame range = lone.begin_range();
    EXPECT_TRUE(lone.differ(range, {}));
    return lone.only(kPeer);
  }

  LoneAsker lone;
};

// ---- descending

TEST_F(ExchangeAskerTest, TreesWithoutLevelsAreOneStretch) {
  const RangeDigests range = parsed(lone.begin_range(), parse_range_digests);
  EXPECT_EQ(range.partition, kPartition);
  EXPECT_EQ(range.from, lone.view->ring.start_of(kPartition).high);
  EXPECT_EQ(range.end, 0u);
}

TEST_F(ExchangeAskerTest, SoManyLevelsAtATime) {
  lone.put_many(2000);
  lone.grow_tree(6);
  const Frame first = begin_descent(9);
  EXPECT_EQ(first.head.keyspace, 0);
  const TreeNodes top = nodes_of(first);
  EXPECT_EQ(top.partition, kPartition);
  EXPECT_EQ(top.level, 4);
  EXPECT_EQ(top.fan, kTreeFanMax);
  EXPECT_THAT(top.parents, ElementsAre(0));
  TreeNodesReply reply{9, own_nodes(top)};
  reply.nodes[3] ^= 1;
  reply.nodes[8] ^= 1;
  EXPECT_TRUE(lone.answer_nodes(first, reply));
  const Frame second = lone.only(kPeer);
  EXPECT_EQ(second.head.operation, first.head.operation);
  const TreeNodes below = nodes_of(second);
  EXPECT_EQ(below.level, 6) << "as deep as both are";
  EXPECT_EQ(below.fan, 2);
  EXPECT_THAT(below.parents, ElementsAre(3, 8)) << "only where they differ";
  reply.nodes = own_nodes(below);
  reply.nodes[1] ^= 1;  // leaf 13
  reply.nodes[6] ^= 1;  // leaf 34
  EXPECT_TRUE(lone.answer_nodes(second, reply));
  EXPECT_THAT(leaves_asked(6), ElementsAre(std::pair(13, 14), std::pair(34, 35)));
}

TEST_F(ExchangeAskerTest, TheShallowerTreeSaysHowDeep) {
  lone.put_many(2000);
  lone.grow_tree(6);
  const TreeNodes question = nodes_of(begin_descent(2));
  EXPECT_EQ(question.level, 2);
  EXPECT_EQ(question.fan, 2);
}

TEST_F(ExchangeAskerTest, NeighbouringLeavesAreOneStretchUpToALimit) {
  lone.put_many(1000);
  lone.grow_tree(5);
  const Frame first = begin_descent(5);
  TreeNodesReply reply{5, own_nodes(nodes_of(first))};
  for (uint64_t& node : reply.nodes) node ^= 1;
  EXPECT_TRUE(lone.answer_nodes(first, reply));
  const Frame second = lone.only(kPeer);
  const TreeNodes leaves = nodes_of(second);
  EXPECT_THAT(leaves.parents, SizeIs(16));
  reply.nodes = own_nodes(leaves);
  for (size_t leaf = 0; leaf < 32; ++leaf) {
    const bool differs =
        leaf == 0 || leaf == 2 || leaf == 3 || (leaf >= 10 && leaf < 20) || leaf == 31;
    reply.nodes[leaf] ^= differs;
  }
  EXPECT_TRUE(lone.answer_nodes(second, reply));
  EXPECT_THAT(leaves_asked(5), ElementsAre(std::pair(0, 1), std::pair(2, 4), std::pair(10, 18),
                                           std::pair(18, 20), std::pair(31, 32)));
}

TEST_F(ExchangeAskerTest, TreesThatBecameEqualAreTheEnd) {
  lone.put_many(40);
  lone.grow_tree(1);
  const Frame question = begin_descent(1);
  EXPECT_TRUE(lone.answer_nodes(question, {1, own_nodes(nodes_of(question))}));
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kExchangeDone);
}

TEST_F(ExchangeAskerTest, ATreeThatWasMadeCoarserIsDescendedAnew) {
  lone.put_many(1000);
  lone.grow_tree(5);
  const Frame question = begin_descent(5);
  EXPECT_TRUE(lone.answer_nodes(question, {2, {}}));
  const Frame again = lone.only(kPeer);
  EXPECT_EQ(nodes_of(again).level, 2);
  EXPECT_TRUE(lone.answer_nodes(again, {0, {}}));
  EXPECT_THAT(leaves_asked(0), ElementsAre(std::pair(0, 1))) << "all of it, at last";
}

TEST_F(ExchangeAskerTest, AnotherNumberOfNodesIsAFailure) {
  lone.put_many(40);
  lone.grow_tree(1);
  const Frame question = begin_descent(1);
  EXPECT_TRUE(lone.answer_nodes(question, {1, {1, 2, 3}}));
  EXPECT_TRUE(lone.sent_nothing());
  expect_failed();
}

TEST_F(ExchangeAskerTest, NodesThatNobodyWaitsForAreNotTaken) {
  lone.put_many(2000);
  lone.grow_tree(6);
  Frame question = begin_descent(6);
  TreeNodesReply reply{6, own_nodes(nodes_of(question))};
  EXPECT_TRUE(lone.answer_nodes(question, reply, 2)) << "of a member that was not asked";
  question.head.operation += uint64_t{1} << 32;
  EXPECT_TRUE(lone.answer_nodes(question, reply)) << "of an exchange that is none";
  EXPECT_TRUE(lone.sent_nothing());
  question.head.operation -= uint64_t{1} << 32;
  EXPECT_TRUE(lone.answer_nodes(question, reply));
  const Frame done = lone.only(kPeer);
  EXPECT_EQ(done.head.type, MessageType::kExchangeDone);
  EXPECT_TRUE(lone.answer_nodes(question, {6, {}})) << "a duplicate";
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(ExchangeAskerTest, ADuplicateOfNodesLeavesTheirRangesAsTheyAre) {
  lone.put_many(40);
  lone.grow_tree(1);
  const Frame question = begin_descent(1);
  TreeNodesReply reply{1, own_nodes(nodes_of(question))};
  reply.nodes[0] ^= 1;
  EXPECT_TRUE(lone.answer_nodes(question, reply));
  const Frame range = lone.only(kPeer);
  EXPECT_TRUE(lone.answer_nodes(question, reply));
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_TRUE(lone.differ(range, {}));
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kExchangeDone);
}

TEST_F(ExchangeAskerTest, NodesThatWereAnsweredAreNotWaitedFor) {
  lone.put_many(40);
  lone.grow_tree(1);
  const Frame question = begin_descent(1);
  TreeNodesReply reply{1, own_nodes(nodes_of(question))};
  reply.nodes[0] ^= 1;
  EXPECT_TRUE(lone.answer_nodes(question, reply));
  EXPECT_TRUE(lone.differ(lone.only(kPeer), {.lacked = {0}, .items = {}}));
  const Frame push = lone.only(kPeer);
  lone.live(2 * kAnswerUs);
  EXPECT_EQ(lone.counters().exchanges_failed, 0u) << "a key has a time of its own";
  lone.end_key(push, true);
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kExchangeDone);
}

TEST_F(ExchangeAskerTest, SilenceAboutNodesIsAFailure) {
  lone.put_many(40);
  lone.grow_tree(1);
  const Frame question = begin_descent(1);
  ASSERT_NE(lone.machine.next_deadline_us(), 0u);
  EXPECT_LE(lone.machine.next_deadline_us(), lone.now.steady_us + LoneAsker::kTickUs);
  lone.live(kAnswerUs - LoneAsker::kTickUs);
  EXPECT_EQ(lone.counters().exchanges_failed, 0u);
  lone.live(2 * LoneAsker::kTickUs);
  expect_failed();
  EXPECT_TRUE(lone.answer_nodes(question, {1, {1, 2}})) << "too late";
  EXPECT_TRUE(lone.sent_nothing());
}

// ---- the end

TEST_F(ExchangeAskerTest, TheEndIsToldWithWhatThePeerSaidOfItself) {
  const Frame frame = question_of_done();
  ASSERT_EQ(frame.head.type, MessageType::kExchangeDone);
  const ExchangeDone message = parsed(frame, parse_exchange_done);
  EXPECT_EQ(message.partition, kPartition);
  EXPECT_EQ(message.asker.run, LoneCore::kIncarnation);
  EXPECT_EQ(message.peer_run, LoneCore::run_of(kPeer));
  EXPECT_EQ(message.peer_clock, Hlc{6000}) << "of its roots";
  EXPECT_FALSE(lone.noted(kPartition)) << "not before it has agreed";
  lone.pass_ms(500);
  EXPECT_TRUE(lone.ended(frame, false));
  const auto exchange = lone.noted(kPartition);
  ASSERT_TRUE(exchange);
  EXPECT_EQ(exchange->began, message.asker.clock) << "when the round began";
  EXPECT_EQ(lone.counters().exchanges_clean, 1u);
  EXPECT_FALSE(lone.machine.progress().active);
  lone.live(LoneAsker::kTickUs);
  EXPECT_GT(lone.machine.next_deadline_us(), lone.now.steady_us + 14'000'000);
}

TEST_F(ExchangeAskerTest, APeerThatRefusesTheEndIsAFailure) {
  EXPECT_TRUE(lone.ended(question_of_done(), true));
  expect_failed();
}

TEST_F(ExchangeAskerTest, SilenceAtTheEndIsAFailure) {
  const Frame done = question_of_done();
  lone.live(kAnswerUs + LoneAsker::kTickUs);
  expect_failed();
  EXPECT_TRUE(lone.ended(done, false));
  EXPECT_FALSE(lone.noted(kPartition)) << "too late";
}

TEST_F(ExchangeAskerTest, ADuplicateOfTheEndIsNotTaken) {
  const Frame done = question_of_done();
  EXPECT_TRUE(lone.ended(done, false));
  EXPECT_TRUE(lone.ended(done, true));
  EXPECT_EQ(lone.counters().exchanges_clean, 1u);
  EXPECT_EQ(lone.counters().exchanges_failed, 0u);
}

TEST_F(ExchangeAskerTest, AnEndThatWasNotAskedForIsNotTaken) {
  lone.put_many(40);
  lone.grow_tree(1);
  const Frame question = begin_descent(1);
  EXPECT_TRUE(lone.ended(question, false));
  EXPECT_FALSE(lone.noted(kPartition));
  EXPECT_TRUE(lone.machine.progress().active);
}

TEST_F(ExchangeAskerTest, DamageMeanwhileMakesItSayNothing) {
  const Frame done = question_of_done();
  lone.damage(0, kPartition);
  EXPECT_TRUE(lone.ended(done, false));
  EXPECT_FALSE(lone.noted(kPartition));
}

// ---- broken links

TEST_F(ExchangeAskerTest, ABrokenLinkEndsItAtEachStep) {
  lone.put_many(40);
  lone.grow_tree(1);
  const Frame nodes = begin_descent(1);
  lone.link_down();
  EXPECT_EQ(lone.counters().exchanges_failed, 1u) << "descending";
  EXPECT_EQ(lone.machine.progress().partitions_left, 0u);
  EXPECT_TRUE(lone.answer_nodes(nodes, {1, {1, 2}}));

  const Frame again = begin_descent(1);
  EXPECT_TRUE(lone.answer_nodes(again, {1, own_nodes(nodes_of(again))}));
  const Frame done = lone.only(kPeer);
  lone.link_down();
  EXPECT_EQ(lone.counters().exchanges_failed, 2u) << "at the end";
  EXPECT_TRUE(lone.ended(done, false));
  EXPECT_FALSE(lone.noted(kPartition));

  lone.begin_exchanges({{kPartition, 1}, {7, 1}, {9, 1}});
  EXPECT_EQ(lone.machine.progress().partitions_left, 3u);
  lone.sent(kPeer);
  lone.link_down();
  EXPECT_EQ(lone.machine.progress().partitions_left, 0u) << "nor are the others begun";
  EXPECT_EQ(lone.counters().exchanges_started, 3u);
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(ExchangeAskerTest, AnotherMembersLinkBreaksNothing) {
  const Frame done = question_of_done();
  lone.link(2);
  lone.link_down(2);
  EXPECT_TRUE(lone.ended(done, false));
  EXPECT_EQ(lone.counters().exchanges_clean, 1u);
}

// ---- malformed frames

TEST_F(ExchangeAskerTest, MalformedAnswersLeaveItAsItWas) {
  lone.put_many(40);
  lone.grow_tree(1);
  const Frame question = begin_descent(1);
  const auto nodes = [&](const TreeNodesReply& reply) {
    return lone.made(
        [&](std::string& batch) { put_tree_nodes_reply(batch, question.head.operation, reply); });
  };
  const Frame whole = nodes({1, {1, 2}});
  for (size_t bytes = 0; bytes < whole.payload.size(); ++bytes) {
    if (bytes % 8 == 1) continue;  // fewer nodes
    EXPECT_FALSE(lone.machine.on_message(kPeer, cut_to(whole, bytes), lone.now)) << bytes;
  }
  const std::vector<uint64_t> too_many((kTreeParentsMax << kTreeFanMax) + 1);
  EXPECT_FALSE(lone.machine.on_message(kPeer, nodes({1, too_many}), lone.now));
  EXPECT_TRUE(lone.answer_nodes(question, {1, own_nodes(nodes_of(question))}));
  Frame done = lone.made([&](std::string& batch) {
    put_exchange_done_reply(batch, lone.only(kPeer).head.operation, false);
  });
  done.payload = "x";
  EXPECT_FALSE(lone.machine.on_message(kPeer, done, lone.now));
  EXPECT_FALSE(lone.noted(kPartition));
  EXPECT_TRUE(lone.machine.progress().active);
  EXPECT_THAT(lone.sent(kPeer), IsEmpty());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
