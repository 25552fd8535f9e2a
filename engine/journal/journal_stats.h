// SPDX-License-Identifier: Apache-2.0
// How a journal fares, for whoever shows it.
#pragma once

#include <cstdint>
#include <string>

namespace kvorum::engine {

struct JournalStats {
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;       // of segments that are needed still
  uint64_t allocated_bytes = 0;  // of all segments, on the disk
  uint64_t appended_bytes = 0;   // since the start
  uint64_t changes = 0;          // of objects, that the store beneath has not; since the start
  uint64_t checkpoints = 0;      // that ended, since the start
  bool checkpoint_runs = false;
  uint64_t checkpoint_ms = 0;       // since it began; 0: none runs
  uint64_t last_checkpoint_ms = 0;  // how long the last one took
  double pressure = 0;              // above seven eighths of the capacity, 0 to 1
  uint64_t pressed_ms = 0;          // since when that is so
  uint64_t slowed_us = 0;           // rounds waited because of it, since the start
  uint64_t stalled_us = 0;          // and for the end of a checkpoint
  std::string store_error;          // why no checkpoint ends; empty: nothing is wrong

  double used_part() const {
    if (capacity_bytes == 0) return 0;
    return static_cast<double>(used_bytes) / static_cast<double>(capacity_bytes);
  }
};

}  // namespace kvorum::engine
