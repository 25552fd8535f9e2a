// SPDX-License-Identifier: Apache-2.0
#include "cluster/spread/windows.h"

#include <algorithm>
#include <numeric>

namespace kvorum::cluster {
namespace {

uint32_t window_of(std::span<const uint32_t> owned, uint32_t spread) {
  const uint32_t partitions = std::accumulate(owned.begin(), owned.end(), 0U);
  const uint32_t largest = *std::max_element(owned.begin(), owned.end());
  return std::clamp(partitions / largest, 1U, wished_window(owned, spread));
}

// A group and one that it is a part of, with the windows of both.
struct Nested {
  uint32_t inner_owned, inner_window;
  uint32_t outer_owned, outer_window;
};

// Whether the gaps between the inner group's partitions, with the others of the outer group evenly
// distributed in them, add up to the ring at most.
bool fits(const Nested& nested, uint32_t partitions) {
  if (nested.inner_owned == 0) return true;
  const auto gap_with = [&](uint64_t others) {
    return std::max<uint64_t>(nested.inner_window, (others + 1) * nested.outer_window);
  };
  const uint32_t others = nested.outer_owned - nested.inner_owned;
  const uint32_t fewer = others / nested.inner_owned, left_over = others % nested.inner_owned;
  return left_over * gap_with(fewer + 1) + (nested.inner_owned - left_over) * gap_with(fewer) <=
         partitions;
}

}  // namespace

std::vector<uint32_t> owned_by_group(std::span<const uint16_t> group_of_member,
                                     std::span<const uint32_t> owned) {
  std::vector<uint32_t> by_group(group_of_member.size(), 0);
  for (size_t at = 0; at < owned.size(); ++at) by_group[group_of_member[at]] += owned[at];
  return by_group;
}

uint32_t wished_window(std::span<const uint32_t> owned, uint32_t spread) {
  const uint32_t partitions = std::accumulate(owned.begin(), owned.end(), 0U);
  const auto present = static_cast<uint32_t>(
      std::count_if(owned.begin(), owned.end(), [](uint32_t count) { return count > 0; }));
  return std::clamp(std::min(spread, present), 1U, partitions);
}

Windows distinct_windows(const PlaceNumbers& places, std::span<const uint32_t> owned,
                         uint32_t spread) {
  const uint32_t partitions = std::accumulate(owned.begin(), owned.end(), 0U);
  const std::vector<uint32_t> by_zone = owned_by_group(places.zone, owned);
  const std::vector<uint32_t> by_rack = owned_by_group(places.rack, owned);
  Windows windows{window_of(owned, spread), window_of(by_zone, spread), window_of(by_rack, spread)};
  for (size_t at = 0; at < owned.size(); ++at) {
    const uint32_t zone = by_zone[places.zone[at]];
    while (windows.zone > 1 && !fits({owned[at], windows.node, zone, windows.zone}, partitions)) {
      --windows.zone;
    }
  }
  for (size_t at = 0; at < owned.size(); ++at) {
    const uint32_t zone = by_zone[places.zone[at]], rack = by_rack[places.rack[at]];
    while (windows.rack > 1 && (!fits({owned[at], windows.node, rack, windows.rack}, partitions) ||
                                !fits({rack, windows.rack, zone, windows.zone}, partitions))) {
      --windows.rack;
    }
  }
  return windows;
}

}  // namespace kvorum::cluster
