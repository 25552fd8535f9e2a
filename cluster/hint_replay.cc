// SPDX-License-Identifier: Apache-2.0
#include "cluster/hint_replay.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kSoonUs = 10'000;

}  // namespace

void HintReplay::on_link_up(Now now) {
  if (core_.options.replays_hints) due_us_ = now.steady_us + kSoonUs;
}

// One batch at a time: what is in flight is not sent again, and a slow target is not buried.
void HintReplay::on_time(Now now) {
  if (!core_.options.replays_hints) return;
  if (due_us_ == 0) due_us_ = now.steady_us + core_.options.hints_interval_ms * 1000ULL;
  if (now.steady_us < due_us_) return;
  due_us_ = now.steady_us + kSoonUs;
  if (in_flight_ > 0) return;
  for (Found& hint : gather()) send(hint, now);
  if (partition_ < core_.hints.partitions()) return;
  partition_ = 0;
  from_ = {};
  const bool again = postponed_;
  postponed_ = false;
  if (!again) due_us_ = now.steady_us + core_.options.hints_interval_ms * 1000ULL;
}

// The next hints, copied out: sending may not touch the table that is being walked. What is too
// much for one batch is found again in the next pass.
std::vector<HintReplay::Found> HintReplay::gather() {
  std::vector<Found> found;
  size_t bytes = 0;
  core_.hints.walk(&partition_, &from_, kInFlightMax,
                   [&](const HintKey& hint, const Object& object) {
                     const MemberIndex target = core_.view->find_id(hint.target);
                     if (target == kNoMember || !core_.health.linked(target)) return;
                     if (bytes > kBatchBytesMax) {
                       postponed_ = true;
                       return;
                     }
                     Found& one = found.emplace_back();
                     one.target = target;
                     one.key = hint.key.key;
                     one.position = hint.key.position;
                     one.keyspace = hint.key.keyspace;
                     encode_object(object, one.object);
                     bytes += one.object.size();
                   });
  return found;
}

void HintReplay::send(Found& hint, Now now) {
  // A suspected target may have no other traffic that would find it well again: a hint is its
  // probe.
  if (!core_.health.reachable(hint.target, now.steady_us, core_.rng)) return;
  SlotId id;
  Operation& operation = core_.operations.acquire(&id);
  operation.begin(Operation::Kind::kHintReplay, now);
  ++in_flight_;
  operation.keyspace = hint.keyspace;
  operation.tag = core_.id_of(hint.target);
  Request request;
  request.key = KeyRef{hint.key, hint.position, hint.keyspace};
  encode_forwarded(request, 0, operation.payload);
  parse_forwarded(operation.keyspace, operation.payload, &operation.forwarded);
  operation.object.swap(hint.object);
  const ReplicaWrite message{.key = request.key, .repair = true, .object = operation.object};
  put_replica_write(core_.outbox.frames(hint.target), id, message);
  core_.timers.add(now.steady_us, core_.options.request_timeout_ms * 1000ULL, id);
}

void HintReplay::on_reply(SlotId id, Operation& operation, const ReplicaWriteReply& reply) {
  Object delivered;
  if (reply.verdict != ReplicaVerdict::kRefused && decode_object(operation.object, delivered)) {
    core_.hints.remove_delivered({operation.tag, operation.request().key}, delivered.vector);
    ++core_.counters.hints_replayed;
  }
  finish(id);
}

void HintReplay::on_timer(SlotId id, Operation& operation, Now now) {
  const MemberIndex target = core_.view->find_id(operation.tag);
  if (target != kNoMember) core_.health.timed_out(target, now.steady_us);
  finish(id);
}

void HintReplay::finish(SlotId id) {
  core_.release(id);
  if (--in_flight_ == 0 && (partition_ > 0 || from_ != Position{} || postponed_)) due_us_ = 1;
}

}  // namespace kvorum::cluster
