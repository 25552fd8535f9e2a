// SPDX-License-Identifier: Apache-2.0
// The inside of a SimNode, for its source files alone.
#pragma once

#include "tests/sim/sim_node.h"

namespace kvorum::sim {

struct SimNode::ReactorState {
  ReactorState(const cluster::NodeParts& parts, std::shared_ptr<const cluster::ClusterView> view,
               const cluster::CoordinatorOptions& options, uint64_t seed)
      : coordinator(parts, std::move(view), options, seed) {}

  cluster::Coordinator coordinator;
  std::unique_ptr<server::Dispatcher> dispatcher;
  std::vector<bool> linked;  // by node
  size_t members_met = 0;    // whose links the coordinator was told of
  uint64_t armed_us = 0;     // steady time of the timer; 0: not armed
};

struct SimNode::Connection {
  size_t reactor = 0;
  std::weak_ptr<ClientEnd> end;
  std::unique_ptr<server::Conversation> conversation;
  std::string input;
  uint64_t last_in_us = 0, last_out_us = 0;  // bytes arrive in order
};

}  // namespace kvorum::sim
