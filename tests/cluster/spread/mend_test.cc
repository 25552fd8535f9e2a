// SPDX-License-Identifier: Apache-2.0
#include "cluster/spread/mend.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace kvorum::cluster {
namespace {

using Owners = std::vector<uint16_t>;

// `members` nodes in three zones, each in a rack of its own.
PlaceNumbers three_zones(uint16_t members) {
  PlaceNumbers places;
  for (uint16_t member = 0; member < members; ++member) {
    places.rack.push_back(member);
    places.zone.push_back(member % 3);
  }
  return places;
}

GapCost cost_of(const Owners& owners, const PlaceNumbers& places) {
  std::vector<uint32_t> owned(places.rack.size(), 0);
  for (const uint16_t owner : owners) ++owned[owner];
  return GapCost(places, owned, 4);
}

Owners shuffled(uint32_t partitions, uint16_t members, Rng& rng) {
  Owners owners;
  for (uint32_t at = 0; at < partitions; ++at) {
    owners.push_back(static_cast<uint16_t>(at % members));
  }
  for (uint32_t at = partitions - 1; at > 0; --at) std::swap(owners[at], owners[rng.below(at + 1)]);
  return owners;
}

uint32_t differing(const Owners& a, const Owners& b) {
  uint32_t count = 0;
  for (size_t at = 0; at < a.size(); ++at) count += a[at] != b[at];
  return count;
}

TEST(Mend, BringsAnyOrderNearToTheBestOne) {
  Rng rng(1);
  for (uint32_t round = 0; round < 20; ++round) {
    const auto members = static_cast<uint16_t>(rng.between(6, 20));
    const Owners owners = shuffled(256, members, rng);
    const GapCost cost = cost_of(owners, three_zones(members));
    const Owners mended = mend(owners, cost, {}, round);
    const int64_t before = cost.total(owners) - cost.bound();
    EXPECT_LT(cost.total(mended) - cost.bound(), before / 500) << members << " members";
    EXPECT_TRUE(std::is_permutation(owners.begin(), owners.end(), mended.begin()));
  }
}

TEST(Mend, LeavesAProvenOrderAlone) {
  Owners owners;
  for (uint32_t at = 0; at < 64; ++at) owners.push_back(static_cast<uint16_t>(at % 4));
  const GapCost cost = cost_of(owners, PlaceNumbers{{0, 1, 2, 3}, {0, 1, 2, 3}});
  EXPECT_EQ(mend(owners, cost, {}, 1), owners);
}

TEST(Mend, MovesNoMoreThanItMay) {
  Rng rng(2);
  for (const uint32_t moves_max : {0U, 2U, 12U, 40U}) {
    const Owners owners = shuffled(256, 9, rng);
    const GapCost cost = cost_of(owners, three_zones(9));
    const Owners mended = mend(owners, cost, {owners, moves_max}, 1);
    EXPECT_LE(differing(owners, mended), moves_max);
    EXPECT_LE(cost.total(mended), cost.total(owners));
    EXPECT_EQ(cost.total(mended) < cost.total(owners), moves_max > 0);
  }
}

TEST(Mend, IsTheSameTwice) {
  Rng rng(3);
  const Owners owners = shuffled(128, 7, rng);
  const GapCost cost = cost_of(owners, three_zones(7));
  EXPECT_EQ(mend(owners, cost, {}, 5), mend(owners, cost, {}, 5));
}

TEST(Mend, ToleratesTheSmallestRings) {
  for (uint32_t partitions = 1; partitions <= 16; partitions *= 2) {
    Rng rng(partitions);
    const Owners owners = shuffled(partitions, 3, rng);
    const Owners mended = mend(owners, cost_of(owners, three_zones(3)), {}, 1);
    EXPECT_TRUE(std::is_permutation(owners.begin(), owners.end(), mended.begin())) << partitions;
  }
}

}  // namespace
}  // namespace kvorum::cluster
