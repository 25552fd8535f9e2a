// SPDX-License-Identifier: Apache-2.0
// From a parsed request to operations of the coordinator: look up, admit, plan, place, submit.
#include <algorithm>

#include "base/ascii.h"
#include "server/commands/command_table.h"
#include "server/commands/edits.h"
#include "server/dispatch/conversation.h"
#include "server/dispatch/dispatcher_impl.h"
#include "server/families/memcached_commands.h"

namespace kvorum::server {

using protocol::Reply;

namespace {

constexpr std::string_view kKeyTooLong = "ERR the key is longer than 65536 bytes";
constexpr size_t kFlushesScheduledMax = 1024;
constexpr size_t kOperationBytes = 1024;  // of an operation by itself, about

// A browser that a web page made talk to this port: as in Redis nothing is answered, and nothing
// behind it in its request is run.
bool is_web_request(std::string_view word) {
  const auto is = [word](std::string_view lower) {
    return word.size() == lower.size() &&
           std::equal(word.begin(), word.end(), lower.begin(),
                      [](char a, char b) { return (a | 0x20) == (b | 0x20); });
  };
  return is("post") || is("host:");
}

// What remains of "silence the next reply" at this command.
bool silences(SessionState& session) {
  const bool silent =
      session.reply_mode == ReplyMode::kOff || session.reply_mode == ReplyMode::kSkipping;
  if (session.reply_mode == ReplyMode::kSkipping) session.reply_mode = ReplyMode::kOn;
  return silent;
}

}  // namespace

KeyUse use_of(const cluster::Request& request) {
  if (request.kind != cluster::Request::Kind::kEdit) return KeyUse::kRead;
  const bool blind = !all_edits()[request.edit].needs_old && !request.has_context;
  return blind ? KeyUse::kBlindWrite : KeyUse::kEdit;
}

void Dispatcher::Impl::find_key(const ClientState& client, Batch& parsed, size_t index) {
  ParsedRequest& request = parsed.requests[index];
  if (client.session.dialect == Dialect::kMemcached) {
    request.has_key = parsed.memcached[index].key_count > 0;
    if (request.has_key) request.key.key = parsed.memcached[index].key();
    return;
  }
  const Words words = parsed.words_of(request);
  request.row = find_command(words[0]);
  const int first = request.row ? request.row->first_key : 0;
  request.has_key = first > 0 && static_cast<size_t>(first) < words.size();
  if (request.has_key) request.key.key = words[static_cast<size_t>(first)];
}

// The first key of each request: all are hashed together, and their objects are on their way into
// the caches before the first request runs.
void Dispatcher::Impl::look_up(const ClientState& client, Batch& parsed) {
  std::string_view keys[Conversation::kPipelineBatch];
  Position positions[Conversation::kPipelineBatch];
  size_t count = 0;
  for (size_t i = 0; i < parsed.requests.size(); ++i) {
    find_key(client, parsed, i);
    if (parsed.requests[i].has_key) keys[count++] = parsed.requests[i].key.key;
  }
  positions_of(std::span(keys, count), view().partitioner, positions);
  const Position* next = positions;
  for (ParsedRequest& request : parsed.requests) {
    if (!request.has_key) continue;
    request.key.position = *next++;
    request.key.keyspace = client.session.keyspace;
    if (count > 1) parts.table->prefetch_bucket(request.key);
  }
  if (count <= 1) return;
  for (const ParsedRequest& request : parsed.requests) {
    if (request.has_key) parts.table->prefetch_entry(request.key);
  }
}

// Redis's order of checks. False with the error in the plan.
bool Dispatcher::Impl::admit(ClientState& client, Words words, const CommandRow** row) {
  if (!*row && is_web_request(words[0])) {
    client.session.closing = true;
    plan.answer(Reply::none());
    return false;
  }
  if (!*row) {
    plan.fail_owned(protocol::unknown_command(words));
    return false;
  }
  if ((*row)->flags & kContainer && words.size() > 1) {
    const CommandRow* const subcommand = find_subcommand(**row, words[1]);
    if (!subcommand) {
      std::string container((*row)->name);
      for (char& letter : container) letter = to_upper(letter);
      plan.fail_owned(protocol::unknown_subcommand(words[1], container));
      return false;
    }
    *row = subcommand;
  }
  if (!arity_fits(**row, words.size())) {
    plan.fail_owned(protocol::wrong_number_of_arguments((*row)->name));
    return false;
  }
  if (!client.session.authenticated && !((*row)->flags & kNoAuth)) {
    plan.fail(protocol::kNoAuth);
    return false;
  }
  return true;
}

// Zero: this call is not timed.
uint64_t Dispatcher::Impl::begin_timing(const CommandRow* row) {
  if (!row || !options.steady_ns) return 0;
  const uint64_t made = traffic_counts.commands[row->number].calls.get();
  if (made >= TrafficCounts::kAlwaysTimed && --until_timed != 0) return 0;
  until_timed = TrafficCounts::kTimedEvery;
  return options.steady_ns();
}

void Dispatcher::Impl::count_call(const CommandRow* row, bool admitted, uint64_t began_ns) {
  ++counters.commands;
  if (!row) return;
  CommandCounts& counts = traffic_counts.commands[row->number];
  if (!admitted) [[unlikely]]
    return counts.rejected.add();
  counts.calls.add();
  if (plan.kind == Plan::Kind::kReply && plan.reply.is_error()) counts.failed.add();
  if (began_ns == 0) [[likely]]
    return;
  counts.timed.add();
  counts.timed_ns.add(options.steady_ns() - began_ns);
}

bool Dispatcher::Impl::execute(ClientState& client, const ParsedRequest& request, Now now) {
  SessionState& session = client.session;
  const Words words = batch.words_of(request);
  const CommandRow* row = request.row;
  const ReplyMode mode_before = session.reply_mode;
  if (mode_before == ReplyMode::kSkipNext) session.reply_mode = ReplyMode::kSkipping;
  plan.reset();
  const uint64_t began_ns = begin_timing(row);
  const bool admitted = admit(client, words, &row);
  if (admitted) {
    plan.command = row->number;
    if (row->flags & kBarrier && client.operations_pending > 0) {
      session.reply_mode = mode_before;
      return false;
    }
    const CommandRow* const last_command = session.last_command;
    session.last_command = row;
    row->handler(CommandCall{words, *row, session, *this, clock_ms(now), now}, plan);
    const bool waits = plan.kind != Plan::Kind::kReply && client.keyspace_pending;
    if (plan.again_at_us != 0) postpone(client);
    if (waits || plan.again_at_us != 0) {
      session.last_command = last_command;
      session.reply_mode = mode_before;
      return false;
    }
  }
  session.last_active_us = now.steady_us;
  const ReplyMode mode_planned = session.reply_mode;
  const bool silent = silences(session);
  if (carry_out(client, request.has_key ? &request.key : nullptr, silent, now)) {
    count_call(row, admitted, began_ns);
    return true;
  }
  session.reply_mode = mode_planned == ReplyMode::kSkipping ? mode_before : mode_planned;
  return false;
}

bool Dispatcher::Impl::execute_memcached(ClientState& client, size_t index, Now now) {
  const ParsedRequest& request = batch.requests[index];
  plan.reset();
  plan_memcached({batch.memcached[index], client.session, *this, clock_ms(now), now}, plan);
  if (plan.again_at_us != 0) {
    postpone(client);
    return false;
  }
  if (plan.kind != Plan::Kind::kReply && client.keyspace_pending) return false;
  client.session.last_active_us = now.steady_us;
  if (!carry_out(client, request.has_key ? &request.key : nullptr, plan.silent, now)) return false;
  if (batch.memcached[index].command == protocol::MemcachedCommand::kFlushAll) {
    traffic_counts.note(CacheCount::kFlush);
  }
  ++counters.commands;
  return true;
}

bool Dispatcher::Impl::carry_out(ClientState& client, const KeyRef* known, bool silent, Now now) {
  switch (plan.kind) {
    case Plan::Kind::kReply:
      break;
    case Plan::Kind::kOperations:
      if (client.unsent.gathering != 0) return submit_rest(client, now);
      if (!place_keys(client, known)) break;
      if (must_wait(client)) return false;
      return submit_all(client, silent, now);
    case Plan::Kind::kKeyspace:
      if (client.operations_pending > 0) return false;
      submit_keyspace(client, silent, now);
      return true;
    case Plan::Kind::kEverywhere:
      ask_everywhere(client, silent);
      return true;
  }
  if (plan.flush_after_ms > 0 && flushes_due_us.size() < kFlushesScheduledMax) {
    flushes_due_us.push_back(now.steady_us + plan.flush_after_ms * 1000);
  }
  if (client.causal && !client.session.causal) client.causal.reset();
  answer_silently(client, plan.reply, silent);
  return true;
}

void Dispatcher::Impl::place_key(const ClientState& client, const KeyRef* known, KeyRef& key) {
  key.keyspace = client.session.keyspace;
  const bool same =
      known && known->key.data() == key.key.data() && known->key.size() == key.key.size();
  key.position = same ? known->position : position_of(key.key, view().partitioner);
}

// Positions and keyspaces of the plan's keys. False, with the error planned, for a key too long.
bool Dispatcher::Impl::place_keys(ClientState& client, const KeyRef* known) {
  for (cluster::Request& request : plan.requests) {
    if (request.key.key.size() > kKeyBytesMax) {
      plan.fail(kKeyTooLong);
      return false;
    }
    place_key(client, known, request.key);
  }
  return true;
}

bool Dispatcher::Impl::must_wait(const ClientState& client) const {
  if (client.pending.size() == 0) return false;
  for (const cluster::Request& request : plan.requests) {
    if (client.pending.must_wait(request.key.position.high, use_of(request))) return true;
  }
  return false;
}

CallShape Dispatcher::Impl::shape_for(ClientState& client, bool silent) {
  CallShape shape;
  shape.client = client.slot;
  shape.place = client.replies.open();
  shape.finish = plan.finish;
  shape.command = plan.command;
  shape.keyspace = client.session.keyspace;
  shape.dialect = client.session.dialect;
  shape.resp = client.session.resp;
  shape.silent = silent;
  shape.trailer = plan.trailer;
  return shape;
}

bool Dispatcher::Impl::submit_all(ClientState& client, bool silent, Now now) {
  CallShape shape = shape_for(client, silent);
  if (client.session.causal && !client.causal) client.causal = std::make_unique<CausalMemory>();
  if (plan.requests.size() == 1 && plan.gather != Gather::kArray) {
    submit_one(client, plan.requests[0], shape, now);
    return true;
  }
  Gathering& gathering = gatherings.acquire(&shape.gathering);
  gathering.how = plan.gather;
  gathering.size = gathering.remaining = plan.requests.size();
  gathering.sum = 0;
  gathering.failed = false;
  gathering.counted_bytes = 0;
  gathering.remembered.take(plan.remembered);
  return submit_from(client, shape, 0, now);
}

// The rest of a command that had more operations than may be open at a time: it was parsed and
// planned again.
bool Dispatcher::Impl::submit_rest(ClientState& client, Now now) {
  const Unsent unsent = std::exchange(client.unsent, Unsent());
  for (size_t i = unsent.first; i < plan.requests.size(); ++i) {
    place_key(client, nullptr, plan.requests[i].key);
  }
  return submit_from(client, unsent, unsent.first, now);
}

bool Dispatcher::Impl::submit_from(ClientState& client, CallShape shape, size_t first, Now now) {
  Gathering& gathering = *gatherings.find(shape.gathering);
  const bool concatenates =
      gathering.how == Gather::kArray || gathering.how == Gather::kConcatenate;
  for (size_t i = first; i < plan.requests.size(); ++i) {
    if (i > first) count(client);
    if (client.operations_pending >= kOperationsMax || (client.over && i > first)) {
      client.unsent = Unsent{shape, i, client.operations_pending / 2};
      return false;
    }
    if (concatenates && !gathering.failed) shape.gathering_place = gathering.replies.open();
    submit_one(client, plan.requests[i], shape, now);
  }
  return true;
}

void Dispatcher::Impl::submit_one(ClientState& client, cluster::Request& request,
                                  const CallShape& shape, Now now) {
  const SessionState& session = client.session;
  const uint8_t copies = view().quorum(session.keyspace).n;
  if (request.value.size() > options.value_warn_bytes) [[unlikely]] {
    services.large_value(request.key.key, request.value.size());
  }
  if (request.r == 0) request.r = std::min(session.r, copies);
  if (request.w == 0) request.w = std::min(session.w, copies);
  request.strict_w = request.w != 0;

  SlotId id = 0;
  Call& call = calls.acquire(&id);
  static_cast<CallShape&>(call) = shape;
  call.kind = request.kind;
  call.ring_place = request.key.position.high;
  call.use = use_of(request);
  call.causal = CausalNote::kNone;
  call.registered = false;
  call.reserved_bytes = 0;
  if (shape.gathering == 0) call.remembered.take(plan.remembered);
  if (plan.keeps_key) call.key = request.key.key;
  ++client.operations_pending;
  const size_t held_before = coordinator.held_bytes();
  SharedBytes value_owner;
  if (request.value.size() >= kSharedBytesMin && client.share_input != nullptr) [[unlikely]] {
    value_owner = client.share_input(client.input_owner, request.value);
    request.value_owner = &value_owner;
  }
  if (!client.causal) {
    coordinator.submit(request, id, now);
  } else {
    cluster::Context context;
    note_causal_use(client, request, call, context);
    coordinator.submit(request, id, now);
  }
  request.value_owner = nullptr;
  Call* const open = calls.find(id);  // it may have been completed and be another's already
  if (!open) return;
  open->registered = true;
  client.pending.add(open->ring_place, open->use);
  reserve(client, request, *open, coordinator.held_bytes() - held_before);
}

// `held`: by the operation already. Where this node has a copy of what is read, that is about what
// the reply will need; else it is expected to be like those before.
void Dispatcher::Impl::reserve(ClientState& client, const cluster::Request& request, Call& call,
                               size_t held) {
  const size_t expected = call.use == KeyUse::kBlindWrite
                              ? request.value.size() + request.argument.size()
                              : client.expected_bytes;
  call.reserved_bytes = kOperationBytes + std::max(held, expected);
  client.reserved_bytes += call.reserved_bytes;
}

// A read is remembered; a plain SET replaces what was read; any other write makes it out of date.
void Dispatcher::Impl::note_causal_use(ClientState& client, cluster::Request& request, Call& call,
                                       cluster::Context& context) {
  switch (request.kind) {
    case cluster::Request::Kind::kRead:
      call.causal = CausalNote::kRead;
      break;
    case cluster::Request::Kind::kEdit: {
      const cluster::Context* const known = request.edit == kEditSet && !request.has_context
                                                ? client.causal->find(request.key)
                                                : nullptr;
      if (!known) return client.causal->forget(request.key);
      context = *known;
      request.context = &context;
      request.has_context = request.wants_context = true;
      call.causal = CausalNote::kWrite;
      call.use = KeyUse::kEdit;
      break;
    }
    case cluster::Request::Kind::kLocal:
    case cluster::Request::Kind::kInspect:
      return;
  }
  call.key = request.key.key;
}

void Dispatcher::Impl::ask_everywhere(ClientState& client, bool silent) {
  SlotId id = 0;
  Call& call = calls.acquire(&id);
  static_cast<CallShape&>(call) = shape_for(client, silent);
  call.join = plan.join;
  call.remembered.clear();
  call.remembered.gathered = plan.ask(*this);
  call.remembered.number = options.others ? static_cast<int64_t>(options.others->count()) : 0;
  ++client.operations_pending;
  if (call.remembered.number == 0) return finish_everywhere(id, call);
  options.others->ask_each(plan.ask, [this, id](const std::string& said) {
    Call* const waiting = calls.find(id);
    if (!waiting) return;
    waiting->remembered.gathered += said;
    if (--waiting->remembered.number == 0) finish_everywhere(id, *waiting);
  });
}

void Dispatcher::Impl::finish_everywhere(SlotId id, Call& call) {
  if (ClientState* const client = client_of(call)) {
    --client->operations_pending;
    deliver(client, call, call.join(std::move(call.remembered.gathered)));
  }
  release_call(id, call);
}

void Dispatcher::Impl::submit_keyspace(ClientState& client, bool silent, Now now) {
  SlotId id = 0;
  Call& call = calls.acquire(&id);
  static_cast<CallShape&>(call) = shape_for(client, silent);
  call.keyspace_finish = plan.keyspace_finish;
  call.keyspace_request = plan.keyspace_request;
  call.keyspace_request.keyspace = client.session.keyspace;
  call.remembered.take(plan.remembered);
  client.keyspace_pending = true;
  ++client.operations_pending;
  coordinator.submit(call.keyspace_request, id, now);
}

}  // namespace kvorum::server
