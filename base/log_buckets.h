// SPDX-License-Identifier: Apache-2.0
// Buckets that grow with what they hold: each power of two is cut into as many as a number of bits
// says, so that a bucket is at most that share too wide; below, every value has a bucket of its
// own. The scheme of all our histograms, which differ in how fine they are and in who writes them
// (base/latency_histogram.h, bench/histogram.h). Pure.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace kvorum {

// kBits of 3: a power of two is eight buckets, and a bucket's end at most an eighth too high.
template <unsigned kBits>
struct LogBuckets {
  static constexpr size_t kPerOctave = size_t{1} << kBits;

  static constexpr size_t of(uint64_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    if (width <= kBits + 1) return static_cast<size_t>(value);
    const unsigned shift = width - kBits - 1;
    return static_cast<size_t>(shift * kPerOctave + (value >> shift));
  }
  // The greatest value of a bucket.
  static constexpr uint64_t top(size_t bucket) {
    if (bucket < 2 * kPerOctave) return bucket;
    const size_t shift = bucket / kPerOctave - 1;
    return ((uint64_t{bucket} - shift * kPerOctave + 1) << shift) - 1;
  }
};

// The first bucket up to which a share `fraction` (0..1) of the counts lies, and at least one; the
// number of buckets where there is nothing. `total` is their sum.
inline size_t bucket_of_quantile(std::span<const uint64_t> counts, uint64_t total,
                                 double fraction) {
  const double rank = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(total));
  const uint64_t wanted = std::max<uint64_t>(static_cast<uint64_t>(rank), 1);
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < counts.size(); ++bucket) {
    seen += counts[bucket];
    if (seen >= wanted) return bucket;
  }
  return counts.size();
}

}  // namespace kvorum
