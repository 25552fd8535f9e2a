// SPDX-License-Identifier: Apache-2.0
#include "base/keys_that_differ.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace kvorum {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<int> differ(const std::map<int, char>& a, const std::map<int, char>& b) {
  return keys_that_differ(
      a, b, [](const auto& entry) { return entry.first; },
      [](const auto& one, const auto& other) { return one.second == other.second; });
}

TEST(KeysThatDiffer, StandInOneAloneOrDifferently) {
  EXPECT_THAT(differ({}, {}), IsEmpty());
  EXPECT_THAT(differ({{1, 'a'}, {2, 'b'}}, {{1, 'a'}, {2, 'b'}}), IsEmpty());
  EXPECT_THAT(differ({{1, 'a'}, {3, 'c'}}, {}), ElementsAre(1, 3));
  EXPECT_THAT(differ({}, {{2, 'b'}}), ElementsAre(2));
  EXPECT_THAT(differ({{1, 'a'}, {2, 'b'}, {5, 'e'}}, {{2, 'x'}, {3, 'c'}, {5, 'e'}}),
              ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace kvorum
