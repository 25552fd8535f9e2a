// SPDX-License-Identifier: Apache-2.0
// Repairs that an operator wishes for, on one node.
#include <gmock/gmock.h>

#include "tests/cluster/repair/lone_asker.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;

constexpr MemberIndex kPeer = LoneAsker::kPeer;

struct AntiEntropyWish : ::testing::Test {
  LoneAsker lone;
};

TEST_F(AntiEntropyWish, BeginsRoundsWithAllThatAreLinkedAtOnce) {
  EXPECT_EQ(lone.machine.progress().peers_unreachable, 2u);
  EXPECT_TRUE(lone.opened(lone.open_round(), {}));
  lone.machine.repair({}, lone.now);
  RepairProgress progress = lone.machine.progress();
  EXPECT_TRUE(progress.active);
  EXPECT_EQ(progress.peers_unreachable, 1u);
  EXPECT_EQ(progress.began_us, lone.now.steady_us);
  EXPECT_EQ(progress.partitions_done, 0u) << "not what was before";
  lone.machine.on_time(lone.now);
  EXPECT_TRUE(lone.opened(lone.only(kPeer), {0}));
  EXPECT_TRUE(parsed(lone.only(kPeer), parse_partition_roots).all) << "whoever drives it";
  progress = lone.machine.progress();
  EXPECT_EQ(progress.partitions_done, size_t{kKeyspacesMax - 1} * LoneCore::kPartitions);
}

TEST_F(AntiEntropyWish, NamesWhatIsExchanged) {
  struct Case {
    RepairWish wish;
    std::vector<MessageType> begun;
  };
  const std::vector<MessageType> all{MessageType::kRangeDigests};
  const std::vector<Case> cases = {{{-1, -1}, all}, {{0, -1}, all}, {{0, 6}, all}, {{-1, 6}, all},
                                   {{1, -1}, {}},   {{0, 7}, {}},   {{1, 6}, {}}};
  for (const Case& one : cases) {
    lone.link(kPeer);
    lone.machine.repair(one.wish, lone.now);
    lone.machine.on_time(lone.now);
    EXPECT_TRUE(lone.opened(lone.only(kPeer), {0}));
    EXPECT_TRUE(lone.rooted(lone.only(kPeer), {{6, 0}}));
    EXPECT_EQ(types_of(lone.sent(kPeer)), one.begun)
        << one.wish.keyspace << " " << one.wish.partition;
    EXPECT_EQ(lone.machine.progress().active, !one.begun.empty());
    EXPECT_EQ(lone.machine.progress().partitions_left, one.begun.size());
    EXPECT_FALSE(lone.noted(6)) << "it differs all the same";
    lone.link_down();
    lone.live(ExchangeAsker::kAnswerUs + LoneAsker::kTickUs);
  }
}

TEST_F(AntiEntropyWish, DuringARoundMeansTheNextOneAtOnce) {
  const Frame open = lone.open_round();
  lone.machine.repair({2, 3}, lone.now);
  lone.machine.on_time(lone.now);
  EXPECT_TRUE(lone.sent_nothing()) << "one at a time";
  EXPECT_TRUE(lone.opened(open, {0}));
  EXPECT_FALSE(parsed(lone.only(kPeer), parse_partition_roots).all) << "this one goes on as it was";
  lone.turn(ExchangeAsker::kAnswerUs);
  lone.machine.on_time(lone.now);
  EXPECT_THAT(types_of(lone.sent(kPeer)), ElementsAre(MessageType::kExchangeOpen));
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
