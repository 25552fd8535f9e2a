// SPDX-License-Identifier: Apache-2.0
#include "server/membership/founded_placement.h"

#include <gtest/gtest.h>

#include <array>

namespace kvorum::server {
namespace {

constexpr FoundedPlacement kFirst{1, false}, kFirmFirst{1, true};
constexpr FoundedPlacement kSecond{2, false}, kFirmSecond{2, true};
constexpr FoundedPlacement kNothing{};

TEST(FoundedPlacement, EqualOnesAgreeAndWhoSaysNothingIsNotAsked) {
  EXPECT_EQ(match_foundings(kSecond, kFirmSecond), FoundingMatch::kSame);
  EXPECT_EQ(match_foundings(kFirst, kFirst), FoundingMatch::kSame);
  EXPECT_EQ(match_foundings(kFirmSecond, kNothing), FoundingMatch::kSame);
  EXPECT_EQ(match_foundings(kNothing, kFirmFirst), FoundingMatch::kSame);
}

TEST(FoundedPlacement, OneThatIsNotFirmYieldsToAFirmOne) {
  EXPECT_EQ(match_foundings(kSecond, kFirmFirst), FoundingMatch::kYields);
  EXPECT_EQ(match_foundings(kFirst, kFirmSecond), FoundingMatch::kYields);
}

TEST(FoundedPlacement, OfTwoThatAreNotFirmTheHigherYields) {
  EXPECT_EQ(match_foundings(kSecond, kFirst), FoundingMatch::kYields);
}

TEST(FoundedPlacement, TwoFirmOnesAreTwoClusters) {
  EXPECT_EQ(match_foundings(kFirmFirst, kFirmSecond), FoundingMatch::kApart);
}

TEST(FoundedPlacement, OfTwoSidesOneYieldsAndTheOtherInsists) {
  const std::array all{kNothing, kFirst, kFirmFirst, kSecond, kFirmSecond};
  for (const FoundedPlacement& a : all) {
    for (const FoundedPlacement& b : all) {
      const FoundingMatch here = match_foundings(a, b), there = match_foundings(b, a);
      EXPECT_EQ(here == FoundingMatch::kYields, there == FoundingMatch::kInsists);
      EXPECT_EQ(here == FoundingMatch::kSame, there == FoundingMatch::kSame);
    }
  }
}

}  // namespace
}  // namespace kvorum::server
