// SPDX-License-Identifier: Apache-2.0
// How much anti-entropy of one node has under way at once: partitions, ranges, keys; and what a
// budget leaves of that.
#include <gmock/gmock.h>

#include "tests/cluster/repair/lone_asker.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr MemberIndex kPeer = LoneAsker::kPeer;
constexpr uint32_t kPartition = LoneAsker::kPartition;

struct ExchangeAskerBounds : ::testing::Test {
  static RangeDigests range_of(const Frame& frame) { return parsed(frame, parse_range_digests); }
  RangeDifferences lacked(std::vector<uint32_t> places) {
    return {.lacked = std::move(places), .items = {}};
  }

  LoneAsker lone;
};

// ---- partitions

TEST_F(ExchangeAskerBounds, OneAtATimeIsMoreThanKeys) {
  lone.begin_exchanges({{kPartition, 0}, {7, 0}, {9, 0}});
  const auto partition_of_range = [](const Frame& frame) {
    return parsed(frame, parse_range_digests).partition;
  };
  const Frame first = lone.only(kPeer);
  EXPECT_EQ(partition_of_range(first), kPartition);
  EXPECT_EQ(lone.counters().exchanges_started, 1u);
  EXPECT_EQ(lone.machine.progress().partitions_left, 3u);
  EXPECT_TRUE(lone.differ(first, {}));
  std::vector<Frame> frames = lone.sent(kPeer);
  ASSERT_THAT(types_of(frames), ElementsAre(MessageType::kExchangeDone, MessageType::kRangeDigests))
      << "the next one need not wait for the peer's yes";
  EXPECT_EQ(partition_of_range(frames[1]), 7u);
  EXPECT_TRUE(lone.ended(frames[0], false));
  EXPECT_TRUE(lone.sent_nothing()) << "the second is still more than keys";
  EXPECT_TRUE(lone.differ(frames[1], {}));
  frames = lone.sent(kPeer);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(partition_of_range(frames[1]), 9u);
}

TEST_F(ExchangeAskerBounds, AFailedOneDoesNotEndTheRound) {
  lone.begin_exchanges({{kPartition, 0}, {7, 0}});
  EXPECT_TRUE(lone.differ(lone.only(kPeer), {.refused = true, .lacked = {}, .items = {}}));
  const Frame next = lone.only(kPeer);
  EXPECT_EQ(parsed(next, parse_range_digests).partition, 7u);
  EXPECT_TRUE(lone.differ(next, {}));
  EXPECT_TRUE(lone.ended(lone.only(kPeer), false));
  EXPECT_TRUE(lone.noted(7));
  EXPECT_EQ(lone.counters().exchanges_failed, 1u);
  EXPECT_LE(lone.machine.next_deadline_us(), lone.now.steady_us + 1'500'000)
      << "the round was not clean";
}

// ---- ranges

TEST_F(ExchangeAskerBounds, SoManyRangesAtATime) {
  lone.put_many(1000);
  lone.grow_tree(5);
  lone.begin_exchanges({{kPartition, 5}});
  // Each second leaf differs: sixteen stretches.
  for (int question = 0; question < 2; ++question) {
    const Frame frame = lone.only(kPeer);
    const TreeNodes asked = parsed(frame, parse_tree_nodes);
    TreeNodesReply reply{5, {}};
    for (const uint64_t parent : asked.parents) {
      EXPECT_TRUE(lone.table.trees().nodes(
          {0, kPartition, asked.level, parent << asked.fan, uint64_t{1} << asked.fan},
          reply.nodes));
    }
    for (size_t at = 0; at < reply.nodes.size(); ++at) {
      reply.nodes[at] ^= asked.level < 5 || at % 2 == 0;
    }
    EXPECT_TRUE(lone.answer_nodes(frame, reply));
  }
  std::vector<Frame> open = lone.sent(kPeer);
  EXPECT_THAT(types_of(open), Each(MessageType::kRangeDigests));
  EXPECT_EQ(open.size(), ExchangeAsker::kRangesInFlightMax);
  size_t asked = open.size();
  while (!open.empty()) {
    EXPECT_TRUE(lone.differ(open.back(), {}));
    open.pop_back();
    const std::vector<Frame> more = lone.sent(kPeer);
    EXPECT_LE(more.size(), 1u) << "each answer makes room for one";
    for (const Frame& frame : more) {
      if (frame.head.type != MessageType::kRangeDigests) continue;
      open.push_back(frame);
      ++asked;
    }
  }
  EXPECT_EQ(asked, 16u);
}

// ---- keys

