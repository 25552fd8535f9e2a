// SPDX-License-Identifier: Apache-2.0
// Numbers that many threads only ever raise: the highest one stays.
#pragma once

#include <atomic>
#include <cstdint>

namespace kvorum {

// `order` of the exchange, where one is made.
inline void raise_to(std::atomic<uint64_t>& value, uint64_t least,
                     std::memory_order order = std::memory_order_relaxed) {
  uint64_t known = value.load(std::memory_order_relaxed);
  while (known < least && !value.compare_exchange_weak(known, least, order)) {
  }
}

// Raises it to `least`, or by one where it is there already; returns the new number, which nobody
// else gets.
inline uint64_t raise_above(std::atomic<uint64_t>& value, uint64_t least) {
  uint64_t known = value.load(std::memory_order_relaxed);
  for (;;) {
    const uint64_t next = least > known ? least : known + 1;
    if (value.compare_exchange_weak(known, next, std::memory_order_relaxed)) return next;
  }
}

}  // namespace kvorum
