// SPDX-License-Identifier: Apache-2.0
// How long a peer takes to answer, as one coordinator sees it: a moving mean over tenths of a
// second (a burst of answers counts once) and an estimate of what 97 in 100 answers stay below.
// A few nanoseconds per answer, no allocation, no clock. Used by PeerHealth.
#pragma once

#include <algorithm>
#include <cstdint>

namespace kvorum::cluster {

class PeerLatency {
 public:
  // True where the mean moved.
  bool add(uint64_t latency_us, uint64_t now_us) {
    const auto latency = static_cast<double>(latency_us);
    move_tail(latency);
    sum_us_ += latency;
    ++count_;
    if (now_us < folded_us_ + kFoldUs) return false;
    fold(now_us);
    return true;
  }

  // No answer after so long: counts as an answer that took this time, unless answers usually do.
  bool still_waiting(uint64_t waited_us, uint64_t now_us) {
    return static_cast<double>(waited_us) > mean_us_ && add(waited_us, now_us);
  }

  bool known() const { return folded_us_ != 0; }
  uint64_t mean_us() const { return static_cast<uint64_t>(mean_us_); }
  uint64_t tail_us() const { return static_cast<uint64_t>(tail_us_); }

 private:
  static constexpr uint64_t kFoldUs = 10'000;
  static constexpr uint64_t kSparseUs = 500'000;
  static constexpr double kTailTimesMax = 16;
  // Steps up for an answer above the estimate, down for one below: at rest where 3 in 100 are.
  static constexpr double kTailStepUp = 1.0 / 4;
  static constexpr double kTailStepDown = kTailStepUp * 3 / 97;

  void fold(uint64_t now_us) {
    const double batch_us = sum_us_ / count_;
    if (!known()) {
      mean_us_ = batch_us;
      tail_us_ = 2 * batch_us;
    } else {
      // A peer that is seldom asked is not believed to be as it was long ago.
      const double weight = now_us >= folded_us_ + kSparseUs ? 0.5 : 0.125;
      mean_us_ += (batch_us - mean_us_) * weight;
    }
    tail_us_ = std::clamp(tail_us_, mean_us_, mean_us_ * kTailTimesMax);
    folded_us_ = now_us;
    sum_us_ = count_ = 0;
  }

  void move_tail(double latency) {
    if (!known()) return;
    tail_us_ += latency > tail_us_ ? mean_us_ * kTailStepUp : -mean_us_ * kTailStepDown;
  }

  double mean_us_ = 0, tail_us_ = 0;
  double sum_us_ = 0, count_ = 0;  // since the last fold
  uint64_t folded_us_ = 0;         // 0: never
};

}  // namespace kvorum::cluster