TEST_F(ExchangeAskerBounds, SoManyKeysAtATime) {
  lone.put_many(400);
  const Frame question = lone.begin_range();
  EXPECT_TRUE(lone.differ(question, lacked(LoneAsker::all_of(range_of(question)))));
  std::vector<Frame> open = lone.sent(kPeer);
  EXPECT_EQ(open.size(), ExchangeAsker::kKeysInFlightMax);
  size_t pushed = open.size();
  while (pushed < 400) {
    lone.end_key(open.back(), true);
    open.pop_back();
    const std::vector<Frame> more = lone.sent(kPeer);
    ASSERT_EQ(more.size(), 1u);
    open.push_back(more[0]);
    ++pushed;
  }
  for (size_t at = 0; at + 1 < open.size(); ++at) lone.end_key(open[at], true);
  EXPECT_TRUE(lone.sent_nothing());
  lone.end_key(open.back(), true);
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kExchangeDone);
}

TEST_F(ExchangeAskerBounds, AfterAFailureNoKeyIsBegunThatWaited) {
  lone.put_many(400);
  const Frame question = lone.begin_range();
  EXPECT_TRUE(lone.differ(question, lacked(LoneAsker::all_of(range_of(question)))));
  bool ok = false;
  for (const Frame& frame : lone.sent(kPeer)) {
    lone.end_key(frame, std::exchange(ok, true));
    EXPECT_TRUE(lone.sent_nothing());
  }
  EXPECT_EQ(lone.counters().exchanges_failed, 1u);
}

TEST_F(ExchangeAskerBounds, OfLargeObjectsFewerAtATime) {
  const std::string value(1 << 20, 'x');
  lone.put(lone.key_in(kPartition), lone.object_of(0, 1, value));
  for (const std::string& key : lone.keys_in(7, 300)) lone.put(key, lone.object_of(0, 1, "v"));
  lone.begin_exchanges({{kPartition, 0}, {7, 0}});
  EXPECT_TRUE(lone.differ(lone.only(kPeer), lacked({0})));
  const std::vector<Frame> frames = lone.sent(kPeer);
  ASSERT_THAT(types_of(frames),
              ElementsAre(MessageType::kReplicaWrite, MessageType::kRangeDigests));
  lone.acknowledge(frames[0]);
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kExchangeDone);
  EXPECT_TRUE(lone.differ(frames[1], lacked(LoneAsker::all_of(range_of(frames[1])))));
  const size_t pushed = lone.sent(kPeer).size();
  EXPECT_EQ(pushed, ExchangeAsker::kBytesInFlightMax / lone.keys.average_bytes());
  EXPECT_LT(pushed, 100u);
}

// What has only keys left makes room for the next partition, whose keys wait for the same bound.
TEST_F(ExchangeAskerBounds, KeysThatWaitForThoseOfAnotherPartitionComeInTheirTurn) {
  lone.put_many(ExchangeAsker::kKeysInFlightMax);
  const std::string other = lone.key_in(7);
  lone.put(other, lone.object_of(0, 1, "v"));
  lone.begin_exchanges({{kPartition, 0}, {7, 0}});
  const Frame first = lone.only(kPeer);
  EXPECT_TRUE(lone.differ(first, lacked(LoneAsker::all_of(range_of(first)))));
  std::vector<Frame> frames = lone.sent(kPeer);
  ASSERT_EQ(frames.size(), ExchangeAsker::kKeysInFlightMax + 1);
  const Frame second = frames.back();
  ASSERT_EQ(second.head.type, MessageType::kRangeDigests);
  EXPECT_TRUE(lone.differ(second, lacked({0})));
  EXPECT_TRUE(lone.sent_nothing()) << "there is no room";
  lone.end_key(frames[0], true);
  EXPECT_EQ(parsed(lone.only(kPeer), parse_replica_write).key.key, other);
}

TEST_F(ExchangeAskerBounds, SoManyPartitionsWithKeysAtATime) {
  constexpr uint8_t kKeyspaces = kKeyspacesMax;
  for (uint8_t keyspace = 0; keyspace < kKeyspaces; ++keyspace) {
    for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
      lone.put(lone.key_in(partition), lone.object_of(0, 1, "v"), keyspace);
    }
  }
  lone.pass_ms(5000);
  std::vector<uint8_t> all;
  for (uint8_t keyspace = 0; keyspace < kKeyspaces; ++keyspace) all.push_back(keyspace);
  EXPECT_TRUE(lone.opened(lone.open_round(), all));
  LoneAsker::Depths differing;
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    differing.emplace_back(partition, 0);
  }
  for (const Frame& frame : lone.sent(kPeer)) EXPECT_TRUE(lone.rooted(frame, differing));
  std::vector<Frame> pushes;
  for (;;) {
    std::optional<Frame> range;
    for (const Frame& frame : lone.sent(kPeer)) {
      if (frame.head.type == MessageType::kRangeDigests) {
        range = frame;
      } else {
        pushes.push_back(frame);
      }
    }
    if (!range) break;
    EXPECT_TRUE(lone.differ(*range, lacked({0})));
  }
  EXPECT_EQ(pushes.size(), ExchangeAsker::kExchangesPerPeerMax);
  lone.end_key(pushes[0], true);
  EXPECT_TRUE(lone.ended(lone.only(kPeer), false));
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kRangeDigests) << "there is room again";
}

