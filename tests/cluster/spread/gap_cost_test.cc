// SPDX-License-Identifier: Apache-2.0
#include "cluster/spread/gap_cost.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace kvorum::cluster {
namespace {

using Owners = std::vector<uint16_t>;

GapCost cost_of(const Owners& owners, const PlaceNumbers& places, uint32_t spread) {
  std::vector<uint32_t> owned(places.rack.size(), 0);
  for (const uint16_t owner : owners) ++owned[owner];
  return GapCost(places, owned, spread);
}

const PlaceNumbers kFourNodes{{0, 0, 0, 0}, {0, 0, 0, 0}};

TEST(GapCost, APerfectOrderCostsNothing) {
  const Owners owners{0, 1, 2, 3, 0, 1, 2, 3};
  const GapCost cost = cost_of(owners, kFourNodes, 4);
  EXPECT_EQ(cost.bound(), 0);
  EXPECT_EQ(cost.total(owners), 0);
}

TEST(GapCost, NearerIsWorse) {
  const Owners far{0, 1, 2, 3, 0, 1, 3, 2}, near{0, 1, 2, 3, 3, 0, 1, 2};
  const GapCost cost = cost_of(far, kFourNodes, 4);
  EXPECT_GT(cost.total(far), 0);
  EXPECT_GT(cost.total(near), cost.total(far));
}

TEST(GapCost, TheWrapCounts) {
  const Owners owners{0, 1, 2, 3, 1, 2, 3, 0};
  EXPECT_GT(cost_of(owners, kFourNodes, 4).at(owners, 0), 0);
}

// Three zones cannot stand evenly on a ring whose size is no multiple of three: one owns a
// partition more than a third. The best order costs exactly what is proven.
TEST(GapCost, TheBoundIsReachedWhereAZoneOwnsMoreThanItsPart) {
  const PlaceNumbers zones{{0, 1, 2}, {0, 1, 2}};
  const Owners owners{0, 1, 0, 2, 1, 0, 2, 1, 0, 2, 1, 0, 2, 1, 0, 2};
  const GapCost cost = cost_of(owners, zones, 3);
  EXPECT_GT(cost.bound(), 0);
  EXPECT_EQ(cost.total(owners), cost.bound());
}

TEST(GapCost, NoOrderCostsLessThanTheBound) {
  Rng rng(1);
  for (uint32_t round = 0; round < 2000; ++round) {
    PlaceNumbers places;
    const uint64_t members = rng.between(2, 6);
    for (uint16_t member = 0; member < members; ++member) {
      places.rack.push_back(member / 2);  // racks lie in zones
      places.zone.push_back(member / 4);
    }
    Owners owners;
    for (uint32_t at = 0; at < 16; ++at) {
      owners.push_back(static_cast<uint16_t>(rng.below(members)));
    }
    const GapCost cost = cost_of(owners, places, static_cast<uint32_t>(rng.between(2, 6)));
    ASSERT_GE(cost.total(owners), cost.bound()) << "round " << round;
  }
}

TEST(GapCost, AStretchCostsWhatItsPartitionsCost) {
  const Owners owners{0, 1, 2, 2, 3, 1, 0, 0, 3, 1, 2, 3, 0, 1, 2, 3};
  const GapCost cost = cost_of(owners, kFourNodes, 4);
  for (uint32_t at = cost.reach(); at < owners.size(); ++at) {
    EXPECT_EQ(cost.in(owners, at), cost.at(owners, at)) << at;
  }
}

}  // namespace
}  // namespace kvorum::cluster
