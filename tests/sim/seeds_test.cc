// SPDX-License-Identifier: Apache-2.0
// Random clusters under random faults; ./x sim runs many more seeds.
#include <gtest/gtest.h>

#include "tests/sim/run.h"

namespace kvorum::sim {
namespace {

// Sanitizers make a run many times slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSeeds = 4;
#else
constexpr uint64_t kSeeds = 20;
#endif

TEST(Seeds, NothingIsLostOrInventedAndEverythingConverges) {
  uint64_t operations = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const RunResult result = run_seed_twice(seed);
    operations += result.operations;
    for (const std::string& violation : result.violations) {
      ADD_FAILURE() << "seed " << seed << " (" << result.swarm << "): " << violation;
    }
  }
  EXPECT_GT(operations, kSeeds * 100) << "the clients hardly did anything";
}

// As the draws stood then; they are as good as any other seed when those change.
TEST(Seeds, ThatOnceFoundABug) {
  const uint64_t found[] = {
      73,    // a flush passed over what a replica had on its disk only
      42,    // read repair passed over an own copy that was evicted
      263,   // hints for a suspected target that no request probed
      3239,  // an operation stayed for ever when its second write could not be planned
  };
  for (const uint64_t seed : found) {
    const RunResult result = run_seed(seed);
    for (const std::string& violation : result.violations) {
      ADD_FAILURE() << "seed " << seed << " (" << result.swarm << "): " << violation;
    }
  }
}

// Where members change; as the draws stood then, too.
TEST(Seeds, MovingOnesThatOnceFailed) {
  const uint64_t failed[] = {
      247,  // a client away from home was promised what only those at home are
  };
  for (const uint64_t seed : failed) {
    const RunResult result = run_moving_seed(seed);
    for (const std::string& violation : result.violations) {
      ADD_FAILURE() << "seed " << seed << " (" << result.swarm << "): " << violation;
    }
  }
}

// Pauses and clean stops alone leave no sibling, and every count is exact.
TEST(Seeds, PeacefulOnesLeaveNoSibling) {
  for (uint64_t seed = 1001; seed <= 1000 + kSeeds / 2; ++seed) {
    const RunResult result = run_peaceful_seed(seed);
    EXPECT_EQ(result.trace_hash, run_peaceful_seed(seed).trace_hash) << seed;
    for (const std::string& violation : result.violations) {
      ADD_FAILURE() << "seed " << seed << " (" << result.swarm << "): " << violation;
    }
  }
}

TEST(Seeds, DifferentSeedsGiveDifferentTraces) {
  EXPECT_NE(run_seed(1).trace_hash, run_seed(2).trace_hash);
}

}  // namespace
}  // namespace kvorum::sim
