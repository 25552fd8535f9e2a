// SPDX-License-Identifier: Apache-2.0
// How many neighbours on the ring can stand on distinct nodes, zones and racks everywhere, given
// how many partitions each member owns. A group that owns c of Q partitions can keep a distance of
// Q / c at most. A node's wish and that of its zone also bind each other: where the others of the
// zone stand between two partitions of the node, each of them needs the zone's distance. Where both
// wishes do not fit on the ring, nodes go before zones, and zones before racks. What is promised
// here is necessary, not always enough: an order that keeps it exists nearly always.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kvorum::cluster {

// The rack and zone of each member, as numbers. Racks of one name in two zones are two racks.
struct PlaceNumbers {
  std::vector<uint16_t> rack, zone;
};

// So many neighbours are distinct. 1 where that says nothing.
struct Windows {
  uint32_t node = 1, zone = 1, rack = 1;

  bool operator==(const Windows&) const = default;
};

// `owned`: how many partitions each member owns. `spread`: the most that is wished.
Windows distinct_windows(const PlaceNumbers& places, std::span<const uint32_t> owned,
                         uint32_t spread);

// By the number of the group: how many partitions its members own.
std::vector<uint32_t> owned_by_group(std::span<const uint16_t> group_of_member,
                                     std::span<const uint32_t> owned);

// The widest window whose places could be distinct groups if all of them owned the same.
uint32_t wished_window(std::span<const uint32_t> owned, uint32_t spread);

}  // namespace kvorum::cluster
