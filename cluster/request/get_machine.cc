// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/get_machine.h"

#include <optional>

#include "base/check.h"

namespace kvorum::cluster {

using Phase = Operation::Phase;

bool GetMachine::answer_at_once(const Request& request, uint64_t tag, Now now) {
  if (!core_.has_only_copy(request.key)) return false;
  return answer_from_own(request, tag, now) == engine::Access::kDone;
}

engine::Access GetMachine::answer_from_own(const Request& request, uint64_t tag, Now now) {
  return core_.own.read(request.key, [&](Record& record) {
    Completion completion;
    completion.object = &record.object;
    completion.now_ms = core_.clock_ms(now);
    completion.fastest = core_.self_id();
    completion.acknowledged = completion.needed = 1;
    completion.service = {.coordinator = core_.self_id(), .answered = 1, .primaries = 1};
    core_.completions->on_complete(tag, completion);
  });
}

void GetMachine::start(SlotId id, Operation& operation, Now now) {
  if (core_.awaits_newcomers(id, operation, now)) return;
  const Request& request = operation.request();
  const uint8_t r = request.r ? request.r : core_.view->quorum(operation.keyspace).r;
  advance(id, operation, reads_.begin(id, operation, r, now), now);
}

void GetMachine::begin_anew(SlotId id, Operation& operation, Now now) {
  if (operation.phase != Phase::kReading) return;
  start(core_.open.renew(id, now), operation, now);
}

void GetMachine::advance(SlotId id, Operation& operation, TallyVerdict verdict, Now now) {
  if (operation.phase == Phase::kSettling) {
    if (operation.reading.tally.all_answered()) repairs_.start(id, operation, now);
    return;
  }
  if (operation.phase != Phase::kReading || verdict == TallyVerdict::kNotYet) return;
  if (verdict == TallyVerdict::kImpossible && !serves_short(operation)) {
    core_.complete_failed(operation, Outcome::kNoQuorum, {}, now);
    core_.open.release(id);
    return;
  }
  if (reads_again(id, operation, now)) return;
  answer(operation, now);
  if (operation.reading.tally.all_answered()) return repairs_.start(id, operation, now);
  const uint64_t wait_us = core_.options.read_repair_wait_ms * 1000ULL;
  operation.phase = Phase::kSettling;
  operation.reading.settles_until_us = now.steady_us + wait_us;
  core_.open.timers.add(now.steady_us, wait_us, id);
}

bool GetMachine::serves_short(const Operation& operation) const {
  const KeyspacePolicy& policy = core_.view->keyspaces[operation.keyspace];
  return policy.reads_when_short == ReadsWhenShort::kServe && operation.reading.tally.any_answer();
}

// Siblings of which one is about to be covered are not shown.
bool GetMachine::reads_again(SlotId id, Operation& operation, Now now) {
  const Reading& reading = operation.reading;
  const bool in_flux = reading.tally.stale(reading.digest) != 0;
  if (!in_flux && !reading.contested) return false;
  if (core_.lww(operation.keyspace)) return false;
  if (visible_versions(reading.held.object(), core_.clock_ms(now)).size() < 2) return false;
  if (!core_.reads_again(operation, in_flux, now)) return false;
  ++core_.counters.reads_contested;
  core_.pause_contended(id, operation, now);
  return true;
}

void GetMachine::answer(Operation& operation, Now now) {
  KVORUM_CHECK(!operation.answered_client && operation.kind == Operation::Kind::kGet);
  const Reading& reading = operation.reading;
  const bool marked = core_.parts.marks->any(operation.keyspace);
  const bool lww = core_.lww(operation.keyspace);
  const Object* shown = &reading.held.object();
  std::optional<Object> changed;
  if (marked || lww || !shown->outvoted.empty()) {
    shown = &changed.emplace(*shown);
    if (marked) core_.parts.marks->apply(operation.keyspace, *changed);
    if (lww) core_.counters.concurrent_dropped += keep_newest(*changed);
    changed->outvoted.clear();  // nothing to a client
  }
  core_.counters.siblings_seen += shown->versions.size() > 1;
  Completion completion;
  completion.object = shown;
  completion.fastest = reading.fastest;
  completion.service.repairs = static_cast<uint8_t>(reading.tally.stale(reading.digest));
  core_.complete(operation, completion, now);
}

void GetMachine::on_read_reply(SlotId id, Operation& operation,
                               const Answered<ReplicaReadReply>& answer, Now now) {
  if (operation.phase == Phase::kRepairing) return;  // its read is over
  advance(id, operation, reads_.on_reply(id, operation, answer, now), now);
}

void GetMachine::on_write_reply(SlotId id, Operation& operation,
                                const Answered<ReplicaWriteReply>& answer, Now) {
  repairs_.on_reply(id, operation, answer.from);
}

// What an answered read loads is its own copy, for repair. Where the own one cannot be loaded,
// other copies can answer.
void GetMachine::on_loaded(SlotId id, Operation& operation, bool ok, Now now) {
  if (operation.answered_client) return repairs_.on_loaded(id, operation, ok, now);
  const KeyRef& key = operation.request().key;
  const bool others = core_.view->owners(key.keyspace, core_.partition_for(key)).size() > 1;
  const bool can_do_without = others && operation.request().kind == Request::Kind::kRead;
  if (!ok && !can_do_without) return core_.starter->on_unreadable(id, operation, now);
  operation.reading.own_unreadable |= !ok;
  start(id, operation, now);
}

void GetMachine::on_link_down(SlotId id, Operation& operation, MemberIndex peer, Now now) {
  if (operation.phase == Phase::kRepairing) return repairs_.on_reply(id, operation, peer);
  advance(id, operation, reads_.on_link_down(id, operation, peer), now);
}

void GetMachine::on_timer(SlotId id, Operation& operation, Now now) {
  if (operation.phase == Phase::kSettling) {
    // The wait for stragglers is over: whoever is silent stays as it is.
    if (now.steady_us >= operation.reading.settles_until_us) repairs_.start(id, operation, now);
    return;
  }
  if (operation.phase == Phase::kRepairing) return repairs_.on_timer(id, operation, now);
  if (operation.phase == Phase::kLinking) return core_.starter->choose_anew(id, operation, now);
  if (operation.phase == Phase::kContended) return start(id, operation, now);
  reads_.ask_apart(id, operation);
  if (operation.phase != Phase::kReading || core_.still_flows(id, operation, now)) return;
  if (now.steady_us >= operation.deadline_us) {
    return advance(id, operation, TallyVerdict::kImpossible, now);
  }
  if (now.steady_us < operation.reading.asked_us + core_.quarter_us(operation)) {
    return reads_.hedge(id, operation, now);
  }
  const TallyVerdict after = reads_.on_silence(id, operation, now);
  core_.open.timers.add(now.steady_us, operation.deadline_us - now.steady_us, id);
  advance(id, operation, after, now);
}

}  // namespace kvorum::cluster
