// SPDX-License-Identifier: Apache-2.0
#include "cluster/hint_replay.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kSoonUs = 10'000;

}  // namespace

void HintReplay::on_link_up(Now now) {
  if (core_.options.replays_hints) due_us_ = now.steady_us + kSoonUs;
}

void HintReplay::on_time(Now now) {
  if (!core_.options.replays_hints) return;
  if (due_us_ == 0) due_us_ = now.steady_us + core_.options.hints_interval_ms * 1000ULL;
  if (now.steady_us < due_us_) return;
  if (in_flight_ < kInFlightMax) {
    // Gathered first: sending may not touch the table that is being walked.
    std::vector<std::pair<std::string, std::string>> found;
    std::vector<HintKey> keys;
    core_.hints.walk(&partition_, &from_, kInFlightMax - in_flight_,
                     [&](const HintKey& hint, const Object& object) {
                       found.emplace_back(hint.key.key, std::string());
                       encode_object(object, found.back().second);
                       keys.push_back(hint);
                     });
    for (size_t at = 0; at < keys.size(); ++at) {
      keys[at].key.key = found[at].first;
      Object object;
      if (decode_object(found[at].second, object)) send(keys[at], object, now);
    }
  }
  const bool end = partition_ >= core_.hints.partitions();
  if (end) partition_ = 0;
  due_us_ = now.steady_us + (end ? core_.options.hints_interval_ms * 1000ULL : kSoonUs);
}

void HintReplay::send(const HintKey& hint, const Object& object, Now now) {
  const MemberIndex target = core_.view->find_id(hint.target);
  // A suspected target may have no other traffic that would find it well again: a hint is its
  // probe.
  if (target == kNoMember || !core_.health.reachable(target, now.steady_us, core_.rng)) return;
  SlotId id;
  Operation& operation = core_.operations.acquire(&id);
  operation.begin(Operation::Kind::kHintReplay, now);
  ++in_flight_;
  operation.keyspace = hint.key.keyspace;
  operation.tag = hint.target;
  Request request;
  request.key = hint.key;
  encode_forwarded(request, 0, operation.payload);
  parse_forwarded(operation.keyspace, operation.payload, &operation.forwarded);
  encode_object(object, operation.object);
  const ReplicaWrite message{.key = hint.key, .repair = true, .object = operation.object};
  put_replica_write(core_.outbox.frames(target), id, message);
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
  --in_flight_;
  core_.release(id);
}

}  // namespace kvorum::cluster
