// SPDX-License-Identifier: Apache-2.0
// What the parts of placement share: weights, the order by id, the seed of the random choices,
// which must be the same on every node, and the mending that each of them ends with. Included by
// placement*.cc only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cluster/ring/placement.h"

namespace kvorum::cluster {

// All weights zero (a cluster being drained) counts as all weights one.
std::vector<uint64_t> weights_of(std::span<const Member> members);

std::vector<MemberIndex> by_id(std::span<const Member> members);

// What was placed with neighbours that are further apart, where the shape's version of placement
// does that. `before`: the owners before the change, empty for a founding; besides what differs
// from them anyway, 5 % of the partitions may move.
std::vector<MemberIndex> mended(std::vector<MemberIndex> owners,
                                std::span<const MemberIndex> before,
                                std::span<const Member> members, RingShape shape);

// A digest of what placement depends on.
uint64_t placement_seed(std::span<const Member> members, RingShape shape);

}  // namespace kvorum::cluster
