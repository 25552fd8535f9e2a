// SPDX-License-Identifier: Apache-2.0
#include "cluster/spread/windows.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

TEST(Windows, TheLargestGroupBoundsThem) {
  const PlaceNumbers one_place{{0, 0, 0, 0}, {0, 0, 0, 0}};
  const std::vector<uint32_t> even{16, 16, 16, 16}, heavy{32, 11, 11, 10};
  EXPECT_EQ(distinct_windows(one_place, even, 4), (Windows{4, 1, 1}));
  EXPECT_EQ(distinct_windows(one_place, even, 3), (Windows{3, 1, 1}));
  EXPECT_EQ(distinct_windows(one_place, heavy, 4), (Windows{2, 1, 1}));
}

TEST(Windows, NoGroupCanBeMetMoreOftenThanThereAreGroups) {
  const PlaceNumbers zones{{0, 1, 2, 3}, {0, 0, 1, 1}};
  EXPECT_EQ(distinct_windows(zones, std::vector<uint32_t>{16, 16, 16, 16}, 6), (Windows{4, 2, 4}));
}

// Zone 0 owns 123 of 256, so it can stand at every second place; its heavy node owns 82, so it can
// stand at every third. Of 82 gaps 41 hold the other node of the zone and are 4 long then, and
// 41 * 4 + 41 * 3 > 256.
TEST(Windows, ANodeAndItsZoneMustFitTogether) {
  const PlaceNumbers places{{0, 1, 2, 3, 4}, {0, 0, 1, 1, 2}};
  const std::vector<uint32_t> owned{82, 41, 61, 21, 51};
  EXPECT_EQ(distinct_windows(places, owned, 3), (Windows{3, 1, 3}));
  const std::vector<uint32_t> lighter{62, 61, 61, 21, 51};
  EXPECT_EQ(distinct_windows(places, lighter, 3).zone, 2U);
}

TEST(Windows, OwnersOfNothingDoNotCount) {
  const PlaceNumbers places{{0, 1, 2}, {0, 1, 2}};
  EXPECT_EQ(distinct_windows(places, std::vector<uint32_t>{32, 32, 0}, 4), (Windows{2, 2, 2}));
}

}  // namespace
}  // namespace kvorum::cluster
