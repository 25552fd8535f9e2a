// SPDX-License-Identifier: Apache-2.0
// Reads whose node is late now and then ask one more: the slowest thousandth does not feel it, and
// never more than one read in twenty is asked twice.
#include <gtest/gtest.h>

#include <cstdio>

#include "cluster/health/hedge_budget.h"
#include "tests/cluster/delayed_cluster.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kMs = DelayedCluster::kMs;
constexpr uint64_t kSecond = DelayedCluster::kSecond;
constexpr size_t kNodes = DelayedCluster::kNodes;

CoordinatorCounters counters_of(DelayedCluster& story) {
  CoordinatorCounters sum;
  for (const auto& node : story.cluster().nodes) sum += node->coordinator->counters();
  return sum;
}

// Each node but the first stands still for 60 ms once in four seconds, one after the other.
uint64_t hiccup(size_t from, size_t, uint64_t now_us) {
  if (from == 0) return 0;
  const uint64_t phase_us = (now_us + from * 800 * kMs) % (4 * kSecond);
  return phase_us < 60 * kMs ? 60 * kMs - phase_us : 0;
}

TEST(HedgedRead, OvertakesANodeThatIsLateOnceInAWhile) {
  DelayedCluster story({0}, hiccup);
  const DelayedCluster::Figures figures = story.run(10 * kSecond, 120 * kSecond);
  const CoordinatorCounters counters = counters_of(story);
  std::printf(
      "p99.9 of gets %lu us, %lu of %lu hedged\n", static_cast<unsigned long>(figures.get_us),
      static_cast<unsigned long>(counters.hedged_reads), static_cast<unsigned long>(counters.gets));
  EXPECT_EQ(figures.failed, 0u);
  EXPECT_LT(figures.get_us, 20 * kMs) << "57 ms without hedges";
  EXPECT_GT(counters.hedged_reads, 0u);
  EXPECT_LE(counters.hedged_reads * HedgeBudget::kReadsPerHedge, counters.gets + counters.forwards);
}

TEST(HedgedRead, IsBoundedWhereEverybodyIsSlow) {
  uint64_t slow_from_us = UINT64_MAX;
  DelayedCluster story({0, 1, 2, 3, 4}, [&](size_t, size_t, uint64_t now_us) {
    return now_us >= slow_from_us ? 20 * kMs : 0;
  });
  story.run(5 * kSecond, 10 * kSecond);
  const CoordinatorCounters before = counters_of(story);
  slow_from_us = story.cluster().steady_us;
  story.run(0, 30 * kSecond);
  const CoordinatorCounters after = counters_of(story);
  const uint64_t hedged = after.hedged_reads - before.hedged_reads;
  std::printf("%lu of %lu hedged\n", static_cast<unsigned long>(hedged),
              static_cast<unsigned long>(after.gets - before.gets));
  EXPECT_GT(hedged, 0u);
  EXPECT_LE(hedged * HedgeBudget::kReadsPerHedge,
            after.gets - before.gets + kNodes * HedgeBudget::kSavedMax);
}

}  // namespace
}  // namespace kvorum::cluster
