// SPDX-License-Identifier: Apache-2.0
// Which objects of a table with a journal are in the store beneath. Each that is encoded for the
// journal is marked with the epoch that holds then. A checkpoint begins another epoch, and puts the
// objects of the one before into the store; once they are safe there, that epoch is over.
//
//   current 1 --begin--> current 2, pending 1 --end--> current 2 --begin--> current 3, pending 2
//   ...
//
// There are three, used in turn: the walk of a checkpoint takes the mark of an epoch that is over
// from its objects before that number is current again. begin() and end() are called by whoever
// begins and ends checkpoints, the rest by any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.h"
#include "engine/index/entry.h"

namespace kvorum::engine {

class JournalEpochs {
 public:
  struct Now {
    uint8_t current = 1;
    uint8_t pending = 0;  // 0: no checkpoint is under way

    // An object with this mark has to stay in memory.
    bool holds(uint8_t epoch) const { return epoch != 0 && (epoch == current || epoch == pending); }
  };

  Now now() const {
    const uint8_t both = both_.load(std::memory_order_acquire);
    return {static_cast<uint8_t>(both & kMask), static_cast<uint8_t>(both >> kShift)};
  }
  // No object is being encoded.
  void begin() {
    const Now was = now();
    KVORUM_CHECK(was.pending == 0);
    const auto next = static_cast<uint8_t>(was.current % kEpochs + 1);
    both_.store(static_cast<uint8_t>(next | was.current << kShift), std::memory_order_release);
  }
  void end() {
    KVORUM_CHECK(now().pending != 0);
    both_.store(now().current, std::memory_order_release);
  }

 private:
  static constexpr uint8_t kEpochs = Entry::kJournalEpochs - 1;
  static constexpr int kShift = 4;
  static constexpr uint8_t kMask = (1 << kShift) - 1;
  std::atomic<uint8_t> both_{1};
};

}  // namespace kvorum::engine
