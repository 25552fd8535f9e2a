// SPDX-License-Identifier: Apache-2.0
// The asked side of an exchange, one question at a time: openings, roots and ends. Nodes of trees
// and stretches of objects stand in exchange_server_range_test.cc.
#include "cluster/repair/exchange_server.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_core.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr MemberIndex kAsker = 1;
constexpr SlotId kQuestion = 55;
constexpr uint32_t kPartition = 5;

struct ExchangeServerTest : ::testing::Test {
  ExchangeParty asker() const {
    return {lone.id_of(kAsker), LoneCore::run_of(kAsker), Hlc{4000}, true};
  }
  ExchangeOpen opening() {
    ExchangeOpen message;
    message.asker = asker();
    message.view_hash = lone.view->exchange_hash();
    message.keyspaces = {{0, digest_of(0)}};
    return message;
  }
  PartitionRoots naming(PartitionRootList named) const {
    PartitionRoots message;
    message.asker = asker();
    message.roots = std::move(named);
    return message;
  }
  PartitionRoots naming_all(PartitionRootList named = {}) const {
    PartitionRoots message = naming(std::move(named));
    message.all = true;
    return message;
  }
  ExchangeDone ending(uint32_t partition, uint64_t run = LoneCore::kIncarnation) const {
    return {asker(), run, Hlc{3000}, partition};
  }
  // Of all partitions: each member is a primary of each, with three copies in three members.
  uint64_t digest_of(uint8_t keyspace) {
    return roots_digest(lone.core, keyspace, shared_partitions(lone.core, keyspace, kAsker));
  }
  Frame ask(const Frame& question) {
    EXPECT_TRUE(server.on_message(kAsker, question, lone.now));
    const Frame answer = lone.only(kAsker);
    EXPECT_EQ(answer.head.operation, kQuestion);
    return answer;
  }
  Frame frame_of(const ExchangeOpen& message) {
    return lone.made([&](std::string& batch) { put_exchange_open(batch, kQuestion, message); });
  }
  Frame frame_of(const PartitionRoots& message, uint8_t keyspace = 0) {
    const FrameHead head{MessageType::kPartitionRoots, keyspace, 0, kQuestion};
    return lone.made([&](std::string& batch) { put_partition_roots(batch, head, message); });
  }
  Frame frame_of(const TreeNodes& message, uint8_t keyspace = 0) {
    const FrameHead head{MessageType::kTreeNodes, keyspace, 0, kQuestion};
    return lone.made([&](std::string& batch) { put_tree_nodes(batch, head, message); });
  }
  Frame frame_of(const ExchangeDone& message, uint8_t keyspace = 0) {
    const FrameHead head{MessageType::kExchangeDone, keyspace, 0, kQuestion};
    return lone.made([&](std::string& batch) { put_exchange_done(batch, head, message); });
  }
  ExchangeOpenReply open(const ExchangeOpen& message) {
    return parsed(ask(frame_of(message)), parse_exchange_open_reply);
  }
  PartitionRootsReply roots(const PartitionRoots& message, uint8_t keyspace = 0) {
    const Frame answer = ask(frame_of(message, keyspace));
    EXPECT_EQ(answer.head.keyspace, keyspace);
    return parsed(answer, parse_partition_roots_reply);
  }
  // Whether the end of an exchange was refused.
  bool done(const ExchangeDone& message, uint8_t keyspace = 0) {
    return parsed(ask(frame_of(message, keyspace)), parse_exchange_done_reply);
  }
  std::optional<CleanExchange> noted(uint32_t partition, uint8_t keyspace = 0) {
    return lone.exchanges.latest(keyspace, partition, lone.id_of(kAsker));
  }
  // So that the tree of a partition has two levels below its root.
  void grow_tree(uint32_t partition) {
    for (const std::string& key : lone.keys_in(partition, 100)) {
      lone.put(key, lone.object_of(1, 1, "v"));
    }
    while (lone.table.trees().build(0, partition) == engine::TreeBuild::kGoesOn) {
    }
    ASSERT_EQ(lone.table.trees().depth(0, partition), 2);
  }

  LoneCore lone;
  ExchangeServer server{lone.core};
};

// ---- openings

TEST_F(ExchangeServerTest, EqualRootsAreACleanExchange) {
  lone.put("k", lone.object_of(1, 1, "v"));
  const ExchangeOpenReply reply = open(opening());
  EXPECT_FALSE(reply.refused);
  EXPECT_THAT(reply.differing, IsEmpty());
  EXPECT_EQ(reply.peer.node, lone.id_of(0));
  EXPECT_EQ(reply.peer.run, LoneCore::kIncarnation);
  EXPECT_EQ(reply.peer.clock, lone.clock.reading(lone.now.wall_ms));
  EXPECT_TRUE(reply.peer.whole);
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    const auto exchange = noted(partition);
    ASSERT_TRUE(exchange);
    EXPECT_EQ(exchange->run, LoneCore::kIncarnation);
    EXPECT_EQ(exchange->peer_run, LoneCore::run_of(kAsker));
    EXPECT_EQ(exchange->began, reply.peer.clock);
    EXPECT_FALSE(noted(partition, 1)) << "of a keyspace that was not named";
  }
}

