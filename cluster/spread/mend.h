// SPDX-License-Identifier: Apache-2.0
// Mends an order of owners whose neighbours could be more distinct than they are: exchanges the
// owners of two partitions, again and again, always one that has a fault against the best other.
// How many partitions each owner has stays the same. Where the order is proven to be the best one
// nothing is exchanged. The same arguments give the same order on every machine. Called by
// placement.cc when a view is built.
//
// A search that avoids what it just tried (tabu search, Glover 1986).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cluster/spread/gap_cost.h"

namespace kvorum::cluster {

struct MendLimits {
  // Who owned what before the change that is being placed; empty where nobody did.
  std::span<const uint16_t> before;
  uint32_t moves_max = 0;  // partitions that may differ from `before`
};

std::vector<uint16_t> mend(std::vector<uint16_t> owners, const GapCost& cost, MendLimits limits,
                           uint64_t seed);

}  // namespace kvorum::cluster
