// SPDX-License-Identifier: Apache-2.0
// What a coordinator does not begin while its node stops, or is not linked to its peers yet: it
// holds edits, or hands them to another primary. Private to cluster/; owned by the request runner.
#pragma once

#include <vector>

#include "cluster/machine/core.h"
#include "cluster/request/forwarding.h"

namespace kvorum::cluster {

class CoordinationGate {
 public:
  // Both outlive it.
  CoordinationGate(Core& core, Forwarding& forwarding) : core_(core), forwarding_(forwarding) {}

  bool is_open() const { return core_.coordination == Coordination::kRuns; }
  // True where the operation is held, or somebody else's from now on, or over: it does not begin
  // here. REQUIRES: the gate is not open.
  bool turns_away(SlotId id, Operation& operation, Now now);
  // Those that are held, which may begin once Coordination is no kHolds any more.
  std::vector<SlotId> held();

 private:
  bool hands_back(SlotId id, Operation& operation, Now now);

  Core& core_;
  Forwarding& forwarding_;
};

}  // namespace kvorum::cluster
