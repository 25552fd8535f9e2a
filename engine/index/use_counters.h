// SPDX-License-Identifier: Apache-2.0
// How often the entries of one partition are used, for the eviction of what is used least: as in
// Redis a count of eight bits that grows the more seldom the larger it is, and loses one each
// minute. A part of PartitionTable, under its lock, while the policy asks for it.
//
// An entry has no room for the time of its last change. So the places are cut into stretches, each
// with the minute up to which its counts are decayed: a count stands in its entry as it will be
// after the minutes since then were taken off. Every few minutes a stretch is decayed in one go, by
// whoever touches it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "engine/index/bucket_index.h"

namespace kvorum::engine {

class UseCounters {
 public:
  static constexpr uint8_t kFirst = 5;  // of a new entry
  static constexpr uint8_t kMost = 255;
  static constexpr uint64_t kLogFactor = 10;  // how much more seldom each next step is
  static constexpr uint32_t kLagMax = 8;      // minutes that a stretch may lie behind

  // `index` outlives it. `minute` is that of a steady clock, here and below.
  UseCounters(const BucketIndex* index, uint64_t seed, uint32_t minute);

  // A new entry, or one whose count means nothing.
  void start(Entry* entry, uint32_t minute);
  void note_use(Entry* entry, uint32_t minute);
  uint8_t count_of(const Entry& entry, uint32_t minute) const;

 private:
  static constexpr size_t kStretches = 64;
  static constexpr int kStretchShift = 32 - 6;  // of a place

  uint32_t lag_of(uint32_t place, uint32_t minute) const {
    const uint32_t decayed = decayed_until_[place >> kStretchShift];
    return minute > decayed ? minute - decayed : 0;
  }
  uint32_t settle(uint32_t place, uint32_t minute);
  void decay(size_t stretch, uint32_t lag);

  const BucketIndex* const index_;
  Rng rng_;
  std::array<uint32_t, kStretches> decayed_until_;
  std::vector<Entry*> found_;  // kept for its memory
};

}  // namespace kvorum::engine
