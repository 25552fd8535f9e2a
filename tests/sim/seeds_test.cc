// SPDX-License-Identifier: Apache-2.0
// Random clusters under random faults; ./x sim runs many more seeds.
#include <gtest/gtest.h>

#include "tests/sim/run.h"

namespace kvorum::sim {
namespace {

// Sanitizers make a run many times slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSeeds = 8;
#else
constexpr uint64_t kSeeds = 40;
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

TEST(Seeds, DifferentSeedsGiveDifferentTraces) {
  EXPECT_NE(run_seed(1).trace_hash, run_seed(2).trace_hash);
}

}  // namespace
}  // namespace kvorum::sim
