// SPDX-License-Identifier: Apache-2.0
// Which partitions find too few nodes for their reads and writes, by the members that answer and
// the policies of the keyspaces: what requests would meet now, as cluster/machine/core.h chooses
// replicas. Pure; computed for each status.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/ring/cluster_view.h"

namespace kvorum::server {

// Partitions, each counted once however many keyspaces are short there.
struct QuorumHealth {
  uint32_t reads_refused = 0;    // fewer than r nodes: -NOQUORUM
  uint32_t reads_served = 0;     // the same, and reads_when_short is `serve`
  uint32_t writes_refused = 0;   // fewer than w nodes: -NOQUORUM
  uint32_t writes_softened = 0;  // the same, and taken with fewer copies
  // Of those that refuse, the ones that this node coordinates: it is the first that answers.
  uint32_t refused_here = 0;
  // The keyspaces that are short, by name.
  std::string reading, writing;
};

// `reachable` by MemberIndex; this node is.
QuorumHealth quorum_health(const cluster::ClusterView& view, const std::vector<bool>& reachable);

}  // namespace kvorum::server
