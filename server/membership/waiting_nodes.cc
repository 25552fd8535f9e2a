// SPDX-License-Identifier: Apache-2.0
#include "server/membership/waiting_nodes.h"

#include <algorithm>
#include <tuple>

namespace kvorum::server {

void WaitingNodes::note(const cluster::Member& node, uint64_t now_us) {
  const MutexLock guard(mutex_);
  std::erase_if(nodes_, [&](const Waiting& known) {
    return known.node.id == node.id || now_us > known.heard_us + kForgetUs;
  });
  if (nodes_.size() == kNodesMax) nodes_.erase(nodes_.begin());
  nodes_.push_back({node, now_us});  // the last heard stands last
}

std::vector<cluster::Member> WaitingNodes::list(uint64_t now_us) const {
  std::vector<cluster::Member> nodes;
  {
    const MutexLock guard(mutex_);
    for (const Waiting& known : nodes_) {
      if (now_us <= known.heard_us + kForgetUs) nodes.push_back(known.node);
    }
  }
  std::sort(nodes.begin(), nodes.end(), [](const cluster::Member& a, const cluster::Member& b) {
    return std::tie(a.name, a.id) < std::tie(b.name, b.id);
  });
  return nodes;
}

std::optional<cluster::Member> WaitingNodes::find(std::string_view name, uint64_t now_us) const {
  const MutexLock guard(mutex_);
  for (size_t at = nodes_.size(); at > 0; --at) {
    const Waiting& known = nodes_[at - 1];
    if (known.node.name == name && now_us <= known.heard_us + kForgetUs) return known.node;
  }
  return std::nullopt;
}

}  // namespace kvorum::server
