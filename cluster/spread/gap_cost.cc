// SPDX-License-Identifier: Apache-2.0
#include "cluster/spread/gap_cost.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

// Windows that can be distinct everywhere come first, then those of n copies, then one more.
constexpr int64_t kPerfectWindow = 1 << 20, kCopiesWindow = 1 << 6, kOneMoreWindow = 1;
constexpr int64_t kWeights[] = {4, 1, 16};  // by level

}  // namespace

GapCost::GapCost(PlaceNumbers places, std::span<const uint32_t> owned, uint32_t spread)
    : places_(std::move(places)) {
  KVORUM_CHECK(places_.rack.size() == owned.size() && places_.zone.size() == owned.size());
  for (auto& costs : cost_of_gap_) costs.assign(size_t{spread} + 1, 0);
  const Windows distinct = distinct_windows(places_, owned, spread);
  add_level(0, owned_by_group(places_.zone, owned), spread, distinct.zone);
  add_level(1, owned_by_group(places_.rack, owned), spread, distinct.rack);
  add_level(2, owned, spread, distinct.node);
}

// `owned`: of each zone, rack or node.
void GapCost::add_level(size_t level, std::span<const uint32_t> owned, uint32_t spread,
                        uint32_t distinct) {
  const uint32_t partitions = std::accumulate(owned.begin(), owned.end(), 0U);
  const auto add_window = [&](uint32_t window, int64_t cost) {
    cost *= kWeights[level];
    reach_ = std::max(reach_, window);
    for (uint32_t gap = 1; gap < window; ++gap) cost_of_gap_[level][gap] += cost * (window - gap);
    for (const uint32_t count : owned) {
      bound_ += cost * std::max<int64_t>(0, int64_t{count} * window - partitions);
    }
  };
  const uint32_t wished = wished_window(owned, spread);
  add_window(distinct, kPerfectWindow);
  add_window(std::clamp(spread - 1, 1U, wished), kCopiesWindow);
  add_window(wished, kOneMoreWindow);
}

size_t GapCost::shared_levels(uint16_t left, uint16_t right) const {
  if (left == right) return 3;
  if (places_.rack[left] == places_.rack[right]) return 2;
  return places_.zone[left] == places_.zone[right] ? 1 : 0;
}

// `before(gap)`: who stands so far before the owner.
template <class Before>
int64_t GapCost::cost_of(uint16_t owner, Before before) const {
  int64_t cost = 0;
  size_t met = 0;  // levels whose gap is known
  for (uint32_t gap = 1; gap < reach_ && met < kLevels; ++gap) {
    for (const size_t shared = shared_levels(owner, before(gap)); met < shared; ++met) {
      cost += cost_of_gap_[met][gap];
    }
  }
  return cost;
}

int64_t GapCost::at(std::span<const uint16_t> owners, uint32_t partition) const {
  const auto mask = static_cast<uint32_t>(owners.size()) - 1;
  return cost_of(owners[partition], [&](uint32_t gap) { return owners[(partition - gap) & mask]; });
}

int64_t GapCost::in(std::span<const uint16_t> stretch, size_t index) const {
  return cost_of(stretch[index], [&](uint32_t gap) { return stretch[index - gap]; });
}

int64_t GapCost::total(std::span<const uint16_t> owners) const {
  int64_t total = 0;
  for (uint32_t partition = 0; partition < owners.size(); ++partition) {
    total += at(owners, partition);
  }
  return total;
}

}  // namespace kvorum::cluster
