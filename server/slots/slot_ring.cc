// SPDX-License-Identifier: Apache-2.0
#include "server/slots/slot_ring.h"

#include <fmt/format.h>

#include <algorithm>

namespace kvorum::server {
namespace {

using cluster::ClusterView;
using cluster::MemberIndex;

// A node that listens everywhere is reached where its peers reach it.
std::string host_of(const cluster::Member& member) {
  const std::string& host = member.redis.host;
  return host.empty() || host == "0.0.0.0" || host == "::" ? member.peer.host : host;
}

bool is_up(const NodeStatus& status, cluster::NodeId id) {
  for (const MemberStatus& member : status.members) {
    if (member.id == id) return member.self || member.state == cluster::PeerState::kUp;
  }
  return false;
}

uint32_t first_slot(const ClusterView& view, uint32_t partition) {
  return static_cast<uint32_t>(uint64_t{partition} * kSlots / view.ring.partitions());
}

}  // namespace

std::string slot_node_id(cluster::NodeId id) { return fmt::format("{:016x}{:024x}", id, 0); }

SlotRing make_slot_ring(const ClusterView& view, const NodeStatus& status) {
  SlotRing map;
  map.epoch = view.newest_set;
  constexpr uint16_t kNone = UINT16_MAX;
  std::vector<uint16_t> place(view.members.size(), kNone);
  for (size_t at = 0; at < view.members.size(); ++at) {
    const cluster::Member& member = view.members[at];
    if (member.has_departed()) continue;
    place[at] = static_cast<uint16_t>(map.nodes.size());
    map.nodes.push_back({slot_node_id(member.id), host_of(member), member.redis.port,
                         member.peer.port, at == view.self, is_up(status, member.id)});
  }
  uint32_t next = 0;
  for (uint32_t partition = 0; partition < view.ring.partitions(); ++partition) {
    const uint32_t first = first_slot(view, partition);
    const uint32_t end = first_slot(view, partition + 1);
    if (first < next || first == end) continue;  // more partitions than slots: one of each
    std::vector<uint16_t> nodes;
    for (const MemberIndex member : view.readers(0, partition)) {
      if (place[member] != kNone) nodes.push_back(place[member]);
    }
    std::stable_partition(nodes.begin(), nodes.end(),
                          [&](uint16_t node) { return map.nodes[node].up; });
    if (!map.ranges.empty() && map.ranges.back().nodes == nodes) {
      map.ranges.back().last = end - 1;
    } else {
      map.ranges.push_back({first, end - 1, std::move(nodes)});
    }
    next = end;
  }
  return map;
}

}  // namespace kvorum::server
