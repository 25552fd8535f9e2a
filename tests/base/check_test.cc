// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <gtest/gtest.h>

namespace kvorum {
namespace {

TEST(Check, EvaluatesItsConditionOnce) {
  int evaluations = 0;
  KVORUM_CHECK(++evaluations == 1);
  EXPECT_EQ(evaluations, 1);
}

TEST(CheckDeathTest, NamesTheExpressionAndThePlace) {
  EXPECT_DEATH(KVORUM_CHECK(1 + 1 == 3), "invariant broken: 1 \\+ 1 == 3 .*check_test.cc:[0-9]+");
}

}  // namespace
}  // namespace kvorum
