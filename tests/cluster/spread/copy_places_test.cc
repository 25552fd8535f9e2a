// SPDX-License-Identifier: Apache-2.0
#include "cluster/spread/copy_places.h"

#include <gmock/gmock.h>

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;

using Owners = std::vector<uint16_t>;

TEST(CopyPlaces, WalksClockwiseWhereNobodyNamedPlaces) {
  const Owners owners{0, 1, 1, 2, 0, 3, 2, 1};
  const PlaceNumbers places{{0, 0, 0, 0}, {0, 0, 0, 0}};
  CopyPlaces copies(owners, places, 3);
  EXPECT_THAT(copies.of(0), ElementsAre(0, 1, 2));
  EXPECT_THAT(copies.of(6), ElementsAre(2, 1, 0));
}

TEST(CopyPlaces, PassesOverAZoneThatHasACopy) {
  const Owners owners{0, 1, 2, 3, 0, 1, 2, 3};
  const PlaceNumbers places{{0, 1, 2, 3}, {0, 0, 1, 2}};
  CopyPlaces copies(owners, places, 3);
  EXPECT_THAT(copies.of(0), ElementsAre(0, 2, 3));
  CopyPlaces four(owners, places, 4);
  EXPECT_THAT(four.of(0), ElementsAre(0, 2, 3, 1));
}

TEST(CopyPlaces, PassesOverARackWithinAZone) {
  const Owners owners{0, 1, 2, 3, 0, 1, 2, 3};
  const PlaceNumbers places{{0, 0, 1, 2}, {0, 0, 0, 0}};
  CopyPlaces copies(owners, places, 3);
  EXPECT_THAT(copies.of(0), ElementsAre(0, 2, 3));
}

TEST(CopyPlaces, HalvesTheCopiesOfTwoZones) {
  const Owners owners{0, 1, 2, 3, 4, 5, 0, 1};
  const PlaceNumbers places{{0, 1, 2, 3, 4, 5}, {0, 0, 0, 0, 1, 1}};
  CopyPlaces copies(owners, places, 4);
  EXPECT_THAT(copies.of(0), ElementsAre(0, 4, 1, 5));
}

TEST(CopyPlaces, ASmallZoneIsNotAskedFromAfar) {
  Owners owners(64, 0);
  for (uint32_t at = 0; at < 64; ++at) owners[at] = static_cast<uint16_t>(at % 3);
  owners[9] = 3;  // the only partition in zone 1
  const PlaceNumbers places{{0, 1, 2, 3}, {0, 0, 0, 1}};
  CopyPlaces copies(owners, places, 3);
  EXPECT_THAT(copies.of(0), ElementsAre(0, 1, 2));
  EXPECT_THAT(copies.of(1), ElementsAre(1, 3, 2));
}

TEST(CopyPlaces, AZoneThatIsLargeEnoughIsFoundHoweverFar) {
  Owners owners(16, 0);
  for (uint32_t at = 0; at < 16; ++at) owners[at] = static_cast<uint16_t>(at % 3);
  owners[14] = owners[15] = 3;  // 2 of 16 is more than a third of a third
  const PlaceNumbers places{{0, 1, 2, 3}, {0, 0, 0, 1}};
  CopyPlaces copies(owners, places, 3);
  EXPECT_THAT(copies.of(0), ElementsAre(0, 3, 1));
}

}  // namespace
}  // namespace kvorum::cluster
