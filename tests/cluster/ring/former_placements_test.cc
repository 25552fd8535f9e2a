// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/former_placements.h"

#include <gmock/gmock.h>

#include "tests/cluster/test_members.h"

namespace kvorum::cluster {
namespace {

struct Quorum {
  uint8_t n, r, w;
};

ClusterView view_of(uint32_t members, Quorum quorum, uint32_t weight = 1) {
  Founding founding;
  founding.partitions = 16;
  founding.members = fixtures::make_members(members);
  founding.members[1].weight = weight;
  for (KeyspacePolicy& policy : founding.keyspaces) {
    policy.n = quorum.n;
    policy.r = quorum.r;
    policy.w = quorum.w;
  }
  return found_view(founding, "n0");
}

size_t staying(const ClusterView& now, const ClusterView& before) {
  FormerPlacements former;
  EXPECT_TRUE(former.add(configuration_of(before), now));
  const auto list = former.list();
  size_t count = 0;
  for (uint32_t partition = 0; partition < 16; ++partition) {
    count += list->empty() || stays_whole(now, list->front(), 0, partition);
  }
  return count;
}

// Of a cluster that was founded anew, as one that yields to another placement is.
TEST(FormerPlacements, EachHasTheRingOfItsOwnPlacement) {
  Founding founding;
  founding.partitions = 64;
  founding.members = fixtures::make_members(6, {.racks = 0, .zones = 3});
  const ClusterView mended = found_view(founding, "n0");
  founding.placement = kPlacementUnmended;
  const ClusterView unmended = found_view(founding, "n0");
  ASSERT_FALSE(mended.ring == unmended.ring);
  for (const auto& [before, now] : {std::pair(&mended, &unmended), std::pair(&unmended, &mended)}) {
    FormerPlacements former;
    EXPECT_TRUE(former.add(configuration_of(*before), *now));
    ASSERT_EQ(former.list()->size(), 1u);
    EXPECT_TRUE(former.list()->front().ring == before->ring);
  }
}

size_t owned_by_first(const ClusterView& view) {
  size_t count = 0;
  for (uint32_t partition = 0; partition < 16; ++partition) {
    count += view.is_primary(view.self, 0, partition);
  }
  return count;
}

TEST(FormerPlacements, TheSameConfigurationAndStrangersAddNothing) {
  const ClusterView view = view_of(3, {3, 2, 2});
  FormerPlacements former;
  EXPECT_TRUE(former.add(configuration_of(view), view));
  EXPECT_TRUE(former.add(configuration_of(view_of(4, {3, 2, 2})), view));
  EXPECT_FALSE(former.any());
  EXPECT_TRUE(former.add(configuration_of(view_of(3, {1, 1, 1})), view));
  EXPECT_TRUE(former.add(configuration_of(view_of(3, {1, 1, 1})), view));
  EXPECT_TRUE(former.any());
  EXPECT_EQ(former.list()->size(), 1u);
  former.clear();
  EXPECT_FALSE(former.any());
}

TEST(FormerPlacements, ThereAreNotTooMany) {
  const ClusterView view = view_of(3, {3, 2, 2});
  FormerPlacements former;
  for (uint32_t weight = 2; weight < 2 + FormerPlacements::kPlacementsMax; ++weight) {
    EXPECT_TRUE(former.add(configuration_of(view_of(3, {3, 2, 2}, weight)), view));
  }
  EXPECT_FALSE(former.add(configuration_of(view_of(3, {3, 2, 2}, 99)), view));
}

TEST(FormerPlacements, MoreCopies_OnlyFormerPrimariesStayWhole) {
  const ClusterView before = view_of(3, {1, 1, 1});
  EXPECT_EQ(staying(view_of(3, {3, 2, 2}), before), owned_by_first(before));
}

TEST(FormerPlacements, FewerCopies_WhoseReadMissesWhatOthersAcknowledged_AreNotWhole) {
  EXPECT_EQ(staying(view_of(3, {1, 1, 1}), view_of(3, {3, 2, 2})), 0u);
  EXPECT_EQ(staying(view_of(3, {1, 1, 1}), view_of(3, {3, 1, 3})), 16u) << "all three had it";
  EXPECT_EQ(staying(view_of(3, {2, 2, 2}), view_of(3, {3, 2, 2})), 16u) << "one of two has it";
}

TEST(FormerPlacements, AQuorumThatNoLongerOverlapsWithFormerWrites) {
  EXPECT_EQ(staying(view_of(3, {3, 1, 3}), view_of(3, {3, 2, 2})), 0u);
  EXPECT_EQ(staying(view_of(3, {3, 3, 1}), view_of(3, {3, 2, 2})), 16u);
  EXPECT_EQ(staying(view_of(3, {3, 2, 1}), view_of(3, {3, 1, 1})), 16u) << "none did before";
}

TEST(FormerPlacements, HoldersAreThePrimariesThenTheFormerOnes) {
  const ClusterView before = view_of(4, {1, 1, 1});
  const ClusterView now = view_of(4, {1, 1, 1}, 9);
  FormerPlacements former;
  former.add(configuration_of(before), now);
  const auto list = former.list();
  bool moved = false;
  for (uint32_t partition = 0; partition < 16; ++partition) {
    const Holders holders = holders_of(now, *list, 0, partition);
    EXPECT_EQ(holders[0], now.primaries(0, partition)[0]);
    EXPECT_EQ(holders[holders.size() - 1], before.primaries(0, partition)[0]);
    moved |= holders.size() == 2;
  }
  EXPECT_TRUE(moved);
  EXPECT_EQ(list->front().needed(0), 1u);
}

}  // namespace
}  // namespace kvorum::cluster
