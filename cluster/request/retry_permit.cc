// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/retry_permit.h"

#include <algorithm>

#include "base/check.h"
#include "base/contains.h"
#include "base/planted_bug.h"

namespace kvorum::cluster {

void RetryPermit::ask(SlotId id, Operation& operation, Now now) {
  if (planted(PlantedBug::kRetryUnasked)) {
    return core_.starter->run_at(forwarding_.coordinator_of(operation, now), id, operation, now);
  }
  KVORUM_CHECK(operation.remote && operation.is_retry());
  operation.turn_into(Operation::Kind::kAwaitsPermit);
  operation.handing.asked_us = now.steady_us;
  put_forward_ask(core_.outbox.frames(operation.reply_to), operation.reply_operation, id);
  core_.open.timers.add(now.steady_us, operation.deadline_us - now.steady_us, id);
}

void RetryPermit::on_timer(SlotId id, Operation& operation, Now now) {
  if (now.steady_us >= operation.deadline_us) core_.open.release(id);
}

bool RetryPermit::on_permit(LinkIndex from, const Frame& frame, Now now) {
  uint64_t remaining_us = 0;
  if (!parse_forward_permit(frame, &remaining_us)) return false;
  const SlotId id = frame.head.operation;
  Operation* operation = core_.open.requests.find(id);
  if (!operation || operation->kind != Operation::Kind::kAwaitsPermit) return true;
  if (operation->reply_to != from) return true;
  const uint64_t left_us =
      std::min(remaining_us, operation->deadline_us - operation->handing.asked_us);
  operation->deadline_us = operation->handing.asked_us + left_us;
  if (now.steady_us >= operation->deadline_us) {
    core_.open.release(id);
    return true;
  }
  core_.starter->run_at(forwarding_.coordinator_of(*operation, now), id, *operation, now);
  return true;
}

bool RetryPermit::on_ask(MemberIndex from, const Frame& frame, Now now) {
  SlotId slot = 0;
  if (!parse_forward_ask(frame, &slot)) return false;
  core_.health.heard(from, now.steady_us);
  put_forward_permit(core_.outbox.frames(from), slot, grant(from, frame.head.operation, now));
  return true;
}

// From here on an answer of an earlier coordinator is not the only one there can be.
uint64_t RetryPermit::grant(MemberIndex from, SlotId id, Now now) {
  Operation* operation = core_.open.requests.find(id);
  if (!operation || operation->kind != Operation::Kind::kForward) return 0;
  if (operation->request().kind != Request::Kind::kEdit || operation->handing.holds_answer)
    return 0;
  if (operation->route.tried.back() != from || now.steady_us >= operation->deadline_us) return 0;
  auto& permitted = operation->handing.permitted;
  if (!contains(permitted, from)) permitted.push_back(from);
  return Forwarding::remaining_us(*operation, now);
}

}  // namespace kvorum::cluster
