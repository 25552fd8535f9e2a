// SPDX-License-Identifier: Apache-2.0
#include "server/process/large_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(LargeValues, AreNamedWithTheirKeyAndSize) {
  LargeValues values;
  const std::string line = values.tell("photo:7", 2'000'000, 1);
  EXPECT_THAT(line, HasSubstr("2000000 bytes is written to 'photo:7'"));
  EXPECT_THAT(line, Not(HasSubstr("more since")));
}

TEST(LargeValues, ManyAreOneLine) {
  LargeValues values;
  values.tell("a", 2'000'000, 1);
  EXPECT_EQ(values.tell("b", 2'000'000, 2), "");
  EXPECT_EQ(values.tell("c", 2'000'000, 3), "");
  EXPECT_THAT(values.tell("d", 2'000'000, 1 + LogGates::kRepeatAfterUs),
              HasSubstr("2 more since the last time"));
}

TEST(LargeValues, AKeyThatIsNoTextDoesNotSpoilTheLog) {
  LargeValues values;
  const std::string key = std::string("a\nb\x01", 4) + std::string(100, 'k');
  EXPECT_THAT(values.tell(key, 1, 1), HasSubstr("'a?b?" + std::string(60, 'k') + "...'"));
}

}  // namespace
}  // namespace kvorum::server
