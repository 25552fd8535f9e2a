// SPDX-License-Identifier: Apache-2.0
// The hybrid logical clock of a node (Kulkarni et al.): never goes back, stays near wall time, and
// is above every remote reading that it accepted. Shared by the node's reactors. A remote reading
// more than kAheadMaxMs before our wall clock is counted and does not move it: causality never
// depends on synchronised clocks, so one node with a wrong clock must not drag the others along.
// Dots are readings too, but may be asked to lie above others (last write wins) and above a flush
// mark: they run ahead of the clock then, all dots after them as well, and the clock, by which
// deadlines are judged, does not follow.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/atomic_raise.h"
#include "base/time.h"

namespace kvorum::cluster {

class HybridClock {
 public:
  static constexpr uint64_t kAheadMaxMs = 500;

  explicit HybridClock(Hlc least = {}) : last_(least.value) {}

  // A new reading, above all before and not below wall time.
  Hlc tick(uint64_t wall_ms) { return Hlc{raise_above(last_, Hlc::from_ms(wall_ms).value)}; }

  // The latest reading, without making a new one; at least wall time. Expiry compares with it.
  Hlc reading(uint64_t wall_ms) const {
    const uint64_t wall = Hlc::from_ms(wall_ms).value;
    const uint64_t last = last_.load(std::memory_order_relaxed);
    return Hlc{wall > last ? wall : last};
  }

  // A remote reading. False (and counted) where it is too far ahead to be followed.
  bool observe(Hlc remote, uint64_t wall_ms) {
    if (remote.ms() > wall_ms + kAheadMaxMs) {
      far_ahead_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    raise(remote);
    return true;
  }

  // Every reading from now on is above `least`.
  void raise(Hlc least) { raise_to(last_, least.value); }

  // A reading for a dot: at or above `least` (a tick, or more), above all minted before.
  Hlc mint(Hlc least) { return Hlc{raise_above(minted_, least.value)}; }

  // Every dot from now on is above `least`.
  void mint_above(Hlc least) { raise_to(minted_, least.value); }

  uint64_t far_ahead_count() const { return far_ahead_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> last_;
  std::atomic<uint64_t> minted_{0};
  std::atomic<uint64_t> far_ahead_{0};
};

}  // namespace kvorum::cluster
