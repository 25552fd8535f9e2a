// SPDX-License-Identifier: Apache-2.0
#include "base/large_memory.h"
#include "cluster/coordinator/coordinator_impl.h"

namespace kvorum::cluster {

Coordinator::Coordinator(const NodeParts& parts, std::shared_ptr<const ClusterView> view,
                         const CoordinatorOptions& options, uint64_t rng_seed)
    : impl_(std::make_unique<Impl>(parts, std::move(view), options, rng_seed)) {}

Coordinator::~Coordinator() = default;

void Coordinator::set_limits(const CoordinatorOptions& options) {
  CoordinatorOptions& own = impl_->core.options;
  own.request_timeout_ms = options.request_timeout_ms;
  own.siblings_max = options.siblings_max;
  own.clock_entries_max = options.clock_entries_max;
  impl_->keyspaces.set_options({.timeout_ms = options.request_timeout_ms});
}

void Coordinator::set_sinks(CompletionSink* completions, KeyspaceSink* keyspace_completions) {
  impl_->core.completions = completions;
  impl_->keyspaces.set_sink(keyspace_completions);
}

void Coordinator::submit(const Request& request, uint64_t tag, Now now) {
  impl_->submit(request, tag, now);
}

void Coordinator::submit(const KeyspaceRequest& request, uint64_t tag, Now now) {
  impl_->keyspaces.submit(request, tag, now);
}

void Coordinator::Impl::submit(const Request& request, uint64_t tag, Now now) {
  if (!core.view->is_member()) return refuse(request, tag, Outcome::kClusterDown);
  if (core.refuses(request.key.keyspace)) return refuse_keyspace(request, tag);
  const bool edit = request.kind == Request::Kind::kEdit;
  ++(edit ? core.counters.puts : core.counters.gets);
  if (request.kind == Request::Kind::kLocal) return answer_local(request, tag, now);
  if (request.kind == Request::Kind::kRead && gets.answer_at_once(request, tag, now)) {
    core.latency.gets.record(0, now.steady_us);
    return;
  }
  if (edit && lone_puts.write_at_once(request, tag, now)) return;

  SlotId id;
  Operation& operation = core.operations.acquire(&id);
  operation.begin(now);
  operation.tag = tag;
  operation.keyspace = request.key.keyspace;
  operation.deadline_us = now.steady_us + core.timeout_ms(request) * 1000ULL;
  const MemberIndex coordinator = request.kind == Request::Kind::kInspect
                                      ? core.self()
                                      : forwarding.choose(request, operation.route.tried);
  // Also where nothing is forwarded: records of one size are written in place.
  operation.forwarded.origin = edit ? forwarding.new_origin() : 0;
  operation.forwarded.request = request;
  run_at(coordinator, id, operation, now);
  // What goes on after this call needs bytes of its own; by now the value is stored.
  Operation* const unfinished = core.operations.find(id);
  if (!unfinished) return;
  if (unfinished->payload_size() == 0) own_request(*unfinished);
  core.count_held(*unfinished);
}

// The request is kept as it is: its bytes, and what is large of it shared.
void Coordinator::Impl::own_request(Operation& operation) {
  Request& request = operation.forwarded.request;
  const bool shares = worth_sharing(request.value, request.value_owner);
  if (shares) operation.payload_body = {*request.value_owner, request.value};
  std::string& kept = operation.payload;
  const size_t argument_at = request.key.key.size();
  const size_t value_at = argument_at + request.argument.size();
  if (!shares) make_large_room(kept, value_at + request.value.size());
  kept.reserve(value_at + (shares ? 0 : request.value.size()));
  kept.assign(request.key.key).append(request.argument);
  if (!shares) kept.append(request.value);
  request.key.key = std::string_view(kept).substr(0, argument_at);
  request.argument = std::string_view(kept).substr(argument_at, request.argument.size());
  request.value = shares ? operation.payload_body.bytes : std::string_view(kept).substr(value_at);
  request.value_owner = shares ? &operation.payload_body.owner : nullptr;
  if (request.context == nullptr) return;
  operation.forwarded.context = *request.context;
  request.context = &operation.forwarded.context;
}

// For another coordinator: the payload is encode_forwarded(), and the request a view of it.
void Coordinator::Impl::encode_request(Operation& operation) {
  Request request = operation.request();
  const uint32_t timeout_ms = request.timeout_ms;
  if (worth_sharing(request.value, request.value_owner)) {
    operation.payload_body = {*request.value_owner, request.value};
    request.value = {};
  }
  if (operation.payload.empty()) {
    encode_forwarded(request, operation.forwarded.origin, operation.payload);
  } else {  // where the request's bytes stand, until they are read
    std::string encoded;
    encode_forwarded(request, operation.forwarded.origin, encoded);
    operation.payload.swap(encoded);
  }
  const bool parsed = parse_forwarded(operation.keyspace, operation.payload, &operation.forwarded);
  KVORUM_CHECK(parsed);
  operation.payload_is_encoded = true;
  Request& owned = operation.forwarded.request;
  owned.timeout_ms = timeout_ms;
  if (operation.payload_body.empty()) return;
  owned.value = operation.payload_body.bytes;
  owned.value_owner = &operation.payload_body.owner;
}

void Coordinator::Impl::run_at(MemberIndex coordinator, SlotId id, Operation& operation, Now now) {
  if (coordinator == core.self() || coordinator == kNoMember) {
    start(id, operation, now);
    return;
  }
  operation.turn_into(Operation::Kind::kForward);
  if (!operation.payload_is_encoded) encode_request(operation);
  forwarding.send(id, operation, coordinator, now);
}

void Coordinator::Impl::start(SlotId id, Operation& operation, Now now) {
  if (core.coordination != Coordination::kRuns && turned_away(id, operation, now)) return;
  switch (operation.request().kind) {
    case Request::Kind::kRead:
    case Request::Kind::kLocal:
      operation.turn_into(Operation::Kind::kGet);
      gets.start(id, operation, now);
      return;
    case Request::Kind::kEdit:
      operation.turn_into(Operation::Kind::kPut);
      puts.start(id, operation, now);
      return;
    case Request::Kind::kInspect:
      operation.turn_into(Operation::Kind::kInspect);
      inspections.start(id, operation, now);
      return;
  }
}

void Coordinator::Impl::answer_local(const Request& request, uint64_t tag, Now now) {
  if (!core.is_primary(core.self(), request.key)) return refuse(request, tag, Outcome::kNotOwner);
  const engine::Access access = gets.answer_from_own(request, tag, now);
  if (access == engine::Access::kDone) return;
  // Not resident: a read of R = 1 that only this node answers would ask others too, so load first.
  SlotId id;
  Operation& operation = core.operations.acquire(&id);
  operation.begin(Operation::Kind::kGet, now);
  operation.tag = tag;
  operation.keyspace = request.key.keyspace;
  operation.deadline_us = now.steady_us + core.timeout_ms(request) * 1000ULL;
  operation.forwarded.origin = 0;
  operation.forwarded.request = request;
  own_request(operation);
  core.load(id, operation);
}

void Coordinator::Impl::refuse_keyspace(const Request& request, uint64_t tag) {
  const Object nothing{};
  const std::string reason = core.parts.agreement->reason(request.key.keyspace);
  Completion completion;
  completion.outcome = Outcome::kClusterDown;
  completion.text = reason;
  if (request.kind != Request::Kind::kEdit) completion.object = &nothing;
  core.completions->on_complete(tag, completion);
}

void Coordinator::Impl::refuse(const Request& request, uint64_t tag, Outcome outcome) {
  const Object nothing{};
  Completion completion;
  completion.outcome = outcome;
  if (request.kind != Request::Kind::kEdit) completion.object = &nothing;
  core.completions->on_complete(tag, completion);
}

void Coordinator::publish(std::shared_ptr<const ClusterView> view) {
  impl_->core.publish(view);
  impl_->keyspaces.publish(std::move(view));
  if (impl_->control) impl_->control->publish();
}

void Coordinator::repair(const RepairWish& wish, Now now) {
  if (impl_->control) impl_->control->repair(wish, now);
}

RepairProgress Coordinator::repair_progress() const {
  return impl_->control ? impl_->control->repair_progress() : RepairProgress{};
}

const OperationLatency& Coordinator::latency() const { return impl_->core.latency; }

Outbox& Coordinator::outbox() { return impl_->core.outbox; }
const ClusterView& Coordinator::view() const { return *impl_->core.view; }

std::optional<Endpoint> Coordinator::told_address(MemberIndex peer) const {
  const Agreement* const agreement = impl_->core.parts.agreement;
  return agreement == nullptr ? std::nullopt : agreement->told_address(peer);
}

PeerState Coordinator::peer_state(MemberIndex peer) const { return impl_->core.health.state(peer); }

PeerReport Coordinator::peer_report(MemberIndex peer) const {
  return impl_->core.health.report(peer);
}

Backlog Coordinator::backlog() const {
  size_t operations = 0;
  for (const Machine* const machine : impl_->machines) {
    if (machine) operations += machine->open();
  }
  return {operations, impl_->keyspaces.open_operations(),
          impl_->core.awaited_commits.size() + impl_->core.awaited_hint_commits.size(),
          impl_->core.timers.size()};
}

size_t Coordinator::held_bytes() const { return impl_->core.held_bytes; }

void Coordinator::give_back_scratch() { impl_->core.give_back_scratch(); }

uint64_t Coordinator::peers_generation() const { return impl_->core.health.generation(); }

const CoordinatorCounters& Coordinator::counters() const {
  size_t& in_flight = impl_->core.counters.operations_in_flight;
  in_flight = impl_->lone_puts.waiting();
  for (const Machine* const machine : impl_->machines) {
    if (machine) in_flight += machine->open();
  }
  return impl_->core.counters;
}

}  // namespace kvorum::cluster
