// SPDX-License-Identifier: Apache-2.0
#include "cluster/wire/anti_entropy_messages.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "tests/cluster/frame_of.h"

namespace kvorum::cluster {
namespace {

constexpr ExchangeParty kParty{7, 8, Hlc{9}, false};

// Every prefix of the payload, to a parser: none may be taken for more than it is.
template <class Parse>
void cut_everywhere(const std::string& batch, Parse parse) {
  const Frame whole = frame_of(batch);
  for (size_t size = 0; size < whole.payload.size(); ++size) {
    parse(Frame{whole.head, whole.payload.substr(0, size)});
  }
}

void expect_party(const ExchangeParty& party) {
  EXPECT_EQ(party.node, 7u);
  EXPECT_EQ(party.run, 8u);
  EXPECT_EQ(party.clock, Hlc{9});
  EXPECT_FALSE(party.whole);
}

TEST(AntiEntropyMessages, OpeningsCarryDigestsAndGossip) {
  std::string batch;
  put_exchange_open(batch, 5, {kParty, 77, "gossip", {{0, 11}, {3, 12}}});
  ExchangeOpen open;
  ASSERT_TRUE(parse_exchange_open(frame_of(batch), &open));
  expect_party(open.asker);
  EXPECT_EQ(open.view_hash, 77u);
  EXPECT_EQ(open.gossip, "gossip");
  EXPECT_EQ(open.keyspaces, (std::vector<std::pair<uint8_t, uint64_t>>{{0, 11}, {3, 12}}));
  cut_everywhere(batch, [](const Frame& frame) {
    ExchangeOpen cut;
    if (parse_exchange_open(frame, &cut)) {
      EXPECT_LT(cut.keyspaces.size(), 2u);
    }
  });

  batch.clear();
  put_exchange_open_reply(batch, 5, {true, kParty, "answer", {2, 9}});
  ExchangeOpenReply reply;
  ASSERT_TRUE(parse_exchange_open_reply(frame_of(batch), &reply));
  EXPECT_TRUE(reply.refused);
  expect_party(reply.peer);
  EXPECT_EQ(reply.gossip, "answer");
  EXPECT_EQ(reply.differing, (std::vector<uint8_t>{2, 9}));
}

TEST(AntiEntropyMessages, AKeyspaceThatDoesNotExistIsRefused) {
  std::string batch;
  put_exchange_open(batch, 5, {kParty, 77, "", {{16, 11}}});
  ExchangeOpen open;
  EXPECT_FALSE(parse_exchange_open(frame_of(batch), &open));
  batch.clear();
  put_exchange_open_reply(batch, 5, {false, kParty, "", {200}});
  ExchangeOpenReply reply;
  EXPECT_FALSE(parse_exchange_open_reply(frame_of(batch), &reply));
  batch.clear();
  put_partition_roots(batch, {MessageType::kPartitionRoots, 16, 0, 5}, {kParty, false, false, {}});
  PartitionRoots roots;
  EXPECT_FALSE(parse_partition_roots(frame_of(batch), &roots));
}

TEST(AntiEntropyMessages, RootsNameTheirPartitions) {
  const PartitionRootList list = {{0, 1}, {1, 2}, {255, 3}};
  std::string batch;
  put_partition_roots(batch, {MessageType::kPartitionRoots, 4, 0, 5}, {kParty, true, true, list});
  PartitionRoots roots;
  const Frame frame = frame_of(batch);
  EXPECT_EQ(frame.head.keyspace, 4);
  ASSERT_TRUE(parse_partition_roots(frame, &roots));
  EXPECT_TRUE(roots.all);
  EXPECT_TRUE(roots.names_all);
  EXPECT_EQ(roots.roots, list);

  batch.clear();
  put_partition_roots_reply(batch, {MessageType::kPartitionRootsReply, 4, 0, 5},
                            {kParty, {{3, 7}, {200, 0}}});
  PartitionRootsReply reply;
  ASSERT_TRUE(parse_partition_roots_reply(frame_of(batch), &reply));
  expect_party(reply.peer);
  EXPECT_EQ(reply.differing, (std::vector<std::pair<uint32_t, uint8_t>>{{3, 7}, {200, 0}}));
}

TEST(AntiEntropyMessages, NodesAreAskedForWithinBounds) {
  const auto parses = [](uint8_t level, uint8_t fan, const std::vector<uint64_t>& parents) {
    std::string batch;
    put_tree_nodes(batch, {MessageType::kTreeNodes, 0, 0, 5}, {9, level, fan, parents});
    TreeNodes nodes;
    const bool parsed = parse_tree_nodes(frame_of(batch), &nodes);
    if (parsed) {
      EXPECT_EQ(nodes.parents, parents);
    }
    return parsed;
  };
  EXPECT_TRUE(parses(4, 4, {0}));
  EXPECT_TRUE(parses(8, 4, {0, 7, 15}));
  EXPECT_FALSE(parses(8, 4, {16})) << "no node of level 4";
  EXPECT_FALSE(parses(3, 4, {0}));
  EXPECT_FALSE(parses(4, 0, {0}));
  EXPECT_FALSE(parses(9, 5, {0}));
  EXPECT_FALSE(parses(33, 4, {0}));
  std::vector<uint64_t> many;
  for (uint64_t parent = 0; parent <= kTreeParentsMax; ++parent) many.push_back(parent);
  EXPECT_FALSE(parses(20, 4, many));
  many.pop_back();
  EXPECT_TRUE(parses(20, 4, many));

  std::string batch;
  put_tree_nodes_reply(batch, 5, {6, {1, 2, 3}});
  TreeNodesReply reply;
  ASSERT_TRUE(parse_tree_nodes_reply(frame_of(batch), &reply));
  EXPECT_EQ(reply.depth, 6);
  EXPECT_EQ(reply.nodes, (std::vector<uint64_t>{1, 2, 3}));
  cut_everywhere(batch, [](const Frame& frame) {
    TreeNodesReply cut;
    if (parse_tree_nodes_reply(frame, &cut)) {
      EXPECT_LT(cut.nodes.size(), 3u);
    }
  });
}

TEST(AntiEntropyMessages, RangesAreSortedAndNotEmpty) {
  const auto parses = [](uint64_t from, uint64_t end, const std::vector<uint64_t>& digests) {
    std::string batch;
    put_range_digests(batch, {MessageType::kRangeDigests, 0, 0, 5}, {9, from, end, digests});
    RangeDigests range;
    return parse_range_digests(frame_of(batch), &range) && range.digests == digests &&
           range.from == from && range.end == end && range.partition == 9;
  };
  EXPECT_TRUE(parses(5, 0, {}));
  EXPECT_TRUE(parses(5, 6, {1, 1, 3}));
  EXPECT_FALSE(parses(5, 5, {}));
  EXPECT_FALSE(parses(5, 4, {}));
  EXPECT_FALSE(parses(5, 6, {3, 1}));
  EXPECT_FALSE(parses(5, 6, std::vector<uint64_t>(kRangeDigestsMax + 1, 2)));

  std::string batch;
  put_range_differences(batch, 5, {false, 44, {0, 3, 8191}, "items"});
  RangeDifferences found;
  ASSERT_TRUE(parse_range_differences(frame_of(batch), &found));
  EXPECT_EQ(found.end, 44u);
  EXPECT_EQ(found.lacked, (std::vector<uint32_t>{0, 3, 8191}));
  EXPECT_EQ(found.items, "items");
  batch.clear();
  put_range_differences(batch, 5, {false, 44, {8192}, ""});
  EXPECT_FALSE(parse_range_differences(frame_of(batch), &found));
}

TEST(AntiEntropyMessages, TheEndNamesBothRuns) {
  std::string batch;
  put_exchange_done(batch, {MessageType::kExchangeDone, 3, 0, 5}, {kParty, 21, Hlc{22}, 23});
  ExchangeDone done;
  ASSERT_TRUE(parse_exchange_done(frame_of(batch), &done));
  expect_party(done.asker);
  EXPECT_EQ(done.peer_run, 21u);
  EXPECT_EQ(done.peer_clock, Hlc{22});
  EXPECT_EQ(done.partition, 23u);
  cut_everywhere(batch, [](const Frame& frame) {
    ExchangeDone cut;
    EXPECT_FALSE(parse_exchange_done(frame, &cut));
  });
  batch.clear();
  put_exchange_done_reply(batch, 5, true);
  bool refused = false;
  EXPECT_TRUE(parse_exchange_done_reply(frame_of(batch), &refused));
  EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace kvorum::cluster
