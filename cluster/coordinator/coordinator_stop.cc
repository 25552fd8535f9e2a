// SPDX-License-Identifier: Apache-2.0
// What a coordinator does while its node stops, or is not linked to its peers yet: it begins no
// edits, and knows which of those begun are not done.
#include <algorithm>

#include "cluster/coordinator/coordinator_impl.h"

namespace kvorum::cluster {
namespace {

constexpr std::string_view kCoordinatesNothing =
    "the node that was to coordinate the request stops or has just started, and no other one can "
    "be reached";

bool is_edit(const Operation& operation) {
  return operation.request().kind == Request::Kind::kEdit;
}

}  // namespace

// Before it is begun: what waited for an object to be loaded was.
bool Coordinator::Impl::turned_away(SlotId id, Operation& operation, Now now) {
  if (operation.phase == Operation::Phase::kLoading) return false;
  if (!is_edit(operation)) {
    const bool read = operation.request().kind == Request::Kind::kRead;
    return read && operation.remote && handed_back(id, operation, now);
  }
  if (core.coordination == Coordination::kHandsBack) return handed_back(id, operation, now);
  operation.turn_into(Operation::Kind::kPut);
  operation.phase = Operation::Phase::kHeld;
  return true;
}

bool Coordinator::Impl::handed_back(SlotId id, Operation& operation, Now now) {
  const auto others = core.primaries(operation.request().key);
  const bool alone = std::none_of(others.begin(), others.end(),
                                  [&](MemberIndex member) { return member != core.self(); });
  if (core.coordination == Coordination::kHolds || alone) return false;
  if (operation.remote) {
    forwarding.forget_seen(operation.forwarded);
    core.complete_failed(operation, Outcome::kClusterDown, kCoordinatesNothing, now);
    core.release(id);
    return true;
  }
  operation.route.tried.push_back(core.self());
  if (forwarding.refused(id, operation, now)) return true;
  operation.route.tried.erase_at(operation.route.refusals);
  return false;
}

void Coordinator::set_coordination(Coordination coordination, Now now) {
  Impl& impl = *impl_;
  impl.core.coordination = coordination;
  if (coordination == Coordination::kHolds) return;
  std::vector<SlotId> held;
  impl.core.operations.for_each([&](SlotId id, Operation& operation) {
    if (operation.phase == Operation::Phase::kHeld) held.push_back(id);
  });
  for (const SlotId id : held) {
    Operation& operation = *impl.core.operations.find(id);
    operation.phase = Operation::Phase::kReading;  // as at its beginning
    impl.start(id, operation, now);
  }
}

void Coordinator::on_stopping(MemberIndex peer, Now now) {
  impl_->core.health.set_stopping(peer, now.steady_us);
  // Behind everything that this coordinator asked it.
  FrameWriter(impl_->core.outbox.frames(peer), {MessageType::kStoppingSeen}).finish();
}

void Coordinator::on_one_way(MemberIndex peer, bool one_way, Now now) {
  impl_->core.health.set_one_way(peer, one_way, now.steady_us);
}

size_t Coordinator::unfinished() const {
  const Impl& impl = *impl_;
  size_t count = impl.lone_puts.waiting() + impl.core.awaited_commits.size() +
                 impl.core.awaited_hint_commits.size() + impl.keyspaces.open_operations();
  for (const Machine* const machine : impl.machines) {
    if (machine) count += machine->unfinished();
  }
  return count;
}

size_t Coordinator::unfinished_edits() const {
  size_t count = impl_->lone_puts.waiting();
  impl_->core.operations.for_each([&](SlotId, const Operation& operation) {
    if (operation.kind != Operation::Kind::kPut) return;
    count += operation.phase != Operation::Phase::kHeld && !operation.answered_client;
  });
  return count;
}

}  // namespace kvorum::cluster
