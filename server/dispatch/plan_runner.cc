// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/plan_runner.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cluster/wire/frame.h"
#include "server/commands/command_table.h"
#include "server/commands/edits.h"
#include "server/connection/outcome_reply.h"
#include "server/logbook/logbook.h"

namespace kvorum::server {

namespace {

constexpr size_t kOperationBytes = 1024;  // of an operation by itself, about

// A value of more bytes is not written in the order of the requests: it waits for its file, and for
// the chunks of its frame, and small ones pass it.
constexpr size_t kInOrderBytesMax = cluster::kLargeFrameBytes / 2;

size_t written_bytes(const cluster::Request& request) {
  return request.value.size() + request.argument.size();
}

bool is_blind(const cluster::Request& request) {
  return request.kind == cluster::Request::Kind::kEdit && !all_edits()[request.edit].needs_old &&
         !request.has_context;
}

KeyUse use_of(const cluster::Request& request) {
  if (request.kind != cluster::Request::Kind::kEdit) return KeyUse::kRead;
  const bool in_order = is_blind(request) && written_bytes(request) <= kInOrderBytesMax;
  return in_order ? KeyUse::kBlindWrite : KeyUse::kEdit;
}

// What values these have, no reply shows.
bool answers_number(const cluster::Request& request) {
  return request.kind == cluster::Request::Kind::kEdit &&
         (request.edit == kEditRemove || request.edit == kEditExpire ||
          request.edit == kEditPersist);
}

// A read is remembered; a plain SET replaces what was read; any other write makes it out of date.
// `context` is where what the request replaces stands until it was submitted.
void note_causal_use(CausalMemory& memory, cluster::Request& request, Call& call,
                     cluster::Context& context) {
  switch (request.kind) {
    case cluster::Request::Kind::kRead:
      call.causal = CausalNote::kRead;
      break;
    case cluster::Request::Kind::kEdit: {
      const cluster::Context* const known =
          request.edit == kEditSet && !request.has_context ? memory.find(request.key) : nullptr;
      if (!known) return memory.forget(request.key);
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

}  // namespace

PlanRunner::PlanRunner(const Parts& parts, Plan& plan)
    : coordinator_(parts.coordinator),
      services_(parts.services),
      options_(parts.options),
      clients_(parts.clients),
      calls_(parts.calls),
      due_(parts.due),
      facts_(parts.facts),
      completions_(parts.completions),
      stages_(parts.stages),
      plan_(plan),
      clock_(parts.clock),
      pub_sub_(parts.pub_sub),
      tracking_(parts.tracking),
      monitors_(parts.monitors),
      table_(parts.table),
      transactions_({*this, parts.clients, parts.facts, parts.traffic,
                     parts.completions.transactions(), parts.monitors, parts.options.steady_ns},
                    plan) {}

bool PlanRunner::carry_out(const Task& task) {
  ClientState& client = task.client;
  switch (plan_.kind) {
    case Plan::Kind::kReply:
      break;
    case Plan::Kind::kOperations:
      if (client.unsent.gathering != 0) return submit_rest(task);
      if (!check_keys(task)) break;
      if (must_wait(client)) return false;
      return submit_all(task);
    case Plan::Kind::kKeyspace:
      if (client.operations_pending > 0) return false;
      submit_keyspace(task, shape_for(task));
      return true;
    case Plan::Kind::kEverywhere:
      ask_everywhere(task, shape_for(task));
      return true;
    case Plan::Kind::kStages:
      if (client.operations_pending > 0) return false;
      stages_.start(client, shape_for(task), plan_, task.now);
      return true;
    case Plan::Kind::kTransaction:
      if (plan_.verb == TransactionVerb::kExec && transactions_.is_pipeline(client)) {
        transactions_.run_as_pipeline(client, task.silent, task.now);
        return true;
      }
      if (!transactions_.carry_out(client, task.now)) return false;
      break;
  }
  answer(task);
  return true;
}

void PlanRunner::answer(const Task& task) {
  ClientState& client = task.client;
  if (plan_.reply.is_error() && client.session.dialect == Dialect::kResp) [[unlikely]]
    facts_.logbook().errors.note(plan_.reply.text());
  if (plan_.flush_after_ms > 0) due_.flush_at(task.now.steady_us + plan_.flush_after_ms * 1000);
  if (client.causal && !client.session.causal) client.causal.reset();
  if (plan_.verb == TransactionVerb::kForget) {
    client.forget_transaction();
    tracking_.disable(client.session);
    monitors_.remove(client.session);
  }
  Completions::answer(client, plan_.reply, task.silent && !plan_.is_push);
  if (client.subscriptions) [[unlikely]]
    PubSub::push_deferred(client);
}

void PlanRunner::place_key(const ClientState& client, const KeyRef* known, KeyRef& key) const {
  key.keyspace = client.session.keyspace;
  const bool same =
      known && known->key.data() == key.key.data() && known->key.size() == key.key.size();
  key.position = same ? known->position : position_of(key.key, coordinator_.view().partitioner);
}

// False, with the error planned, for a key too long. The one of a usual command has its place then.
bool PlanRunner::check_keys(const Task& task) {
  placed_ = 0;
  bool too_long = plan_.has_long_key;
  for (const cluster::Request& request : plan_.requests) {
    too_long |= request.key.key.size() > kKeyBytesMax;
  }
  if (too_long) [[unlikely]] {
    plan_.fail(kKeyTooLong);
    return false;
  }
  if (plan_.requests.size() != 1) return true;
  place_key(task.client, task.known, plan_.requests[0].key);
  placed_ = 1;
  return true;
}

// In groups: many positions cost less together.
void PlanRunner::place_up_to(const ClientState& client, size_t count) {
  std::string_view keys[kGroup];
  Position positions[kGroup];
  while (placed_ < count) {
    const size_t group = std::min(kGroup, plan_.requests.size() - placed_);
    for (size_t i = 0; i < group; ++i) keys[i] = plan_.requests[placed_ + i].key.key;
    positions_of(std::span(keys, group), coordinator_.view().partitioner, positions);
    for (size_t i = 0; i < group; ++i) {
      KeyRef& key = plan_.requests[placed_ + i].key;
      key.keyspace = client.session.keyspace;
      key.position = positions[i];
    }
    placed_ += group;
  }
}

// The objects of a group that is submitted next.
void PlanRunner::prefetch(size_t first) const {
  const size_t end = std::min(first + kGroup, placed_);
  for (size_t i = first; i < end; ++i) table_.prefetch_bucket(plan_.requests[i].key);
  for (size_t i = first; i < end; ++i) table_.prefetch_entry(plan_.requests[i].key);
}

bool PlanRunner::must_wait(const ClientState& client) {
  if (client.pending.size() == 0) return false;
  if (plan_.is_partial()) return true;  // for any of the others, perhaps
  place_up_to(client, plan_.requests.size());
  for (const cluster::Request& request : plan_.requests) {
    if (client.pending.must_wait(request.key.position.high, use_of(request))) return true;
  }
  return false;
}

CallShape PlanRunner::shape_without_place(const ClientState& client) const {
  CallShape shape;
  shape.client = client.slot;
  shape.finish = plan_.finish;
  shape.command = plan_.command;
  shape.keyspace = client.session.keyspace;
  shape.dialect = client.session.dialect;
  shape.resp = client.session.resp;
  shape.trailer = plan_.trailer;
  return shape;
}

CallShape PlanRunner::shape_for(const Task& task) const {
  CallShape shape = shape_without_place(task.client);
  shape.place = task.client.replies.open();
  shape.silent = task.silent;
  return shape;
}

bool PlanRunner::submit_all(const Task& task) {
  KVORUM_CHECK(!plan_.requests.empty());  // its place would never be closed
  ClientState& client = task.client;
  CallShape shape = shape_for(task);
  if (client.session.causal && !client.causal) client.causal = std::make_unique<CausalMemory>();
  if (plan_.requests_all == 1 && plan_.gather != Gather::kArray) {
    submit_one(task, plan_.requests[0], shape);
    return true;
  }
  calls_.open_gathering(plan_, &shape.gathering);
  return submit_from(task, shape);
}

// The rest of a command that had more operations than may be open at a time: it was parsed and
// planned again.
bool PlanRunner::submit_rest(const Task& task) {
  const Unsent unsent = std::exchange(task.client.unsent, Unsent());
  KVORUM_CHECK(plan_.window.first == unsent.first && !plan_.requests.empty());
  placed_ = 0;
  return submit_from(task, unsent);
}

// What the plan has of its command, as far as the client may have operations open.
bool PlanRunner::submit_from(const Task& task, CallShape shape) {
  ClientState& client = task.client;
  Gathering* const gathering = calls_.find_gathering(shape.gathering);
  KVORUM_CHECK(gathering != nullptr);  // it ends with its last operation
  size_t sent = 0;
  for (; sent < plan_.requests.size(); ++sent) {
    if (sent > 0) clients_.count(client);
    if (client.operations_pending >= kOperationsMax || (client.over && sent > 0)) break;
    if (gathering->concatenates() && !gathering->failed) {
      shape.gathering_place = gathering->replies.open();
    }
    // Only what is sent now is hashed: there may be many pieces.
    if (sent % kGroup == 0) {
      place_up_to(client, std::min(sent + kGroup, plan_.requests.size()));
      prefetch(sent);
    }
    submit_one(task, plan_.requests[sent], shape);
  }
  const size_t next = plan_.window.first + sent;
  if (next == plan_.requests_all) return true;
  client.unsent = Unsent{shape, next, client.operations_pending / 2};
  // Where all were done at once nothing else comes back to the rest.
  if (client.operations_pending == 0) due_.postpone(client, task.now.steady_us);
  return false;
}

void PlanRunner::submit_one(const Task& task, cluster::Request& request, const CallShape& shape) {
  ClientState& client = task.client;
  const SessionState& session = client.session;
  const uint8_t copies = coordinator_.view().quorum(session.keyspace).n;
  if (request.value.size() > options_.value_warn_bytes) [[unlikely]] {
    services_.large_value(request.key.key, request.value.size());
  }
  if (request.r == 0) request.r = std::min(session.r, copies);
  if (request.w == 0) request.w = std::min(session.w, copies);
  request.strict_w = request.w != 0;

  SlotId id = 0;
  Call& call = calls_.open(shape, &id);
  call.kind = request.kind;
  call.ring_place = request.key.position.high;
  call.use = use_of(request);
  if (shape.gathering == 0) call.remembered.take(plan_.remembered);
  if (plan_.keeps_key) call.key = request.key.key;
  if (pub_sub_.tells_changes()) [[unlikely]]
    note_change(request, call, task.now);
  if (client.tracked) [[unlikely]]
    note_use(client, request, call);
  ++client.operations_pending;
  const size_t held_before = coordinator_.held_bytes();
  if (!client.causal) {
    submit(client, request, id, task.now);
  } else {
    cluster::Context context;
    note_causal_use(*client.causal, request, call, context);
    submit(client, request, id, task.now);
  }
  Call* const open = calls_.find(id);  // it may have been completed and be another's already
  if (!open) return;
  open->registered = true;
  client.pending.add(open->ring_place, open->use);
  reserve(client, request, *open, coordinator_.held_bytes() - held_before);
}

// Of a client that tracks. What a command reads that writes it does not cache.
void PlanRunner::note_use(ClientState& client, cluster::Request& request, Call& call) {
  const bool reads_only = call.item != 0 || (all_commands()[call.command]->flags & kReadonly) != 0;
  tracking_.begin(client, reads_only, request, call);
}

// Commands in a transaction are told apart by their edits alone.
void PlanRunner::note_change(const cluster::Request& request, Call& call, Now now) const {
  if (call.item != 0 && request.edit == kEditBatch) return;  // it tells of its parts by itself
  const bool by_row = call.item == 0 && call.dialect == Dialect::kResp;
  const std::string_view command = by_row ? all_commands()[call.command]->name : std::string_view();
  PubSub::note_request(request, command, clock_ms(now), call);
}

void PlanRunner::submit(ClientState& client, cluster::Request& request, SlotId id, Now now) {
  if (request.value.size() >= kSharedBytesMin && client.share_input != nullptr) [[unlikely]] {
    return submit_large(client, request, id, now);
  }
  coordinator_.submit(request, id, now);
}

// Its value lies in the input, which the operation can share.
void PlanRunner::submit_large(ClientState& client, cluster::Request& request, SlotId id, Now now) {
  const SharedBytes value_owner = client.share_input(client.input_owner, request.value);
  request.value_owner = &value_owner;
  coordinator_.submit(request, id, now);
  request.value_owner = nullptr;
}

// `held`: by the operation already. Where this node has a copy of what is read, that is about what
// the reply will need, or another copy of it; else it is expected to be like those before. Where
// another node coordinates, numbers alone come back.
void PlanRunner::reserve(ClientState& client, const cluster::Request& request, Call& call,
                         size_t held) {
  size_t expected = client.expected_bytes;
  if (is_blind(request)) {
    expected = written_bytes(request);
  } else if (answers_number(request)) {
    expected = 2 * held;
  }
  call.reserved_bytes = kOperationBytes + std::max(held, expected);
  client.reserved_bytes += call.reserved_bytes;
}

void PlanRunner::submit_keyspace(const Task& task, const CallShape& shape) {
  ClientState& client = task.client;
  KVORUM_CHECK(!client.keyspace_pending);
  SlotId id = 0;
  Call& call = calls_.open(shape, &id);
  call.keyspace_finish = plan_.keyspace_finish;
  call.keyspace_request = plan_.keyspace_request;
  call.keyspace_request.keyspace = client.session.keyspace;
  call.remembered.take(plan_.remembered);
  client.keyspace_pending = true;
  ++client.operations_pending;
  coordinator_.submit(call.keyspace_request, id, task.now);
}

void PlanRunner::ask_everywhere(const Task& task, const CallShape& shape) {
  SlotId id = 0;
  Call& call = calls_.open(shape, &id);
  call.join = plan_.join;
  call.remembered.clear();
  call.remembered.gathered = plan_.ask(facts_);
  call.remembered.number = options_.others ? static_cast<int64_t>(options_.others->count()) : 0;
  ++task.client.operations_pending;
  if (call.remembered.number == 0) return completions_.on_all_said(id, call);
  options_.others->ask_each(plan_.ask, [this, id](const std::string& said) {
    Call* const waiting = calls_.find(id);
    if (!waiting) return;
    waiting->remembered.gathered += said;
    if (--waiting->remembered.number == 0) completions_.on_all_said(id, *waiting);
  });
}

// ---- for transactions

void PlanRunner::submit_item(ClientState& client, cluster::Request& request, uint32_t item,
                             Now now) {
  if (client.session.causal && !client.causal) client.causal = std::make_unique<CausalMemory>();
  CallShape shape = shape_without_place(client);
  shape.item = item;
  submit_one({client, nullptr, false, now}, request, shape);
}

void PlanRunner::submit_plan_as_item(ClientState& client, uint32_t item, Now now) {
  CallShape shape = shape_without_place(client);
  shape.item = item;
  const Task task{client, nullptr, false, now};
  if (plan_.kind == Plan::Kind::kStages) return stages_.start(client, shape, plan_, now);
  plan_.kind == Plan::Kind::kKeyspace ? submit_keyspace(task, shape) : ask_everywhere(task, shape);
}

void PlanRunner::carry_out_now(ClientState& client, const KeyRef& known, bool silent, Now now) {
  const Task task{client, &known, silent, now};
  if (plan_.kind == Plan::Kind::kReply || !check_keys(task)) return answer(task);
  KVORUM_CHECK(plan_.kind == Plan::Kind::kOperations && !must_wait(client));
  submit_all(task);
}

bool PlanRunner::place(const ClientState& client, KeyRef& key) const {
  if (key.key.size() > kKeyBytesMax) return false;
  place_key(client, nullptr, key);
  return true;
}

uint32_t PlanRunner::partition_of(const Position& position) const {
  return coordinator_.view().ring.partition_of(position);
}

uint64_t PlanRunner::clock_ms(Now now) const { return clock_.reading(now.wall_ms).ms(); }

}  // namespace kvorum::server
