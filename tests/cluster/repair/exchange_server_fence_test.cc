// SPDX-License-Identifier: Apache-2.0
// The asked side of an exchange while the ring changes: only those who know the same compare.
#include <gmock/gmock.h>

#include "cluster/repair/exchange_server.h"
#include "cluster/repair/range_objects.h"
#include "tests/cluster/lone_history.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr MemberIndex kAsker = 2;

struct ServerFenceTest : ::testing::Test {
  ExchangeParty asker(bool whole = true) const {
    return {lone.id_of(kAsker), LoneCore::run_of(kAsker), Hlc{4000}, whole};
  }
  Frame ask(const Frame& question) {
    EXPECT_TRUE(server.on_message(kAsker, question, lone.now));
    return lone.only(kAsker);
  }
  // About the partition alone, with an empty copy.
  PartitionRootsReply asked(uint32_t partition, std::vector<RootFence> fences, uint64_t root = 0) {
    PartitionRoots message;
    message.asker = asker();
    message.names_all = true;
    message.roots = {{partition, root}};
    message.fences = std::move(fences);
    const FrameHead head{MessageType::kPartitionRoots, 0, 0, 55};
    const Frame question =
        lone.made([&](std::string& batch) { put_partition_roots(batch, head, message); });
    return parsed(ask(question), parse_partition_roots_reply);
  }
  RootFence fence(uint32_t partition, bool whole = true) const {
    return {lone.view->signature(partition), whole};
  }
  void expect_apart(uint32_t partition, std::vector<RootFence> fences) {
    for (const uint64_t root : {0u, 4711u}) {
      const PartitionRootsReply reply = asked(partition, fences, root);
      EXPECT_THAT(reply.apart, ElementsAre(partition));
      EXPECT_THAT(reply.differing, IsEmpty());
      EXPECT_THAT(reply.lacking, IsEmpty());
    }
    EXPECT_EQ(lone.exchanges.count(), 0u);
  }
  std::optional<CleanExchange> noted(uint32_t partition) {
    return lone.exchanges.latest(0, partition, lone.id_of(kAsker));
  }
  ExchangeOpenReply open(bool whole) {
    ExchangeOpen message;
    message.asker = asker(whole);
    message.view_hash = lone.view->exchange_hash();
    const auto compared = shared_partitions(lone.core, 0, kAsker);
    message.keyspaces = {{0, roots_digest(lone.core, 0, compared)}};
    const Frame question =
        lone.made([&](std::string& batch) { put_exchange_open(batch, 55, message); });
    return parsed(ask(question), parse_exchange_open_reply);
  }

  LoneHistory lone;
  ExchangeServer server{lone.core};
  const uint32_t foreign = lone.partition_of_self(false), own = lone.partition_of_self(true);
};

// ---- roots

TEST_F(ServerFenceTest, ThoseWhoKnowTheSameCompare) {
  lone.leave(1);
  EXPECT_THAT(asked(own, {fence(own)}).apart, IsEmpty());
  const std::optional<CleanExchange> exchange = noted(own);
  ASSERT_TRUE(exchange);
  EXPECT_EQ(exchange->signature, lone.view->signature(own));
  EXPECT_TRUE(exchange->peer_whole);
  const PartitionRootsReply reply = asked(own, {fence(own)}, 4711);
  EXPECT_THAT(reply.apart, IsEmpty());
  EXPECT_THAT(reply.differing, ElementsAre(Pair(own, 0)));
}

TEST_F(ServerFenceTest, OfAnAskersCopyThatIsNotWholeThatIsNoted) {
  lone.leave(1);
  asked(own, {fence(own, false)});
  ASSERT_TRUE(noted(own));
  EXPECT_FALSE(noted(own)->peer_whole);
}

TEST_F(ServerFenceTest, WhoKnowsSomethingElseIsApart) {
  lone.leave(1);
  expect_apart(own, {{lone.view->signature(own) + 1, true}});
  expect_apart(own, {{lone.newest(), true}});
  expect_apart(own, {{0, true}});
}

TEST_F(ServerFenceTest, WhoKnowsOfNoChangeIsApart) {
  lone.touch();
  expect_apart(own, {});
}

TEST_F(ServerFenceTest, WhereThisNodeKnowsOfNoChangeWhoDoesIsApart) {
  expect_apart(own, {{4711, true}});
  asked(own, {{0, true}});
  EXPECT_TRUE(noted(own)) << "where neither does, they compare";
  EXPECT_EQ(noted(own)->signature, 0u);
}

