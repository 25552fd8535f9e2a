// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/completions.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "server/commands/words.h"
#include "server/connection/outcome_reply.h"
#include "server/eval/edit_script.h"
#include "server/eval/script_stages.h"
#include "server/logbook/logbook.h"

namespace kvorum::server {

using cluster::Completion;
using cluster::Outcome;
using protocol::Reply;

namespace {

constexpr size_t kGatheredInAnyCase = 1024 * 1024;

Reply failed_reply(const Call& call, const Completion& completion) {
  const bool is_read = call.kind != cluster::Request::Kind::kEdit;
  return failure_reply(failure_of(completion, is_read), call.dialect, call.remembered.text);
}

void write_for(Dialect dialect, protocol::RespVersion resp, const Reply& reply, std::string& out) {
  if (dialect == Dialect::kResp) {
    protocol::write_resp(reply, resp, out);
  } else {
    protocol::write_memcached(reply, out);
  }
}

void write_for(const CallShape& call, const Reply& reply, std::string& out) {
  write_for(call.dialect, call.resp, reply, out);
}

// In a transaction it is refused instead.
bool is_long_script(const Completion& completion, const Call& call) {
  return completion.reply_code == kScriptTooLong && call.finish == finish_script &&
         call.item == 0 && call.gathering == 0;
}

// What stands before the replies that were gathered.
std::string header_of(const Gathering& gathering) {
  std::string header;
  switch (gathering.how) {
    case Gather::kSum:
      protocol::append_integer(header, gathering.sum);
      break;
    case Gather::kSingle:
    case Gather::kAllOk:
      protocol::append_simple(header, "OK");
      break;
    case Gather::kArray:
      protocol::append_array_header(header, gathering.size);
      break;
    case Gather::kConcatenate:
      break;
  }
  return header;
}

// Who else holds a large text of the reply.
const SharedBytes* owner_of(std::string_view text, const Completion& completion) {
  return completion.object == nullptr ? nullptr : cluster::owner_of(text, *completion.object);
}

// The text is a large value that `owner` holds: it is not copied.
bool put_large(ReplyQueue& replies, const CallShape& call, const Reply& reply,
               const SharedBytes& owner) {
  LargeReply large{{}, {owner, reply.body()}};
  std::string after;
  const bool split = call.dialect == Dialect::kResp
                         ? protocol::write_resp_around(reply, large.before, after)
                         : protocol::write_memcached_around(reply, large.before, after);
  if (!split) return false;
  replies.put_large(call.place, std::move(large), after.append(call.trailer));
  return true;
}

}  // namespace

void Completions::answer(ClientState& client, const Reply& reply, bool silent) {
  const ReplyQueue::Place place = client.replies.open();
  if (!silent) {
    const SessionState& session = client.session;
    write_for(session.dialect, session.resp, reply, client.replies.writer(place));
  }
  client.replies.close(place);
}

void Completions::on_complete(uint64_t tag, const Completion& completion) {
  Call* const call = calls_.find(tag);
  if (!call) return;
  if (is_long_script(completion, *call)) [[unlikely]] {
    return due_.script_on(tag, completion.reply_bytes);
  }
  if (call->change.any() && completion.stored && completion.outcome == Outcome::kOk) [[unlikely]] {
    pub_sub_.note_done(*call, completion);
  }
  ClientState* const client = clients_.find(call->client);
  if (client) settle(*client, *call, completion);
  if (client && client->tracked) [[unlikely]]
    tracking_.on_complete(*client, *call, completion);
  if (call->item != 0) [[unlikely]] {
    if (client) transactions_.on_complete(*client, *call, completion);
  } else if (call->gathering != 0) {
    complete_part(*call, completion);
  } else if (completion.outcome == Outcome::kOk) {
    const Reply reply =
        call->finish({completion, call->remembered, facts_, call->keyspace, call->key});
    if (reply.kind() == Reply::Kind::kFollowUp) [[unlikely]]
      return edit_after(tag, *call, reply);
    deliver(client, *call, reply, owner_of(reply.body(), completion));
  } else {
    note_failure(*call, completion);
    deliver(client, *call, failed_reply(*call, completion));
  }
  calls_.release(tag, *call);
}

void Completions::settle_staged(SlotId id) {
  Call* const call = calls_.find(id);
  KVORUM_CHECK(call != nullptr);
  if (ClientState* const client = clients_.find(call->client)) settle(*client, *call, {});
  calls_.release(id, *call);
}

// The read is settled. Where it is completed within submit(), the call is registered after this.
void Completions::edit_after(SlotId id, Call& call, const Reply& reply) {
  call.registered = false;
  call.reserved_bytes = 0;
  const auto code = static_cast<cluster::EditCode>(reply.number());
  due_.edit_after(id, code, std::string(reply.text()));
}

void Completions::note_failure(const Call& call, const Completion& completion) {
  if (completion.outcome == Outcome::kOutOfMemory && call.dialect != Dialect::kResp) {
    traffic_.note(CacheCount::kStoreNoMemory);
  }
}

// One of several operations of a command.
void Completions::complete_part(const Call& call, const Completion& completion) {
  Gathering* const gathering = calls_.find_gathering(call.gathering);
  KVORUM_CHECK(gathering != nullptr);  // it ends with its last call
  if (gathering->staged) return take_result(call, completion, *gathering->staged);
  if (completion.outcome == Outcome::kOk) {
    gather(call, call.finish({completion, gathering->remembered, facts_, call.keyspace, call.key}));
  } else {
    note_failure(call, completion);
    gather(call, failed_reply(call, completion));
  }
}

// Of a stage, whose calls stand in the order of their places.
void Completions::take_result(const Call& call, const Completion& completion, StagedRun& run) {
  KVORUM_CHECK(run.open > 0 && call.gathering_place < run.results.size());
  StageResult& result = run.results[call.gathering_place];
  if (completion.outcome != Outcome::kOk) {
    const Reply reply = failed_reply(call, completion);
    if (run.error.empty()) write_for(call, reply, run.error);
  } else if (call.kind == cluster::Request::Kind::kRead) {
    const Versions versions = seen({completion, call.remembered, facts_, call.keyspace, {}});
    result.siblings = versions.size();
    result.context.vector = completion.object->vector;
    if (!versions.empty()) {
      result.flags = versions[0].flags;
      result.deadline_ms = versions[0].deadline_ms;
      keep_bytes(versions[0].bytes, owner_of(versions[0].bytes, completion), run, result);
    }
  } else {
    result.reply_code = completion.reply_code;
    result.reply_number = completion.reply_number;
    if (completion.context) result.context = *completion.context;
    keep_bytes(completion.reply_bytes, nullptr, run, result);
  }
  --run.open;
  const bool waits = run.open == 0 || (run.sent < run.results.size() && run.open == run.go_on_at);
  if (waits && !run.is_running) due_.stage_on(call.gathering);
}

// As replies that are gathered, what the stages of a command read has a limit; one value is always
// taken.
void Completions::keep_bytes(std::string_view bytes, const SharedBytes* owner, StagedRun& run,
                             StageResult& result) {
  const size_t bytes_max =
      std::max<uint64_t>(clients_.in_flight().limit() / 2, facts_.value_bytes_max());
  if (run.held_bytes + bytes.size() > bytes_max) {
    if (run.error.empty()) {
      protocol::append_error(run.error, fmt::format("ERR the values are too large together: {} "
                                                    "bytes at least, and {} can be held",
                                                    run.held_bytes + bytes.size(), bytes_max));
    }
    return;
  }
  if (worth_sharing(bytes, owner)) {
    result.owner = *owner;
    result.shared = bytes;
  } else {
    result.copy = bytes;
  }
  run.held_bytes += bytes.size();
  if (ClientState* const client = clients_.find(run.shape.client)) {
    client->reserved_bytes += bytes.size();
  }
}

// What the connection remembers of a completed operation.
void Completions::settle(ClientState& client, const Call& call, const Completion& completion) {
  KVORUM_CHECK(client.operations_pending > 0 && client.reserved_bytes >= call.reserved_bytes);
  --client.operations_pending;
  client.reserved_bytes -= call.reserved_bytes;
  if (call.registered) client.pending.remove(call.ring_place, call.use);
  client.session.has_last_service = true;
  client.session.last_service = completion.service;
  if (call.kind == cluster::Request::Kind::kRead && completion.object) {
    counters_.note_read(completion);
  } else if (call.kind == cluster::Request::Kind::kEdit) {
    client.session.written_copies = completion.service.answered;
  }
  if (call.causal == CausalNote::kNone || !client.causal) return;
  const KeyRef key{call.key, {}, call.keyspace};
  if (completion.outcome != Outcome::kOk) {
    client.causal->forget(key);
  } else if (call.causal == CausalNote::kRead) {
    cluster::Context context;
    context.vector = completion.object->vector;
    client.causal->remember(key, context);
  } else if (completion.context) {
    client.causal->remember(key, *completion.context);
  }
}

void Completions::deliver(ClientState* client, const CallShape& call, const Reply& reply,
                          const SharedBytes* owner) {
  if (!client) return;
  if (reply.is_error()) [[unlikely]]
    count_failure(call, reply.text());
  if (reply.kind() == Reply::Kind::kPreformatted) [[unlikely]]
    note_script_error(call, reply.text());
  if (owner != nullptr && !call.silent && put_large(client->replies, call, reply, *owner))
      [[unlikely]] {
    client->learn(reply.body().size());
  } else if (!call.silent) {
    std::string& out = client->replies.writer(call.place);
    const size_t before = out.size();
    write_for(call, reply, out);
    if (!reply.is_error()) out.append(call.trailer);
    client->learn(out.size() - before);
  }
  client->replies.close(call.place);
  client->notify();
}

// Of a command about a whole keyspace or node, or of several stages.
void Completions::deliver_whole(ClientState& client, const CallShape& call, const Reply& reply) {
  call.item != 0 ? transactions_.on_reply(client, call, reply) : deliver(&client, call, reply);
}

void Completions::count_failure(const CallShape& call, std::string_view error) {
  if (call.dialect != Dialect::kResp) return;
  traffic_.commands[call.command].failed.add();
  facts_.logbook().errors.note(error);
}

// Which is written already.
void Completions::note_script_error(const CallShape& call, std::string_view written) {
  if (call.finish == finish_script && written.starts_with('-')) {
    facts_.logbook().errors.note(written);
  }
}

void Completions::gather(const CallShape& call, const Reply& reply) {
  Gathering* const found = calls_.find_gathering(call.gathering);
  KVORUM_CHECK(found != nullptr && found->remaining > 0);  // it ends with its last call
  Gathering& gathering = *found;
  if (reply.is_error()) {
    if (!gathering.failed) write_for(call, reply, gathering.error);
    drop_gathered(call, gathering);
  } else if (gathering.how == Gather::kSum) {
    gathering.sum += reply.number();
  } else if (!gathering.failed && gathering.concatenates()) {
    gather_reply(call, reply, gathering);
  }
  if (--gathering.remaining == 0) {
    finish_gathering(call, gathering);
    return;
  }
  ClientState* const client = clients_.find(call.client);
  if (!client) return;
  // The rest of this command is parsed again for every piece: only go on with a large one.
  const bool is_sending = client->unsent.gathering != 0;
  if (!is_sending || client->operations_pending <= client->unsent.go_on_at) client->notify();
}

// The replies of one command are together before the first of them can be sent: it may be an error
// instead. So they have a limit, and a smaller one where the node holds too much.
void Completions::gather_reply(const CallShape& call, const Reply& reply, Gathering& gathering) {
  std::string& out = gathering.replies.writer(call.gathering_place);
  const size_t before = out.size();
  write_for(call, reply, out);
  const size_t written = out.size() - before;
  gathering.replies.close(call.gathering_place);
  if (ClientState* const client = clients_.find(call.client)) {
    client->learn(written);
    client->gathered_bytes += written;
    gathering.counted_bytes += written;
  }
  const size_t bytes = gathering.replies.bytes();
  const InFlightShare& in_flight = clients_.in_flight();
  const bool crowded = in_flight.used() > in_flight.limit() && bytes > kGatheredInAnyCase;
  if (bytes <= in_flight.limit() / 2 && !crowded) return;
  const Reply refusal = Reply::error_owned(
      fmt::format("{} the reply is too large: {} bytes so far, and limits.in_flight is {}{}",
                  call.dialect == Dialect::kMemcached ? "SERVER_ERROR" : "ERR", bytes,
                  in_flight.limit(), crowded ? " for all clients together" : ""));
  write_for(call, refusal, gathering.error);
  drop_gathered(call, gathering);
}

// The command has failed.
void Completions::drop_gathered(const CallShape& call, Gathering& gathering) {
  gathering.failed = true;
  gathering.replies.reset();
  ClientState* const client = clients_.find(call.client);
  if (client) client->gathered_bytes -= gathering.counted_bytes;
  gathering.counted_bytes = 0;
}

void Completions::finish_gathering(const CallShape& call, Gathering& gathering) {
  if (gathering.failed) {
    CallShape failed = call;
    failed.trailer = {};
    count_failure(call, gathering.error);
    deliver(clients_.find(call.client), failed, Reply::preformatted(gathering.error));
  } else {
    deliver_gathered(call, gathering);
  }
  calls_.release_gathering(call.gathering, gathering);
}

void Completions::deliver_gathered(const CallShape& call, Gathering& gathering) {
  ClientState* const client = clients_.find(call.client);
  if (!client) return;
  client->gathered_bytes -= std::exchange(gathering.counted_bytes, 0);
  if (!call.silent) {
    std::string& gathered = gathering.replies.output();
    client->replies.put(call.place, header_of(gathering), gathered.append(call.trailer));
  }
  client->replies.close(call.place);
  client->notify();
}

void Completions::on_keyspace_complete(uint64_t tag,
                                       const cluster::KeyspaceCompletion& completion) {
  Call* const call = calls_.find(tag);
  if (!call) return;
  if (call->gathering != 0) {
    complete_keyspace_stage(*call, completion);
    return calls_.release(tag, *call);
  }
  ClientState* const client = clients_.find(call->client);
  if (!client) return calls_.release(tag, *call);
  KeyspaceStep step;
  if (completion.outcome == Outcome::kOk) {
    step = call->keyspace_finish(completion, call->remembered);
  } else {
    step.reply =
        failure_reply({completion.outcome, completion.text}, call->dialect, call->remembered.text);
  }
  if (step.again) return due_.scan_on(tag, step.cursor);
  KVORUM_CHECK(client->keyspace_pending && client->operations_pending > 0);
  client->keyspace_pending = false;
  --client->operations_pending;
  deliver_whole(*client, *call, step.reply);
  calls_.release(tag, *call);
}

void Completions::complete_keyspace_stage(const Call& call,
                                          const cluster::KeyspaceCompletion& completion) {
  Gathering* const gathering = calls_.find_gathering(call.gathering);
  KVORUM_CHECK(gathering != nullptr && gathering->staged != nullptr);
  StagedRun& run = *gathering->staged;
  if (completion.outcome != Outcome::kOk) {
    write_for(call, failure_reply({completion.outcome, completion.text}, call.dialect), run.error);
  } else if (!completion.keys.empty()) {
    run.results[0].siblings = 1;
    run.results[0].copy = completion.keys[0];
  }
  KVORUM_CHECK(run.open == 1);
  run.open = 0;
  if (!run.is_running) due_.stage_on(call.gathering);
}

void Completions::on_all_said(SlotId id, Call& call) {
  KVORUM_CHECK(call.remembered.number == 0);
  if (ClientState* const client = clients_.find(call.client)) {
    --client->operations_pending;
    deliver_whole(*client, call, call.join(std::move(call.remembered.gathered)));
  }
  calls_.release(id, call);
}

}  // namespace kvorum::server
