// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/key_repair.h"

#include "base/check.h"
#include "cluster/machine/large_frames.h"

namespace kvorum::cluster {

void KeyRepair::begin(const Start& start, const Plan& plan, Now now) {
  KVORUM_CHECK(sink_ != nullptr && start.peer != core_.self());
  SlotId id;
  Repair& repair = repairs_.acquire(&id);
  repair.reset(now);
  repair.exchange = start.exchange;
  repair.peer = start.peer;
  repair.key.assign({plan.key, position_of(plan.key, core_.view->partitioner), start.keyspace});
  repair.step = plan.wait ? Step::kWait : plan.pull ? Step::kPull : Step::kPush;
  repair.loading = repair.pushes = false;
  repair.their_digest = 0;
  repair.their_frontier = {};
  core_.open.count_held(repair, repair.key.bytes.size());
  const uint64_t answer_us = core_.options.request_timeout_ms * 2000ULL;
  repair.deadline_us = now.steady_us + answer_us + (plan.wait ? kRecheckUs : 0);
  if (plan.wait) core_.open.timers.add(now.steady_us, kRecheckUs, id);
  core_.open.timers.add(now.steady_us, repair.deadline_us - now.steady_us, id);
  run(id, repair, now);
}

void KeyRepair::run(SlotId id, Repair& repair, Now now) {
  switch (repair.step) {
    case Step::kWait:
      return;
    case Step::kCheck:
      return ask(id, repair, false);
    case Step::kPull:
      return ask(id, repair, true);
    case Step::kMerge:
      return merge_own(id, repair, now);
    case Step::kPush:
      return push(id, repair, now);
  }
}

void KeyRepair::ask(SlotId id, const Repair& repair, bool full) {
  put_replica_read(core_.outbox.frames(repair.peer), id, {repair.key.key, full, false});
}

void KeyRepair::load(SlotId id, Repair& repair) {
  KVORUM_CHECK(!repair.loading);
  repair.loading = true;
  core_.load(id, repair.key.key);
}

void KeyRepair::on_read_reply(SlotId id, const Answered<ReplicaReadReply>& answer, Now now) {
  Repair* const repair = repairs_.find(id);
  if (!repair || repair->loading || answer.from != repair->peer) return;
  const ReplicaReadReply& reply = answer.reply;
  const bool awaited = repair->step == (reply.full ? Step::kPull : Step::kCheck);
  if (repair->step != Step::kCheck && repair->step != Step::kPull) return;
  if (reply.verdict == ReplicaVerdict::kRefused) return finish(id, *repair, false, now);
  if (!awaited) return;
  if (!reply.full) {
    repair->their_digest = reply.digest;
    return check(id, *repair, now);
  }
  keep_encoded(reply.object, reply.owner, repair->object);
  core_.open.count_held(*repair, repair->key.bytes.size() + repair->object.size());
  repair->their_frontier = reply.frontier;
  repair->step = Step::kMerge;
  merge_own(id, *repair, now);
}

void KeyRepair::check(SlotId id, Repair& repair, Now now) {
  KVORUM_CHECK(repair.step == Step::kCheck);
  bool equal = false;
  const engine::Access access = core_.own.read(repair.key.key, [&](Record& record) {
    equal = versions_digest(record.object) == repair.their_digest;
  });
  if (access == engine::Access::kNotResident) return load(id, repair);
  if (equal) {
    ++core_.counters.keys_settled;
    return finish(id, repair, true, now);
  }
  repair.step = Step::kPull;
  ask(id, repair, true);
}

void KeyRepair::merge_own(SlotId id, Repair& repair, Now now) {
  KVORUM_CHECK(repair.step == Step::kMerge && !repair.loading);
  const KeyRef& key = repair.key.key;
  Object theirs;
  if (!decode_object(repair.object, theirs)) return finish(id, repair, false, now);
  if (core_.hands_over(key)) {
    repair.step = Step::kPush;
    return push(id, repair, now);
  }
  const OwnCopies::Taken taken = core_.own.take_in(key, theirs, repair.their_frontier, now);
  const engine::UpdateResult result = taken.result;
  repair.pushes = taken.differs;
  if (result.access == engine::Access::kNotResident) return load(id, repair);
  if (result.access != engine::Access::kDone) return finish(id, repair, false, now);
  core_.counters.keys_pulled += taken.grown;
  if (result.ticket <= core_.parts.table->commits().committed()) return merged(id, repair, now);
  core_.open.await_own_vote(result.ticket, id);
}

void KeyRepair::on_own_commit(SlotId id, OwnCommit commit, Now now) {
  Repair* const repair = repairs_.find(id);
  if (!repair || repair->step != Step::kMerge) return;
  if (!commit.ok) return finish(id, *repair, false, now);
  merged(id, *repair, now);
}

void KeyRepair::merged(SlotId id, Repair& repair, Now now) {
  if (!repair.pushes) return finish(id, repair, true, now);
  repair.step = Step::kPush;
  push(id, repair, now);
}

void KeyRepair::push(SlotId id, Repair& repair, Now now) {
  KVORUM_CHECK(repair.step == Step::kPush && !repair.loading);
  const KeyRef& key = repair.key.key;
  bool nothing = false;
  const engine::Access access = core_.own.read(key, [&](Record& record) {
    nothing = record.object.empty();
    encode_object(record.object, repair.object);
    core_.open.count_held(repair, repair.key.bytes.size() + repair.object.size());
  });
  if (access == engine::Access::kNotResident) return load(id, repair);
  if (access != engine::Access::kDone) return finish(id, repair, false, now);
  // Nothing says something too, where the peer has what is dead by the frontier of this copy.
  const Hlc frontier = core_.own.frontier_of(key);
  if (nothing && (frontier == Hlc{} || core_.hands_over(key))) return finish(id, repair, true, now);
  const ReplicaWrite message{.key = key, .repair = true, .frontier = frontier, .object = {}};
  send_replica_write(core_, repair.peer, {id, repair}, message);
}

void KeyRepair::on_write_reply(SlotId id, const Answered<ReplicaWriteReply>& answer, Now now) {
  Repair* const repair = repairs_.find(id);
  if (!repair || repair->step != Step::kPush || repair->loading) return;
  if (answer.from != repair->peer) return;
  const bool dead = answer.reply.verdict == ReplicaVerdict::kDead;
  if (dead && !core_.hands_over(repair->key.key)) {  // then we should not have it either
    repair->step = Step::kPull;
    return run(id, *repair, now);
  }
  const bool taken = answer.reply.verdict != ReplicaVerdict::kRefused;
  core_.counters.keys_pushed += taken;
  finish(id, *repair, taken, now);
}

void KeyRepair::on_loaded(SlotId id, bool ok, Now now) {
  Repair* const repair = repairs_.find(id);
  if (!repair || !repair->loading) return;
  repair->loading = false;
  if (!ok) return finish(id, *repair, false, now);
  if (repair->step != Step::kCheck) return run(id, *repair, now);
  // Not asked again: until the answer, where memory is short, the object would be gone once more.
  check(id, *repair, now);
}

void KeyRepair::on_flow(SlotId id, Now now) {
  if (Repair* const repair = repairs_.find(id)) core_.note_flow(*repair, now);
}

void KeyRepair::on_timer(SlotId id, Now now) {
  Repair* const repair = repairs_.find(id);
  if (!repair || core_.still_flows(id, *repair, now)) return;
  if (now.steady_us >= repair->deadline_us) return finish(id, *repair, false, now);
  if (repair->step != Step::kWait) return;
  repair->step = Step::kCheck;
  run(id, *repair, now);
}

void KeyRepair::on_link_down(MemberIndex peer, Now now) {
  repairs_.for_each([&](SlotId id, Repair& repair) {
    if (repair.peer == peer) finish(id, repair, false, now);
  });
}

void KeyRepair::finish(SlotId id, Repair& repair, bool ok, Now now) {
  const SlotId exchange = repair.exchange;
  const size_t bytes = repair.object.size();
  if (bytes != 0) average_bytes_ = (average_bytes_ * 15 + bytes) / 16 + 1;
  core_.open.release_head(repair);
  repairs_.release(id);
  sink_->on_key_repaired(exchange, ok, now);
}

}  // namespace kvorum::cluster