TEST_F(ExchangeAskerBounds, NoNewRangeIsComparedWhileSoManyKeysWait) {
  constexpr size_t kCount = ExchangeAsker::kKeysQueuedMax + 4000;
  lone.put_many(kCount);
  lone.begin_exchanges({{kPartition, 0}});
  std::vector<Frame> ranges = lone.sent(kPeer);
  ASSERT_EQ(ranges.size(), ExchangeAsker::kRangesInFlightMax) << "of a thousand keys each";
  ranges.erase(ranges.begin() + 5, ranges.end());
  std::vector<Frame> pushes;
  size_t planned = 0;
  for (size_t at = 0; at < ranges.size(); ++at) {
    const RangeDigests range = range_of(ranges[at]);
    planned += range.digests.size();
    RangeDifferences answer = lacked(LoneAsker::all_of(range));
    // The rest of its stretch is asked about again, where there is room for more keys.
    const bool room = planned < ExchangeAsker::kKeysQueuedMax + ExchangeAsker::kKeysInFlightMax;
    answer.end = range.end - 1;
    EXPECT_TRUE(lone.differ(ranges[at], answer));
    bool more = false;
    for (const Frame& frame : lone.sent(kPeer)) {
      const bool asks = frame.head.type == MessageType::kRangeDigests;
      more |= asks;
      if (!asks) pushes.push_back(frame);
    }
    EXPECT_EQ(more, room) << planned;
  }
  EXPECT_EQ(pushes.size(), ExchangeAsker::kKeysInFlightMax);
}

// ---- the budget

TEST(ExchangeAskerBudget, NothingNewIsBegunBeyondIt) {
  NotedBudget budget;
  LoneAsker lone({.adjust_parts = [&](NodeParts& parts) { parts.budget = &budget; }});
  budget.wait = 70'000;
  lone.begin_exchanges({{kPartition, 0}});
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_TRUE(lone.machine.progress().waits_for_budget);
  EXPECT_EQ(lone.machine.next_deadline_us(), lone.now.steady_us + 70'000);
  EXPECT_EQ(lone.counters().exchanges_started, 0u);
  budget.wait = 0;
  lone.turn(69'999);
  EXPECT_TRUE(lone.sent_nothing()) << "it is not asked before that";
  lone.turn(1);
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kRangeDigests);
  EXPECT_FALSE(lone.machine.progress().waits_for_budget);
}

TEST(ExchangeAskerBudget, KeysWaitForItToo) {
  NotedBudget budget;
  LoneAsker lone({.adjust_parts = [&](NodeParts& parts) { parts.budget = &budget; }});
  lone.put_many(5);
  const Frame question = lone.begin_range();
  budget.batches = 3;
  EXPECT_TRUE(lone.differ(question, {.lacked = {0, 1, 2, 3, 4}, .items = {}}));
  EXPECT_EQ(budget.work, BackgroundWork::kAntiEntropy);
  EXPECT_THAT(lone.sent(kPeer), SizeIs(3));
  EXPECT_TRUE(lone.machine.progress().waits_for_budget);
  budget.batches = INT64_MAX;
  lone.turn(999);
  EXPECT_TRUE(lone.sent_nothing());
  lone.turn(1);
  EXPECT_THAT(lone.sent(kPeer), SizeIs(2));
}

TEST(ExchangeAskerBudget, WhoHasToldItsEndDoesNotTellItAgainInItsTurn) {
  NotedBudget budget;
  LoneAsker lone({.adjust_parts = [&](NodeParts& parts) { parts.budget = &budget; }});
  lone.begin_exchanges({{kPartition, 0}, {7, 0}});
  const Frame range = lone.only(kPeer);
  budget.wait = 70'000;
  EXPECT_TRUE(lone.differ(range, {}));
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kExchangeDone);
  budget.wait = 0;
  lone.turn(70'000);
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kRangeDigests) << "the next one alone";
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
