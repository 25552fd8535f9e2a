// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/peer_round.h"

#include <gmock/gmock.h>

#include "cluster/repair/range_objects.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr MemberIndex kSelf = 0, kOther = 1;
constexpr uint64_t kIntervalUs = 30'000'000, kSilentUs = 77;
using State = PeerRound::State;

// Whose roots of one keyspace are awaited, of the partitions 0 to 3.
PeerRound rooted(std::optional<RepairWish> wish = {}) {
  PeerRound round;
  round.next_wish = wish;
  round.open(5, {}, kSilentUs);
  round.compared[3] = {0, 1, 2, 3};
  round.await_roots(3);
  round.state = State::kRoots;
  return round;
}

// Of a peer that knows of no fence and whose copy is whole.
DifferingPartition differing(uint32_t partition, int depth) {
  return {3, partition, depth, {0, true}};
}

std::vector<uint32_t> partitions_of(const std::vector<PeerRound::EqualPartition>& equal) {
  std::vector<uint32_t> partitions;
  for (const PeerRound::EqualPartition& one : equal) partitions.push_back(one.partition);
  return partitions;
}

TEST(PeerRound, OpensWithNothingOfTheOneBefore) {
  PeerRound round = rooted();
  round.differing = {{3, 1, 0}};
  round.clean = false;
  round.break_off();
  EXPECT_EQ(round.state, State::kIdle);
  EXPECT_THAT(round.differing, IsEmpty());
  ExchangeParty own;
  own.node = 9;
  round.open(6, own, kSilentUs);
  EXPECT_EQ(round.number, 6u);
  EXPECT_EQ(round.own.node, 9u);
  EXPECT_TRUE(round.clean);
  EXPECT_EQ(round.roots_open, 0u);
}

TEST(PeerRound, EachEighthComparesAllAndEachThatIsWishedFor) {
  PeerRound round;
  for (uint64_t number = 1; number <= 16; ++number) {
    round.open(number, {}, kSilentUs);
    EXPECT_EQ(round.all, number % PeerRound::kAllEveryRounds == 0) << number;
    round.break_off();
  }
  round.next_wish = RepairWish{};
  round.open(17, {}, kSilentUs);
  EXPECT_TRUE(round.all);
  EXPECT_FALSE(round.next_wish) << "it is granted once";
  round.break_off();
  round.open(18, {}, kSilentUs);
  EXPECT_FALSE(round.all);
}

TEST(PeerRound, WhenItIsDueAndWhenTheOtherIsSilent) {
  struct Case {
    State state;
    uint64_t due_us, deadline_us;  // at 100
    bool due, silent;
    uint64_t next_us;
  };
  const std::vector<Case> cases = {
      {State::kIdle, 0, 100, false, false, 0},     {State::kIdle, 101, 0, false, false, 101},
      {State::kIdle, 100, 0, true, false, 100},    {State::kOpening, 100, 101, false, false, 101},
      {State::kOpening, 0, 100, false, true, 100}, {State::kRoots, 100, 101, false, false, 101},
      {State::kRoots, 0, 100, false, true, 100},   {State::kExchanging, 100, 100, false, false, 0},
  };
  for (const Case& one : cases) {
    PeerRound round;
    round.state = one.state;
    round.due_us = one.due_us;
    round.deadline_us = one.deadline_us;
    const Now now{.steady_us = 100, .wall_ms = 0};
    EXPECT_EQ(round.is_due(now), one.due);
    EXPECT_EQ(round.is_silent(now), one.silent);
    EXPECT_EQ(round.next_deadline_us(), one.next_us);
  }
}

TEST(PeerRound, WhatItDrives) {
  const std::vector<uint32_t> all{0, 1, 2, 3};
  std::vector<uint32_t> half;
  for (const uint32_t partition : all) {
    if (drives(kSelf, kOther, partition)) half.push_back(partition);
  }
  ASSERT_EQ(half.size(), 2u);
  struct Case {
    bool all, own_whole, peer_whole;
    std::vector<uint32_t> driven;
  };
  const std::vector<Case> cases = {
      {false, true, true, half}, {false, false, false, half}, {false, false, true, all},
      {false, true, false, {}},  {true, true, true, all},     {true, true, false, all},
  };
  for (const Case& one : cases) {
    PeerRound round;
    round.open(1, {}, kSilentUs);
    round.own.whole = one.own_whole;
    round.all = one.all;
    round.peer.whole = one.peer_whole;
    round.compared[3] = all;
    EXPECT_EQ(round.keep_driven(3, kSelf, kOther), one.driven)
        << one.all << one.own_whole << one.peer_whole;
  }
}

