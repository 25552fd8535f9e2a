// SPDX-License-Identifier: Apache-2.0
// Strong types for time. Pure code never reads a clock: every input carries a Now.
#pragma once

#include <compare>
#include <cstdint>

namespace kvorum {

// Both clocks at the moment of an input. steady_us never goes back and is for deadlines of
// operations; wall_ms is Unix time in milliseconds, may jump, and feeds only the hybrid clock.
struct Now {
  uint64_t steady_us = 0;
  uint64_t wall_ms = 0;
};

// A hybrid logical clock reading: Unix milliseconds << 16 | logical counter. Zero is "before all".
struct Hlc {
  uint64_t value = 0;

  static constexpr Hlc from_ms(uint64_t ms) { return Hlc{ms << 16}; }
  constexpr uint64_t ms() const { return value >> 16; }
  constexpr Hlc next() const { return Hlc{value + 1}; }
  constexpr auto operator<=>(const Hlc&) const = default;
};

}  // namespace kvorum
