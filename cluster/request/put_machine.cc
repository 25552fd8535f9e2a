// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/put_machine.h"

#include <algorithm>
#include <optional>

#include "cluster/version/context.h"
#include "cluster/version/planted_bug.h"

namespace kvorum::cluster {
namespace {

// Of a hint beside the request's own bytes, about: versions that it merges with are not counted.
constexpr uint64_t kHintHeadBytes = HintLedger::kOverheadBytes + 64;

constexpr std::string_view kNotHeardYet =
    "this node has just started and has not heard of another member yet, nothing was written";

using State = Target::State;
using Verdict = EditOutput::Verdict;

Completion edit_completion(const EditOutput& edit, bool stored) {
  Completion completion;
  completion.outcome = edit.verdict == Verdict::kReject ? Outcome::kRejected : Outcome::kOk;
  completion.stored = stored;
  completion.reply_code = edit.reply_code;
  completion.reply_number = edit.reply_number;
  completion.has_reply_bytes = edit.has_reply_bytes;
  completion.reply_bytes = edit.reply_bytes;
  if (edit.verdict == Verdict::kReject) completion.text = edit.reply_bytes;
  return completion;
}

}  // namespace

EditOutput PutMachine::run_edit(Operation& operation, const Object& object, Now now) {
  const Request& request = operation.request();
  const uint64_t now_ms = core_.clock_ms(now);
  const InlineVector<Version, 1> visible = visible_versions(object, now_ms);
  operation.saw_siblings = visible.size() > 1;
  const EditInput input{.key = request.key,
                        .object = object,
                        .visible = visible,
                        .now_ms = now_ms,
                        .origin = operation.forwarded.origin,
                        .may_be_evicted = core_.may_be_evicted(request.key.keyspace),
                        .argument = request.argument,
                        .value = request.value,
                        .value_bytes_max = core_.options.value_bytes_max};
  return core_.parts.edits[request.edit].apply(input, core_.edit_scratch);
}

// Who else holds the bytes of a new version. Large ones that the edit made get an owner.
const SharedBytes* PutMachine::find_owner(std::string_view bytes, Operation& operation,
                                          const Object& object) {
  const SharedBytes* const owner = operation.request().value_owner;
  if (worth_sharing(bytes, owner)) return owner;
  if (const SharedBytes* const held = owner_of(bytes, object)) return held;
  if (!is_within(bytes, core_.edit_scratch)) return nullptr;
  operation.made = share(std::exchange(core_.edit_scratch, {}));  // which lies where it lay
  return &operation.made;
}

Version PutMachine::make_version(Operation& operation, const EditOutput& edit, const Object& object,
                                 uint64_t now_ms) {
  Version version;
  version.origin = operation.forwarded.origin;
  version.retried = operation.is_retry();
  // Nobody would ever see it.
  if (edit.deadline_ms != 0 && edit.deadline_ms <= now_ms) {
    version.type = TypeTag::kTombstone;
    return version;
  }
  version.type = edit.type;
  version.flags = edit.flags;
  version.deadline_ms = edit.deadline_ms;
  version.bytes = edit.bytes;
  if (edit.bytes.size() >= kSharedBytesMin) [[unlikely]]
    version.owner = find_owner(edit.bytes, operation, object);
  if (edit.keep_origin) {
    const InlineVector<Version, 1> visible = visible_versions(object, now_ms);
    // A twin that comes later, with the old deadline, would pass for the same version.
    const bool keeps = !visible.empty() && !may_have_twins(object, visible[0].origin);
    if (keeps) version.origin = origin_of(visible[0]);
  }
  return version;
}

bool PutMachine::must_read(const Operation& operation) {
  const Request& request = operation.request();
  const EditRow& row = core_.parts.edits[request.edit];
  const bool primary = core_.is_primary(core_.self(), request.key);
  if (row.needs_old) return true;
  // A copy that may lack writes is no context: what it forgot would become a sibling.
  if (!request.has_context) return !primary || !core_.is_whole(request.key);
  if (!primary) return !request.context->detached.empty();
  // What the context covers has to be here: a version that was retried takes its twins with it.
  bool lacks = false;
  core_.read_own(request.key, [&](Record& record) {
    lacks = !record.object.vector.covers_all(request.context->vector);
    for (const Dot& dot : request.context->detached) lacks |= !record.object.vector.covers(dot);
  });
  return lacks;
}

// Chooses the replicas, before anything is touched: false where W can neither be met nor softened
// to as many copies as nodes are alive (the missing ones are kept as hints).
bool PutMachine::plan(Operation& operation, Now now) {
  const Request& request = operation.request();
  const KeyspacePolicy& policy = core_.view->keyspaces[operation.keyspace];
  core_.choose_targets(request.key, now, &operation.targets, &operation.dead);
  const size_t alive = operation.targets.size();
  const uint8_t w = request.w ? request.w : core_.view->quorum(operation.keyspace).w;
  const bool soft =
      policy.sloppy && !request.strict_w && policy.writes_when_short == WritesWhenShort::kHint;
  // The missing copies are promised as hints: where they cannot be kept, nothing is promised.
  const uint64_t hint_bytes =
      request.key.key.size() + request.argument.size() + request.value.size() + kHintHeadBytes;
  const bool softened =
      alive < w && soft && core_.hints.has_room_for(hint_bytes * operation.dead.size());
  operation.needed = softened ? static_cast<uint8_t>(alive) : w;
  operation.short_of_w = static_cast<uint8_t>(w - operation.needed);
  return alive >= operation.needed && take_own_place(operation);
}

void PutMachine::start(SlotId id, Operation& operation, Now now) {
  const Request& request = operation.request();
  if (request.edit >= core_.parts.edits.size()) {
    return fail(id, operation, {Outcome::kRejected, "ERR unknown edit"}, now);
  }
  if (!core_.contact.made(now)) {
    operation.phase = Operation::Phase::kSilent;
    core_.timers.add(now.steady_us, FirstContact::kLookUs, id);
    return;
  }
  operation.blind = !request.has_context && !core_.parts.edits[request.edit].needs_old;
  if (!plan(operation, now)) return fail(id, operation, {Outcome::kNoQuorum}, now);
  operation.claim_quorum = static_cast<uint8_t>(wanted_claims(operation, now));
  if (operation.claim_quorum != 0 || must_read(operation)) return read(id, operation, now);
  write(id, operation, now);
}

void PutMachine::wait_for_contact(SlotId id, Operation& operation, Now now) {
  if (now.steady_us < operation.deadline_us) return start(id, operation, now);
  fail(id, operation, {Outcome::kNoQuorum, kNotHeardYet}, now);
}

void PutMachine::after_read(SlotId id, Operation& operation, GetMachine::Progress progress,
                            Now now) {
  if (operation.phase != Operation::Phase::kReading) return;
  if (progress == GetMachine::Progress::kWaiting) return;
  if (progress == GetMachine::Progress::kContended) return contend(id, operation, now);
  if (comes_too_early(operation, now)) return try_again(id, operation, now);
  const EditRow& row = core_.parts.edits[operation.request().edit];
  const bool blindfolded = progress == GetMachine::Progress::kFailed && row.needs_old;
  if (blindfolded || !plan(operation, now)) {
    return fail(id, operation, {Outcome::kNoQuorum}, now);
  }
  write(id, operation, now);
}

void PutMachine::keep_reply(Operation& operation, const EditOutput& edit) {
  operation.edit = edit;
  operation.reply_storage.assign(edit.reply_bytes);
  operation.edit.reply_bytes = operation.reply_storage;
}

// Another coordinator ran the request, and what it made was replaced since: it must not come on top
// of that. What replaced it is what W replicas have to have.
PutMachine::Applied PutMachine::keep_replaced(Operation& operation, const SpentOrigin& spent) {
  const Request& request = operation.request();
  const Context given = request.has_context ? *request.context : Context{};
  operation.was_stored = true;
  if (request.wants_context) operation.new_context = context_after_put(given, spent.dot);
  return Applied::kStored;
}

// Under the key's lock: the edit, its dot, the new version.
PutMachine::Applied PutMachine::apply_edit(Operation& operation, Record& record, Now now) {
  const Request& request = operation.request();
  Object& object = record.object;
  bool grown = false;
  if (!operation.object.empty()) {
    Object read;
    const bool decoded = decode_object(operation.object, read);
    KVORUM_CHECK(decoded);
    // What was read a while ago may have been replaced, and that forgotten, since.
    drop_dead(read, object, core_.frontier_of(request.key));
    grown = !object.vector.covers_all(read.vector);
    object = merge(object, read);
  }
  const bool lww = core_.lww(operation.keyspace);
  if (lww) core_.counters.concurrent_dropped += keep_newest(object);
  const EditOutput edit = run_edit(operation, object, now);
  keep_reply(operation, edit);
  operation.was_stored = edit.verdict == Verdict::kStore;
  if (const SpentOrigin* spent = object.find_spent(operation.forwarded.origin)) {
    return keep_replaced(operation, *spent);
  }
  if (!operation.was_stored) return grown ? Applied::kStored : Applied::kNothingToStore;

  Context context;
  if (request.has_context) {
    context = *request.context;
  } else {
    context.vector = object.vector;
    context.vector.join(operation.uncovered);
  }
  Version version = make_version(operation, edit, object, core_.clock_ms(now));
  version.dot = core_.mint(record, context, lww, now);
  std::optional<Object> before;  // where the vector may grow too long
  if (object.vector.size() + context.vector.size() + 1 > core_.options.clock_entries_max) {
    before = object;
  }
  update(object, context, version);
  if (lww) core_.counters.concurrent_dropped += keep_newest(object);
  if (object.versions.size() > core_.options.siblings_max) return Applied::kTooManySiblings;
  if (before) {
    const Hlc frontier = core_.frontier_of(request.key);
    core_.counters.clock_truncations +=
        truncate_vector(object, core_.options.clock_entries_max, *before, frontier);
  }
  if (request.wants_context) operation.new_context = context_after_put(context, version.dot);
  return Applied::kStored;
}

// Stores in the own copy, or where this node is a fallback in the hint for the primary it stands
// for.
engine::UpdateResult PutMachine::store_own(Operation& operation, Now now, Applied* applied) {
  const KeyRef& key = operation.request().key;
  const auto change = [&](Record& record) {
    *applied = apply_edit(operation, record, now);
    if (*applied != Applied::kStored) return false;
    // Not in place: the record's versions may be views into what was read.
    encode_object(record.object, core_.outgoing);
    operation.object.swap(core_.outgoing);
    core_.count_held(operation);
    return true;
  };
  for (const Target& target : operation.targets) {
    if (target.member != core_.self() || target.stands_for == kNoMember) continue;
    operation.own_vote_hinted = true;
    const engine::UpdateResult result =
        core_.hints.update({core_.id_of(target.stands_for), key}, change);
    if (result.access == engine::Access::kDone && *applied == Applied::kStored) {
      ++core_.counters.hints_stored;
    }
    return result;
  }
  operation.own_vote_hinted = false;
  return core_.update_own(key, change);
}

// Why nothing was stored here, so that nothing is sent to anybody. A full quota of hints makes this
// node unfit to stand in, which leaves W short.
Outcome PutMachine::refusal(const Operation& operation, Applied applied, engine::Access access) {
  if (applied == Applied::kTooManySiblings) return Outcome::kTooManySiblings;
  if (access != engine::Access::kFull) return Outcome::kStoreFailed;
  return operation.own_vote_hinted ? Outcome::kNoQuorum : Outcome::kOutOfMemory;
}

void PutMachine::write(SlotId id, Operation& operation, Now now) {
  // Nobody waits for it any more: a version that is made now would surprise whoever writes next.
  if (now.steady_us >= operation.deadline_us) {
    return fail(id, operation, {Outcome::kNoQuorum}, now);
  }
  // This process stood still: the claim may be another node's by now.
  if (operation.claim_quorum != 0 && now.steady_us >= operation.claims_until_us) {
    return try_again(id, operation, now);
  }
  Applied applied = Applied::kNothingToStore;
  const engine::UpdateResult result = store_own(operation, now, &applied);
  if (result.access == engine::Access::kNotResident) {
    operation.object.clear();  // the edit may have been run, for a value that needs a file first
    core_.load(id, operation, operation.request().key);
    return;
  }
  if (result.access != engine::Access::kDone || applied == Applied::kTooManySiblings) {
    return fail(id, operation, {refusal(operation, applied, result.access)}, now);
  }
  const bool rejected = operation.edit.verdict == Verdict::kReject;
  // A write of this node, blind beside the reading, makes siblings that it will replace, too.
  if (rejected && operation.saw_siblings && core_.reads_again(operation, true, now)) {
    return try_again(id, operation, now);
  }
  if (applied == Applied::kNothingToStore || !operation.was_stored) {
    release_claims(id, operation);
    answer(id, operation, Outcome::kOk, now);
    core_.release(id);
    return;
  }
  operation.phase = Operation::Phase::kWriting;
  operation.asked_us = now.steady_us;
  await_own(id, operation, result.ticket);
  send_to_targets(id, operation);
  release_claims(id, operation);
  if (operation.large_bytes > operation.request().value.size()) {
    const uint64_t flow_us = core_.flow_ms(operation.large_bytes) * 1000ULL;
    operation.deadline_us = std::max(operation.deadline_us, now.steady_us + flow_us);
  }
  for (const MemberIndex place : operation.dead) leave_hint(operation, place);
  if (operation.targets.size() > 1) {
    core_.timers.add(now.steady_us, core_.quarter_us(operation), id);
  }
  advance(id, operation, now);
}

void PutMachine::advance(SlotId id, Operation& operation, Now now) {
  const size_t votes = count_votes(operation.targets);
  const auto open =
      std::count_if(operation.targets.begin(), operation.targets.end(),
                    [](const Target& target) { return target.state == State::kWaiting; });
  if (operation.phase == Operation::Phase::kWriting) {
    const size_t enough = planted(PlantedBug::kAcknowledgeEarly) ? 1 : operation.needed;
    if (votes >= enough) {
      if (operation.blind && !operation.uncovered.empty() && !operation.second_write_done) {
        operation.second_write_done = true;
        ++core_.counters.second_writes;
        const Targets first_write = operation.targets;
        if (plan(operation, now)) {
          operation.claim_quorum = static_cast<uint8_t>(wanted_claims(operation, now));
          if (operation.claim_quorum != 0) return read(id, operation, now);
          return write(id, operation, now);
        }
        operation.targets = first_write;  // whose stragglers are still awaited
      }
      answer(id, operation, Outcome::kOk, now);
      operation.phase = Operation::Phase::kSettling;
    } else if (open == 0) {
      answer(id, operation, Outcome::kUncertain, now);
      operation.phase = Operation::Phase::kSettling;
    }
  }
  if (operation.phase == Operation::Phase::kSettling && open == 0) core_.release(id);
}

void PutMachine::answer(SlotId, Operation& operation, Outcome outcome, Now now) {
  Completion completion = edit_completion(operation.edit, operation.was_stored);
  if (outcome != Outcome::kOk) completion.outcome = outcome;
  if (operation.was_stored && operation.request().wants_context) {
    completion.context = &operation.new_context;
  }
  core_.complete(operation, completion, now);
}

void PutMachine::on_timer(SlotId id, Operation& operation, Now now) {
  if (operation.phase == Operation::Phase::kSilent) return wait_for_contact(id, operation, now);
  if (operation.phase == Operation::Phase::kContended) return begin_again(id, operation, now);
  if (core_.still_flows(id, operation, now)) return;
  if (operation.phase == Operation::Phase::kReading) {
    if (now.steady_us >= operation.deadline_us) {
      after_read(id, operation, GetMachine::Progress::kFailed, now);
      return;
    }
    if (now.steady_us < operation.asked_us + core_.quarter_us(operation)) return;  // of before
    operation.claims_waited = true;
    const GetMachine::Progress progress = reads_.on_silence(id, operation, now);
    core_.timers.add(now.steady_us, operation.deadline_us - now.steady_us, id);
    after_read(id, operation, progress, now);
    return;
  }
  if (operation.phase == Operation::Phase::kLoading) return;
  if (now.steady_us >= operation.deadline_us) {
    if (operation.phase == Operation::Phase::kWriting) {
      answer(id, operation, Outcome::kUncertain, now);
    }
    operation.phase = Operation::Phase::kSettling;
    for (Target& target : operation.targets) {
      if (target.member != core_.self()) target.state = State::kAnswered;  // no longer awaited
    }
    advance(id, operation, now);
    return;
  }
  if (now.steady_us < operation.asked_us + core_.quarter_us(operation)) return;  // of the reading
  const size_t asked = operation.targets.size();
  for (size_t at = 0; at < asked; ++at) {
    if (operation.targets[at].state != State::kWaiting) continue;
    if (operation.targets[at].member == core_.self() || operation.targets[at].replaced) continue;
    core_.health.timed_out(operation.targets[at].member, operation.targets[at].asked_us,
                           now.steady_us);
    ++core_.counters.timeouts;
    replace(id, operation, at);
  }
  core_.timers.add(now.steady_us, operation.deadline_us - now.steady_us, id);
}

}  // namespace kvorum::cluster
