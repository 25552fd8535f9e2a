// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/ring.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "tests/cluster/test_members.h"

namespace kvorum::cluster {
namespace {

using fixtures::make_members;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint32_t kSpread = 4;  // n = 3, and one more

std::vector<uint32_t> owned_by_member(const Ring& ring, size_t members) {
  std::vector<uint32_t> owned(members, 0);
  for (const MemberIndex owner : ring.owners()) ++owned[owner];
  return owned;
}

// The nearest two partitions of one owner anywhere on the ring, across its wrap too.
uint32_t least_distance(const Ring& ring) {
  for (uint32_t distance = 1; distance < ring.partitions(); ++distance) {
    for (uint32_t partition = 0; partition < ring.partitions(); ++partition) {
      const uint32_t other = (partition + distance) % ring.partitions();
      if (ring.owner(partition) == ring.owner(other)) return distance;
    }
  }
  return ring.partitions();
}

TEST(RingBoundaries, PartitionsAreEqualRangesThatCoverTheRing) {
  const auto members = make_members(3);
  for (uint32_t partitions = 1; partitions <= 1024; partitions *= 2) {
    const Ring ring = Ring::found(members, {partitions, kSpread});
    ASSERT_EQ(ring.partitions(), partitions);
    ASSERT_EQ(1U << ring.partition_bits(), partitions);
    EXPECT_EQ(ring.start_of(0), (Position{0, 0}));
    EXPECT_EQ(ring.end_of(partitions - 1), (Position{~0ULL, ~0ULL}));
    for (uint32_t partition = 0; partition < partitions; ++partition) {
      EXPECT_EQ(ring.partition_of(ring.start_of(partition)), partition);
      EXPECT_EQ(ring.partition_of(ring.end_of(partition)), partition);
      if (partition + 1 == partitions) continue;
      const Position end = ring.end_of(partition), next = ring.start_of(partition + 1);
      EXPECT_EQ(end.high + 1, next.high);  // end = next token - 1: the low half is all ones
      EXPECT_EQ(end.low, ~0ULL);
      EXPECT_EQ(next.low, 0U);
    }
  }
}

TEST(RingBoundaries, StartIsIndexTimesTwoToThe128OverQ) {
  const Ring ring = Ring::found(make_members(1), {256, kSpread});
  EXPECT_EQ(ring.start_of(1), (Position{0x0100000000000000ULL, 0}));
  EXPECT_EQ(ring.end_of(0), (Position{0x00ffffffffffffffULL, ~0ULL}));
  EXPECT_EQ(ring.start_of(172), (Position{0xac00000000000000ULL, 0}));
}

TEST(Ring, IsValidForAllSizesOfClusterAndRing) {
  for (uint32_t partitions = 1; partitions <= 1024; partitions *= 4) {
    for (uint32_t count = 1; count <= 20; ++count) {
      const auto members = make_members(count);
      const Ring ring = Ring::found(members, {partitions, kSpread});
      EXPECT_THAT(validate(ring, members), IsEmpty()) << partitions << " by " << count;
    }
  }
}

TEST(Ring, AnyNAndOneMoreNeighboursAreDistinctNodesAcrossTheWrapToo) {
  for (uint32_t count = kSpread; count <= 20; ++count) {
    const Ring ring = Ring::found(make_members(count), {256, kSpread});
    EXPECT_GE(least_distance(ring), kSpread) << count;
  }
}

TEST(Ring, ThreeNodesAreNeverTheirOwnNeighbour) {
  // 256 is no multiple of 3, so that somewhere a node comes back after one other.
  const Ring ring = Ring::found(make_members(3), {256, kSpread});
  EXPECT_EQ(least_distance(ring), 2U);
}

TEST(Ring, SharesFollowTheWeightsWithinOnePartition) {
  auto members = make_members(7);
  for (size_t index = 0; index < members.size(); ++index) {
    members[index].weight = static_cast<uint32_t>(1 + index % 3);
  }
  const double total = 1 + 2 + 3 + 1 + 2 + 3 + 1;
  for (const uint32_t partitions : {64U, 256U, 1024U}) {
    const Ring ring = Ring::found(members, {partitions, kSpread});
    const auto owned = owned_by_member(ring, members.size());
    for (size_t index = 0; index < members.size(); ++index) {
      const double quota = partitions * members[index].weight / total;
      EXPECT_NEAR(owned[index], quota, 1.0) << members[index].name;
    }
  }
}

TEST(Ring, FairSharesAddUpAndGiveAZeroWeightNothing) {
  auto members = make_members(4);
  members[2].weight = 0;
  const auto shares = fair_shares(members, 256);
  EXPECT_EQ(shares[0] + shares[1] + shares[3], 256U);
  EXPECT_EQ(shares[2], 0U);
  for (Member& member : members) member.weight = 0;
  EXPECT_THAT(fair_shares(members, 256), ElementsAre(64, 64, 64, 64));
}

TEST(Ring, NeighboursStandInDistinctRacksAndZonesWhereThereAreEnough) {
  const auto racks = make_members(12, {.racks = 4});
  const Ring ring = Ring::found(racks, {256, kSpread});
  for (uint32_t partition = 0; partition < 256; ++partition) {
    std::set<std::string> met;
    for (uint32_t step = 0; step < kSpread; ++step) {
      met.insert(racks[ring.owner((partition + step) % 256)].rack);
    }
    EXPECT_EQ(met.size(), kSpread) << partition;
  }
  const auto zones = make_members(8, {.racks = 0, .zones = 2});
  const Ring by_zone = Ring::found(zones, {256, kSpread});
  for (uint32_t partition = 0; partition < 256; ++partition) {
    EXPECT_NE(zones[by_zone.owner(partition)].zone,
              zones[by_zone.owner((partition + 1) % 256)].zone);
  }
}

TEST(Ring, NeighboursLookRandom) {
  // The load of a failed node falls on its successors: they must be many, not the same three.
  const auto members = make_members(10);
  const Ring ring = Ring::found(members, {256, kSpread});
  for (MemberIndex failed = 0; failed < members.size(); ++failed) {
    std::set<MemberIndex> successors;
    for (uint32_t partition = 0; partition < 256; ++partition) {
      if (ring.owner(partition) == failed) successors.insert(ring.preference_list(partition)[1]);
    }
    EXPECT_GE(successors.size(), 6U) << members[failed].name;
  }
}

TEST(Ring, PreferenceListsWalkClockwiseAndNameEveryMemberOnce) {
  const auto members = make_members(6);
  const Ring ring = Ring::found(members, {64, kSpread});
  for (uint32_t partition = 0; partition < 64; ++partition) {
    std::vector<MemberIndex> walked;
    for (uint32_t step = 0; walked.size() < members.size(); ++step) {
      const MemberIndex owner = ring.owner((partition + step) % 64);
      if (std::find(walked.begin(), walked.end(), owner) == walked.end()) walked.push_back(owner);
    }
    const auto list = ring.preference_list(partition);
    EXPECT_TRUE(std::equal(list.begin(), list.end(), walked.begin(), walked.end())) << partition;
  }
}

TEST(Ring, MembersThatOwnNothingComeLastById) {
  const auto members = make_members(6);
  const Ring ring = Ring::found(members, {2, kSpread});
  for (uint32_t partition = 0; partition < 2; ++partition) {
    const auto list = ring.preference_list(partition);
    ASSERT_EQ(list.size(), 6U);
    EXPECT_EQ(list[0], ring.owner(partition));
    EXPECT_EQ(list[1], ring.owner(1 - partition));
    for (size_t place = 3; place < 6; ++place) {
      EXPECT_LT(members[list[place - 1]].id, members[list[place]].id);
    }
  }
}

TEST(Ring, TheOrderOfFoundersDoesNotMatter) {
  auto members = make_members(5, {.racks = 2});
  const Ring ring = Ring::found(members, {256, kSpread});
  auto reversed = members;
  std::reverse(reversed.begin(), reversed.end());
  const Ring again = Ring::found(reversed, {256, kSpread});
  for (uint32_t partition = 0; partition < 256; ++partition) {
    EXPECT_EQ(members[ring.owner(partition)].name, reversed[again.owner(partition)].name);
  }
}

TEST(Ring, TwoBuildsAreEqual) {
  const auto members = make_members(9);
  EXPECT_EQ(Ring::build(members, 3, {256, kSpread}), Ring::build(members, 3, {256, kSpread}));
  EXPECT_NE(Ring::build(members, 3, {256, kSpread}), Ring::build(members, 4, {256, kSpread}));
}

TEST(RingJoin, TakesOneOverSALittleFromEveryoneAndMendsWithFivePercent) {
  const auto members = make_members(20);
  const std::span<const Member> all(members);
  Ring ring = Ring::found(all.first(3), {256, kSpread});
  for (size_t count = 4; count <= 20; ++count) {
    const Ring grown = ring.joined(all.first(count));
    uint32_t moved = 0;
    for (uint32_t partition = 0; partition < 256; ++partition) {
      moved += grown.owner(partition) != ring.owner(partition);
    }
    EXPECT_LE(moved, 256 / count + 1 + 256 / 20) << count;
    const auto before = owned_by_member(ring, count), after = owned_by_member(grown, count);
    std::vector<uint32_t> gave;
    for (size_t member = 0; member + 1 < count; ++member) {
      gave.push_back(before[member] - after[member]);
    }
    const auto [least, most] = std::minmax_element(gave.begin(), gave.end());
    EXPECT_LE(*most - *least, 2U) << count;
    for (const uint32_t owned : after) {
      EXPECT_NEAR(owned, 256.0 / static_cast<double>(count), 1.0) << count;
    }
    ring = grown;
  }
  EXPECT_THAT(validate(ring, members), IsEmpty());  // what was tight with four nodes has healed
}

TEST(RingJoin, MovesNothingElseInTheUnmendedPlacement) {
  const auto members = make_members(20);
  const std::span<const Member> all(members);
  Ring ring = Ring::found(all.first(3), {256, kSpread, kPlacementUnmended});
  for (size_t count = 4; count <= 20; ++count) {
    const Ring grown = ring.joined(all.first(count));
    for (uint32_t partition = 0; partition < 256; ++partition) {
      if (grown.owner(partition) == ring.owner(partition)) continue;
      EXPECT_EQ(grown.owner(partition), count - 1);
    }
    ring = grown;
  }
}

TEST(RingJoin, ANewcomerNeverStandsNearItselfOnceThereAreNodesEnough) {
  const auto members = make_members(12);
  for (size_t count = 6; count <= 12; ++count) {
    const Ring ring = Ring::build(std::span<const Member>(members).first(count), 3, {256, kSpread});
    const auto newcomer = static_cast<MemberIndex>(count - 1);
    for (uint32_t partition = 0; partition < 256; ++partition) {
      if (ring.owner(partition) != newcomer) continue;
      for (uint32_t step = 1; step < kSpread; ++step) {
        EXPECT_NE(ring.owner((partition + step) % 256), newcomer) << count << " " << partition;
      }
    }
  }
}

TEST(RingJoin, AHeavyNewcomerTakesItsWeight) {
  auto members = make_members(5);
  members[4].weight = 4;
  const Ring ring = Ring::build(members, 4, {256, kSpread});
  EXPECT_EQ(owned_by_member(ring, 5)[4], 128U);
}

TEST(RingValidate, NamesTheNeighboursAndTheShareThatAreWrong) {
  auto members = make_members(8);
  const Ring ring = Ring::found(members, {64, kSpread});
  members[0].weight = 5;  // the ring was built for weight 1
  EXPECT_THAT(validate(ring, members), Contains(HasSubstr("member n0 owns 8 partitions, its weight "
                                                          "asks for about 26")));
  const std::vector<MemberIndex> bunched{0, 0, 1, 1, 2, 2, 3, 3};
  EXPECT_THAT(placement_problems(bunched, make_members(4), 2),
              Contains("partitions 0 and 1 are on one node (n0, n0)"));
}

// Paper, section 4.2: MD5 of the key gives the 128-bit position, and that the nodes. The values
// change only with the algorithm, and then every existing cluster would disagree with itself.
TEST(RingKnownAnswers, KeyToPositionToPartitionToNodes) {
  const auto members = make_members(5);
  const Ring ring = Ring::found(members, {256, kSpread});
  const auto nodes_of = [&](std::string_view key) {
    std::vector<std::string> names;
    for (const MemberIndex member : ring.preference_list(ring.partition_of(position_of(key)))) {
      names.push_back(members[member].name);
    }
    return names;
  };
  EXPECT_EQ(position_of("foo"), (Position{0xacbd18db4cc2f85cULL, 0xedef654fccc4a4d8ULL}));
  EXPECT_EQ(ring.partition_of(position_of("foo")), 172U);
  EXPECT_THAT(nodes_of("foo"), ElementsAre("n3", "n2", "n1", "n4", "n0"));
  EXPECT_EQ(position_of(""), (Position{0xd41d8cd98f00b204ULL, 0xe9800998ecf8427eULL}));
  EXPECT_EQ(ring.partition_of(position_of("")), 212U);
  EXPECT_THAT(nodes_of(""), ElementsAre("n0", "n2", "n1", "n4", "n3"));
}

}  // namespace
}  // namespace kvorum::cluster
