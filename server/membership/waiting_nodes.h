// SPDX-License-Identifier: Apache-2.0
// Nodes that know the cluster's secret and are no members (design: admission): they dialed this one
// and were told to wait until a person admits them. A node that is silent for kForgetUs is not
// there any more. Bounded: strangers with the secret are colleagues' mistakes, not attackers, but
// their names come off the wire. Any thread.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "cluster/ring/member.h"

namespace kvorum::server {

class WaitingNodes {
 public:
  static constexpr size_t kNodesMax = 64;
  static constexpr uint64_t kForgetUs = 30'000'000;

  // It asked to be let in. The longest silent one goes where there are too many.
  void note(const cluster::Member& node, uint64_t now_us);
  // By name; of two that have one name, both.
  std::vector<cluster::Member> list(uint64_t now_us) const;
  // The one that asked last.
  std::optional<cluster::Member> find(std::string_view name, uint64_t now_us) const;

 private:
  struct Waiting {
    cluster::Member node;
    uint64_t heard_us = 0;
  };

  mutable Mutex mutex_;
  std::vector<Waiting> nodes_ KVORUM_GUARDED_BY(mutex_);
};

}  // namespace kvorum::server
