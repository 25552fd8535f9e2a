// SPDX-License-Identifier: Apache-2.0
#include "bench/key_chooser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace kvorum::bench {
namespace {

constexpr uint64_t kKeys = 1000;
constexpr int kDraws = 1'000'000;

std::vector<int> count_draws(const KeySpace& space) {
  KeyChooser chooser(space);
  std::vector<int> counts(space.keys, 0);
  for (int i = 0; i < kDraws; ++i) ++counts.at(chooser.next());
  return counts;
}

TEST(KeyChooser, SequentialVisitsEachKeyInOrderAndStartsAgain) {
  KeyChooser chooser({.keys = 3, .distribution = Distribution::kSequential});
  for (const uint64_t expected : {0u, 1u, 2u, 0u, 1u}) EXPECT_EQ(chooser.next(), expected);
}

TEST(KeyChooser, UniformGivesEachKeyItsShare) {
  const std::vector<int> counts = count_draws({.keys = kKeys});
  // Five standard deviations of a binomial with mean 1000.
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 1000, 160);
}

TEST(KeyChooser, ZipfGivesRanksTheirShares) {
  std::vector<int> counts =
      count_draws({.keys = kKeys, .distribution = Distribution::kZipf, .zipf_exponent = 1.0});
  std::sort(counts.rbegin(), counts.rend());
  double harmonic = 0;
  for (uint64_t rank = 1; rank <= kKeys; ++rank) harmonic += 1.0 / static_cast<double>(rank);
  for (const int rank : {1, 2, 3, 10}) {
    const double expected = kDraws / harmonic / rank;
    EXPECT_NEAR(counts[static_cast<size_t>(rank - 1)], expected, 6 * std::sqrt(expected)) << rank;
  }
}

TEST(KeyChooser, ZipfReachesTheWholeKeySpace) {
  const std::vector<int> counts =
      count_draws({.keys = 64, .distribution = Distribution::kZipf, .zipf_exponent = 0.5});
  EXPECT_TRUE(std::all_of(counts.begin(), counts.end(), [](int count) { return count > 0; }));
}

TEST(KeyChooser, TheSameSeedGivesTheSameKeys) {
  for (const Distribution distribution : {Distribution::kUniform, Distribution::kZipf}) {
    const KeySpace space{.keys = kKeys, .distribution = distribution, .seed = 5};
    KeyChooser one(space), two(space);
    for (int i = 0; i < 100; ++i) ASSERT_EQ(one.next(), two.next());
  }
}

}  // namespace
}  // namespace kvorum::bench
