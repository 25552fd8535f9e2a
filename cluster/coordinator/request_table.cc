// SPDX-License-Identifier: Apache-2.0
#include "cluster/coordinator/request_table.h"

namespace kvorum::cluster {
namespace {

using Kind = Operation::Kind;
using Phase = Operation::Phase;

// Who was asked, in what the operation does now.
const Targets* asked_of(const Operation& operation) {
  switch (operation.kind) {
    case Kind::kGet:
      return operation.phase == Phase::kRepairing ? nullptr : &operation.reading.tally.targets;
    case Kind::kPut:
      return operation.phase == Phase::kReading ? &operation.reading.tally.targets
                                                : &operation.writing.tally.targets;
    case Kind::kForward:
    case Kind::kInspect:
    case Kind::kAwaitsPermit:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

// Of stand-ins, of who got a hint and of who was repaired it is not kept when they were asked.
void RequestTable::note_answer(MemberIndex from, const Operation& operation, Ask ask, Now now) {
  const Targets* const asked = asked_of(operation);
  const bool large = operation.flowed_us != 0;  // its time says nothing of the peer
  if (asked != nullptr && !large) {
    for (const Target& target : *asked) {
      if (target.member != from || target.asked_us == 0) continue;
      return core_.health.answered(from, {ask, target.asked_us}, now.steady_us);
    }
  }
  core_.health.heard(from, now.steady_us);
}

void RequestTable::on_read_reply(SlotId id, const Answered<ReplicaReadReply>& answer, Now now) {
  Operation* const operation = core_.open.requests.find(id);
  if (!operation) return core_.health.heard(answer.from, now.steady_us);  // too late
  note_answer(answer.from, *operation, Ask::kRead, now);
  machine_of(*operation).on_read_reply(id, *operation, answer, now);
}

void RequestTable::on_write_reply(SlotId id, const Answered<ReplicaWriteReply>& answer, Now now) {
  Operation* const operation = core_.open.requests.find(id);
  if (!operation) return core_.health.heard(answer.from, now.steady_us);
  note_answer(answer.from, *operation, Ask::kWrite, now);
  machine_of(*operation).on_write_reply(id, *operation, answer, now);
}

void RequestTable::on_own_commit(SlotId id, OwnCommit commit, Now now) {
  Operation* const operation = core_.open.requests.find(id);
  if (operation) machine_of(*operation).on_own_commit(id, *operation, commit, now);
}

void RequestTable::on_loaded(SlotId id, bool ok, Now now) {
  Operation* const operation = core_.open.requests.find(id);
  if (!operation || operation->phase != Phase::kLoading) return;
  machine_of(*operation).on_loaded(id, *operation, ok, now);
}

void RequestTable::on_timer(SlotId id, Now now) {
  Operation* const operation = core_.open.requests.find(id);
  if (operation) machine_of(*operation).on_timer(id, *operation, now);
}

void RequestTable::on_flow(SlotId id, Now now) {
  if (Operation* const operation = core_.open.requests.find(id)) core_.note_flow(*operation, now);
}

void RequestTable::prefetch(const FrameHead& answer) const {
  core_.open.requests.peek(answer.operation, [&](const Operation& operation) {
    if (answer.type == MessageType::kReplicaReadReply) operation.prefetch_reading();
    if (answer.type == MessageType::kReplicaWriteReply) operation.prefetch_writing();
  });
}

void RequestTable::on_link_down(MemberIndex peer, Now now) {
  core_.open.requests.for_each([&](SlotId id, Operation& operation) {
    machine_of(operation).on_link_down(id, operation, peer, now);
  });
}

size_t RequestTable::unfinished() const {
  size_t count = 0;
  core_.open.requests.for_each([&](SlotId, const Operation& operation) {
    count += operation.kind != Kind::kGet || !operation.answered_client;
  });
  return count;
}

}  // namespace kvorum::cluster
