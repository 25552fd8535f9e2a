// SPDX-License-Identifier: Apache-2.0
// The replicas of a put: where its copies go, who stands in for whom, what they answer.
#include <algorithm>

#include "cluster/machine/large_frames.h"
#include "cluster/request/put_machine.h"
#include "cluster/version/context.h"

namespace kvorum::cluster {

using State = Target::State;

// Makes sure that this node is among the targets: as a primary, or as the fallback of a dead one.
bool PutMachine::take_own_place(Operation& operation) {
  for (const Target& target : operation.targets) {
    if (target.member == core_.self()) return true;
  }
  for (Target& target : operation.targets) {
    if (target.stands_for == kNoMember) continue;
    target.member = core_.self();
    return true;
  }
  return false;
}

void PutMachine::send_to_targets(SlotId id, Operation& operation) {
  for (Target& target : operation.targets) {
    if (target.member == core_.self()) {
      if (!operation.own_vote_open) target.state = State::kAnswered;
      continue;
    }
    ReplicaWrite message{
        .key = operation.request().key,
        .blind = operation.blind,
        .second = operation.second_write_done,
        .hint_for = target.stands_for == kNoMember ? 0 : core_.id_of(target.stands_for),
        .object = {}};
    InlineVector<MemberIndex, 4>& claimed = operation.claimed;
    auto* const claim = std::find(claimed.begin(), claimed.end(), target.member);
    if (claim != claimed.end() && message.hint_for == 0) {
      message.releases = core_.self_id();
      message.attempt = operation.attempt;
      claimed.erase_at(static_cast<size_t>(claim - claimed.begin()));
    }
    operation.hints_left = static_cast<uint8_t>(operation.hints_left + (message.hint_for != 0));
    send_replica_write(core_, target.member, {id, operation}, message);
  }
}

// Keeps the copy of a primary here, beside the own one: it does not count toward W.
void PutMachine::leave_hint(Operation& operation, MemberIndex place) {
  Object object;
  if (place == core_.self() || !decode_object(operation.object, object)) return;
  const HintKey hint{core_.id_of(place), operation.request().key};
  if (core_.hints.store(hint, object).access != engine::Access::kDone) {
    // W was softened for the promise of this copy: it counts in full again.
    operation.needed = static_cast<uint8_t>(operation.needed + operation.short_of_w);
    operation.short_of_w = 0;
    return;
  }
  ++core_.counters.hints_stored;
  ++operation.hints_left;
}

// A silent, refusing or unlinked replica: the next fallback takes its copy with a hint, or we do.
void PutMachine::replace(SlotId id, Operation& operation, size_t silent) {
  Target& target = operation.targets[silent];
  if (target.replaced || target.member == core_.self()) return;
  target.replaced = true;
  const MemberIndex place = place_of(target);
  const MemberIndex stand_in = core_.spare_fallback(operation.request().key, operation.targets);
  if (stand_in == kNoMember) {
    leave_hint(operation, place);
    return;
  }
  operation.targets.push_back(Target{.member = stand_in, .stands_for = place});
  ++operation.hints_left;
  const ReplicaWrite message{.key = operation.request().key,
                             .second = operation.second_write_done,
                             .hint_for = core_.id_of(place),
                             .object = {}};
  send_replica_write(core_, stand_in, {id, operation}, message);
}

void PutMachine::on_reply(SlotId id, Operation& operation,
                          const Answered<ReplicaWriteReply>& answer, Now now) {
  if (answer.reply.second != operation.second_write_done) return;  // of the write before
  for (size_t at = 0; at < operation.targets.size(); ++at) {
    Target& target = operation.targets[at];
    if (target.member != answer.from || target.state != State::kWaiting) continue;
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
    Context kept;
    if (answer.reply.verdict == ReplicaVerdict::kUncovered &&
        decode_context(answer.reply.vector, kept)) {
      operation.uncovered.join(kept.vector);
    }
    break;
  }
  advance(id, operation, now);
}

// The own copy, or the hint that stands for one, is a vote from its commit on.
void PutMachine::await_own(SlotId id, Operation& operation, engine::Ticket ticket) {
  operation.ticket = ticket;
  operation.own_vote_open = ticket > own_committed(operation);
  if (!operation.own_vote_open) return;
  if (operation.own_vote_hinted) {
    core_.await_own_hint(ticket, id);
  } else {
    core_.await_own_vote(ticket, id);
  }
}

engine::Ticket PutMachine::own_committed(const Operation& operation) const {
  return operation.own_vote_hinted ? core_.hints.committed() : core_.parts.table->committed();
}

void PutMachine::on_own_commit(SlotId id, Operation& operation, OwnCommit commit, Now now) {
  // Of the write before, which may have been an object where this is a hint.
  if (commit.hinted != operation.own_vote_hinted) return;
  if (commit.ok && operation.ticket > own_committed(operation)) return;
  operation.own_vote_open = false;
  for (Target& target : operation.targets) {
    if (target.member == core_.self()) {
      target.state = commit.ok ? State::kAnswered : State::kFailed;
    }
  }
  advance(id, operation, now);
}

void PutMachine::on_link_down(SlotId id, Operation& operation, MemberIndex peer, Now now) {
  if (operation.phase == Operation::Phase::kReading) {
    after_read(id, operation, reads_.on_link_down(id, operation, peer), now);
    return;
  }
  const bool writes = operation.phase == Operation::Phase::kWriting ||
                      operation.phase == Operation::Phase::kSettling;
  if (!writes) return;
  const size_t asked = operation.targets.size();
  for (size_t at = 0; at < asked; ++at) {
    if (operation.targets[at].member != peer || operation.targets[at].state != State::kWaiting) {
      continue;
    }
    operation.targets[at].state = State::kFailed;
    replace(id, operation, at);
  }
  advance(id, operation, now);
}

}  // namespace kvorum::cluster
