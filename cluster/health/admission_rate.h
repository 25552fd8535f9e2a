// SPDX-License-Identifier: Apache-2.0
// How much background work may be done beside the clients' operations: decided anew every half
// second from how long those took (paper 6.5: "the 99th percentile over the last 60 seconds is
// close enough to a preset threshold"). A rate is microseconds of work a second. Pure; owned by
// AdmissionController.
//
//   nobody asks this node for anything,
//     or nobody has for kQuietUs           kFull: nothing waits
//   only other coordinators do             up to kUnmeasuredMax: how long clients wait is not known
//   p99 of the last minute <= target       a twentieth of kBusyMax more a second, up to kBusyMax
//   p99 of the last minute > target and
//     that of the latest operations too    halved, never below kLeast
//     that of the latest ones not          as it is: what made the minute slow is over
#pragma once

#include <algorithm>
#include <cstdint>

namespace kvorum::cluster {

class AdmissionRate {
 public:
  static constexpr uint64_t kFull = 1'000'000;        // all of one thread
  static constexpr uint64_t kBusyMax = 40'000;        // beside clients, however quick their answers
  static constexpr uint64_t kUnmeasuredMax = 20'000;  // beside those of other coordinators
  static constexpr uint64_t kLeast = 5'000;           // work never starves
  static constexpr uint64_t kOperationsMin = 100;     // a minute; of fewer a p99 says nothing
  static constexpr uint64_t kLatestMin = 20;          // operations that tell how it is now
  static constexpr uint64_t kRecoveryUs = 20'000'000;
  static constexpr uint64_t kQuietUs = 3'000'000;  // without clients, whatever the minute says

  // What was seen of the foreground. Latencies in microseconds.
  struct Foreground {
    uint64_t minute_operations = 0, minute_p99_us = 0;
    uint64_t latest_operations = 0, latest_p99_us = 0;  // since the last decision
    bool serves_others = false;                         // other coordinators' clients
  };
  // What background work did since the last decision.
  struct Background {
    uint64_t used_us = 0, elapsed_us = 0;
  };

  explicit AdmissionRate(uint64_t target_p99_us) : target_us_(target_p99_us) {}

  void decide(const Foreground& seen, const Background& did) {
    const bool measured = seen.minute_operations >= kOperationsMin;
    slowed_ = false;
    const bool asked = seen.latest_operations != 0 || seen.serves_others;
    quiet_us_ = asked ? 0 : quiet_us_ + did.elapsed_us;
    if ((!measured && !seen.serves_others) || quiet_us_ >= kQuietUs) {
      rate_ = kFull;
      return;
    }
    const uint64_t most = measured ? kBusyMax : kUnmeasuredMax;
    rate_ = std::min(rate_, most);
    if (!measured || target_us_ == 0 || seen.minute_p99_us <= target_us_) {
      rate_ = std::min(most, rate_ + kBusyMax * did.elapsed_us / kRecoveryUs);
      return;
    }
    slowed_ = true;
    if (seen.latest_operations >= kLatestMin && seen.latest_p99_us <= target_us_) return;
    // Half of what is allowed would change nothing where less than that is used.
    const uint64_t used = did.elapsed_us == 0 ? rate_ : did.used_us * 1'000'000 / did.elapsed_us;
    rate_ = std::max(kLeast, std::min(rate_, std::max(used, kLeast)) / 2);
  }

  uint64_t rate() const { return rate_; }
  bool unlimited() const { return rate_ == kFull; }
  bool slowed() const { return slowed_; }  // the p99 is above the target
  uint64_t target_us() const { return target_us_; }

 private:
  const uint64_t target_us_;  // 0: none
  uint64_t rate_ = kFull;
  uint64_t quiet_us_ = 0;  // since anybody asked
  bool slowed_ = false;
};

}  // namespace kvorum::cluster
