// SPDX-License-Identifier: Apache-2.0
// From a completion to the reply's place. Runs with a partition locked: it formats and returns.
#include <fmt/format.h>

#include <utility>

#include "base/give_back.h"
#include "server/dispatch/dispatcher_impl.h"
#include "server/dispatch/outcome_reply.h"

namespace kvorum::server {

using cluster::Completion;
using cluster::Outcome;
using protocol::Reply;

namespace {

constexpr size_t kGatheredBytesKept = 64 * 1024;
constexpr size_t kGatheredOperationsKept = 1024;
constexpr size_t kGatheredInAnyCase = 1024 * 1024;

FailedOperation failure_of(const Call& call, const Completion& completion) {
  const bool is_read = call.kind != cluster::Request::Kind::kEdit;
  return {completion.outcome, completion.text, completion.acknowledged, completion.needed, is_read};
}

void write_for(const CallShape& call, const Reply& reply, std::string& out) {
  if (call.dialect == Dialect::kMemcached) {
    protocol::write_memcached(reply, out);
  } else {
    protocol::write_resp(reply, call.resp, out);
  }
}

// Who else holds a large text of the reply.
const SharedBytes* owner_of(std::string_view text, const Completion& completion) {
  return completion.object == nullptr ? nullptr : cluster::owner_of(text, *completion.object);
}

// The text is a large value that `owner` holds: it is not copied.
bool put_large(ReplyQueue& replies, const CallShape& call, const Reply& reply,
               const SharedBytes& owner) {
  LargeReply large{{}, {owner, reply.text()}};
  std::string after;
  const bool split = call.dialect == Dialect::kMemcached
                         ? protocol::write_memcached_around(reply, large.before, after)
                         : protocol::write_resp_around(reply, large.before, after);
  if (!split) return false;
  replies.put_large(call.place, std::move(large), after.append(call.trailer));
  return true;
}

bool concatenates(Gather how) { return how == Gather::kArray || how == Gather::kConcatenate; }

bool any_visible(const Completion& completion) {
  for (const cluster::Version& version : completion.object->versions) {
    if (cluster::visible(version, completion.now_ms)) return true;
  }
  return false;
}

}  // namespace

void write_reply(const Reply& reply, const SessionState& session, std::string& out) {
  if (session.dialect == Dialect::kMemcached) {
    protocol::write_memcached(reply, out);
  } else {
    protocol::write_resp(reply, session.resp, out);
  }
}

void Dispatcher::Impl::answer(ClientState& client, const Reply& reply) {
  answer_silently(client, reply, false);
}

void Dispatcher::Impl::answer_silently(ClientState& client, const Reply& reply, bool silent) {
  const ReplyQueue::Place place = client.replies.open();
  if (!silent) write_reply(reply, client.session, client.replies.writer(place));
  client.replies.close(place);
}

void Dispatcher::Impl::on_complete(uint64_t tag, const Completion& completion) {
  Call* const call = calls.find(tag);
  if (!call) return;
  ClientState* const client = client_of(*call);
  if (client) settle(*client, *call, completion);
  if (completion.outcome == Outcome::kOk) {
    Gathering* const gathering = gatherings.find(call->gathering);
    const Remembered& remembered = gathering ? gathering->remembered : call->remembered;
    const Reply reply = call->finish({completion, remembered, *this, call->keyspace, call->key});
    gathering ? gather(*call, reply)
              : deliver(client, *call, reply, owner_of(reply.text(), completion));
  } else {
    if (completion.outcome == Outcome::kOutOfMemory && call->dialect == Dialect::kMemcached) {
      traffic_counts.note(CacheCount::kStoreNoMemory);
    }
    const Reply reply = failure_reply(failure_of(*call, completion), call->dialect);
    call->gathering != 0 ? gather(*call, reply) : deliver(client, *call, reply);
  }
  release_call(tag, *call);
}

// What the connection remembers of a completed operation.
void Dispatcher::Impl::settle(ClientState& client, const Call& call, const Completion& completion) {
  --client.operations_pending;
  client.reserved_bytes -= call.reserved_bytes;
  if (call.registered) client.pending.remove(call.ring_place, call.use);
  client.session.has_last_service = true;
  client.session.last_service = completion.service;
  if (call.kind == cluster::Request::Kind::kRead && completion.object) {
    ++(any_visible(completion) ? counters.hits : counters.misses);
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

void Dispatcher::Impl::deliver(ClientState* client, const CallShape& call, const Reply& reply,
                               const SharedBytes* owner) {
  if (!client) return;
  if (reply.is_error()) [[unlikely]]
    count_failure(call);
  if (owner != nullptr && !call.silent && put_large(client->replies, call, reply, *owner))
      [[unlikely]] {
    client->learn(reply.text().size());
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

void Dispatcher::Impl::count_failure(const CallShape& call) {
  if (call.dialect == Dialect::kResp) traffic_counts.commands[call.command].failed.add();
}

void Dispatcher::Impl::gather(const CallShape& call, const Reply& reply) {
  Gathering& gathering = *gatherings.find(call.gathering);
  if (reply.is_error()) {
    if (!gathering.failed) write_for(call, reply, gathering.error);
    drop_gathered(call, gathering);
  } else if (gathering.how == Gather::kSum) {
    gathering.sum += reply.number();
  } else if (!gathering.failed && concatenates(gathering.how)) {
    gather_reply(call, reply, gathering);
  }
  if (--gathering.remaining == 0) {
    finish_gathering(call, gathering);
    return;
  }
  ClientState* const client = client_of(call);
  if (!client) return;
  // The rest of this command is parsed again for every piece: only go on with a large one.
  const bool is_sending = client->unsent.gathering != 0;
  if (!is_sending || client->operations_pending <= client->unsent.go_on_at) client->notify();
}

// The replies of one command are together before the first of them can be sent: it may be an error
// instead. So they have a limit, and a smaller one where the node holds too much.
void Dispatcher::Impl::gather_reply(const CallShape& call, const Reply& reply,
                                    Gathering& gathering) {
  std::string& out = gathering.replies.writer(call.gathering_place);
  const size_t before = out.size();
  write_for(call, reply, out);
  const size_t written = out.size() - before;
  gathering.replies.close(call.gathering_place);
  if (ClientState* const client = client_of(call)) {
    client->learn(written);
    client->gathered_bytes += written;
    gathering.counted_bytes += written;
  }
  const size_t bytes = gathering.replies.bytes();
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
void Dispatcher::Impl::drop_gathered(const CallShape& call, Gathering& gathering) {
  gathering.failed = true;
  gathering.replies.reset();
  ClientState* const client = client_of(call);
  if (client) client->gathered_bytes -= gathering.counted_bytes;
  gathering.counted_bytes = 0;
}

void Dispatcher::Impl::finish_gathering(const CallShape& call, Gathering& gathering) {
  if (gathering.failed) {
    CallShape failed = call;
    failed.trailer = {};
    count_failure(call);
    deliver(client_of(call), failed, Reply::preformatted(gathering.error));
  } else {
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
    if (ClientState* const client = client_of(call)) {
      client->gathered_bytes -= std::exchange(gathering.counted_bytes, 0);
      if (!call.silent) {
        std::string& gathered = gathering.replies.output();
        client->replies.put(call.place, header, gathered.append(call.trailer));
      }
      client->replies.close(call.place);
      client->notify();
    }
  }
  release_gathering(call.gathering, gathering);
}

void Dispatcher::Impl::release_gathering(SlotId id, Gathering& gathering) {
  gathering.error.clear();
  gathering.replies.output().clear();
  give_back(gathering.remembered.text, kGatheredBytesKept);
  give_back(gathering.remembered.gathered, kGatheredBytesKept);
  const bool is_large = gathering.size > kGatheredOperationsKept ||
                        gathering.replies.output().capacity() > kGatheredBytesKept;
  if (is_large || gathering.failed) gathering.replies.reset();
  gatherings.release(id);
}

void Dispatcher::Impl::on_keyspace_complete(uint64_t tag,
                                            const cluster::KeyspaceCompletion& completion) {
  Call* const call = calls.find(tag);
  if (!call) return;
  ClientState* const client = client_of(*call);
  if (!client) return release_call(tag, *call);
  KeyspaceStep step;
  if (completion.outcome == Outcome::kOk) {
    step = call->keyspace_finish(completion, call->remembered);
  } else {
    step.reply = failure_reply({completion.outcome, completion.text}, call->dialect);
  }
  if (step.again) {
    continued.push_back({tag, step.cursor});
    return;
  }
  client->keyspace_pending = false;
  --client->operations_pending;
  deliver(client, *call, step.reply);
  release_call(tag, *call);
}

}  // namespace kvorum::server
