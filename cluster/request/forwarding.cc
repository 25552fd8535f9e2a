// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/forwarding.h"

#include <algorithm>

#include "base/check.h"
#include "base/contains.h"
#include "base/planted_bug.h"
#include "cluster/machine/large_frames.h"

namespace kvorum::cluster {
namespace {

// What its coordinator says for certain: it stored no version, and will not.
bool made_nothing(const Completion& completion) {
  if (completion.outcome == Outcome::kOk) return !completion.stored;
  return completion.outcome == Outcome::kRejected || is_refusal(completion.outcome);
}

}  // namespace

MemberIndex Forwarding::choose(const Request& request,
                               const InlineVector<MemberIndex, 4>& tried) const {
  const bool edit = request.kind == Request::Kind::kEdit;
  const bool refuses = edit && core_.parts.table->store_health().failed();
  const auto usable = [&](MemberIndex member) {
    return core_.health.healthy(member) && !(refuses && member == core_.self()) &&
           core_.serves(member, request.key.keyspace) && !contains(tried, member);
  };
  MemberIndex best = kNoMember;
  uint32_t best_rank = UINT32_MAX;
  for (const MemberIndex member :
       edit ? core_.coordinators(request.key) : core_.readers(request.key)) {
    if (!usable(member)) continue;
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
  if (best != kNoMember) return best;
  const auto list = core_.preference_list(request.key);
  const auto any = std::find_if(list.begin(), list.end(), usable);
  return any == list.end() ? kNoMember : *any;
}

MemberIndex Forwarding::coordinator_of(const Operation& operation, Now now) const {
  const Route& route = operation.route;
  const Request& request = operation.request();
  const bool edit = request.kind == Request::Kind::kEdit;
  const auto primaries = edit ? core_.coordinators(request.key) : core_.readers(request.key);
  const bool primary = contains(primaries, core_.self());
  // Whoever asked holds the first primary for dead, and may be wrong: edits of a key meet there. A
  // retry was there already.
  const bool meets_here = !edit || route.retried || (primary && primaries[0] == core_.self()) ||
                          core_.parts.table->store_health().failed();
  const bool keeps = route.hops >= kHopsMax || (primary && meets_here);
  if (keeps) return core_.self();
  const MemberIndex chosen = choose(request, route.tried);
  // It may be right, too: a frozen node would cost the client a quarter of its time once more.
  const bool stays = primary && chosen != kNoMember && !core_.health.lively(chosen, now.steady_us);
  return stays ? core_.self() : chosen;
}

// Whoever is asked has to give up a little earlier, so that what it says for certain arrives.
uint64_t Forwarding::remaining_us(const Operation& operation, Now now) {
  if (now.steady_us >= operation.deadline_us) return 0;
  const uint64_t left_us = operation.deadline_us - now.steady_us;
  return left_us - left_us / kAnswerMargin;
}

ForwardEnvelope Forwarding::envelope_of(const Operation& operation, Now now) {
  ForwardEnvelope envelope;
  envelope.sent_us = now.steady_us;
  envelope.keyspace = operation.keyspace;
  envelope.hops = static_cast<uint8_t>(operation.route.hops + 1);
  envelope.remaining_ms = static_cast<uint32_t>(remaining_us(operation, now) / 1000);
  return envelope;
}

void Forwarding::send(SlotId id, Operation& operation, MemberIndex coordinator, Now now) {
  KVORUM_CHECK(coordinator < core_.view->members.size() && coordinator != core_.self());
  ForwardEnvelope envelope = envelope_of(operation, now);
  envelope.retried = operation.is_retry();
  // Those before it were asked, or refuse: whoever is asked now must not pass it on to them.
  if (!operation.route.tried.empty() || core_.parts.table->store_health().failed()) {
    envelope.hops = kHopsMax;
  }
  operation.phase = Operation::Phase::kWriting;
  operation.route.tried.push_back(coordinator);
  operation.handing.asked_us = now.steady_us;
  operation.handing.hedge = kNoMember;
  ++core_.counters.forwards;
  send_forward(core_, coordinator, {id, operation}, envelope);
  core_.open.timers.add(now.steady_us, core_.quarter_us(operation), id);
  if (operation.request().kind != Request::Kind::kRead) return;
  core_.hedges.earn();
  const uint64_t late_us = hedge_delay_us(core_.health.tail_us(coordinator, Ask::kForward));
  if (late_us < core_.quarter_us(operation)) core_.open.timers.add(now.steady_us, late_us, id);
}

// The node that was asked is later than it usually is: whoever of it and the next primary can
// answer first does.
void Forwarding::hedge(SlotId id, Operation& operation, Now now) {
  Handing& handing = operation.handing;
  Route& route = operation.route;
  const Request& request = operation.request();
  if (request.kind != Request::Kind::kRead || handing.hedged) return;
  KVORUM_CHECK(!route.tried.empty());
  const MemberIndex late = route.tried.back();
  const uint64_t waited_us = now.steady_us - handing.asked_us;
  if (waited_us < std::max(kHedgeLeastUs, core_.health.tail_us(late, Ask::kForward))) return;
  const MemberIndex next = choose(request, route.tried);
  if (next == kNoMember || next == core_.self() || core_.health.slow(next)) return;
  if (!core_.is_reader(next, request.key) || !core_.hedges.spend()) return;
  ++core_.counters.hedged_reads;
  handing.hedged = true;
  handing.hedge = next;
  handing.hedged_us = now.steady_us;
  route.tried.back() = next;
  route.tried.push_back(late);
  send_forward(core_, next, {id, operation}, envelope_of(operation, now));
}

// Who is overtaken by the hedge took at least so long.
void Forwarding::note_answer(MemberIndex from, const Operation& operation, Now now) {
  const Handing& handing = operation.handing;
  KVORUM_CHECK(!operation.route.tried.empty());
  const MemberIndex asked = operation.route.tried.back();
  const bool read = operation.request().kind == Request::Kind::kRead && operation.flowed_us == 0;
  if (read && from == asked) {
    core_.health.answered(from, {Ask::kForward, handing.asked_us}, now.steady_us);
  } else if (read && from == handing.hedge) {
    core_.health.answered(from, {Ask::kForward, handing.hedged_us}, now.steady_us);
    core_.health.still_waiting(asked, {Ask::kForward, handing.asked_us}, now.steady_us);
  } else {
    core_.health.heard(from, now.steady_us);
  }
}

// The hedge takes the place of the node that was asked first.
void Forwarding::promote_hedge(SlotId id, Operation& operation, Now now) {
  Handing& handing = operation.handing;
  Route& route = operation.route;
  KVORUM_CHECK(handing.hedge != kNoMember && route.tried.size() >= 2);
  const size_t last = route.tried.size() - 1;
  std::swap(route.tried[last - 1], route.tried[last]);
  handing.asked_us = handing.hedged_us;
  handing.hedge = kNoMember;
  core_.open.timers.add(now.steady_us, core_.quarter_us(operation), id);
}

bool Forwarding::on_reply(MemberIndex from, const Frame& frame, Now now) {
  Operation* operation = core_.open.requests.find(frame.head.operation);
  if (!operation || operation->kind != Operation::Kind::kForward) {
    core_.health.heard(from, now.steady_us);  // too late
    return true;
  }
  CompletionStorage storage;
  Completion completion;
  if (!parse_forward_reply(frame, &storage, &completion)) return false;
  note_answer(from, *operation, now);
  if (operation->handing.hedge != kNoMember && completion.outcome != Outcome::kOk) {
    // The other one may do better.
    if (from == operation->route.tried.back()) promote_hedge(frame.head.operation, *operation, now);
    if (from == operation->handing.hedge) operation->handing.hedge = kNoMember;
    return true;
  }
  const bool serves_not = completion.outcome == Outcome::kClusterDown;
  if (serves_not && from == operation->route.tried.back() &&
      given_back(frame.head.operation, *operation, now)) {
    return true;
  }
  if (operation->request().kind == Request::Kind::kEdit) {
    on_edit_answer(*operation, {from, frame, completion}, now);
  } else {
    finish(frame.head.operation, *operation, completion, now);
  }
  return true;
}

void Forwarding::on_edit_answer(Operation& operation, const EditAnswer& answer, Now now) {
  Handing& handing = operation.handing;
  const SlotId id = answer.frame.head.operation;
  const bool nothing = made_nothing(answer.completion);
  if (nothing) drop_permit(operation, answer.from);
  if (handing.holds_answer && nothing) {
    if (handing.permitted.empty()) finish_held(id, operation, now);
  } else if (answer.completion.outcome != Outcome::kOk) {
    // Of those before the last, the last one decides.
    if (answer.from != operation.route.tried.back()) return;
    if (answer.completion.outcome == Outcome::kStoreFailed && refused(id, operation, now)) return;
    finish(id, operation, answer.completion, now);
  } else if (!twin_may_follow(operation, answer)) {
    finish(id, operation, answer.completion, now);
  } else if (!handing.holds_answer) {
    handing.holds_answer = true;
    handing.answer_head = answer.frame.head;
    handing.answer.assign(answer.frame.payload);
    core_.open.count_held(operation);
  }
}

// Another one may make a version which those who replace the answered one would not cover.
bool Forwarding::twin_may_follow(const Operation& operation, const EditAnswer& answer) {
  const Route& route = operation.route;
  KVORUM_CHECK(route.refusals < route.tried.size());
  const bool retry = route.retried || answer.from != route.tried[route.refusals];
  if (retry && answer.completion.stored) return false;
  return std::any_of(operation.handing.permitted.begin(), operation.handing.permitted.end(),
                     [&](MemberIndex member) { return member != answer.from; });
}

void Forwarding::drop_permit(Operation& operation, MemberIndex member) {
  InlineVector<MemberIndex, 4>& permitted = operation.handing.permitted;
  const auto* const found = std::find(permitted.begin(), permitted.end(), member);
  if (found != permitted.end()) permitted.erase_at(static_cast<size_t>(found - permitted.begin()));
}

void Forwarding::finish(SlotId id, Operation& operation, Completion& completion, Now now) {
  core_.complete(operation, completion, now);
  core_.open.release(id);
}

void Forwarding::finish_held(SlotId id, Operation& operation, Now now) {
  CompletionStorage storage;
  Completion completion;
  const bool parsed = parse_forward_reply({operation.handing.answer_head, operation.handing.answer},
                                          &storage, &completion);
  KVORUM_CHECK(parsed);
  finish(id, operation, completion, now);
}

bool Forwarding::may_try_again(const Operation& operation) const {
  return is_idempotent(operation.request(), core_.parts.edits) || planted(PlantedBug::kRetryTwice);
}

void Forwarding::try_next(SlotId id, Operation& operation, Now now) {
  if (may_try_again(operation) && run_elsewhere(id, operation, now)) return;
  give_up(id, operation, now);
}

bool Forwarding::refused(SlotId id, Operation& operation, Now now) {
  Route& route = operation.route;
  InlineVector<MemberIndex, 4>& tried = route.tried;
  KVORUM_CHECK(route.refusals < tried.size());
  std::rotate(tried.begin() + route.refusals, tried.end() - 1, tried.end());
  ++route.refusals;
  if (run_elsewhere(id, operation, now)) return true;
  --route.refusals;
  return false;
}

// By a node that does not serve the keyspace, or coordinates nothing (coordinator_options.h,
// Coordination). If all do so, this node, which handed it on for that reason, has to run it.
bool Forwarding::given_back(SlotId id, Operation& operation, Now now) {
  if (refused(id, operation, now)) return true;
  const InlineVector<MemberIndex, 4>& tried = operation.route.tried;
  if (!contains(tried, core_.self())) return false;
  ++operation.route.refusals;
  core_.starter->run_at(core_.self(), id, operation, now);
  return true;
}

bool Forwarding::run_elsewhere(SlotId id, Operation& operation, Now now) {
  const MemberIndex next = choose(operation.request(), operation.route.tried);
  if (next == kNoMember) return false;
  ++core_.counters.forward_retries;
  core_.starter->run_at(next, id, operation, now);
  return true;
}

void Forwarding::give_up(SlotId id, Operation& operation, Now now) {
  KVORUM_CHECK(operation.kind == Operation::Kind::kForward);
  const bool edit = operation.request().kind == Request::Kind::kEdit;
  core_.complete_failed(operation, edit ? Outcome::kUncertain : Outcome::kNoQuorum, {}, now);
  core_.open.release(id);
}

void Forwarding::on_timer(SlotId id, Operation& operation, Now now) {
  Handing& handing = operation.handing;
  if (core_.still_flows(id, operation, now)) return;
  if (now.steady_us >= operation.deadline_us) {
    give_up(id, operation, now);
    return;
  }
  if (handing.holds_answer) {
    core_.open.timers.add(now.steady_us, operation.deadline_us - now.steady_us, id);
    return;
  }
  if (now.steady_us < handing.asked_us + core_.quarter_us(operation))
    return hedge(id, operation, now);
  if (!handing.quarter_passed) {
    handing.quarter_passed = true;
    core_.health.timed_out(operation.route.tried.back(), handing.asked_us, now.steady_us);
    if (handing.hedge != kNoMember) {
      core_.health.timed_out(handing.hedge, handing.hedged_us, now.steady_us);
    }
    ++core_.counters.timeouts;
  }
  if (may_try_again(operation) && choose(operation.request(), operation.route.tried) != kNoMember) {
    try_next(id, operation, now);
    return;
  }
  core_.open.timers.add(now.steady_us, operation.deadline_us - now.steady_us, id);
}

void Forwarding::on_link_down(SlotId id, Operation& operation, MemberIndex peer, Now now) {
  KVORUM_CHECK(!operation.route.tried.empty());
  Handing& handing = operation.handing;
  if (handing.hedge == peer) {
    handing.hedge = kNoMember;
  } else if (handing.holds_answer) {
    // Whether it made a version is not known, nor will be.
    if (handing.permitted.size() == 1 && handing.permitted[0] == peer) {
      give_up(id, operation, now);
    }
  } else if (operation.route.tried.back() == peer) {
    if (handing.hedge != kNoMember) return promote_hedge(id, operation, now);
    try_next(id, operation, now);
  }
}

bool Forwarding::comes_too_late(LinkIndex from, const ForwardEnvelope& envelope,
                                const Request& request, Now now) {
  const uint64_t held_up_us = transits_.at(from).excess_us(envelope.sent_us, now.steady_us);
  if (request.kind != Request::Kind::kEdit || envelope.retried) return false;
  const bool too_late = held_up_us >= patience_us(envelope, request, core_.parts.edits);
  core_.counters.forwards_too_late += static_cast<uint64_t>(too_late);
  return too_late;
}

bool Forwarding::seen_before(const ForwardedRequest& forwarded) {
  if (forwarded.origin == 0 || is_idempotent(forwarded.request, core_.parts.edits)) return false;
  if (!seen_.insert(forwarded.origin).second) return true;
  seen_order_.push_back(forwarded.origin);
  if (seen_order_.size() > kSeenMax) {
    seen_.erase(seen_order_.front());
    seen_order_.pop_front();
  }
  return false;
}

}  // namespace kvorum::cluster
