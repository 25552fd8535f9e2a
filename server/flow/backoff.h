// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next attempt: doubling, with jitter, so that nodes that lost each
// other do not all knock at the same moment. Pure; one per link.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/rng.h"

namespace kvorum::server {

class Backoff {
 public:
  static constexpr uint64_t kFirstUs = 50'000;
  static constexpr uint64_t kLongestUs = 2'000'000;

  // Between half and all of the current step; the next step is twice as long.
  uint64_t next_us(Rng& rng) {
    const uint64_t step = step_us_;
    step_us_ = std::min(step * 2, kLongestUs);
    return rng.between(step / 2, step);
  }
  void reset() { step_us_ = kFirstUs; }

 private:
  uint64_t step_us_ = kFirstUs;
};

}  // namespace kvorum::server
