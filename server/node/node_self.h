// SPDX-License-Identifier: Apache-2.0
// Who a node is from its start to its stop: the configuration of the start, its view of the cluster
// then, its names. Owned by the node, outlives what is handed it. Does not change; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "cluster/history/history.h"
#include "cluster/ring/cluster_view.h"
#include "server/config/config.h"
#include "server/membership/founded_placement.h"
#include "server/storage/membership_file.h"

namespace kvorum::server {

struct NodeSelf {
  // `kept`: what the data directory, or the node that this process was before it was admitted, has
  // of the membership. REQUIRES: membership_refusal() of it is empty.
  NodeSelf(const Config& from, std::optional<KeptMembership> kept);

  // With the offset of the configuration.
  uint64_t wall_ms() const;
  // No other member holds anything of the cluster.
  bool is_alone() const;
  // Where the others reach this node: as the file says of a founder, else where it listens.
  cluster::Endpoint peer_address() const;
  // What it is as a member, by its own file.
  cluster::Member described() const;

  const FoundedPlacement founded;  // as far as it was known at the start
  const Config config;             // as it was at the start; LiveConfig is what holds
  const cluster::NodeId id;        // of a member or not
  const cluster::History history;  // as kept; else founded by the configuration
  const std::shared_ptr<const cluster::ClusterView> view;  // the first
  const uint32_t reactors;
  const uint64_t started_us;
  const uint64_t started_wall_ms;
  const std::string run_id;
};

// Why a node cannot start with this configuration over what its directory keeps; empty: it can.
std::string membership_refusal(const Config& config, const KeptMembership& kept);

// How far the node has come. Written by the thread that starts and stops it.
struct NodePhase {
  std::atomic<bool> serving{false};  // all that Node consists of is there; it stays true
  std::atomic<bool> stopping{false};
};

}  // namespace kvorum::server
