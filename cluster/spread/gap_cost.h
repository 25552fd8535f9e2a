// SPDX-License-Identifier: Apache-2.0
// How far an order of owners on the ring is from the best one. Windows of neighbours should stand
// on distinct nodes, racks and zones; what a window lacks is the number of its owners whose node
// (rack, zone) it met already. Summed over all windows of w neighbours that is w - gap for each gap
// below w between two neighbours of one group, so it can be told partition by partition.
//
// A group that owns c of Q partitions has c gaps that add up to Q, so it makes windows lack
// max(0, c * w - Q) at least. A total that equals the sum of those is proven to be the best one;
// what lies above it may be avoidable. Used by mend.h only; pure, a short-lived value.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "cluster/spread/windows.h"

namespace kvorum::cluster {

class GapCost {
 public:
  // `owned`: how many partitions each member owns. `spread`: the largest n, and one more.
  GapCost(PlaceNumbers places, std::span<const uint32_t> owned, uint32_t spread);

  // What this partition's owner adds, because of those that stand before it.
  int64_t at(std::span<const uint16_t> owners, uint32_t partition) const;
  int64_t total(std::span<const uint16_t> owners) const;
  // The same of a stretch that does not go around. REQUIRES: index + 1 >= reach().
  int64_t in(std::span<const uint16_t> stretch, size_t index) const;

  // No order of these owners costs less.
  int64_t bound() const { return bound_; }

  // A partition's owner counts in its own cost and in that of the next reach() - 1.
  uint32_t reach() const { return reach_; }

 private:
  static constexpr size_t kLevels = 3;  // zone, rack, node: each lies in the one before it

  void add_level(size_t level, std::span<const uint32_t> owned, uint32_t spread, uint32_t distinct);
  size_t shared_levels(uint16_t left, uint16_t right) const;
  template <class Before>
  int64_t cost_of(uint16_t owner, Before before) const;

  PlaceNumbers places_;
  std::array<std::vector<int64_t>, kLevels> cost_of_gap_;
  int64_t bound_ = 0;
  uint32_t reach_ = 1;
};

}  // namespace kvorum::cluster
