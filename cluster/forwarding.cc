// SPDX-License-Identifier: Apache-2.0
#include "cluster/forwarding.h"

#include <algorithm>

#include "cluster/planted_bug.h"

namespace kvorum::cluster {

MemberIndex Forwarding::choose(const Request& request,
                               const InlineVector<MemberIndex, 4>& tried) const {
  const auto list = core_.preference_list(request.key);
  const size_t n = core_.view->quorum(request.key.keyspace).n;
  const auto usable = [&](MemberIndex member) {
    return core_.health.healthy(member) &&
           std::find(tried.begin(), tried.end(), member) == tried.end();
  };
  const bool edit = request.kind == Request::Kind::kEdit;
  MemberIndex best = kNoMember;
  uint32_t best_rank = UINT32_MAX;
  for (size_t at = 0; at < list.size(); ++at) {
    const MemberIndex member = list[at];
    if (at >= n && best != kNoMember) break;
    if (!usable(member)) continue;
    if (at >= n) return member;
    // A read costs no hop where this node holds a copy; a put goes where its context was read.
    const bool slow = core_.health.slow(member);
    if (!edit && member == core_.self()) return member;
    if (edit && !slow && request.preferred != 0 && core_.id_of(member) == request.preferred) {
      return member;
    }
    // Puts of one key meet at the first, unless it is slow; reads go to the nearest.
    const uint32_t rank = edit ? slow : core_.health.distance(member);
    if (rank >= best_rank) continue;
    best = member;
    best_rank = rank;
  }
  return best;
}

void Forwarding::send(SlotId id, Operation& operation, MemberIndex coordinator, Now now) {
  ForwardEnvelope envelope;
  envelope.retried = operation.is_retry();
  operation.phase = Operation::Phase::kWriting;
  operation.tried.push_back(coordinator);
  operation.asked_us = now.steady_us;
  ++core_.counters.forwards;
  envelope.keyspace = operation.keyspace;
  envelope.hops = static_cast<uint8_t>(operation.hops + 1);
  envelope.remaining_ms = static_cast<uint32_t>(
      now.steady_us < operation.deadline_us ? (operation.deadline_us - now.steady_us) / 1000 : 0);
  put_forward(core_.outbox.frames(coordinator), id, envelope, operation.payload);
  core_.timers.add(now.steady_us, core_.timeout_ms(operation.request()) * 250ULL, id);
}

bool Forwarding::on_reply(MemberIndex from, const Frame& frame, Now now) {
  Operation* operation = core_.operations.find(frame.head.operation);
  if (!operation || operation->kind != Operation::Kind::kForward) {
    core_.health.heard(from, now.steady_us);  // too late
    return true;
  }
  CompletionStorage storage;
  Completion completion;
  if (!parse_forward_reply(frame, &storage, &completion)) return false;
  if (operation->request().kind == Request::Kind::kRead) {
    core_.health.answered(from, {Ask::kForward, operation->asked_us}, now.steady_us);
  } else {
    core_.health.heard(from, now.steady_us);
  }
  const bool done = completion.outcome == Outcome::kOk;
  if (answers_too_early(from, *operation)) {
    if (!done) return true;  // the next one decides
    operation->held = true;
    operation->frame = frame.head;
    operation->object.assign(frame.payload);
  } else if (operation->held && !done) {
    finish_held(frame.head.operation, *operation, now);
  } else {
    finish(frame.head.operation, *operation, completion, now);
  }
  return true;
}

bool Forwarding::answers_too_early(MemberIndex from, const Operation& operation) {
  return operation.request().kind == Request::Kind::kEdit && from != operation.tried.back();
}

void Forwarding::finish(SlotId id, Operation& operation, const Completion& completion, Now now) {
  Completion answer = completion;
  core_.complete(operation, answer, now);
  core_.release(id);
}

void Forwarding::finish_held(SlotId id, Operation& operation, Now now) {
  CompletionStorage storage;
  Completion completion;
  const bool parsed =
      parse_forward_reply({operation.frame, operation.object}, &storage, &completion);
  KVORUM_CHECK(parsed);
  finish(id, operation, completion, now);
}

bool Forwarding::may_try_again(const Operation& operation) const {
  const Request& request = operation.request();
  if (request.kind != Request::Kind::kEdit || planted(PlantedBug::kRetryTwice)) return true;
  return request.edit < core_.parts.edits.size() && core_.parts.edits[request.edit].idempotent;
}

void Forwarding::try_next(SlotId id, Operation& operation, Now now) {
  const MemberIndex next =
      may_try_again(operation) ? choose(operation.request(), operation.tried) : kNoMember;
  if (next == kNoMember) {
    give_up(id, operation, now);
    return;
  }
  ++core_.counters.forward_retries;
  core_.starter->run_at(next, id, operation, now);
}

void Forwarding::give_up(SlotId id, Operation& operation, Now now) {
  if (operation.held) return finish_held(id, operation, now);
  const bool edit = operation.request().kind == Request::Kind::kEdit;
  core_.complete_failed(operation, edit ? Outcome::kUncertain : Outcome::kNoQuorum, {}, now);
  core_.release(id);
}

void Forwarding::on_timer(SlotId id, Operation& operation, Now now) {
  if (operation.held || now.steady_us >= operation.deadline_us) {
    give_up(id, operation, now);
    return;
  }
  if (!operation.quarter_passed) {
    operation.quarter_passed = true;
    core_.health.timed_out(operation.tried.back(), operation.asked_us, now.steady_us);
    ++core_.counters.timeouts;
  }
  if (may_try_again(operation) && choose(operation.request(), operation.tried) != kNoMember) {
    try_next(id, operation, now);
    return;
  }
  core_.timers.add(now.steady_us, operation.deadline_us - now.steady_us, id);
}

void Forwarding::on_link_down(SlotId id, Operation& operation, Now now) {
  if (operation.held) return finish_held(id, operation, now);
  try_next(id, operation, now);
}

bool Forwarding::seen_before(const ForwardedRequest& forwarded) {
  const Request& request = forwarded.request;
  if (request.kind != Request::Kind::kEdit || forwarded.origin == 0) return false;
  if (request.edit >= core_.parts.edits.size() || core_.parts.edits[request.edit].idempotent) {
    return false;
  }
  if (!seen_.insert(forwarded.origin).second) return true;
  seen_order_.push_back(forwarded.origin);
  if (seen_order_.size() > kSeenMax) {
    seen_.erase(seen_order_.front());
    seen_order_.pop_front();
  }
  return false;
}

}  // namespace kvorum::cluster
