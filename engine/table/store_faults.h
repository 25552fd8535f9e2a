// SPDX-License-Identifier: Apache-2.0
// What went wrong with a store so far.
#pragma once

#include <cstdint>

namespace kvorum::engine {

struct StoreFaults {
  uint64_t writes_failed = 0;  // but for the next two
  uint64_t syncs_failed = 0;
  uint64_t disk_full = 0;     // a write or a sync
  uint64_t reads_failed = 0;  // I/O errors
  uint64_t damage_met = 0;    // checksums that did not hold, records that made no sense
  // Partitions that did not hold, at a start, what their hash trees said: objects were lost.
  uint64_t copies_lost = 0;
  uint64_t salvages = 0;  // no fault: what could be read of a damaged store was saved

  uint64_t total() const {
    return writes_failed + syncs_failed + disk_full + reads_failed + damage_met + copies_lost;
  }
  StoreFaults& operator+=(const StoreFaults& other) {
    writes_failed += other.writes_failed;
    syncs_failed += other.syncs_failed;
    disk_full += other.disk_full;
    reads_failed += other.reads_failed;
    damage_met += other.damage_met;
    copies_lost += other.copies_lost;
    salvages += other.salvages;
    return *this;
  }
};

}  // namespace kvorum::engine