TEST_F(ServerFenceTest, NothingIsComparedUntilAllReactorsKnow) {
  lone.leave(1);
  lone.shared.add(make_change(99, ChangeKind::kLeave, lone.founder(3)));
  lone.view = lone.shared.view();
  lone.core.publish(lone.view, lone.now);
  expect_apart(own, {fence(own)});
  expect_apart(own, {{0, true}});
  lone.shared.adopt(0, lone.view->generation);
  EXPECT_THAT(asked(own, {fence(own)}).apart, IsEmpty());
}

// Nothing is put into a copy that is to go.
TEST_F(ServerFenceTest, WhoOwnsNothingThereIsApart) {
  lone.touch();
  lone.put(lone.key_in(foreign), lone.object_of(1, 1, "v"));
  expect_apart(foreign, {fence(foreign)});
  EXPECT_THAT(asked(own, {fence(own)}).apart, IsEmpty());
}

TEST_F(ServerFenceTest, ACopyThatIsNotWholeSaysSo) {
  lone.leave(1);
  ASSERT_FALSE(lone.whole.is_whole(0, foreign));
  EXPECT_THAT(asked(foreign, {fence(foreign)}).lacking, ElementsAre(foreign));
  EXPECT_TRUE(noted(foreign));
  const PartitionRootsReply reply = asked(foreign, {fence(foreign)}, 4711);
  EXPECT_THAT(reply.lacking, ElementsAre(foreign));
  EXPECT_THAT(reply.differing, ElementsAre(Pair(foreign, 0)));
  EXPECT_THAT(asked(own, {fence(own)}).lacking, IsEmpty());
}

TEST_F(ServerFenceTest, EachRootHasItsFence) {
  lone.leave(1);
  PartitionRoots message;
  message.asker = asker();
  message.names_all = true;
  for (uint32_t partition = 0; partition < 6; ++partition) {
    message.roots.emplace_back(partition, 0);
    message.fences.push_back(fence(partition, partition % 3 != 0));
    if (partition % 2 == 0) ++message.fences.back().signature;
  }
  const FrameHead head{MessageType::kPartitionRoots, 0, 0, 55};
  const Frame question =
      lone.made([&](std::string& batch) { put_partition_roots(batch, head, message); });
  const auto reply = parsed(ask(question), parse_partition_roots_reply);
  EXPECT_THAT(reply.apart, ElementsAre(0, 2, 4));
  for (const uint32_t partition : {1u, 3u, 5u}) {
    ASSERT_TRUE(noted(partition));
    EXPECT_EQ(noted(partition)->peer_whole, partition != 3);
  }
}

// ---- openings

TEST_F(ServerFenceTest, EqualDigestsAreUnderTheNewestSet) {
  lone.touch();
  for (const bool whole : {false, true}) {
    lone.pass_ms(10);
    lone.clock.tick(lone.now.wall_ms);
    EXPECT_THAT(open(whole).differing, IsEmpty());
    ASSERT_TRUE(noted(own));
    EXPECT_EQ(noted(own)->signature, lone.newest());
    EXPECT_EQ(noted(own)->peer_whole, whole);
  }
}

TEST_F(ServerFenceTest, EqualDigestsSayNothingOfWhatMoves) {
  lone.leave(1);
  EXPECT_THAT(open(true).differing, IsEmpty());
  EXPECT_FALSE(noted(foreign));
}

TEST_F(ServerFenceTest, WithoutAChangeOpeningsHaveNoSignature) {
  open(true);
  ASSERT_TRUE(noted(own));
  EXPECT_EQ(noted(own)->signature, 0u);
}

// ---- ends

TEST_F(ServerFenceTest, TheEndBringsWhatBothKnewAtTheBeginning) {
  lone.leave(1);
  for (const bool whole : {true, false}) {
    const uint32_t partition = whole ? own : foreign;
    const ExchangeDone message{asker(), LoneCore::kIncarnation, Hlc{3000}, partition, {77, whole}};
    const FrameHead head{MessageType::kExchangeDone, 0, 0, 55};
    const Frame question =
        lone.made([&](std::string& batch) { put_exchange_done(batch, head, message); });
    EXPECT_FALSE(parsed(ask(question), parse_exchange_done_reply));
    ASSERT_TRUE(noted(partition));
    EXPECT_EQ(noted(partition)->signature, 77u) << "what is known now does not count";
    EXPECT_EQ(noted(partition)->peer_whole, whole);
  }
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
