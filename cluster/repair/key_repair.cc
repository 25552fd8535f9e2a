// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/key_repair.h"

#include "cluster/machine/large_frames.h"

namespace kvorum::cluster {

using Step = Operation::RepairStep;

void KeyRepair::begin(const Start& start, const Plan& plan, Now now) {
  SlotId id;
  Operation& operation = core_.operations.acquire(&id);
  operation.begin(Operation::Kind::kKeyRepair, now);
  operation.tag = start.exchange;
  operation.keyspace = start.keyspace;
  operation.targets.push_back(Target{.member = start.peer});
  Request request;
  request.key = KeyRef{plan.key, position_of(plan.key, core_.view->partitioner), start.keyspace};
  encode_forwarded(request, 0, operation.payload);
  const bool parsed = parse_forwarded(start.keyspace, operation.payload, &operation.forwarded);
  KVORUM_CHECK(parsed);
  operation.repair_step = plan.wait ? Step::kWait : plan.pull ? Step::kPull : Step::kPush;
  const uint64_t answer_us = core_.options.request_timeout_ms * 2000ULL;
  operation.deadline_us = now.steady_us + answer_us + (plan.wait ? kRecheckUs : 0);
  if (plan.wait) core_.timers.add(now.steady_us, kRecheckUs, id);
  core_.timers.add(now.steady_us, operation.deadline_us - now.steady_us, id);
  run(id, operation, now);
}

void KeyRepair::run(SlotId id, Operation& operation, Now now) {
  operation.phase = Operation::Phase::kReading;
  switch (operation.repair_step) {
    case Step::kWait:
      return;
    case Step::kCheck:
      return ask(id, operation, false);
    case Step::kPull:
      return ask(id, operation, true);
    case Step::kMerge:
      return merge_own(id, operation, now);
    case Step::kPush:
      return push(id, operation, now);
  }
}

void KeyRepair::ask(SlotId id, Operation& operation, bool full) {
  const ReplicaRead message{operation.request().key, full, false};
  put_replica_read(core_.outbox.frames(operation.targets[0].member), id, message);
}

void KeyRepair::on_read_reply(SlotId id, Operation& operation, const ReplicaReadReply& reply,
                              Now now) {
  if (operation.phase != Operation::Phase::kReading) return;
  if (reply.verdict == ReplicaVerdict::kRefused) return finish(id, false, now);
  if (operation.repair_step == Step::kCheck && !reply.full) {
    return check(id, operation, reply.digest, now);
  }
  if (operation.repair_step != Step::kPull || !reply.full) return;
  keep_encoded(reply.object, reply.owner, operation.object);
  core_.count_held(operation);
  operation.object_frontier = reply.frontier;
  operation.repair_step = Step::kMerge;
  merge_own(id, operation, now);
}

void KeyRepair::check(SlotId id, Operation& operation, uint64_t their_digest, Now now) {
  bool equal = false;
  const KeyRef& key = operation.request().key;
  const engine::Access access = core_.read_own(
      key, [&](Record& record) { equal = versions_digest(record.object) == their_digest; });
  if (access == engine::Access::kNotResident) {
    operation.object_digest = their_digest;
    return core_.load(id, operation, key);
  }
  if (equal) {
    ++core_.counters.keys_settled;
    return finish(id, true, now);
  }
  operation.repair_step = Step::kPull;
  ask(id, operation, true);
}

void KeyRepair::merge_own(SlotId id, Operation& operation, Now now) {
  const KeyRef& key = operation.request().key;
  Object theirs;
  if (!decode_object(operation.object, theirs)) return finish(id, false, now);
  core_.observe(theirs, now);
  bool grown = false;
  const auto change = [&](Record& record) {
    const uint64_t before = versions_digest(record.object);
    const uint64_t there = versions_digest(theirs);
    const bool knew = record.object.vector.covers_all(theirs.vector);
    Object arriving = theirs;
    core_.merge_in(record, key, arriving, operation.object_frontier);
    const uint64_t after = versions_digest(record.object);
    operation.repair_pushes = after != there;
    grown = after != before;
    return grown || !knew;
  };
  const engine::UpdateResult result = core_.update_own(key, change, true);
  if (result.access == engine::Access::kNotResident) return core_.load(id, operation, key);
  if (result.access != engine::Access::kDone) return finish(id, false, now);
  core_.counters.keys_pulled += grown;
  if (result.ticket <= core_.parts.table->committed()) return merged(id, operation, now);
  operation.phase = Operation::Phase::kWriting;
  operation.ticket = result.ticket;
  core_.await_own_vote(result.ticket, id);
}

void KeyRepair::on_own_commit(SlotId id, Operation& operation, bool ok, Now now) {
  if (operation.repair_step != Step::kMerge) return;
  if (!ok) return finish(id, false, now);
  merged(id, operation, now);
}

void KeyRepair::merged(SlotId id, Operation& operation, Now now) {
  if (!operation.repair_pushes) return finish(id, true, now);
  operation.repair_step = Step::kPush;
  push(id, operation, now);
}

void KeyRepair::push(SlotId id, Operation& operation, Now now) {
  const KeyRef& key = operation.request().key;
  bool nothing = false;
  const engine::Access access = core_.read_own(key, [&](Record& record) {
    nothing = record.object.empty();
    encode_object(record.object, operation.object);
    core_.count_held(operation);
  });
  if (access == engine::Access::kNotResident) return core_.load(id, operation, key);
  if (access != engine::Access::kDone) return finish(id, false, now);
  // Nothing says something too, where the peer has what is dead by the frontier of this copy.
  const Hlc frontier = core_.frontier_of(key);
  if (nothing && frontier == Hlc{}) return finish(id, true, now);
  operation.phase = Operation::Phase::kWriting;
  const ReplicaWrite message{.key = key, .repair = true, .frontier = frontier, .object = {}};
  send_replica_write(core_, operation.targets[0].member, {id, operation}, message);
}

void KeyRepair::on_write_reply(SlotId id, Operation& operation, const ReplicaWriteReply& reply,
                               Now now) {
  if (operation.repair_step != Step::kPush) return;
  if (reply.verdict == ReplicaVerdict::kDead) {  // then we should not have it either
    operation.repair_step = Step::kPull;
    return run(id, operation, now);
  }
  const bool taken = reply.verdict != ReplicaVerdict::kRefused;
  core_.counters.keys_pushed += taken;
  finish(id, taken, now);
}

void KeyRepair::on_loaded(SlotId id, Operation& operation, bool ok, Now now) {
  if (!ok) return finish(id, false, now);
  if (operation.repair_step != Step::kCheck) return run(id, operation, now);
  // Not asked again: until the answer, where memory is short, the object would be gone once more.
  operation.phase = Operation::Phase::kReading;
  check(id, operation, operation.object_digest, now);
}

void KeyRepair::on_timer(SlotId id, Operation& operation, Now now) {
  if (core_.still_flows(id, operation, now)) return;
  if (now.steady_us >= operation.deadline_us) return finish(id, false, now);
  if (operation.repair_step != Step::kWait) return;
  operation.repair_step = Step::kCheck;
  run(id, operation, now);
}

void KeyRepair::on_link_down(SlotId id, Operation& operation, MemberIndex peer, Now now) {
  if (operation.targets[0].member == peer) finish(id, false, now);
}

void KeyRepair::finish(SlotId id, bool ok, Now now) {
  const SlotId exchange = core_.operations.find(id)->tag;
  const size_t bytes = core_.operations.find(id)->object.size();
  if (bytes != 0) average_bytes_ = (average_bytes_ * 15 + bytes) / 16 + 1;
  core_.release(id);
  sink_->on_key_repaired(exchange, ok, now);
}

}  // namespace kvorum::cluster