TEST_F(ExchangeServerTest, KeyspacesThatDifferAreNamedAndNotClean) {
  lone.put("k", lone.object_of(1, 1, "v"), 3);
  ExchangeOpen message = opening();
  message.keyspaces = {{0, digest_of(0)}, {3, digest_of(3) + 1}, {4, digest_of(4)}};
  EXPECT_THAT(open(message).differing, ElementsAre(3));
  EXPECT_TRUE(noted(0, 0));
  EXPECT_FALSE(noted(0, 3));
  EXPECT_TRUE(noted(0, 4));
}

TEST_F(ExchangeServerTest, ACopyThatIsDamagedDiffersWhateverItsRootSays) {
  lone.damage(0, kPartition);
  const ExchangeOpenReply reply = open(opening());
  EXPECT_THAT(reply.differing, ElementsAre(0));
  EXPECT_FALSE(reply.peer.whole);
  EXPECT_FALSE(noted(kPartition));
  EXPECT_FALSE(noted(kPartition + 1));
}

TEST_F(ExchangeServerTest, GossipTravelsWithIt) {
  NotedGossip observer;
  lone.exchanges.set_observer(&observer);
  ExchangeOpen message = opening();
  message.gossip = "of the asker";
  EXPECT_EQ(open(message).gossip, "to " + std::to_string(lone.id_of(kAsker)));
  EXPECT_THAT(observer.heard, ElementsAre(Pair(lone.id_of(kAsker), "of the asker")));
}

TEST_F(ExchangeServerTest, StrangersAndOtherViewsAreRefused) {
  NotedGossip observer;
  lone.exchanges.set_observer(&observer);
  ExchangeOpen stranger = opening(), mirror = opening(), other_view = opening();
  stranger.asker.node = 4711;
  mirror.asker.node = lone.id_of(0);
  ++other_view.view_hash;
  for (ExchangeOpen* message : {&stranger, &mirror, &other_view}) {
    message->gossip = "x";
    message->keyspaces.emplace_back(1, 4711);
    const ExchangeOpenReply reply = open(*message);
    EXPECT_TRUE(reply.refused);
    EXPECT_EQ(reply.peer.node, lone.id_of(0)) << "who refuses says who it is";
    EXPECT_THAT(reply.differing, IsEmpty());
    EXPECT_THAT(reply.gossip, IsEmpty());
  }
  EXPECT_THAT(observer.heard, IsEmpty());
  EXPECT_EQ(lone.exchanges.count(), 0u);
}

TEST_F(ExchangeServerTest, AnswersAreCountedByTheirBytes) {
  const Frame answer = ask(frame_of(opening()));
  EXPECT_EQ(lone.core.counters.exchange_bytes, kFrameHeadBytes + answer.payload.size());
}

TEST_F(ExchangeServerTest, WhoIsNoMemberYetAnswersNothing) {
  LoneCore waiting({.is_member = false});
  ExchangeServer silent{waiting.core};
  EXPECT_TRUE(silent.on_message(kAsker, frame_of(opening()), waiting.now));
  EXPECT_TRUE(waiting.sent_nothing());
}

// ---- roots

TEST_F(ExchangeServerTest, RootsThatDifferAreNamedWithTheDepthOfTheirTree) {
  grow_tree(kPartition);
  lone.put(lone.key_in(7), lone.object_of(1, 1, "v"));
  lone.put(lone.key_in(9), lone.object_of(1, 1, "v"));
  const PartitionRootsReply reply = roots(
      naming_all({{3, 4711}, {7, lone.table.digest(0, 7)}, {9, lone.table.digest(0, 9) ^ 1}}));
  EXPECT_THAT(reply.differing, ElementsAre(Pair(3, 0), Pair(kPartition, 2), Pair(9, 0)));
  EXPECT_EQ(reply.peer.node, lone.id_of(0));
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    const bool differs = partition == 3 || partition == kPartition || partition == 9;
    EXPECT_EQ(noted(partition).has_value(), !differs) << partition;
  }
  EXPECT_EQ(noted(7)->began, reply.peer.clock);
}

TEST_F(ExchangeServerTest, EachPartitionIsDrivenByOneOfBoth) {
  for (MemberIndex peer = 1; peer < 5; ++peer) {
    size_t driven = 0;
    for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
      EXPECT_NE(drives(0, peer, partition), drives(peer, 0, partition));
      driven += drives(0, peer, partition);
    }
    EXPECT_EQ(driven, LoneCore::kPartitions / 2);
  }
}

TEST_F(ExchangeServerTest, WithoutAllOnlyTheAskersHalfIsCompared) {
  roots(naming({}));
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    EXPECT_EQ(noted(partition).has_value(), drives(kAsker, 0, partition)) << partition;
  }
}

TEST_F(ExchangeServerTest, AnAskerThatNamesAllMeansTheseAlone) {
  lone.put(lone.key_in(7), lone.object_of(1, 1, "v"));
  PartitionRoots message = naming({{2, 0}, {7, 0}, {LoneCore::kPartitions, 4711}});
  message.names_all = true;
  EXPECT_THAT(roots(message).differing, ElementsAre(Pair(7, 0)))
      << "and none that does not exist here";
  EXPECT_TRUE(noted(2));
  EXPECT_EQ(lone.exchanges.count(), 1u);
}

