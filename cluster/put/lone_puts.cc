// SPDX-License-Identifier: Apache-2.0
#include "cluster/put/lone_puts.h"

#include "base/check.h"

namespace kvorum::cluster {

bool LonePuts::write_at_once(const Request& request, uint64_t tag, Now now) {
  if (!core_.has_only_copy(request.key) || !core_.contact.made(now)) return false;
  Operation& lone = lone_;
  lone.begin(Operation::Kind::kPut, now);
  lone.phase = Operation::Phase::kWriting;
  lone.keyspace = request.key.keyspace;
  lone.forwarded.request = request;
  lone.forwarded.origin = request.origin;
  EditRunner::Applied applied = EditRunner::Applied::kNothingToStore;
  const auto change = [&](Record& record) {
    applied = edits_.apply(lone, record, now);
    return applied == EditRunner::Applied::kStored;
  };
  const engine::UpdateResult result = core_.own.update(request.key, change);
  lone.writing.made = nullptr;
  lone.tag = tag;
  if (result.access == engine::Access::kNotResident) return false;
  lone.writing.tally.needed = 1;
  lone.writing.tally.targets.push_back(
      Target{.member = core_.self(), .state = Target::State::kAnswered});
  if (result.access == engine::Access::kRefused) {
    core_.complete_failed(lone, Outcome::kStoreFailed, {}, now);
  } else if (result.access == engine::Access::kFull) {
    core_.complete_failed(lone, Outcome::kOutOfMemory, {}, now);
  } else if (applied == EditRunner::Applied::kTooManySiblings) {
    core_.complete_failed(lone, Outcome::kTooManySiblings, {}, now);
  } else if (applied == EditRunner::Applied::kStored &&
             result.ticket > core_.parts.table->commits().committed()) {
    await_commit(now, result.ticket);
  } else {
    answer(now);
  }
  return true;
}

void LonePuts::answer(Now now) {
  KVORUM_CHECK(lone_.was_put() && !lone_.answered_client);
  Completion completion = edit_completion(lone_);
  core_.complete(lone_, completion, now);
}

// The lone replica's write is in the table; the answer waits for its commit. A plain one as a few
// words in a queue, else as an operation.
void LonePuts::await_commit(Now now, engine::Ticket ticket) {
  const Request& request = lone_.request();
  KVORUM_CHECK(!lone_.answered_client);
  if (request.wants_context || request.timeout_ms != 0 || lone_.writing.edit.has_reply_bytes) {
    await_as_operation(now, ticket);
    return;
  }
  commits_.push({.ticket = ticket,
                 .tag = lone_.tag,
                 .started_us = now.steady_us,
                 .reply_number = lone_.writing.edit.reply_number,
                 .reply_code = lone_.writing.edit.reply_code});
}

void LonePuts::await_as_operation(Now now, engine::Ticket ticket) {
  SlotId id;
  Operation& operation = core_.open.requests.acquire(&id);
  operation.begin(Operation::Kind::kPut, now);
  operation.phase = Operation::Phase::kWriting;
  operation.tag = lone_.tag;
  operation.keyspace = lone_.keyspace;
  // Of the request only what the answer needs: its bytes are not kept.
  operation.forwarded.request = {};
  operation.forwarded.request.kind = Request::Kind::kEdit;
  operation.forwarded.request.wants_context = lone_.request().wants_context;
  Writing& writing = operation.writing;
  writing.tally.needed = 1;
  writing.tally.targets.push_back(Target{.member = core_.self()});
  writing.own_vote_open = true;
  writing.ticket = ticket;
  writing.was_stored = lone_.writing.was_stored;
  if (lone_.request().wants_context) writing.new_context = lone_.writing.new_context;
  writing.reply_storage = lone_.writing.reply_storage;
  writing.edit = lone_.writing.edit;
  writing.edit.reply_bytes = writing.reply_storage;
  core_.open.await_own_vote(ticket, id);
  const uint64_t timeout_us = core_.timeout_ms(lone_.request()) * 1000ULL;
  operation.deadline_us = now.steady_us + timeout_us;
  core_.open.timers.add(now.steady_us, timeout_us, id);
}

void LonePuts::answer_first(Outcome outcome, Now now) {
  const LoneCommit commit = commits_.pop();
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

void LonePuts::on_committed(engine::Ticket ticket, bool ok, Now now) {
  while (!commits_.empty() && (!ok || commits_.front().ticket <= ticket)) {
    answer_first(ok ? Outcome::kOk : Outcome::kUncertain, now);
  }
}

// A disk that hangs must not hang the client.
void LonePuts::on_time(Now now) {
  while (!commits_.empty() && next_deadline_us() <= now.steady_us) {
    answer_first(Outcome::kUncertain, now);
  }
}

uint64_t LonePuts::next_deadline_us() const {
  if (commits_.empty()) return 0;
  return commits_.front().started_us + core_.options.request_timeout_ms * 1000ULL;
}

}  // namespace kvorum::cluster
