// SPDX-License-Identifier: Apache-2.0
// A count of events that one thread makes and any thread may read. Adding is a plain load and
// store: no locked instruction, no shared line but for the readers.
#pragma once

#include <atomic>
#include <cstdint>

namespace kvorum {

class Counter {
 public:
  void add(uint64_t by = 1) { value_.store(get() + by, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace kvorum
