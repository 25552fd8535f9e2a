// SPDX-License-Identifier: Apache-2.0
// How long the frames of one link were on their way, without comparing clocks: the sender's steady
// clock and ours differ by what they differ by, and a frame that took longer than the fastest one
// of the last seconds was held up, by a network that broke for a moment or by a process that stood
// still. Only recent frames are compared with: clocks drift, and machines are suspended. Private to
// cluster/; one per link, one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace kvorum::cluster {

class TransitTime {
 public:
  static constexpr uint64_t kWindowUs = 5'000'000;  // it looks back one to two of them
  // No link lives so long in silence: another clock than before.
  static constexpr uint64_t kExcessMaxUs = 60'000'000;

  // Microseconds more than the fastest; 0 where nothing is known.
  uint64_t excess_us(uint64_t sent_us, uint64_t now_us) {
    turn_windows(now_us);
    const auto difference = static_cast<int64_t>(now_us - sent_us);
    const int64_t fastest = std::min(least_, least_before_);
    const bool known = fastest != kNone && difference > fastest;
    const uint64_t excess =
        known ? static_cast<uint64_t>(difference) - static_cast<uint64_t>(fastest) : 0;
    if (excess > kExcessMaxUs) {
      least_ = difference;
      least_before_ = kNone;
      return 0;
    }
    least_ = std::min(least_, difference);
    return excess;
  }

 private:
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

  void turn_windows(uint64_t now_us) {
    const uint64_t age_us = now_us - began_us_;
    if (age_us < kWindowUs) return;
    least_before_ = age_us < 2 * kWindowUs ? least_ : kNone;
    least_ = kNone;
    began_us_ = now_us;
  }

  int64_t least_ = kNone, least_before_ = kNone;
  uint64_t began_us_ = 0;
};

}  // namespace kvorum::cluster