TEST_F(ExchangeServerTest, RootsOfADamagedCopyDiffer) {
  lone.damage(2, kPartition);
  EXPECT_THAT(roots(naming_all(), 2).differing, ElementsAre(Pair(kPartition, 0)));
  EXPECT_FALSE(noted(kPartition, 2));
  EXPECT_TRUE(noted(kPartition + 1, 2));
}

TEST_F(ExchangeServerTest, AStrangersRootsAreNotAnswered) {
  PartitionRoots message = naming({});
  message.asker.node = 4711;
  EXPECT_TRUE(server.on_message(kAsker, frame_of(message), lone.now));
  EXPECT_TRUE(lone.sent_nothing());
}

TEST(ExchangeServerCopies, OnlyPartitionsThatBothHoldAreCompared) {
  LoneCore lone({.members = 5, .n = 2});
  ExchangeServer server{lone.core};
  PartitionRoots message;
  message.asker = {lone.id_of(kAsker), 1, Hlc{1}, true};
  message.all = true;
  const Frame question = lone.made([&](std::string& batch) {
    put_partition_roots(batch, {MessageType::kPartitionRoots, 0, 0, kQuestion}, message);
  });
  EXPECT_TRUE(server.on_message(kAsker, question, lone.now));
  size_t shared = 0;
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    const bool both =
        lone.view->is_primary(0, 0, partition) && lone.view->is_primary(kAsker, 0, partition);
    shared += both;
    EXPECT_EQ(lone.exchanges.latest(0, partition, lone.id_of(kAsker)).has_value(), both);
  }
  EXPECT_GT(shared, 0u);
  EXPECT_LT(shared, LoneCore::kPartitions);
}

// ---- ends

TEST_F(ExchangeServerTest, TheEndIsNotedFromWhereTheRootsWereCompared) {
  EXPECT_FALSE(done(ending(kPartition), 2));
  const auto exchange = noted(kPartition, 2);
  ASSERT_TRUE(exchange);
  EXPECT_EQ(exchange->began, Hlc{3000}) << "not from now on";
  EXPECT_EQ(exchange->run, LoneCore::kIncarnation);
  EXPECT_EQ(exchange->peer_run, LoneCore::run_of(kAsker));
  EXPECT_EQ(lone.exchanges.count(), 1u);
}

TEST_F(ExchangeServerTest, EndsThatSayNothing) {
  lone.damage(0, kPartition);
  ExchangeDone stranger = ending(1);
  stranger.asker.node = 4711;
  EXPECT_TRUE(done(stranger));
  EXPECT_TRUE(done(ending(1, LoneCore::kIncarnation - 1))) << "of another run";
  EXPECT_TRUE(done(ending(kPartition))) << "damaged since";
  EXPECT_EQ(lone.exchanges.count(), 0u);
}

// ---- malformed frames

TEST_F(ExchangeServerTest, FramesThatAreCutShortAreNotAnswered) {
  ExchangeOpen opened = opening();
  opened.gossip = "gossip";
  struct Case {
    Frame frame;
    size_t least;  // bytes that are a message, too, with less in its list
  };
  const size_t party = 25, opened_front = party + 8 + 1 + 6;
  const std::vector<Case> cases = {
      {frame_of(opened), opened_front},
      {frame_of(naming({{3, 1}})), party},
      {frame_of(TreeNodes{.partition = 5, .level = 2, .fan = 1, .parents = {1}}), 3},
      {frame_of(ending(1)), SIZE_MAX},
  };
  for (const Case& one : cases) {
    for (size_t bytes = 0; bytes < one.frame.payload.size(); ++bytes) {
      if (bytes == one.least) continue;
      EXPECT_FALSE(server.on_message(kAsker, cut_to(one.frame, bytes), lone.now))
          << static_cast<int>(one.frame.head.type) << " with " << bytes;
    }
  }
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_EQ(lone.exchanges.count(), 0u);
}

TEST_F(ExchangeServerTest, WhatCannotBe) {
  EXPECT_FALSE(server.on_message(kAsker, frame_of(ending(LoneCore::kPartitions)), lone.now));
  EXPECT_FALSE(server.on_message(kAsker, frame_of(naming({}), kKeyspacesMax), lone.now));
  ExchangeOpen twice = opening();
  twice.keyspaces.assign(kKeyspacesMax + 1, {0, 0});
  EXPECT_FALSE(server.on_message(kAsker, frame_of(twice), lone.now));
  twice.keyspaces = {{kKeyspacesMax, 0}};
  EXPECT_FALSE(server.on_message(kAsker, frame_of(twice), lone.now));
  Frame answer = frame_of(opening());
  answer.head.type = MessageType::kExchangeOpenReply;
  EXPECT_FALSE(server.on_message(kAsker, answer, lone.now)) << "no question";
  EXPECT_TRUE(lone.sent_nothing());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
