// SPDX-License-Identifier: Apache-2.0
// The named scenarios, and the proof that each can fail: with the rule behind it switched off.
#include "tests/sim/scenarios.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/planted.h"

namespace kvorum::sim {
namespace {

using cluster::PlantedBug;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Scenarios, AFallbackThatForgetsAKeyAndMintsAgainLosesNothing) {
  EXPECT_THAT(forgetful_fallback(), IsEmpty());
}

TEST(Scenarios, AWipedNodeLosesNothingThatOthersHave) { EXPECT_THAT(wiped_node(), IsEmpty()); }

TEST(Scenarios, AnUnsyncedCrashLosesNothingThatOthersHave) {
  EXPECT_THAT(unsynced_crash(), IsEmpty());
}

TEST(Controls, WithoutANewIncarnationAnUnsyncedCrashLosesAWrite) {
  const Planting planting(PlantedBug::kKeepIncarnation);
  EXPECT_THAT(unsynced_crash(), Not(IsEmpty()));
}

TEST(Controls, WithoutBirthsAForgetfulFallbackLosesAWrite) {
  const Planting planting(PlantedBug::kNoBirths);
  EXPECT_THAT(forgetful_fallback(),
              Contains(HasSubstr("reads [second] instead of [first second]")));
}

TEST(Controls, WithoutBirthsAndIncarnationsAWipedNodeLosesAWrite) {
  const Planting planting(PlantedBug::kReuseCounter);
  EXPECT_THAT(wiped_node(), Not(IsEmpty()));
}

}  // namespace
}  // namespace kvorum::sim
