// SPDX-License-Identifier: Apache-2.0
// Who a node is from its start to its stop: the configuration of the start, its view of the
// cluster, its names. Owned by the node, outlives what is handed it. Does not change; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "cluster/ring/cluster_view.h"
#include "server/config/config.h"

namespace kvorum::server {

struct NodeSelf {
  explicit NodeSelf(const Config& from);

  // With the offset of the configuration.
  uint64_t wall_ms() const;
  bool is_alone() const { return view->members.size() == 1; }

  const Config config;  // as it was at the start; LiveConfig is what holds
  const std::shared_ptr<const cluster::ClusterView> view;
  const cluster::NodeId id;  // of a member or not
  const uint32_t reactors;
  const uint64_t started_us;
  const uint64_t started_wall_ms;
  const std::string run_id;
};

// How far the node has come. Written by the thread that starts and stops it.
struct NodePhase {
  std::atomic<bool> serving{false};  // all that Node consists of is there; it stays true
  std::atomic<bool> stopping{false};
};

}  // namespace kvorum::server
