// SPDX-License-Identifier: Apache-2.0
#include "cluster/coordinator/coordination_gate.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr std::string_view kCoordinatesNothing =
    "the node that was to coordinate the request stops or has just started, and no other one can "
    "be reached";

}  // namespace

// Before it is begun: what waited for an object to be loaded was.
bool CoordinationGate::turns_away(SlotId id, Operation& operation, Now now) {
  KVORUM_CHECK(!is_open());
  if (operation.phase == Operation::Phase::kLoading) return false;
  if (operation.request().kind != Request::Kind::kEdit) {
    const bool read = operation.request().kind == Request::Kind::kRead;
    return read && operation.remote && hands_back(id, operation, now);
  }
  if (core_.coordination == Coordination::kHandsBack) return hands_back(id, operation, now);
  operation.turn_into(Operation::Kind::kPut);
  operation.phase = Operation::Phase::kHeld;
  return true;
}

bool CoordinationGate::hands_back(SlotId id, Operation& operation, Now now) {
  const auto others = core_.coordinators(operation.request().key);
  const bool alone = std::none_of(others.begin(), others.end(),
                                  [&](MemberIndex member) { return member != core_.self(); });
  if (core_.coordination == Coordination::kHolds || alone) return false;
  if (operation.remote) {
    forwarding_.forget_seen(operation.forwarded);
    core_.complete_failed(operation, Outcome::kClusterDown, kCoordinatesNothing, now);
    core_.open.release(id);
    return true;
  }
  operation.route.tried.push_back(core_.self());
  if (forwarding_.refused(id, operation, now)) return true;
  KVORUM_CHECK(operation.route.refusals < operation.route.tried.size());
  operation.route.tried.erase_at(operation.route.refusals);
  return false;
}

std::vector<SlotId> CoordinationGate::held() {
  std::vector<SlotId> held;
  core_.open.requests.for_each([&](SlotId id, Operation& operation) {
    if (operation.phase == Operation::Phase::kHeld) held.push_back(id);
  });
  return held;
}

}  // namespace kvorum::cluster
