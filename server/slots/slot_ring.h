// SPDX-License-Identifier: Apache-2.0
// The ring as clients of Redis Cluster understand it (`partitioner: slots`): which slots a node is
// first asked for, and who else has them. Made from a view and from who can be reached; pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/ring/cluster_view.h"
#include "server/status/node_status.h"

namespace kvorum::server {

inline constexpr uint32_t kSlots = 16384;

struct SlotNode {
  std::string id;  // 40 hexadecimal digits, of the member's own
  std::string host;
  uint16_t port = 0, bus_port = 0;  // the peers' port stands for the bus
  bool self = false, up = false;

  auto operator<=>(const SlotNode&) const = default;
};

// Slots with the same nodes: the first is asked, the others are its replicas. Of the primaries
// those that cannot be reached stand last; who has departed is none.
struct SlotRange {
  uint32_t first = 0, last = 0;  // inclusive
  std::vector<uint16_t> nodes;   // indices of SlotRing::nodes
};

struct SlotRing {
  std::vector<SlotNode> nodes;    // members, this one among them
  std::vector<SlotRange> ranges;  // ascending, all slots
  uint64_t epoch = 0;             // another one after every change of the membership
};

SlotRing make_slot_ring(const cluster::ClusterView& view, const NodeStatus& status);

std::string slot_node_id(cluster::NodeId id);

}  // namespace kvorum::server
