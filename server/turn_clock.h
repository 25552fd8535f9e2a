// SPDX-License-Identifier: Apache-2.0
// The clocks of a reactor, read once per turn: all inputs of a turn carry the same Now. This is the
// only place of a node where the pure machines' time comes from. One thread.
#pragma once

#include <time.h>

#include "base/time.h"

namespace kvorum::server {

class TurnClock {
 public:
  // debug.clock_offset shifts the wall clock, for tests of skewed clocks.
  explicit TurnClock(int64_t wall_offset_ms) : wall_offset_ms_(wall_offset_ms) {}

  Now now() {
    if (now_.steady_us == 0) now_ = read();
    return now_;
  }
  void end_turn() { now_.steady_us = 0; }

  Now read() const {
    timespec steady{}, wall{};
    clock_gettime(CLOCK_MONOTONIC, &steady);
    clock_gettime(CLOCK_REALTIME, &wall);
    const int64_t wall_ms = wall.tv_sec * 1000 + wall.tv_nsec / 1'000'000 + wall_offset_ms_;
    return Now{static_cast<uint64_t>(steady.tv_sec) * 1'000'000 +
                   static_cast<uint64_t>(steady.tv_nsec) / 1000,
               wall_ms > 0 ? static_cast<uint64_t>(wall_ms) : 0};
  }

 private:
  int64_t wall_offset_ms_;
  Now now_;
};

}  // namespace kvorum::server
