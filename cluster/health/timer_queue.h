// SPDX-License-Identifier: Apache-2.0
// Deadlines of operations. Nearly all of them are a few constant durations from now, so each
// duration has a lane in arrival order: adding and taking cost a few nanoseconds. Entries of
// operations that ended are never removed: their generation-tagged id finds nothing when they come
// up.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/slot_map.h"

namespace kvorum::cluster {

// The sooner of two deadlines, where 0 is none.
constexpr uint64_t sooner_of(uint64_t a, uint64_t b) {
  return a == 0 || b == 0 ? a + b : std::min(a, b);
}

class TimerQueue {
 public:
  void add(uint64_t now_us, uint64_t delay_us, SlotId id) {
    const uint64_t due_us = now_us + delay_us;
    for (Lane& lane : lanes_) {
      if (lane.delay_us == delay_us &&
          (lane.entries.empty() || lane.entries.back().due_us <= due_us)) {
        lane.entries.push_back({due_us, id});
        return;
      }
    }
    Lane* lane = free_lane();
    lane->delay_us = delay_us;
    lane->entries.push_back({due_us, id});
  }

  // The id of one timer that is due, in order of lanes.
  std::optional<SlotId> take_due(uint64_t now_us) {
    for (Lane& lane : lanes_) {
      if (lane.entries.empty() || lane.entries.front().due_us > now_us) continue;
      const SlotId id = lane.entries.front().id;
      lane.entries.pop_front();
      return id;
    }
    return std::nullopt;
  }

  size_t size() const {
    size_t sum = 0;
    for (const Lane& lane : lanes_) sum += lane.entries.size();
    return sum;
  }

  uint64_t next_due_us() const {
    uint64_t next = 0;
    for (const Lane& lane : lanes_) {
      if (lane.entries.empty()) continue;
      if (next == 0 || lane.entries.front().due_us < next) next = lane.entries.front().due_us;
    }
    return next;
  }

 private:
  struct Entry {
    uint64_t due_us;
    SlotId id;
  };
  struct Lane {
    uint64_t delay_us = 0;
    std::deque<Entry> entries;
  };

  // Durations that clients choose could make many lanes: empty ones are used again.
  Lane* free_lane() {
    for (Lane& lane : lanes_) {
      if (lane.entries.empty()) return &lane;
    }
    return &lanes_.emplace_back();
  }

  std::deque<Lane> lanes_;
};

}  // namespace kvorum::cluster
