// SPDX-License-Identifier: Apache-2.0
// How many hints may be on their way to one receiver: additive increase while it answers as fast as
// it can, multiplicative decrease when it gets slow (AIMD, as TCP). A receiver that has just
// returned has clients to serve; its latency is the only thing that we see of its load. Owned by
// HintReplay, one per target; pure.
//
//   window  16 at first; +1 per window of quick answers, at most 256
//           halved by a slow answer (at most once per window), 1 after a silence
//   slow    an answer later than 5 ms + 4 times the base latency
//   base    the least latency of late; creeps up by a 4096th of the difference per answer, so that
//           a link that became slower for good is not taken for a busy receiver for ever
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"

namespace kvorum::cluster {

class ReplayPace {
 public:
  static constexpr size_t kWindowFirst = 16;
  static constexpr size_t kWindowMax = 256;
  static constexpr uint64_t kSlowUs = 5'000;
  static constexpr uint64_t kCreep = 4096;

  size_t window() const { return window_; }

  void answered(uint64_t latency_us) {
    const bool slow = known_ && latency_us > kSlowUs + 4 * base_us_;
    if (!known_ || latency_us < base_us_) {
      base_us_ = latency_us;
      known_ = true;
    } else {
      base_us_ += (latency_us - base_us_) / kCreep;
    }
    ++answers_;
    if (slow) {
      if (answers_ < wait_) return;  // these were sent before the last cut
      cut(window_ / 2);
    } else if (answers_ >= window_) {
      window_ = std::min(window_ + 1, kWindowMax);
      answers_ = 0;
      wait_ = 0;
    }
  }

  void silent() { cut(1); }

 private:
  void cut(size_t window) {
    KVORUM_CHECK(window_ >= 1 && window_ <= kWindowMax);
    wait_ = window_;
    window_ = std::max<size_t>(window, 1);
    answers_ = 0;
  }

  size_t window_ = kWindowFirst;
  size_t answers_ = 0;  // since the window changed
  size_t wait_ = 0;     // answers of before the last cut
  uint64_t base_us_ = 0;
  bool known_ = false;
};

}  // namespace kvorum::cluster
