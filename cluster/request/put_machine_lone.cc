// SPDX-License-Identifier: Apache-2.0
// Puts of a lone replica (N = 1): written within submit(), answered at once or at the commit.
#include "cluster/request/put_machine.h"

namespace kvorum::cluster {

bool PutMachine::write_at_once(const Request& request, uint64_t tag, Now now) {
  if (core_.view->quorum(request.key.keyspace).n != 1) return false;
  if (!core_.is_primary(core_.self(), request.key) || !core_.contact.made(now)) return false;
  if (!core_.is_whole(request.key)) return false;
  Operation& lone = lone_;
  lone.begin(Operation::Kind::kPut, now);
  lone.keyspace = request.key.keyspace;
  lone.forwarded.request = request;
  lone.forwarded.origin = 0;
  Applied applied = Applied::kNothingToStore;
  const auto change = [&](Record& record) {
    applied = apply_edit(lone, record, now);
    return applied == Applied::kStored;
  };
  const engine::UpdateResult result = core_.update_own(request.key, change);
  lone.made = nullptr;
  lone.tag = tag;
  if (result.access == engine::Access::kNotResident) return false;
  lone.needed = 1;
  lone.targets.push_back(Target{.member = core_.self(), .state = Target::State::kAnswered});
  if (result.access == engine::Access::kRefused) {
    core_.complete_failed(lone, Outcome::kStoreFailed, {}, now);
  } else if (result.access == engine::Access::kFull) {
    core_.complete_failed(lone, Outcome::kOutOfMemory, {}, now);
  } else if (applied == Applied::kTooManySiblings) {
    core_.complete_failed(lone, Outcome::kTooManySiblings, {}, now);
  } else if (applied == Applied::kStored && result.ticket > core_.parts.table->committed()) {
    await_commit(now, result.ticket);
  } else {
    answer(0, lone, Outcome::kOk, now);
  }
  return true;
}

// The lone replica's write is in the table; the answer waits for its commit. A plain one as a few
// words in a queue, else as an operation.
void PutMachine::await_commit(Now now, engine::Ticket ticket) {
  const Request& request = lone_.request();
  if (request.wants_context || request.timeout_ms != 0 || lone_.edit.has_reply_bytes) {
    await_commit_as_operation(now, ticket);
    return;
  }
  lone_commits_.push({.ticket = ticket,
                      .tag = lone_.tag,
                      .started_us = now.steady_us,
                      .reply_number = lone_.edit.reply_number,
                      .reply_code = lone_.edit.reply_code});
}

void PutMachine::answer_lone(Outcome outcome, Now now) {
  const LoneCommit commit = lone_commits_.pop();
  Completion completion;
  completion.outcome = outcome;
  completion.stored = true;
  completion.reply_code = commit.reply_code;
  completion.reply_number = commit.reply_number;
  lone_.answered_client = false;
  lone_.tag = commit.tag;
  lone_.started_us = commit.started_us;
  core_.complete(lone_, completion, now);
}

void PutMachine::on_committed(engine::Ticket ticket, bool ok, Now now) {
  while (!lone_commits_.empty() && (!ok || lone_commits_.front().ticket <= ticket)) {
    answer_lone(ok ? Outcome::kOk : Outcome::kUncertain, now);
  }
}

// A disk that hangs must not hang the client.
void PutMachine::on_time(Now now) {
  while (!lone_commits_.empty() && next_deadline_us() <= now.steady_us) {
    answer_lone(Outcome::kUncertain, now);
  }
}

uint64_t PutMachine::next_deadline_us() const {
  if (lone_commits_.empty()) return 0;
  return lone_commits_.front().started_us + core_.options.request_timeout_ms * 1000ULL;
}

void PutMachine::await_commit_as_operation(Now now, engine::Ticket ticket) {
  SlotId id;
  Operation& operation = core_.operations.acquire(&id);
  operation.begin(Operation::Kind::kPut, now);
  operation.phase = Operation::Phase::kWriting;
  operation.tag = lone_.tag;
  operation.keyspace = lone_.keyspace;
  // Of the request only what the answer needs: its bytes are not kept.
  operation.forwarded.request = {};
  operation.forwarded.request.kind = Request::Kind::kEdit;
  operation.forwarded.request.wants_context = lone_.request().wants_context;
  operation.needed = 1;
  operation.own_vote_open = true;
  operation.ticket = ticket;
  operation.was_stored = lone_.was_stored;
  if (lone_.request().wants_context) operation.new_context = lone_.new_context;
  operation.reply_storage = lone_.reply_storage;
  operation.edit = lone_.edit;
  operation.edit.reply_bytes = operation.reply_storage;
  operation.targets.push_back(Target{.member = core_.self()});
  core_.await_own_vote(ticket, id);
  const uint64_t timeout_us = core_.timeout_ms(lone_.request()) * 1000ULL;
  operation.deadline_us = now.steady_us + timeout_us;
  core_.timers.add(now.steady_us, timeout_us, id);
}

}  // namespace kvorum::cluster
