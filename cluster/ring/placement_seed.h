// SPDX-License-Identifier: Apache-2.0
// What the two halves of placement share: weights, the order by id, and the seed of the random
// choices, which must be the same on every node. Included by placement*.cc only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cluster/ring/placement.h"

namespace kvorum::cluster {

// All weights zero (a cluster being drained) counts as all weights one.
std::vector<uint64_t> weights_of(std::span<const Member> members);

std::vector<MemberIndex> by_id(std::span<const Member> members);

// A digest of what placement depends on.
uint64_t placement_seed(std::span<const Member> members, RingShape shape);

}  // namespace kvorum::cluster
