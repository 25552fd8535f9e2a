// SPDX-License-Identifier: Apache-2.0
// The replicas of a put: where its copies go, who stands in for whom, what they answer.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cluster/machine/large_frames.h"
#include "cluster/put/put_machine.h"
#include "cluster/version/context.h"

namespace kvorum::cluster {

using Phase = Operation::Phase;
using State = Target::State;

// Makes sure that this node is among the targets: as a primary, or as the fallback of a dead one.
bool PutMachine::take_own_place(Operation& operation) {
  for (const Target& target : operation.writing.tally.targets) {
    if (target.member == core_.self()) return true;
  }
  for (Target& target : operation.writing.tally.targets) {
    if (target.stands_for == kNoMember) continue;
    target.member = core_.self();
    return true;
  }
  return false;
}

// The new version is in the own copy: the others get it.
void PutMachine::replicate(SlotId id, Operation& operation, engine::Ticket ticket, Now now) {
  Writing& writing = operation.writing;
  KVORUM_CHECK(!operation.object.empty() && !writing.tally.targets.empty());
  operation.phase = Phase::kWriting;
  writing.asked_us = now.steady_us;
  await_own(id, operation, ticket);
  send_to_targets(id, operation);
  claims_.release(id, operation);
  if (operation.large_bytes > operation.request().value.size()) {
    const uint64_t flow_us = core_.flow_ms(operation.large_bytes) * 1000ULL;
    operation.deadline_us = std::max(operation.deadline_us, now.steady_us + flow_us);
  }
  for (const MemberIndex place : writing.dead) leave_hint(operation, place);
  if (writing.tally.targets.size() > 1) {
    core_.open.timers.add(now.steady_us, core_.quarter_us(operation), id);
  }
  advance(id, operation, now);
}

// The version is made: the owners of the sets that are in play now get it. They may have granted a
// claim to another coordinator meanwhile (claims.h), since those who granted this one are no owners
// any more: what was made beside the edit shows in its answer.
void PutMachine::replicate_anew(SlotId id, Operation& operation, Now now) {
  Writing& writing = operation.writing;
  KVORUM_CHECK(!operation.object.empty());
  if (!writing.blind && !operation.request().has_context) note_late(operation);
  writing.awaits_owner = core_.awaits_newcomers(id, operation, now);
  if (writing.awaits_owner) return;
  choose_writers(operation, now);  // it goes on as it can
  engine::Ticket ticket = writing.ticket;
  Targets& targets = writing.tally.targets;
  for (size_t at = 0; at < targets.size(); ++at) {
    if (targets[at].member != core_.self()) continue;
    if (!keep_own_place(operation, targets[at], &ticket)) targets[at].state = State::kFailed;
  }
  if (targets.empty()) {
    answer(operation, Outcome::kUncertain, now);
    return core_.open.release(id);
  }
  replicate(id, operation, ticket, now);
}

void PutMachine::note_late(Operation& operation) {
  Writing& writing = operation.writing;
  Object written;
  const bool decoded = decode_object(operation.object, written);
  KVORUM_CHECK(decoded);
  writing.late = true;
  core_.own.read(operation.request().key, [&](const Record& record) {
    writing.beside |= stands_beside(record.object, written);
  });
}

// Stores the version as what this node is now: an owner, or one that stands in. What it stored as
// an owner it has.
bool PutMachine::keep_own_place(Operation& operation, Target& own, engine::Ticket* ticket) {
  Writing& writing = operation.writing;
  const KeyRef& key = operation.request().key;
  const bool hinted = own.stands_for != kNoMember;
  if (!hinted && !writing.own_vote_hinted) return true;
  Object object;
  if (!decode_object(operation.object, object)) return false;
  writing.own_vote_hinted = hinted;
  const auto merge_in = [&](Record& record) {
    core_.own.merge_in(record, key, object, {});
    return true;
  };
  const engine::UpdateResult result =
      hinted ? core_.hints.store({core_.id_of(own.stands_for), key}, object)
             : core_.own.update(key, merge_in);
  *ticket = result.ticket;
  return result.access == engine::Access::kDone;
}

void PutMachine::send_to_targets(SlotId id, Operation& operation) {
  Writing& writing = operation.writing;
  for (Target& target : writing.tally.targets) {
    if (target.member == core_.self()) {
      if (!writing.own_vote_open && target.state == State::kWaiting) {
        target.state = State::kAnswered;
      }
      continue;
    }
    writing.hints_left =
        static_cast<uint8_t>(writing.hints_left + (target.stands_for != kNoMember));
    send_to(id, operation, target);
  }
}

void PutMachine::send_to(SlotId id, Operation& operation, Target& target) {
  const Writing& writing = operation.writing;
  ReplicaWrite message{
      .key = operation.request().key,
      .blind = writing.blind,
      .second = writing.second_write_done,
      .late = writing.late,
      .hint_for = target.stands_for == kNoMember ? 0 : core_.id_of(target.stands_for),
      .signature = core_.signature(operation.request().key),
      .object = {}};
  InlineVector<MemberIndex, 4>& claimed = operation.claim.asked;
  auto* const claim = std::find(claimed.begin(), claimed.end(), target.member);
  if (claim != claimed.end() && message.hint_for == 0) {
    message.releases = core_.self_id();
    message.attempt = operation.reading.attempt;
    target.releases = true;
    claimed.erase_at(static_cast<size_t>(claim - claimed.begin()));
  }
  send_replica_write(core_, target.member, {id, operation}, message);
}

// Who knew another history: the change that one of both lacked is on its way.
void PutMachine::send_apart(SlotId id, Operation& operation) {
  for (Target& target : operation.writing.tally.targets) {
    if (target.state != State::kApart) continue;
    target.state = State::kWaiting;
    send_to(id, operation, target);
  }
}

// Keeps the copy of a primary here, beside the own one: it does not count toward W.
void PutMachine::leave_hint(Operation& operation, MemberIndex place) {
  KVORUM_CHECK(place < core_.view->members.size());
  Object object;
  if (place == core_.self() || !decode_object(operation.object, object)) return;
  const HintKey hint{core_.id_of(place), operation.request().key};
  if (core_.hints.store(hint, object).access != engine::Access::kDone) {
    // W was softened for the promise of this copy: it counts in full again.
    operation.writing.tally.harden();
    return;
  }
  ++core_.counters.hints_stored;
  ++operation.writing.hints_left;
}

// A silent, refusing or unlinked replica: the next fallback takes its copy with a hint, or we do.
void PutMachine::replace(SlotId id, Operation& operation, size_t silent) {
  Writing& writing = operation.writing;
  KVORUM_CHECK(silent < writing.tally.targets.size());
  Target& target = writing.tally.targets[silent];
  if (target.replaced || target.member == core_.self()) return;
  target.replaced = true;
  const MemberIndex place = place_of(target);
  const MemberIndex stand_in = core_.spare_fallback(operation.request().key, writing.tally.targets);
  if (stand_in == kNoMember) {
    leave_hint(operation, place);
    return;
  }
  KVORUM_CHECK(stand_in != core_.self());
  writing.tally.targets.push_back(Target{.member = stand_in, .stands_for = place});
  ++writing.hints_left;
  send_to(id, operation, writing.tally.targets.back());
}

void PutMachine::on_write_reply(SlotId id, Operation& operation,
                                const Answered<ReplicaWriteReply>& answer, Now now) {
  Writing& writing = operation.writing;
  if (answer.reply.second != writing.second_write_done) return;  // of the write before
  for (size_t at = 0; at < writing.tally.targets.size(); ++at) {
    Target& target = writing.tally.targets[at];
    if (target.member != answer.from || target.state != State::kWaiting) continue;
    if (answer.reply.verdict == ReplicaVerdict::kApart) {
      target.state = State::kApart;
      // It looked at nothing of it, so the claim is there still.
      if (std::exchange(target.releases, false)) operation.claim.asked.push_back(target.member);
      core_.open.timers.add(now.steady_us, apart_pause_us(writing.apart), id);
      return;
    }
    // A dot of ours that is dead there: this node's clock, or what it lost, deceived it.
    if (answer.reply.verdict == ReplicaVerdict::kDead) {
      core_.parts.clock->mint_above(answer.reply.frontier);
    }
    if (answer.reply.verdict == ReplicaVerdict::kRefused ||
        answer.reply.verdict == ReplicaVerdict::kDead) {
      target.state = State::kFailed;
      replace(id, operation, at);
      break;
    }
    target.state = State::kAnswered;
    writing.beside |= writing.late && answer.reply.verdict == ReplicaVerdict::kUncovered;
    Context kept;
    if (answer.reply.verdict == ReplicaVerdict::kUncovered &&
        decode_context(answer.reply.vector, kept)) {
      writing.uncovered.join(kept.vector);
    }
    break;
  }
  advance(id, operation, now);
}

// The own copy, or the hint that stands for one, is a vote from its commit on.
void PutMachine::await_own(SlotId id, Operation& operation, engine::Ticket ticket) {
  Writing& writing = operation.writing;
  writing.ticket = ticket;
  writing.own_vote_open = ticket > own_committed(operation);
  if (!writing.own_vote_open) return;
  if (writing.own_vote_hinted) {
    core_.open.await_own_hint(ticket, id);
  } else {
    core_.open.await_own_vote(ticket, id);
  }
}

engine::Ticket PutMachine::own_committed(const Operation& operation) const {
  return operation.writing.own_vote_hinted ? core_.hints.committed()
                                           : core_.parts.table->commits().committed();
}

void PutMachine::on_own_commit(SlotId id, Operation& operation, OwnCommit commit, Now now) {
  Writing& writing = operation.writing;
  KVORUM_CHECK(operation.was_put());
  // Of the write before, which may have been an object where this is a hint.
  if (commit.hinted != writing.own_vote_hinted) return;
  if (commit.ok && writing.ticket > own_committed(operation)) return;
  writing.own_vote_open = false;
  for (Target& target : writing.tally.targets) {
    if (target.member == core_.self()) {
      target.state = commit.ok ? State::kAnswered : State::kFailed;
    }
  }
  advance(id, operation, now);
}

void PutMachine::on_link_down(SlotId id, Operation& operation, MemberIndex peer, Now now) {
  Writing& writing = operation.writing;
  if (operation.phase == Phase::kReading) {
    after_read(id, operation, reads_.on_link_down(id, operation, peer), now);
    return;
  }
  const bool writes = operation.phase == Phase::kWriting || operation.phase == Phase::kSettling;
  if (!writes) return;
  const size_t asked = writing.tally.targets.size();
  for (size_t at = 0; at < asked; ++at) {
    if (writing.tally.targets[at].member != peer ||
        writing.tally.targets[at].state != State::kWaiting) {
      continue;
    }
    writing.tally.targets[at].state = State::kFailed;
    replace(id, operation, at);
  }
  advance(id, operation, now);
}

// Whoever is silent for a quarter of the time is replaced; at the deadline nobody is awaited.
void PutMachine::on_writing_timer(SlotId id, Operation& operation, Now now) {
  Writing& writing = operation.writing;
  Targets& targets = writing.tally.targets;
  send_apart(id, operation);
  if (now.steady_us >= operation.deadline_us) {
    if (operation.phase == Phase::kWriting) answer(operation, Outcome::kUncertain, now);
    operation.phase = Phase::kSettling;
    for (Target& target : targets) {
      if (target.member != core_.self()) target.state = State::kAnswered;  // no longer awaited
    }
    return advance(id, operation, now);
  }
  if (now.steady_us < writing.asked_us + core_.quarter_us(operation)) return;  // of the reading
  const size_t asked = targets.size();
  for (size_t at = 0; at < asked; ++at) {
    const Target& target = targets[at];
    const bool silent = target.state == State::kWaiting && !target.replaced;
    if (!silent || target.member == core_.self()) continue;
    core_.health.timed_out(target.member, target.asked_us, now.steady_us);
    ++core_.counters.timeouts;
    replace(id, operation, at);
  }
  core_.open.timers.add(now.steady_us, operation.deadline_us - now.steady_us, id);
}

}  // namespace kvorum::cluster
