// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/quorum_read.h"

#include <algorithm>

#include "base/check.h"
#include "base/contains.h"
#include "cluster/copies/claim_times.h"

namespace kvorum::cluster {

using State = Target::State;

TallyVerdict QuorumRead::begin(SlotId id, Operation& operation, uint8_t r, Now now) {
  KVORUM_CHECK(r > 0 && operation.was_read());
  const KeyRef& key = operation.request().key;
  Reading& reading = operation.reading;
  InlineVector<MemberIndex, 4> dead;
  operation.phase = Operation::Phase::kReading;
  reading.held.clear();
  reading.frontier = {};  // of nothing: what is merged first would pass for dead
  reading.tally.needed = r;
  reading.tally.in_sets = core_.sets_in_play(key) != nullptr;
  reading.tally.asked = operation.request().r != 0;
  reading.digest = 0;
  ++reading.attempt;
  core_.choose_readers(key, now, &reading.tally.targets, &dead);
  if (core_.parts.is_moving()) add_former(operation, now);
  reading.contested =
      core_.parts.claims != nullptr && core_.parts.claims->contested(key.position, now_ms(now));
  if (operation.claim.quorum != 0) ask_suspected(operation, now);

  bool have_object = false;
  for (Target& target : reading.tally.targets) {
    if (target.member != core_.self()) continue;
    if (answer_own(operation, target) == engine::Access::kNotResident) {
      core_.load(id, operation);
      return TallyVerdict::kNotYet;
    }
    have_object = target.state == State::kAnswered;
  }
  const MemberIndex nearest = have_object ? kNoMember : nearest_other(reading.tally.targets);
  for (Target& target : reading.tally.targets) {
    target.wants_object = target.member == nearest;
    if (target.member != core_.self()) ask(id, operation, target, target.wants_object);
  }
  reading.asked_us = now.steady_us;
  core_.open.count_held(operation);
  const TallyVerdict first = verdict(operation);
  if (first == TallyVerdict::kNotYet || reading.tally.targets.size() > 1) {
    core_.open.timers.add(now.steady_us, core_.quarter_us(operation), id);
  }
  if (first == TallyVerdict::kNotYet) arm_hedge(id, operation, now);
  return first;
}

// All primaries that are up were asked at once, so only two things are left to hedge: a primary
// that is suspected, and an object that only one replica was asked for.
void QuorumRead::arm_hedge(SlotId id, Operation& operation, Now now) {
  const Targets& targets = operation.reading.tally.targets;
  core_.hedges.earn();
  if (operation.kind != Operation::Kind::kGet) return;
  const bool object_awaited = !operation.reading.held.is_set() && targets.size() > 1;
  if (!object_awaited && unasked_primary(operation) == kNoMember) return;
  uint64_t tail_us = UINT64_MAX;
  for (const Target& target : targets) {
    if (is_open(target))
      tail_us = std::min(tail_us, core_.health.tail_us(target.member, Ask::kRead));
  }
  const uint64_t late_us = hedge_delay_us(tail_us);
  if (late_us < core_.quarter_us(operation)) {
    core_.open.timers.add(now.steady_us, late_us, id);
  }
}

// Of those that are to be asked; kNoMember: this node alone is.
MemberIndex QuorumRead::nearest_other(const Targets& targets) const {
  MemberIndex nearest = kNoMember;
  for (const Target& target : targets) {
    if (target.member == core_.self()) continue;
    const bool nearer = nearest == kNoMember ||
                        core_.health.distance(target.member) < core_.health.distance(nearest);
    if (nearer) nearest = target.member;
  }
  return nearest;
}

MemberIndex QuorumRead::unasked_primary(const Operation& operation) const {
  const ReadTally& tally = operation.reading.tally;
  const auto primaries = core_.readers(operation.request().key);
  const auto asked = std::count_if(
      tally.targets.begin(), tally.targets.end(),
      [](const Target& target) { return target.stands_for == kNoMember && !target.former; });
  if (static_cast<size_t>(asked) >= primaries.size()) return kNoMember;
  for (const MemberIndex primary : primaries) {
    if (!tally.knows(primary) && core_.health.linked(primary)) return primary;
  }
  return kNoMember;
}

void QuorumRead::hedge(SlotId id, Operation& operation, Now now) {
  Targets& targets = operation.reading.tally.targets;
  if (operation.reading.hedged) return;
  Target* second = nullptr;  // asked for a digest so far
  for (Target& target : targets) {
    if (target.state != State::kWaiting || target.wants_object) continue;
    if (target.stands_for == kNoMember && !operation.reading.held.is_set()) second = &target;
  }
  const MemberIndex unasked = second ? kNoMember : unasked_primary(operation);
  if ((!second && unasked == kNoMember) || !core_.hedges.spend()) return;
  ++core_.counters.hedged_reads;
  operation.reading.hedged = true;
  if (!second) {
    // Suspected already: nothing waits for it, or is learned from its silence.
    targets.push_back(Target{.member = unasked, .replaced = true, .asked_us = now.steady_us});
    second = &targets.back();
  } else {
    second->state = State::kFetching;  // its digest says nothing without an object
  }
  second->wants_object = true;
  ask(id, operation, *second, true);
}

engine::Access QuorumRead::answer_own(Operation& operation, Target& target) {
  const KeyRef& key = operation.request().key;
  Reading& reading = operation.reading;
  if (target.stands_for != kNoMember) {
    target.state = answer_from_hints(operation, target) ? State::kAnswered : State::kWeak;
    return engine::Access::kDone;
  }
  if (reading.own_unreadable) {
    target.state = State::kFailed;
    return engine::Access::kDone;
  }
  const engine::Access access = core_.own.read(key, [&](Record& record) {
    reading.held.hold(record.object);
    reading.digest = target.digest = versions_digest(record.object);
    reading.frontier = core_.own.frontier_of(key);
  });
  target.state = access == engine::Access::kDone ? State::kAnswered : State::kFailed;
  target.whole = core_.is_whole(key);
  target.is_new = !target.whole && core_.is_new(key);
  if (target.state == State::kAnswered) reading.fastest = core_.self_id();
  return access;
}

bool QuorumRead::answer_from_hints(Operation& operation, Target& target) {
  Object hinted;
  std::string storage;
  if (!core_.own.read_hints(operation.request().key, &hinted, &storage)) return false;
  operation.reading.held.hold(hinted);
  operation.reading.digest = target.digest = versions_digest(hinted);
  return true;
}

void QuorumRead::ask(SlotId id, Operation& operation, const Target& target, bool full) {
  KVORUM_CHECK(target.member < core_.view->members.size() && target.member != core_.self());
  ReplicaRead message{.key = operation.request().key,
                      .full = full,
                      .hinted = target.stands_for != kNoMember,
                      .attempt = operation.reading.attempt,
                      .signature = core_.signature(operation.request().key)};
  InlineVector<MemberIndex, 4>& claimed = operation.claim.asked;
  const bool claims = operation.claim.quorum != 0 && !message.hinted && !target.former &&
                      target.grants && !contains(claimed, target.member);
  if (claims) {
    message.claimant = core_.self_id();
    message.claim_ms = claim_ms(core_.quarter_us(operation));
    claimed.push_back(target.member);
  }
  put_replica_read(core_.outbox.frames(target.member), id, message);
}

bool QuorumRead::known_digest(const Operation& operation, uint64_t digest) {
  const Targets& targets = operation.reading.tally.targets;
  if (digest == 0 || digest == operation.reading.digest) return true;
  return std::any_of(targets.begin(), targets.end(), [digest](const Target& target) {
    return target.state == State::kAnswered && target.digest == digest;
  });
}

// Merges a full answer in, or the absence of one: below its frontier that says something too. False
// where its object is ill-formed.
bool QuorumRead::absorb(Operation& operation, Target& target, const ReplicaReadReply& reply) {
  Reading& reading = operation.reading;
  target.digest = reply.digest;
  const bool absent = reply.verdict == ReplicaVerdict::kAbsent;
  const bool merged_before = reading.held.is_set();
  if (absent && (!merged_before || reply.frontier == Hlc{})) {
    reading.frontier = std::max(reading.frontier, reply.frontier);
    return true;
  }
  Object theirs;
  if (!absent && !decode_object(reply.object, theirs, reply.owner)) return false;
  if (merged_before && reply.digest == reading.digest) return true;
  reading.held.hold(
      merge_copies({reading.held.object(), reading.frontier}, {theirs, reply.frontier}));
  reading.frontier = std::max(reading.frontier, reply.frontier);
  reading.digest = versions_digest(reading.held.object());
  core_.open.count_held(operation);
  return true;
}

TallyVerdict QuorumRead::on_reply(SlotId id, Operation& operation,
                                  const Answered<ReplicaReadReply>& answer, Now now) {
  const ReplicaReadReply& reply = answer.reply;
  Reading& reading = operation.reading;
  if (reply.attempt != reading.attempt) return TallyVerdict::kNotYet;
  reading.contested |= reply.contested;
  Target* const target = reading.tally.find_open(answer.from);
  if (!target) return TallyVerdict::kNotYet;
  target->whole = reply.whole;
  target->is_new = reply.is_new;
  if (reply.verdict == ReplicaVerdict::kClaimed) {
    note_claimed(operation, *target, reply.holder);
  } else if (reply.verdict == ReplicaVerdict::kApart) {
    note_apart(id, operation, *target, now);
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
  if (target->state == State::kAnswered && reading.fastest == 0) {
    reading.fastest = core_.id_of(answer.from);
  }
  return verdict(operation);
}

void QuorumRead::note_claimed(Operation& operation, Target& target, NodeId holder) {
  Claiming& claim = operation.claim;
  target.state = State::kFailed;
  target.claim_refused = true;
  claim.holder = core_.view->find_id(holder);
  forget_claim(operation, target.member);
}

void QuorumRead::forget_claim(Operation& operation, MemberIndex member) {
  InlineVector<MemberIndex, 4>& asked = operation.claim.asked;
  auto* const found = std::find(asked.begin(), asked.end(), member);
  if (found != asked.end()) asked.erase_at(static_cast<size_t>(found - asked.begin()));
}

// One of both lacks a change: it is on its way, behind that answer or before the next question.
void QuorumRead::note_apart(SlotId id, Operation& operation, Target& target, Now now) {
  target.wants_object |= target.state == State::kFetching || target.stands_for != kNoMember;
  target.state = State::kApart;
  forget_claim(operation, target.member);
  core_.open.timers.add(now.steady_us, apart_pause_us(operation.reading.apart), id);
}

void QuorumRead::ask_apart(SlotId id, Operation& operation) {
  for (Target& target : operation.reading.tally.targets) {
    if (target.state != State::kApart) continue;
    target.state = State::kWaiting;
    ask(id, operation, target, target.wants_object);
  }
}

TallyVerdict QuorumRead::verdict(const Operation& operation) const {
  const ReadTally& tally = operation.reading.tally;
  const Claiming& claim = operation.claim;
  const TallyVerdict by_votes = tally.verdict([&] { return rules_of(operation); });
  if (claim.quorum == 0) return by_votes;
  const size_t n = core_.coordinating_quorum(operation.request().key).n;
  return tally.verdict_with_claims(by_votes, {n, claim.quorum, claim.waited});
}

ReadRules QuorumRead::rules_of(const Operation& operation) const {
  const bool moving = core_.parts.is_moving();
  return {.n = core_.view->quorum(operation.keyspace).n,
          .moving = moving,
          .former_answered = moving && former_answered(operation),
          .sets = core_.sets_in_play(operation.request().key)};
}

// Whoever is wrongly suspected must be asked too: another node may have its grant.
void QuorumRead::ask_suspected(Operation& operation, Now now) const {
  ReadTally& tally = operation.reading.tally;
  for (const MemberIndex primary : core_.coordinators(operation.request().key)) {
    if (tally.knows(primary) || !core_.health.linked(primary)) continue;
    tally.targets.push_back(Target{.member = primary, .replaced = true, .asked_us = now.steady_us});
  }
}

// A silent replica's place is taken by the next fallback, which answers from its hints.
void QuorumRead::ask_stand_in(SlotId id, Operation& operation, size_t silent) {
  Targets& targets = operation.reading.tally.targets;
  KVORUM_CHECK(silent < targets.size());
  targets[silent].replaced = true;
  if (targets[silent].former) return;
  const MemberIndex stand_in = core_.spare_fallback(operation.request().key, targets);
  if (stand_in == kNoMember) return;
  const Target& absent = targets[silent];
  targets.push_back(Target{.member = stand_in, .stands_for = place_of(absent)});
  ask(id, operation, targets.back(), true);
}

TallyVerdict QuorumRead::on_silence(SlotId id, Operation& operation, Now now) {
  Targets& targets = operation.reading.tally.targets;
  const size_t asked = targets.size();
  for (size_t at = 0; at < asked; ++at) {
    if (!is_open(targets[at]) || targets[at].replaced) continue;
    core_.health.timed_out(targets[at].member, targets[at].asked_us, now.steady_us);
    ++core_.counters.timeouts;
    ask_stand_in(id, operation, at);
  }
  return verdict(operation);
}

TallyVerdict QuorumRead::on_link_down(SlotId id, Operation& operation, MemberIndex peer) {
  Targets& targets = operation.reading.tally.targets;
  const size_t asked = targets.size();
  for (size_t at = 0; at < asked; ++at) {
    if (targets[at].member != peer || !is_open(targets[at])) continue;
    targets[at].state = State::kFailed;
    if (operation.phase == Operation::Phase::kReading && !targets[at].replaced) {
      ask_stand_in(id, operation, at);
    }
  }
  return verdict(operation);
}

// Those who were primaries of the key before the configuration changed are asked too. A fallback
// among them answers as what it was: from its own copy, not from hints.
void QuorumRead::add_former(Operation& operation, Now now) {
  Targets& targets = operation.reading.tally.targets;
  const KeyRef& key = operation.request().key;
  const Holders holders =
      holders_of(*core_.view, *core_.parts.former->list(), key.keyspace, core_.partition_for(key));
  for (size_t at = core_.primaries(key).size(); at < holders.size(); ++at) {
    const MemberIndex holder = holders[at];
    if (!core_.health.healthy(holder)) continue;
    Target* known = nullptr;
    for (Target& target : targets) {
      if (target.member == holder) known = &target;
    }
    if (known == nullptr) {
      targets.push_back(Target{});
      known = &targets.back();
    }
    *known = Target{.member = holder, .former = true, .asked_us = now.steady_us};
  }
}

// Whether so many of those who were primaries before the configuration changed answered as know
// every write that was acknowledged then.
bool QuorumRead::former_answered(const Operation& operation) const {
  const std::shared_ptr<const FormerList> former = core_.parts.former->list();
  const uint32_t partition = core_.partition_for(operation.request().key);
  for (const FormerPlacement& placement : *former) {
    const auto primaries = placement.primaries(operation.keyspace, partition);
    size_t answered = 0;
    size_t knowing = 0;
    for (const Target& target : operation.reading.tally.targets) {
      const bool was = contains(primaries, target.member);
      if (!was || target.state != Target::State::kAnswered || target.stands_for != kNoMember)
        continue;
      ++answered;
      knowing += target.whole || target.is_new;
    }
    const bool all = answered == primaries.size();
    if (knowing < placement.needed(operation.keyspace) && !all) return false;
  }
  return true;
}

}  // namespace kvorum::cluster
