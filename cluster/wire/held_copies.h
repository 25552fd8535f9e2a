// SPDX-License-Identifier: Apache-2.0
// How much a member holds of the partitions that move: the answer to kHeldCopies, from which any
// node can say how far a transfer is. The question has no payload. Who answers speaks of what moves
// in its own view, and says of which set of changes that is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/ring/sets_in_play.h"
#include "cluster/wire/frame.h"

namespace kvorum::cluster {

// A member's copy of a partition, of all keyspaces.
struct HeldCopy {
  uint32_t partition = 0;
  uint64_t keys = 0;   // records, tombstones too
  uint64_t bytes = 0;  // about, as they stand in memory
};

struct HeldCopies {
  SetId newest_set = 0;
  // At which part of full speed its anti-entropy goes on, because clients come first; 100: they do
  // not hold it up.
  uint8_t background_percent = 100;
  std::vector<HeldCopy> copies;  // by partition; one that is not here holds nothing

  // Null: it holds nothing of it, or the partition does not move in its view.
  const HeldCopy* find(uint32_t partition) const;
};

void put_held_copies_question(std::string& batch);
bool parse_held_copies_question(const Frame& frame);

void put_held_copies(std::string& batch, const HeldCopies& held);
// Checks order and bounds, of which the last is the number of partitions.
bool parse_held_copies(const Frame& frame, uint32_t partitions, HeldCopies* held);

}  // namespace kvorum::cluster
