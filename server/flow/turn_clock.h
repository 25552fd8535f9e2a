// SPDX-License-Identifier: Apache-2.0
// The clocks of a reactor, read once per turn: all inputs of a turn carry the same Now. This is the
// only place of a node where the pure machines' time comes from. It also notices when the process
// stood still (SIGSTOP, a frozen machine): a turn that begins much later than the timer was set to.
// Such a pause is nobody else's silence, and what waited through it is old. One thread.
#pragma once

#include <time.h>

#include <algorithm>

#include "base/time.h"

namespace kvorum::server {

class TurnClock {
 public:
  // A turn that begins so late after its timer was due follows a pause. A timer is due at least
  // every kBeatUs, so that no request waits a quarter of the usual deadline (1 s) through one
  // unnoticed.
  static constexpr uint64_t kBeatUs = 100'000;
  static constexpr uint64_t kPauseLeastUs = 100'000;
  // Shorter ones do not make a peer look silent.
  static constexpr uint64_t kLongPauseUs = 1'000'000;

  // debug.clock_offset shifts the wall clock, for tests of skewed clocks.
  explicit TurnClock(int64_t wall_offset_ms) : wall_offset_ms_(wall_offset_ms) {}

  Now now() {
    if (now_.steady_us == 0) begin_turn(read());
    return now_;
  }
  // `due_us`: when a timer begins the next turn at the latest; 0: none does.
  void end_turn(uint64_t due_us) {
    last_turn_us_ = now_.steady_us;
    now_.steady_us = 0;
    due_us_ = due_us;
  }

  // When the last pause ended, 0: there was none; and how long it may have been.
  uint64_t woke_us() const { return woke_us_; }
  uint64_t woke_from_long_us() const { return woke_from_long_us_; }
  uint64_t paused_us() const { return paused_us_; }
  bool just_woke() { return now().steady_us == woke_us_; }

  Now read() const {
    timespec steady{};
    clock_gettime(CLOCK_MONOTONIC, &steady);
    return Now{static_cast<uint64_t>(steady.tv_sec) * 1'000'000 +
                   static_cast<uint64_t>(steady.tv_nsec) / 1000,
               read_wall_us() / 1000};
  }
  // More exactly than Now has it.
  uint64_t read_wall_us() const {
    timespec wall{};
    clock_gettime(CLOCK_REALTIME, &wall);
    const int64_t wall_us = wall.tv_sec * 1'000'000 + wall.tv_nsec / 1000 + wall_offset_ms_ * 1000;
    return wall_us > 0 ? static_cast<uint64_t>(wall_us) : 0;
  }

 private:
  void begin_turn(Now now) {
    now_ = now;
    if (due_us_ == 0 || now.steady_us < due_us_ + kPauseLeastUs) return;
    woke_us_ = now.steady_us;
    paused_us_ = now.steady_us - std::min(last_turn_us_, due_us_);
    if (paused_us_ >= kLongPauseUs) woke_from_long_us_ = woke_us_;
  }

  int64_t wall_offset_ms_;
  Now now_;
  uint64_t last_turn_us_ = 0, due_us_ = 0;
  uint64_t woke_us_ = 0, woke_from_long_us_ = 0, paused_us_ = 0;
};

}  // namespace kvorum::server
