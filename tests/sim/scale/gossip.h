// SPDX-License-Identifier: Apache-2.0
// How gossip grows with the nodes (paper 4.8.1), measured on whole simulated nodes: how long one
// change takes to be known everywhere, what each node sends while nothing changes, and how long a
// cluster takes to settle after many joined at once. Pure but for the clusters that it makes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tests/sim/cluster.h"

namespace kvorum::sim {

// Nodes of one reactor without faults and without objects; `joiners` more may join.
struct ScaleShape {
  size_t nodes = 10;
  uint32_t partitions = 256;
  size_t joiners = 0;
};
Swarm scale_swarm(const ScaleShape& shape, uint64_t seed);

// Seconds from a change at one node until every node has it, in a round a second. `at_once`: the
// node tells it at once to some, as it does in a server; else gossip alone carries it.
double seconds_to_spread(const ScaleShape& shape, uint64_t seed, bool at_once);

// What a node sends a second while nothing changes, on the average.
struct RestBytes {
  double gossip = 0;        // rounds, and what follows from them
  double probes = 0;        // are you there
  double anti_entropy = 0;  // comparing copies
  double other = 0;
  double total() const { return gossip + probes + anti_entropy + other; }
};
// After `calm_us` without a change, over `span_us`.
struct RestSpan {
  uint64_t calm_us = 90'000'000;
  uint64_t span_us = 60'000'000;
};
RestBytes rest_bytes(const ScaleShape& shape, const RestSpan& span);

// From the moment at which all joiners were admitted, each by another node.
struct JoinFigures {
  double known_s = 0;    // until every node had the one ring
  double settled_s = 0;  // until nothing moved any more; 0: not within the limit
  double bytes_per_node = 0;
};
JoinFigures join_at_once(const ScaleShape& shape, uint64_t seed, uint64_t limit_us);

}  // namespace kvorum::sim
