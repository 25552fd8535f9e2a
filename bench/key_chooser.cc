// SPDX-License-Identifier: Apache-2.0
#include "bench/key_chooser.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/check.h"

namespace kvorum::bench {
namespace {

constexpr size_t kZipfDraws = size_t{1} << 20;

// A prime above every key count accepted, so multiplying by it permutes the ranks.
constexpr unsigned __int128 kScatterPrime = 1'000'000'000'039ULL;

std::vector<double> cumulative_weights(uint64_t keys, double exponent) {
  std::vector<double> sums(keys);
  double sum = 0;
  for (uint64_t rank = 0; rank < keys; ++rank) {
    sum += std::pow(static_cast<double>(rank + 1), -exponent);
    sums[rank] = sum;
  }
  return sums;
}

std::vector<uint64_t> draw_zipf(const KeySpace& space, Rng& rng) {
  const std::vector<double> sums = cumulative_weights(space.keys, space.zipf_exponent);
  std::vector<uint64_t> drawn(kZipfDraws);
  for (uint64_t& key : drawn) {
    const auto found = std::upper_bound(sums.begin(), sums.end(), rng.unit() * sums.back());
    const auto rank = static_cast<uint64_t>(std::min(found, sums.end() - 1) - sums.begin());
    key = static_cast<uint64_t>(rank * kScatterPrime % space.keys);
  }
  return drawn;
}

}  // namespace

KeyChooser::KeyChooser(const KeySpace& space)
    : keys_(space.keys), distribution_(space.distribution), rng_(space.seed) {
  KVORUM_CHECK(space.keys > 0);
  if (distribution_ == Distribution::kZipf) drawn_ = draw_zipf(space, rng_);
}

}  // namespace kvorum::bench
