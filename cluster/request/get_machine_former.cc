// SPDX-License-Identifier: Apache-2.0
// Reads while copies still follow a former placement (former_placements.h).
#include <algorithm>

#include "cluster/request/get_machine.h"

namespace kvorum::cluster {

// Those who were primaries of the key before the configuration changed are asked too. A fallback
// among them answers as what it was: from its own copy, not from hints.
void GetMachine::add_former(Operation& operation, Now now) {
  const KeyRef& key = operation.request().key;
  const Holders holders =
      holders_of(*core_.view, *core_.parts.former->list(), key.keyspace, core_.partition_for(key));
  for (size_t at = core_.primaries(key).size(); at < holders.size(); ++at) {
    const MemberIndex holder = holders[at];
    if (!core_.health.healthy(holder)) continue;
    Target* known = nullptr;
    for (Target& target : operation.targets) {
      if (target.member == holder) known = &target;
    }
    if (known == nullptr) {
      operation.targets.push_back(Target{});
      known = &operation.targets.back();
    }
    *known = Target{.member = holder, .former = true, .asked_us = now.steady_us};
  }
}

// Whether so many of those who were primaries before the configuration changed answered as know
// every write that was acknowledged then.
bool GetMachine::former_answered(const Operation& operation) const {
  const std::shared_ptr<const FormerList> former = core_.parts.former->list();
  const uint32_t partition = core_.partition_for(operation.request().key);
  for (const FormerPlacement& placement : *former) {
    const auto primaries = placement.primaries(operation.keyspace, partition);
    size_t answered = 0;
    size_t knowing = 0;
    for (const Target& target : operation.targets) {
      const bool was =
          std::find(primaries.begin(), primaries.end(), target.member) != primaries.end();
      if (!was || target.state != Target::State::kAnswered || target.stands_for != kNoMember)
        continue;
      ++answered;
      knowing += target.whole || target.is_new;
    }
    const bool all = answered == primaries.size();
    if (knowing < placement.needed(operation.keyspace) && !all) return false;
  }
  return true;
}

}  // namespace kvorum::cluster
