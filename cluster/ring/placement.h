// SPDX-License-Identifier: Apache-2.0
// Who owns which partition: pure functions from members (ids, weights, racks, zones) to owners.
// Shares follow the weights within one partition; any `spread` neighbours on the ring, across its
// wrap too, are distinct nodes, zones and racks where there are enough of them; the order looks
// random, so that a failed node's load falls on many others. A newcomer takes its share, a little
// from everyone, and nothing else moves. Called by Ring only, when a view is built.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cluster/ring/member.h"
#include "cluster/spread/windows.h"

namespace kvorum::cluster {

inline constexpr uint32_t kPartitionsMax = 16384;

// Versions of placement: an older cluster keeps the ring that it has. The mended one exchanges
// partitions where neighbours could be further apart, and places copies by zones and racks
// (cluster/spread/). It differs only where the unmended one is not proven to be the best.
inline constexpr uint8_t kPlacementUnmended = 1, kPlacementMended = 2;
inline constexpr uint8_t kPlacementNewest = kPlacementMended;
// One that a cluster has because it was founded with it, or raised to it: what is written of it
// says so, and what says nothing means the first.
constexpr bool is_raised_placement(uint8_t placement) {
  return placement > kPlacementUnmended && placement <= kPlacementNewest;
}

struct RingShape {
  uint32_t partitions = 256;  // a power of two, fixed for the life of the cluster
  uint32_t spread = 4;        // neighbours that should be distinct: the largest n, and one more
  uint8_t placement = kPlacementNewest;

  bool operator==(const RingShape&) const = default;
};

// What cluster/spread/ knows of members.
PlaceNumbers place_numbers(std::span<const Member> members);

// The number of partitions each member should own: Q * weight / total, rounded so that they add up.
std::vector<uint32_t> fair_shares(std::span<const Member> members, uint32_t partitions);

std::vector<MemberIndex> place_founders(std::span<const Member> founders, RingShape shape);

// `owners` belong to all members but the last, who joins.
std::vector<MemberIndex> place_newcomer(std::vector<MemberIndex> owners,
                                        std::span<const Member> members, RingShape shape);

// Members that are not placed own nothing afterwards: what `owners` still says is theirs is given
// to others.
std::vector<MemberIndex> place_without(std::vector<MemberIndex> owners,
                                       std::span<const Member> members, RingShape shape);

// After weights, racks or zones changed: as few moves as shares within one partition need.
std::vector<MemberIndex> place_again(std::vector<MemberIndex> owners,
                                     std::span<const Member> members, RingShape shape);

// Shares and neighbourhoods that could be better, one sentence each.
std::vector<std::string> placement_problems(std::span<const MemberIndex> owners,
                                            std::span<const Member> members, uint32_t spread);

}  // namespace kvorum::cluster
