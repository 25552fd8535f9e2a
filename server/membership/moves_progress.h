// SPDX-License-Identifier: Apache-2.0
// How moves go on: rates over the last seconds, and totals since the last time that nothing moved.
// Shown each MovesStatus that is made, at least once a second, it remembers a sample a second. Pure
// but for that memory; its owner has a lock for it.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "server/membership/moves_status.h"

namespace kvorum::server {

class MovesProgress {
 public:
  static constexpr uint64_t kWindowUs = 5'000'000;
  static constexpr uint64_t kSampleUs = 1'000'000;

  // Fills in what changes with time.
  void look(uint64_t now_us, MovesStatus* moves);

 private:
  struct Seen {
    uint32_t partition = 0;
    MovesStatus::Amount copied, of;
  };
  struct Sample {
    uint64_t at_us = 0;
    MovesStatus::Amount copied;
    std::vector<Seen> rows;  // by partition
  };

  void note_rows(const MovesStatus& moves);
  void add_total(MovesStatus* moves) const;
  void add_rates(uint64_t now_us, MovesStatus* moves) const;
  void keep_sample(uint64_t now_us, const MovesStatus::Total& total);

  std::vector<Seen> rows_;    // those that move, as they were counted last; by partition
  uint64_t moved_ = 0;        // partitions that do not move any more
  MovesStatus::Amount done_;  // of them
  std::deque<Sample> samples_;
};

}  // namespace kvorum::server
