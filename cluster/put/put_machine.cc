// SPDX-License-Identifier: Apache-2.0
#include "cluster/put/put_machine.h"

#include "base/check.h"
#include "base/planted_bug.h"
#include "cluster/request/forwarding.h"

namespace kvorum::cluster {
namespace {

using Phase = Operation::Phase;

// Of a hint beside the request's own bytes, about: versions that it merges with are not counted.
constexpr uint64_t kHintHeadBytes = HintLedger::kOverheadBytes + 64;

constexpr std::string_view kNotHeardYet =
    "this node has just started and has not heard of another member yet, nothing was written";
constexpr std::string_view kClaimed =
    "another node is about to change the key, nothing was written";
constexpr std::string_view kBeside =
    "another edit of the key was made at the same time, while its partition moved";

}  // namespace

bool PutMachine::must_read(const Operation& operation) {
  const Request& request = operation.request();
  KVORUM_CHECK(!request.has_context || request.context != nullptr);
  const EditRow& row = core_.parts.edits[request.edit];
  const bool primary = core_.is_reader(core_.self(), request.key);
  if (row.needs_old) return true;
  // A copy that may lack writes is no context: what it forgot would become a sibling.
  if (!request.has_context) return !primary || !core_.is_whole(request.key);
  if (!primary) return !request.context->detached.empty();
  // What the context covers has to be here: a version that was retried takes its twins with it.
  bool lacks = false;
  core_.own.read(request.key, [&](Record& record) {
    lacks = !record.object.vector.covers_all(request.context->vector);
    for (const Dot& dot : request.context->detached) lacks |= !record.object.vector.covers(dot);
  });
  return lacks;
}

// Chooses the replicas, before anything is touched: false where W can neither be met nor softened
// to as many copies as nodes are alive (the missing ones are kept as hints).
bool PutMachine::plan(Operation& operation, Now now) {
  operation.phase = Phase::kWriting;
  return choose_writers(operation, now) && take_own_place(operation);
}

bool PutMachine::choose_writers(Operation& operation, Now now) {
  const Request& request = operation.request();
  Writing& writing = operation.writing;
  WriteTally& tally = writing.tally;
  core_.choose_writers(request.key, now, &tally.targets, &writing.dead);
  const uint8_t w = request.w ? request.w : core_.view->quorum(operation.keyspace).w;
  KVORUM_CHECK(w > 0);
  tally.needed = w;
  tally.short_of_w = 0;
  tally.asked = request.w != 0;
  const SetsInPlay* const sets = core_.sets_in_play(request.key);
  tally.in_sets = sets != nullptr;
  const size_t alive = tally.targets.size();
  const bool reached = sets == nullptr ? alive >= w : tally.can_reach(*sets);
  if (reached) return true;
  if (alive == 0 || !may_soften(operation)) return false;
  tally.needed = static_cast<uint8_t>(sets == nullptr ? alive : size_t{w} - 1);
  tally.short_of_w = static_cast<uint8_t>(w - tally.needed);
  return true;
}

// The missing copies are promised as hints: where they cannot be kept, nothing is promised.
bool PutMachine::may_soften(const Operation& operation) const {
  const Request& request = operation.request();
  const KeyspacePolicy& policy = core_.view->keyspaces[operation.keyspace];
  if (!policy.sloppy || request.strict_w) return false;
  if (policy.writes_when_short != WritesWhenShort::kHint) return false;
  const uint64_t hint_bytes =
      request.key.key.size() + request.argument.size() + request.value.size() + kHintHeadBytes;
  return core_.hints.has_room_for(hint_bytes * operation.writing.dead.size());
}

void PutMachine::start(SlotId id, Operation& operation, Now now) {
  const Request& request = operation.request();
  if (request.edit >= core_.parts.edits.size()) {
    return fail(id, operation, {Outcome::kRejected, "ERR unknown edit"}, now);
  }
  if (!core_.contact.made(now)) {
    operation.phase = Phase::kSilent;
    core_.open.timers.add(now.steady_us, FirstContact::kLookUs, id);
    return;
  }
  if (core_.awaits_newcomers(id, operation, now)) return;
  operation.writing.blind = !request.has_context && !core_.parts.edits[request.edit].needs_old;
  if (!plan(operation, now)) return fail_unplanned(id, operation, now);
  operation.claim.quorum = static_cast<uint8_t>(claims_.wanted(operation, now));
  if (operation.claim.quorum != 0 || must_read(operation)) return read(id, operation, now);
  write(id, operation, now);
}

void PutMachine::begin_anew(SlotId id, Operation& operation, Now now) {
  if (operation.phase == Phase::kReading) {
    claims_.release(id, operation);
    start(core_.open.renew(id, now), operation, now);
  } else if (operation.phase == Phase::kWriting && !operation.object.empty()) {
    // A lone replica's write (lone_puts.h) waits for its commit alone: it was stored before any
    // exchange that counts for the change began.
    replicate_anew(core_.open.renew(id, now), operation, now);
  }
}

// W cannot be met; or it can, without this node, which was an owner when it was asked. What the
// ring moved away is run where it is now.
void PutMachine::fail_unplanned(SlotId id, Operation& operation, Now now) {
  claims_.release(id, operation);
  const SetsInPlay* const sets = core_.sets_in_play(operation.request().key);
  const WriteTally& tally = operation.writing.tally;
  const bool reached =
      sets == nullptr ? tally.targets.size() >= tally.needed : tally.can_reach(*sets);
  if (reached && core_.view->is_changed()) return core_.starter->on_misplaced(id, operation, now);
  fail(id, operation, {Outcome::kNoQuorum}, now);
}

// After a pause: while time is left.
void PutMachine::begin_again(SlotId id, Operation& operation, std::string_view reason, Now now) {
  if (now.steady_us < operation.deadline_us) return start(id, operation, now);
  fail(id, operation, {Outcome::kNoQuorum, reason}, now);
}

void PutMachine::read(SlotId id, Operation& operation, Now now) {
  const Request& request = operation.request();
  claims_.release(id, operation);
  operation.claim.waited = false;
  if (operation.claim.quorum != 0 && !claims_.take_own(operation, now)) {
    return contend(id, operation, now);
  }
  const uint8_t r = request.r ? request.r : core_.view->quorum(operation.keyspace).r;
  after_read(id, operation, reads_.begin(id, operation, r, now), now);
}

void PutMachine::after_read(SlotId id, Operation& operation, TallyVerdict verdict, Now now) {
  if (operation.phase != Phase::kReading) return;
  if (verdict == TallyVerdict::kNotYet) return;
  if (verdict == TallyVerdict::kContended) return contend(id, operation, now);
  if (claims_.comes_too_early(operation, now)) return try_again(id, operation, now);
  const EditRow& row = core_.parts.edits[operation.request().edit];
  const bool blindfolded = verdict == TallyVerdict::kImpossible && row.needs_old;
  if (blindfolded) return fail(id, operation, {Outcome::kNoQuorum}, now);
  if (!plan(operation, now)) return fail_unplanned(id, operation, now);
  write(id, operation, now);
}

// Stores in the own copy, or where this node is a fallback in the hint for the primary it stands
// for.
engine::UpdateResult PutMachine::store_own(Operation& operation, Now now, Applied* applied) {
  const KeyRef& key = operation.request().key;
  Writing& writing = operation.writing;
  const auto change = [&](Record& record) {
    *applied = edits_.apply(operation, record, now);
    if (*applied != Applied::kStored) return false;
    // Not in place: the record's versions may be views into what was read.
    encode_object(record.object, core_.outgoing);
    operation.object.swap(core_.outgoing);
    core_.open.count_held(operation);
    return true;
  };
  for (const Target& target : writing.tally.targets) {
    if (target.member != core_.self() || target.stands_for == kNoMember) continue;
    writing.own_vote_hinted = true;
    const engine::UpdateResult result =
        core_.hints.update({core_.id_of(target.stands_for), key}, change);
    const bool stored = result.access == engine::Access::kDone && *applied == Applied::kStored;
    core_.counters.hints_stored += stored;
    return result;
  }
  writing.own_vote_hinted = false;
  return core_.own.update(key, change);
}

// Why nothing was stored here, so that nothing is sent to anybody. A full quota of hints makes this
// node unfit to stand in, which leaves W short.
Outcome PutMachine::refusal(const Operation& operation, Applied applied, engine::Access access) {
  if (applied == Applied::kTooManySiblings) return Outcome::kTooManySiblings;
  if (access != engine::Access::kFull) return Outcome::kStoreFailed;
  return operation.writing.own_vote_hinted ? Outcome::kNoQuorum : Outcome::kOutOfMemory;
}

void PutMachine::write(SlotId id, Operation& operation, Now now) {
  const Writing& writing = operation.writing;
  KVORUM_CHECK(operation.was_put() && operation.phase == Phase::kWriting);  // plan() was true
  // Nobody waits for it any more: a version that is made now would surprise whoever writes next.
  if (now.steady_us >= operation.deadline_us) {
    return fail(id, operation, {Outcome::kNoQuorum}, now);
  }
  // This process stood still: the claim may be another node's by now.
  if (operation.claim.quorum != 0 && now.steady_us >= operation.claim.until_us) {
    return try_again(id, operation, now);
  }
  Applied applied = Applied::kNothingToStore;
  const engine::UpdateResult result = store_own(operation, now, &applied);
  if (result.access == engine::Access::kNotResident) {
    return core_.load(id, operation);
  }
  if (result.access != engine::Access::kDone || applied == Applied::kTooManySiblings) {
    return fail(id, operation, {refusal(operation, applied, result.access)}, now);
  }
  const bool rejected = writing.edit.verdict == EditOutput::Verdict::kReject;
  // A write of this node, blind beside the reading, makes siblings that it will replace, too.
  if (rejected && writing.saw_siblings && core_.reads_again(operation, true, now)) {
    return try_again(id, operation, now);
  }
  if (applied == Applied::kNothingToStore || !writing.was_stored) {
    claims_.release(id, operation);
    answer(operation, Outcome::kOk, now);
    return core_.open.release(id);
  }
  replicate(id, operation, result.ticket, now);
}

void PutMachine::advance(SlotId id, Operation& operation, Now now) {
  Writing& writing = operation.writing;
  if (operation.phase == Phase::kWriting) {
    const bool early = planted(PlantedBug::kAcknowledgeEarly);
    const TallyVerdict verdict =
        writing.tally.in_sets ? writing.tally.verdict(*core_.sets_in_play(operation.request().key))
                              : writing.tally.verdict(early ? 1 : writing.tally.needed);
    if (verdict == TallyVerdict::kNotYet) return;
    const bool enough = verdict == TallyVerdict::kEnough;
    const bool covers_all = writing.uncovered.empty() || writing.second_write_done;
    if (enough && writing.blind && !covers_all && write_again(id, operation, now)) return;
    answer(operation, enough && !writing.beside ? Outcome::kOk : Outcome::kUncertain, now);
    operation.phase = Phase::kSettling;
  }
  if (operation.phase == Phase::kSettling && writing.tally.is_settled()) core_.open.release(id);
}

// It may be a hint's where the second is the own copy's.
void PutMachine::hold_first_write(Operation& operation) {
  Object first;
  const bool decoded = decode_object(operation.object, first);
  KVORUM_CHECK(decoded);
  operation.reading.held.hold(first);
}

// A blind write left versions uncovered: once more, over those. False where too few are there.
bool PutMachine::write_again(SlotId id, Operation& operation, Now now) {
  Writing& writing = operation.writing;
  const WriteTally first = writing.tally;
  if (!plan(operation, now)) {
    writing.tally = first;  // whose stragglers are still awaited
    return false;
  }
  writing.second_write_done = true;
  ++core_.counters.second_writes;
  operation.claim.quorum = static_cast<uint8_t>(claims_.wanted(operation, now));
  if (operation.claim.quorum != 0) {
    read(id, operation, now);
  } else {
    hold_first_write(operation);
    write(id, operation, now);
  }
  return true;
}

void PutMachine::answer(Operation& operation, Outcome outcome, Now now) {
  Completion completion = edit_completion(operation);
  if (outcome != Outcome::kOk) completion.outcome = outcome;
  if (outcome == Outcome::kUncertain && operation.writing.beside) completion.text = kBeside;
  core_.complete(operation, completion, now);
}

// Another node is about to edit the key. It runs this edit too, after its own.
void PutMachine::contend(SlotId id, Operation& operation, Now now) {
  ++core_.counters.edits_contended;
  claims_.release(id, operation);
  if (now.steady_us >= operation.deadline_us) {
    return fail(id, operation, {Outcome::kNoQuorum, kClaimed}, now);
  }
  if (claims_.passes_on(operation, now)) {
    KVORUM_CHECK(!operation.claim.own);               // released: this node may lose the key
    operation.route.hops = Forwarding::kHopsMax - 1;  // it must not come back
    return core_.starter->run_at(operation.claim.holder, id, operation, now);
  }
  // A blind write destroys nobody's work by not waiting, and leaves a sibling at most.
  if (operation.writing.blind && claims_.waited_for_half(operation, now)) {
    operation.claim.given_up = true;
    return start(id, operation, now);
  }
  core_.pause_contended(id, operation, now);
}

void PutMachine::try_again(SlotId id, Operation& operation, Now now) {
  claims_.release(id, operation);
  core_.pause_contended(id, operation, now);
}

void PutMachine::fail(SlotId id, Operation& operation, Failure failure, Now now) {
  KVORUM_CHECK(failure.outcome != Outcome::kOk);
  claims_.release(id, operation);
  core_.complete_failed(operation, failure.outcome, failure.text, now);
  core_.open.release(id);
}

void PutMachine::on_read_reply(SlotId id, Operation& operation,
                               const Answered<ReplicaReadReply>& answer, Now now) {
  // One that comes after the read was over must not pass for a vote of the write.
  if (operation.phase != Phase::kReading) return;
  after_read(id, operation, reads_.on_reply(id, operation, answer, now), now);
}

void PutMachine::on_loaded(SlotId id, Operation& operation, bool ok, Now now) {
  if (!ok) return core_.starter->on_unreadable(id, operation, now);
  start(id, operation, now);
}

void PutMachine::on_timer(SlotId id, Operation& operation, Now now) {
  switch (operation.phase) {
    case Phase::kSilent:
      return begin_again(id, operation, kNotHeardYet, now);
    case Phase::kLinking:
      if (operation.writing.awaits_owner) return replicate_anew(id, operation, now);
      return core_.starter->choose_anew(id, operation, now);
    case Phase::kContended:
      return begin_again(id, operation, kClaimed, now);
    case Phase::kReading:
      if (!core_.still_flows(id, operation, now)) on_reading_timer(id, operation, now);
      return;
    case Phase::kWriting:
    case Phase::kSettling:
      if (!core_.still_flows(id, operation, now)) on_writing_timer(id, operation, now);
      return;
    case Phase::kLoading:
    case Phase::kHeld:
    case Phase::kRepairing:
      return;
  }
}

void PutMachine::on_reading_timer(SlotId id, Operation& operation, Now now) {
  reads_.ask_apart(id, operation);
  if (now.steady_us >= operation.deadline_us) {
    return after_read(id, operation, TallyVerdict::kImpossible, now);
  }
  if (now.steady_us < operation.reading.asked_us + core_.quarter_us(operation))
    return;  // of before
  operation.claim.waited = true;
  const TallyVerdict verdict = reads_.on_silence(id, operation, now);
  core_.open.timers.add(now.steady_us, operation.deadline_us - now.steady_us, id);
  after_read(id, operation, verdict, now);
}

}  // namespace kvorum::cluster
