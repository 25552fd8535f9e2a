// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/get_machine.h"

#include <algorithm>

#include "cluster/copies/claim_times.h"

namespace kvorum::cluster {
namespace {

using Progress = GetMachine::Progress;
using State = Target::State;

// A stand-in without a hint, whose place has no other answer.
bool is_lone_weak(const Targets& targets, size_t at) {
  if (targets[at].state != State::kWeak) return false;
  for (size_t other = 0; other < targets.size(); ++other) {
    if (other == at || place_of(targets[other]) != place_of(targets[at])) continue;
    if (targets[other].state == State::kAnswered) return false;
    if (targets[other].state == State::kWeak && other < at) return false;
  }
  return true;
}

// Of those that are to be asked; kNoMember: this node alone is.
MemberIndex nearest_other(const Core& core, const Targets& targets) {
  MemberIndex nearest = kNoMember;
  for (const Target& target : targets) {
    if (target.member == core.self()) continue;
    const bool nearer =
        nearest == kNoMember || core.health.distance(target.member) < core.health.distance(nearest);
    if (nearer) nearest = target.member;
  }
  return nearest;
}

}  // namespace

bool GetMachine::answer_at_once(const Request& request, uint64_t tag, Now now) {
  const uint8_t n = core_.view->quorum(request.key.keyspace).n;
  if (n != 1 || !core_.is_primary(core_.self(), request.key)) return false;
  if (!core_.is_whole(request.key)) return false;
  const auto answer = [&](Record& record) {
    Completion completion;
    completion.object = &record.object;
    completion.now_ms = core_.clock_ms(now);
    completion.fastest = core_.self_id();
    completion.acknowledged = completion.needed = 1;
    completion.service = {.coordinator = core_.self_id(), .answered = 1, .primaries = 1};
    core_.completions->on_complete(tag, completion);
  };
  return core_.read_own(request.key, answer) == engine::Access::kDone;
}

void GetMachine::start(SlotId id, Operation& operation, Now now) {
  const Request& request = operation.request();
  const uint8_t r = request.r ? request.r : core_.view->quorum(operation.keyspace).r;
  advance(id, operation, begin_reading(id, operation, r, now), now);
}

Progress GetMachine::begin_reading(SlotId id, Operation& operation, uint8_t r, Now now) {
  const KeyRef& key = operation.request().key;
  InlineVector<MemberIndex, 4> dead;
  operation.phase = Operation::Phase::kReading;
  operation.needed = r;
  operation.object.clear();
  operation.object_digest = 0;
  ++operation.attempt;
  core_.choose_targets(key, now, &operation.targets, &dead);
  if (core_.parts.is_moving()) add_former(operation, now);
  operation.contested =
      core_.parts.claims != nullptr && core_.parts.claims->contested(key.position, now_ms(now));
  if (operation.claim_quorum != 0) ask_suspected(operation, now);

  bool have_object = false;
  for (Target& target : operation.targets) {
    if (target.member != core_.self()) continue;
    if (answer_own(operation, target) == engine::Access::kNotResident) {
      core_.load(id, operation, key);
      return Progress::kWaiting;
    }
    have_object = target.state == State::kAnswered;
  }
  const MemberIndex nearest = have_object ? kNoMember : nearest_other(core_, operation.targets);
  for (Target& target : operation.targets) {
    target.wants_object = target.member == nearest;
    if (target.member != core_.self()) ask(id, operation, target, target.wants_object);
  }
  operation.asked_us = now.steady_us;
  core_.count_held(operation);
  const Progress first = progress(operation);
  if (first == Progress::kWaiting || operation.targets.size() > 1) {
    core_.timers.add(now.steady_us, core_.quarter_us(operation), id);
  }
  if (first == Progress::kWaiting) arm_hedge(id, operation, now);
  return first;
}

// All primaries that are up were asked at once, so only two things are left to hedge: a primary
// that is suspected, and an object that only one replica was asked for.
void GetMachine::arm_hedge(SlotId id, Operation& operation, Now now) {
  core_.hedges.earn();
  if (operation.kind != Operation::Kind::kGet) return;
  const bool object_awaited = operation.object.empty() && operation.targets.size() > 1;
  if (!object_awaited && unasked_primary(operation) == kNoMember) return;
  uint64_t tail_us = UINT64_MAX;
  for (const Target& target : operation.targets) {
    if (is_open(target))
      tail_us = std::min(tail_us, core_.health.tail_us(target.member, Ask::kRead));
  }
  const uint64_t late_us = hedge_delay_us(tail_us);
  if (late_us < core_.quarter_us(operation)) {
    core_.timers.add(now.steady_us, late_us, id);
  }
}

MemberIndex GetMachine::unasked_primary(const Operation& operation) const {
  const auto primaries = core_.primaries(operation.request().key);
  const auto asked = std::count_if(
      operation.targets.begin(), operation.targets.end(),
      [](const Target& target) { return target.stands_for == kNoMember && !target.former; });
  if (static_cast<size_t>(asked) >= primaries.size()) return kNoMember;
  for (const MemberIndex primary : primaries) {
    const bool known = std::any_of(operation.targets.begin(), operation.targets.end(),
                                   [&](const Target& target) { return target.member == primary; });
    if (!known && core_.health.linked(primary)) return primary;
  }
  return kNoMember;
}

void GetMachine::hedge(SlotId id, Operation& operation, Now now) {
  if (operation.hedged) return;
  Target* second = nullptr;  // asked for a digest so far
  for (Target& target : operation.targets) {
    if (target.state != State::kWaiting || target.wants_object) continue;
    if (target.stands_for == kNoMember && operation.object.empty()) second = &target;
  }
  const MemberIndex unasked = second ? kNoMember : unasked_primary(operation);
  if ((!second && unasked == kNoMember) || !core_.hedges.spend()) return;
  ++core_.counters.hedged_reads;
  operation.hedged = true;
  if (!second) {
    // Suspected already: nothing waits for it, or is learned from its silence.
    operation.targets.push_back(
        Target{.member = unasked, .replaced = true, .asked_us = now.steady_us});
    second = &operation.targets.back();
  } else {
    second->state = State::kFetching;  // its digest says nothing without an object
  }
  second->wants_object = true;
  ask(id, operation, *second, true);
}

engine::Access GetMachine::answer_own(Operation& operation, Target& target) {
  const KeyRef& key = operation.request().key;
  if (target.stands_for != kNoMember) {
    Object hinted;
    std::string storage;
    if (!core_.read_hints(key, &hinted, &storage)) {
      target.state = State::kWeak;
      return engine::Access::kDone;
    }
    encode_object(hinted, operation.object);
    operation.object_digest = target.digest = versions_digest(hinted);
    target.state = State::kAnswered;
    return engine::Access::kDone;
  }
  if (operation.own_unreadable) {
    target.state = State::kFailed;
    return engine::Access::kDone;
  }
  const engine::Access access = core_.read_own(key, [&](Record& record) {
    encode_object(record.object, operation.object);
    operation.object_digest = target.digest = versions_digest(record.object);
    operation.object_frontier = core_.frontier_of(key);
  });
  target.state = access == engine::Access::kDone ? State::kAnswered : State::kFailed;
  target.whole = core_.is_whole(key);
  target.is_new = !target.whole && core_.is_new(key);
  if (target.state == State::kAnswered) operation.fastest = core_.self_id();
  return access;
}

void GetMachine::ask(SlotId id, Operation& operation, const Target& target, bool full) {
  ReplicaRead message{.key = operation.request().key,
                      .full = full,
                      .hinted = target.stands_for != kNoMember,
                      .attempt = operation.attempt};
  InlineVector<MemberIndex, 4>& claimed = operation.claimed;
  const bool claims = operation.claim_quorum != 0 && !message.hinted && !target.former &&
                      std::find(claimed.begin(), claimed.end(), target.member) == claimed.end();
  if (claims) {
    message.claimant = core_.self_id();
    message.claim_ms = claim_ms(core_.quarter_us(operation));
    claimed.push_back(target.member);
  }
  put_replica_read(core_.outbox.frames(target.member), id, message);
}

bool GetMachine::known_digest(const Operation& operation, uint64_t digest) const {
  if (digest == 0 || digest == operation.object_digest) return true;
  return std::any_of(operation.targets.begin(), operation.targets.end(),
                     [digest](const Target& target) {
                       return target.state == State::kAnswered && target.digest == digest;
                     });
}

// Merges a full answer in, or the absence of one: below its frontier that says something too. False
// where its object is ill-formed.
bool GetMachine::absorb(Operation& operation, Target& target, const ReplicaReadReply& reply) {
  target.digest = reply.digest;
  const bool absent = reply.verdict == ReplicaVerdict::kAbsent;
  const bool merged_before = !operation.object.empty();
  if (absent && (!merged_before || reply.frontier == Hlc{})) {
    operation.object_frontier = std::max(operation.object_frontier, reply.frontier);
    return true;
  }
  Object theirs;
  Object ours;
  if (!absent && !decode_object(reply.object, theirs, reply.owner)) return false;
  if (merged_before && reply.digest == operation.object_digest) return true;
  if (merged_before && !decode_object(operation.object, ours)) return false;
  const Object merged = merge_copies({ours, operation.object_frontier}, {theirs, reply.frontier});
  operation.object_frontier = std::max(operation.object_frontier, reply.frontier);
  EncodedObject bytes;
  encode_object(merged, bytes);
  operation.object_digest = versions_digest(merged);
  operation.object.swap(bytes);
  core_.count_held(operation);
  return true;
}

Progress GetMachine::on_reply(SlotId id, Operation& operation, MemberIndex from,
                              const ReplicaReadReply& reply) {
  Target* target = nullptr;
  if (reply.attempt != operation.attempt) return Progress::kWaiting;
  operation.contested |= reply.contested;
  for (Target& candidate : operation.targets) {
    if (candidate.member == from && is_open(candidate)) target = &candidate;
  }
  if (!target) return Progress::kWaiting;
  target->whole = reply.whole;
  target->is_new = reply.is_new;
  if (reply.verdict == ReplicaVerdict::kClaimed) {
    target->state = State::kFailed;
    target->claim_refused = true;
    operation.claim_holder = core_.view->find_id(reply.holder);
    auto* const claim = std::find(operation.claimed.begin(), operation.claimed.end(), from);
    if (claim != operation.claimed.end()) {
      operation.claimed.erase_at(static_cast<size_t>(claim - operation.claimed.begin()));
    }
  } else if (reply.verdict == ReplicaVerdict::kRefused) {
    target->state = State::kFailed;
  } else if (reply.verdict == ReplicaVerdict::kNotHeld) {
    target->state = State::kWeak;
  } else if (reply.full || reply.verdict == ReplicaVerdict::kAbsent) {
    target->state = absorb(operation, *target, reply) ? State::kAnswered : State::kFailed;
  } else if (known_digest(operation, reply.digest)) {
    target->digest = reply.digest;
    target->state = State::kAnswered;
  } else if (target->state == State::kWaiting) {
    ++core_.counters.digest_mismatches;
    target->state = State::kFetching;
    ask(id, operation, *target, true);
  }
  if (target->state == State::kAnswered && operation.fastest == 0) {
    operation.fastest = core_.id_of(from);
  }
  return progress(operation);
}

Progress GetMachine::progress(const Operation& operation) const {
  const Progress by_votes = votes(operation);
  return operation.claim_quorum == 0 ? by_votes : with_claims(operation, by_votes);
}

// The usual case: only primaries were asked, and whole copies alone decide.
Progress GetMachine::votes(const Operation& operation) const {
  size_t counted = 0;
  bool primary_open = false;
  bool plain = operation.needed > 0;
  for (const Target& target : operation.targets) {
    plain &= target.stands_for == kNoMember && !target.former;
    counted += target.state == State::kAnswered && target.whole;
    primary_open |= is_open(target) && !target.replaced;
  }
  if (plain && counted >= operation.needed) return Progress::kDone;
  return plain && primary_open ? Progress::kWaiting : votes_in_need(operation);
}

// A copy that is not whole counts where none is that could be asked, and where all primaries
// answered: nobody else knows more then. While copies follow a former placement it counts only
// beside the answers of that.
Progress GetMachine::votes_in_need(const Operation& operation) const {
  size_t counted = 0;
  size_t weak = 0;
  size_t doubtful = 0;
  size_t fresh = 0;
  size_t whole_primaries = 0;
  bool any_open = false;
  bool primary_open = false;
  for (size_t at = 0; at < operation.targets.size(); ++at) {
    const Target& target = operation.targets[at];
    any_open |= is_open(target);
    primary_open |= is_open(target) && target.stands_for == kNoMember && !target.replaced;
    if (target.former) continue;
    const bool answered = is_vote(operation.targets, at);
    counted += answered && target.whole;
    fresh += answered && !target.whole && target.is_new;
    doubtful += answered && !target.whole && !target.is_new;
    whole_primaries +=
        target.state == State::kAnswered && target.whole && target.stands_for == kNoMember;
    weak += is_lone_weak(operation.targets, at);
  }
  const bool moving = core_.parts.is_moving();
  if (!primary_open && counted < operation.needed && (!moving || former_answered(operation))) {
    counted += weak;
    if (moving) counted += fresh;
    const size_t n = core_.view->quorum(operation.keyspace).n;
    const size_t unforgotten = whole_primaries + (moving ? fresh : 0);
    if (doubtful > 0 && (unforgotten == 0 || unforgotten + doubtful == n)) counted += doubtful;
  }
  if (counted >= operation.needed && operation.needed > 0) return Progress::kDone;
  return any_open ? Progress::kWaiting : Progress::kFailed;
}

void GetMachine::advance(SlotId id, Operation& operation, Progress progress, Now now) {
  const bool all_answered =
      std::none_of(operation.targets.begin(), operation.targets.end(), is_open);
  if (operation.phase == Operation::Phase::kSettling) {
    if (all_answered) repairs_.start(id, operation, now);
    return;
  }
  if (operation.phase != Operation::Phase::kReading || progress == Progress::kWaiting) return;
  if (progress == Progress::kFailed) {
    const bool serve =
        core_.view->keyspaces[operation.keyspace].reads_when_short == ReadsWhenShort::kServe &&
        std::any_of(operation.targets.begin(), operation.targets.end(),
                    [](const Target& target) { return target.state == State::kAnswered; });
    if (!serve) {
      core_.complete_failed(operation, Outcome::kNoQuorum, {}, now);
      core_.release(id);
      return;
    }
  }
  if (reads_again(id, operation, now)) return;
  answer(operation, now);
  if (all_answered) {
    repairs_.start(id, operation, now);
    return;
  }
  operation.phase = Operation::Phase::kSettling;
  operation.settles_until_us = now.steady_us + core_.options.read_repair_wait_ms * 1000ULL;
  core_.timers.add(now.steady_us, core_.options.read_repair_wait_ms * 1000ULL, id);
}

void GetMachine::answer(Operation& operation, Now now) {
  Completion completion;
  Object object;
  const bool decoded = decode_object(operation.object, object);
  KVORUM_CHECK(decoded);
  if (core_.parts.marks->any(operation.keyspace)) {
    core_.parts.marks->apply(operation.keyspace, object);
  }
  if (core_.lww(operation.keyspace)) core_.counters.concurrent_dropped += keep_newest(object);
  object.outvoted.clear();  // nothing to a client
  if (object.versions.size() > 1) ++core_.counters.siblings_seen;
  completion.object = &object;
  completion.fastest = operation.fastest;
  completion.service.repairs = static_cast<uint8_t>(stale_copies(operation));
  core_.complete(operation, completion, now);
}

// A silent replica's place is taken by the next fallback, which answers from its hints.
void GetMachine::ask_stand_in(SlotId id, Operation& operation, size_t silent) {
  operation.targets[silent].replaced = true;
  if (operation.targets[silent].former) return;
  const MemberIndex stand_in = core_.spare_fallback(operation.request().key, operation.targets);
  if (stand_in == kNoMember) return;
  const Target& absent = operation.targets[silent];
  operation.targets.push_back(Target{.member = stand_in, .stands_for = place_of(absent)});
  ask(id, operation, operation.targets.back(), true);
}

Progress GetMachine::on_silence(SlotId id, Operation& operation, Now now) {
  const size_t asked = operation.targets.size();
  for (size_t at = 0; at < asked; ++at) {
    if (!is_open(operation.targets[at]) || operation.targets[at].replaced) continue;
    core_.health.timed_out(operation.targets[at].member, operation.targets[at].asked_us,
                           now.steady_us);
    ++core_.counters.timeouts;
    ask_stand_in(id, operation, at);
  }
  return progress(operation);
}

Progress GetMachine::on_link_down(SlotId id, Operation& operation, MemberIndex peer) {
  const size_t asked = operation.targets.size();
  for (size_t at = 0; at < asked; ++at) {
    if (operation.targets[at].member != peer || !is_open(operation.targets[at])) continue;
    operation.targets[at].state = State::kFailed;
    if (operation.phase == Operation::Phase::kReading && !operation.targets[at].replaced) {
      ask_stand_in(id, operation, at);
    }
  }
  return progress(operation);
}

void GetMachine::on_timer(SlotId id, Operation& operation, Now now) {
  if (operation.phase == Operation::Phase::kSettling) {
    if (now.steady_us < operation.settles_until_us) return;
    // The wait for stragglers is over: whoever is silent stays as it is.
    repairs_.start(id, operation, now);
    return;
  }
  if (operation.phase == Operation::Phase::kRepairing) return repairs_.on_timer(id, operation, now);
  if (operation.phase == Operation::Phase::kContended) return start(id, operation, now);
  if (operation.phase != Operation::Phase::kReading) return;
  if (core_.still_flows(id, operation, now)) return;
  if (now.steady_us >= operation.deadline_us) {
    advance(id, operation, Progress::kFailed, now);
    return;
  }
  if (now.steady_us < operation.asked_us + core_.quarter_us(operation)) {
    return hedge(id, operation, now);
  }
  const Progress after = on_silence(id, operation, now);
  core_.timers.add(now.steady_us, operation.deadline_us - now.steady_us, id);
  advance(id, operation, after, now);
}

}  // namespace kvorum::cluster
