// SPDX-License-Identifier: Apache-2.0
// What an operator asks of anti-entropy, and how far that has come.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvorum::cluster {

// What an operator wants compared with all other primaries; -1: every one.
struct RepairWish {
  int keyspace = -1;
  int64_t partition = -1;
};

// Of the anti-entropy that is under way.
struct RepairProgress {
  bool active = false;
  uint64_t partitions_done = 0, partitions_left = 0;
  uint64_t keys_repaired = 0;
  uint64_t began_us = 0;         // steady
  size_t peers_unreachable = 0;  // these have to wait until their link is up
  bool waits_for_budget = false;
};

}  // namespace kvorum::cluster