TEST(PeerRound, RootsSayWhatIsEqualAndWhatDiffers) {
  struct Case {
    std::vector<std::pair<uint32_t, uint8_t>> answer;
    std::vector<uint32_t> equal;
    std::deque<DifferingPartition> differing;
  };
  const std::vector<Case> cases = {
      {{}, {0, 1, 2, 3}, {}},
      {{{1, 4}}, {0, 2, 3}, {differing(1, 4)}},
      {{{0, 0}, {1, 1}, {2, 2}, {3, 3}},
       {},
       {differing(0, 0), differing(1, 1), differing(2, 2), differing(3, 3)}},
      {{{7, 4}}, {0, 1, 2, 3}, {}},                      // what was not asked about
      {{{3, 1}, {0, 4}}, {0, 1, 2}, {differing(3, 1)}},  // not ascending
  };
  for (const Case& one : cases) {
    PeerRound round = rooted();
    PartitionRootsReply reply;
    reply.differing = one.answer;
    EXPECT_EQ(partitions_of(round.take_roots(3, reply)), one.equal);
    EXPECT_EQ(round.differing, one.differing);
    EXPECT_FALSE(round.awaits_roots(3));
    EXPECT_TRUE(round.clean);
  }
}

TEST(PeerRound, AWishNamesWhatIsExchanged) {
  struct Case {
    RepairWish wish;
    bool named;
  };
  const std::vector<Case> cases = {{{-1, -1}, true}, {{3, -1}, true},  {{3, 1}, true},
                                   {{-1, 1}, true},  {{4, -1}, false}, {{3, 2}, false}};
  for (const Case& one : cases) {
    PeerRound round = rooted(one.wish);
    PartitionRootsReply reply;
    reply.differing = {{1, 0}};
    EXPECT_THAT(partitions_of(round.take_roots(3, reply)), ElementsAre(0, 2, 3));
    EXPECT_EQ(round.differing.size(), one.named ? 1u : 0u);
  }
}

TEST(PeerRound, AwaitsWhatItAskedForAlone) {
  PeerRound round = rooted();
  EXPECT_TRUE(round.awaits_roots(3));
  EXPECT_FALSE(round.awaits_roots(4));
  EXPECT_FALSE(round.awaits_roots(kKeyspacesMax));
  round.state = State::kExchanging;
  EXPECT_FALSE(round.awaits_roots(3));
}

TEST(PeerRound, APeerThatStartedAnewIsNotClean) {
  PeerRound round = rooted();
  PartitionRootsReply reply;
  reply.peer.run = 1;
  reply.peer.clock = Hlc{6};
  round.take_roots(3, reply);
  EXPECT_FALSE(round.clean);
  EXPECT_EQ(round.peer.clock, Hlc{6});
}

TEST(PeerRound, ThePauseBehindIt) {
  struct Case {
    bool wish, clean, missing;
    uint64_t pause_us;
  };
  const std::vector<Case> cases = {
      {false, true, false, kIntervalUs},
      {false, false, false, PeerRound::kAfterFailureUs},
      {false, true, true, PeerRound::kNotWholeUs},
      {false, false, true, PeerRound::kNotWholeUs},
      {true, false, true, 0},
  };
  for (const Case& one : cases) {
    PeerRound round;
    if (one.wish) round.next_wish = RepairWish{};
    round.clean = one.clean;
    EXPECT_EQ(round.pause_us(kIntervalUs, one.missing), one.pause_us);
    EXPECT_LE(round.pause_us(10, one.missing), 10u) << "never longer than the interval";
  }
}

TEST(PeerRound, HasAWishUntilItsRoundEnds) {
  PeerRound round;
  EXPECT_FALSE(round.has_wish());
  round.next_wish = RepairWish{};
  EXPECT_TRUE(round.has_wish());
  round.open(1, {}, kSilentUs);
  EXPECT_TRUE(round.has_wish());
  round.break_off();
  EXPECT_FALSE(round.has_wish());
}

}  // namespace
}  // namespace kvorum::cluster
