// SPDX-License-Identifier: Apache-2.0
#include "server/node_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace kvorum::server {
namespace {

const char* peer_state_name(cluster::PeerState state) {
  switch (state) {
    case cluster::PeerState::kUp:
      return "up";
    case cluster::PeerState::kSlow:
      return "slow";
    case cluster::PeerState::kSuspected:
      return "suspected";
    case cluster::PeerState::kDown:
      return "down";
  }
  return "unknown";
}

const char* member_state(const MemberStatus& member) {
  return member.self ? "self" : peer_state_name(member.state);
}

bool is_reachable(const MemberStatus& member) {
  return member.self || member.state <= cluster::PeerState::kSlow;
}

}  // namespace

void LatencyStatus::add(const LatencyHistogram& histogram, uint64_t now_us) {
  histogram.add_recent(now_us, &recent);
  histogram.add_ever(&ever);
  sum_us += histogram.sum_us();
}

const char* NodeStatus::state() const {
  if (transfers_active > 0) return "moving";
  const bool all_linked = std::all_of(members.begin(), members.end(), is_reachable);
  return all_linked && !waiting && hints_pending == 0 ? "settled" : "degraded";
}

std::string cluster_status_text(const NodeStatus& status) {
  std::string text;
  auto out = std::back_inserter(text);
  const auto reachable = std::count_if(status.members.begin(), status.members.end(), is_reachable);
  fmt::format_to(out, "state:{}\r\ncluster:{}\r\ncluster_id:{:016x}\r\nnode:{}\r\n", status.state(),
                 status.cluster_name, status.cluster_id, status.name);
  fmt::format_to(out, "members:{}\r\nmembers_reachable:{}\r\npartitions:{}\r\n",
                 status.members.size(), reachable, status.partitions);
  fmt::format_to(out, "hints_pending:{}\r\ntransfers_active:{}\r\n", status.hints_pending,
                 status.transfers_active);
  fmt::format_to(out, "tombstones:{}\r\nfrontier_ms:{}\r\nfrontier_waits:{}\r\n",
                 status.reaping.tombstones, status.reaping.frontier_ms, status.reaping.waits);
  for (const MemberStatus& member : status.members) {
    fmt::format_to(out,
                   "member_{}:id={:016x},peer={},state={},weight={},partitions={},hints={}\r\n",
                   member.name, member.id, member.peer, member_state(member), member.weight,
                   member.partitions, member.hints_pending);
  }
  return text;
}

}  // namespace kvorum::server
