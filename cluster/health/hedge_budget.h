// SPDX-License-Identifier: Apache-2.0
// Pays for hedged reads: a read that is late asks one more node, and at most one read in twenty may
// (a cluster that is slow as a whole must not be asked more). And when a read is late: 97 in 100
// answers of the node that it waits for were faster. Owned by Core; pure.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace kvorum::cluster {

class HedgeBudget {
 public:
  static constexpr uint32_t kReadsPerHedge = 20;
  static constexpr uint32_t kSavedMax = 10 * kReadsPerHedge;

  void earn() { saved_ = std::min(saved_ + 1, kSavedMax); }
  bool spend() {
    if (saved_ < kReadsPerHedge) return false;
    saved_ -= kReadsPerHedge;
    return true;
  }

 private:
  uint32_t saved_ = 0;  // reads that have not paid for a hedge yet
};

inline constexpr uint64_t kHedgeLeastUs = 1000;

// How long to wait for a node of this tail latency (0: unknown) before asking another: at least
// the tail, in steps of a power of two and a half, because each duration has a lane of timers.
constexpr uint64_t hedge_delay_us(uint64_t tail_us) {
  const uint64_t wanted_us = std::max(tail_us, kHedgeLeastUs);
  const uint64_t ceiling_us = std::bit_ceil(wanted_us);
  const uint64_t between_us = ceiling_us - ceiling_us / 4;
  return between_us >= wanted_us ? between_us : ceiling_us;
}

}  // namespace kvorum::cluster
