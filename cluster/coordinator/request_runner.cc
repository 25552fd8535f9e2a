// SPDX-License-Identifier: Apache-2.0
#include "cluster/coordinator/request_runner.h"

#include "base/check.h"
#include "base/large_memory.h"

namespace kvorum::cluster {
namespace {

constexpr std::string_view kMoved = "the key has just moved to other nodes, nothing was written";
constexpr std::string_view kUnreadable = "the object cannot be read from it";

// `payload` is the end of the frame's. Returns it as it is kept.
std::string_view keep_payload(const Frame& frame, std::string_view payload, Operation& operation) {
  if (frame.owner == nullptr) return operation.payload.assign(payload);
  operation.payload_body = {*frame.owner, payload};
  return payload;
}

// Whether the request's value is large: then it is the operation's, by its owner.
bool share_value(Operation& operation) {
  const Request& request = operation.request();
  if (!worth_sharing(request.value, request.value_owner)) return false;
  operation.payload_body = {*request.value_owner, request.value};
  return true;
}

// The request is kept as it is: its bytes, and what is large of it shared.
void own_request(Operation& operation) {
  KVORUM_CHECK(!operation.payload_is_encoded);
  Request& request = operation.forwarded.request;
  const bool shares = share_value(operation);
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
void encode_request(Operation& operation) {
  Request request = operation.request();
  const uint32_t timeout_ms = request.timeout_ms;
  if (share_value(operation)) request.value = {};
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

}  // namespace

RequestRunner::RequestRunner(Core& core)
    : core_(core),
      repairs_(core),
      reads_(core),
      gets_(core, reads_, repairs_),
      edits_(core),
      puts_(core, reads_, edits_),
      lone_puts_(core, edits_),
      inspections_(core),
      forwarding_(core),
      retry_permit_(core, forwarding_),
      gate_(core, forwarding_),
      table_(core, {&gets_, &puts_, &forwarding_, &inspections_, &retry_permit_}) {
  KVORUM_CHECK(core.starter == nullptr);
  core.starter = this;
}

// Its request is still the caller's.
Operation& RequestRunner::begin(const Request& request, uint64_t tag, Now now, SlotId* id) {
  Operation& operation = core_.open.requests.acquire(id);
  core_.open.requests.peek_next([](const Operation& next) { next.prefetch_begin(); });
  operation.begin(now);
  operation.tag = tag;
  operation.keyspace = request.key.keyspace;
  operation.deadline_us = now.steady_us + core_.timeout_ms(request) * 1000ULL;
  operation.forwarded.origin = 0;
  operation.forwarded.request = request;
  return operation;
}

void RequestRunner::submit(const Request& request, uint64_t tag, Now now) {
  if (!core_.view->takes_part()) {
    return refuse(request, tag, Outcome::kClusterDown, core_.view->why_no_part());
  }
  if (core_.refuses(request.key.keyspace)) {
    const std::string reason = core_.parts.agreement->reason(request.key.keyspace);
    return refuse(request, tag, Outcome::kClusterDown, reason);
  }
  const bool edit = request.kind == Request::Kind::kEdit;
  ++(edit ? core_.counters.puts : core_.counters.gets);
  if (request.kind == Request::Kind::kLocal) return answer_local(request, tag, now);
  if (request.kind == Request::Kind::kRead && gets_.answer_at_once(request, tag, now)) {
    core_.latency.gets.record(0, now.steady_us);
    return;
  }
  if (edit && lone_puts_.write_at_once(request, tag, now)) return;

  SlotId id;
  Operation& operation = begin(request, tag, now, &id);
  const MemberIndex coordinator = request.kind == Request::Kind::kInspect
                                      ? core_.self()
                                      : forwarding_.choose(request, operation.route.tried);
  // Also where nothing is forwarded: records of one size are written in place.
  if (edit) {
    operation.forwarded.origin = request.origin != 0 ? request.origin : forwarding_.new_origin();
  }
  run_at(coordinator, id, operation, now);
  // What goes on after this call needs bytes of its own; by now the value is stored.
  Operation* const unfinished = core_.open.requests.find(id);
  if (!unfinished) return;
  if (unfinished->payload_size() == 0) own_request(*unfinished);
  core_.open.count_held(*unfinished);
}

bool RequestRunner::on_forward(LinkIndex from, const Frame& frame, Now now) {
  ForwardEnvelope envelope;
  std::string_view payload;
  if (!parse_forward_envelope(frame, &envelope, &payload)) return false;
  SlotId id;
  Operation& operation = core_.open.requests.acquire(&id);
  operation.begin(now);
  operation.remote = true;
  operation.reply_to = from;
  operation.reply_operation = frame.head.operation;
  operation.keyspace = envelope.keyspace;
  operation.route.hops = envelope.hops;
  operation.route.retried = envelope.retried;
  operation.deadline_us = now.steady_us + envelope.remaining_ms * 1000ULL;
  payload = keep_payload(frame, payload, operation);
  operation.payload_is_encoded = true;
  core_.open.count_held(operation);
  if (!parse_forwarded(envelope.keyspace, payload, &operation.forwarded)) {
    core_.open.release(id);
    return false;
  }
  operation.forwarded.request.value_owner = &operation.payload_body.owner;
  if (forwarding_.comes_too_late(from, envelope, operation.request(), now) ||
      !core_.view->is_member() || forwarding_.seen_before(operation.forwarded)) {
    core_.open.release(id);
    return true;
  }
  if (!core_.view->takes_part()) {
    refuse_forwarded(id, operation, core_.view->why_no_part(), now);
    return true;
  }
  if (core_.refuses(operation.keyspace)) {
    refuse_forwarded(id, operation, core_.parts.agreement->reason(operation.keyspace), now);
    return true;
  }
  if (operation.route.retried && operation.request().kind == Request::Kind::kEdit) {
    retry_permit_.ask(id, operation, now);
  } else {
    run_at(forwarding_.coordinator_of(operation, now), id, operation, now);
  }
  return true;
}

// It ran nothing here: the asking node finds another.
void RequestRunner::refuse_forwarded(SlotId id, Operation& operation, std::string_view reason,
                                     Now now) {
  KVORUM_CHECK(operation.remote);
  if (operation.request().kind == Request::Kind::kEdit) operation.turn_into(Operation::Kind::kPut);
  forwarding_.forget_seen(operation.forwarded);
  core_.complete_failed(operation, Outcome::kClusterDown, reason, now);
  core_.open.release(id);
}

void RequestRunner::run_at(MemberIndex coordinator, SlotId id, Operation& operation, Now now) {
  if (coordinator == core_.self() || coordinator == kNoMember) {
    start(id, operation, now);
    return;
  }
  KVORUM_CHECK(coordinator < core_.view->members.size());
  operation.turn_into(Operation::Kind::kForward);
  if (!operation.payload_is_encoded) encode_request(operation);
  forwarding_.send(id, operation, coordinator, now);
}

void RequestRunner::start(SlotId id, Operation& operation, Now now) {
  if (!gate_.is_open() && gate_.turns_away(id, operation, now)) return;
  switch (operation.request().kind) {
    case Request::Kind::kRead:
    case Request::Kind::kLocal:
      operation.turn_into(Operation::Kind::kGet);
      gets_.start(id, operation, now);
      return;
    case Request::Kind::kEdit:
      operation.turn_into(Operation::Kind::kPut);
      puts_.start(id, operation, now);
      return;
    case Request::Kind::kInspect:
      operation.turn_into(Operation::Kind::kInspect);
      inspections_.start(id, operation, now);
      return;
  }
}

void RequestRunner::set_coordination(Coordination coordination, Now now) {
  core_.coordination = coordination;
  if (coordination == Coordination::kHolds) return;
  for (const SlotId id : gate_.held()) {
    Operation* const operation = core_.open.requests.find(id);
    KVORUM_CHECK(operation != nullptr);             // those before it end no other one
    operation->phase = Operation::Phase::kReading;  // as at its beginning
    start(id, *operation, now);
  }
}

void RequestRunner::on_view(const ClusterView& earlier, Now now) {
  std::vector<SlotId> apart;
  core_.open.requests.for_each([&](SlotId id, const Operation& operation) {
    const uint32_t partition = core_.partition_for(operation.request().key);
    if (earlier.signature(partition) != core_.view->signature(partition)) apart.push_back(id);
  });
  for (const SlotId id : apart) {
    Operation* const operation = core_.open.requests.find(id);
    if (operation == nullptr) continue;  // one of those before ended it
    if (operation->kind == Operation::Kind::kGet) gets_.begin_anew(id, *operation, now);
    if (operation->kind == Operation::Kind::kPut) puts_.begin_anew(id, *operation, now);
  }
}

size_t RequestRunner::unfinished_edits() const {
  size_t count = lone_puts_.waiting();
  core_.open.requests.for_each([&](SlotId, const Operation& operation) {
    if (operation.kind != Operation::Kind::kPut) return;
    count += operation.phase != Operation::Phase::kHeld && !operation.answered_client;
  });
  return count;
}

void RequestRunner::answer_local(const Request& request, uint64_t tag, Now now) {
  if (!core_.is_owner(core_.self(), request.key)) {
    return refuse(request, tag, Outcome::kNotOwner);
  }
  const engine::Access access = gets_.answer_from_own(request, tag, now);
  if (access == engine::Access::kDone) return;
  // Not resident: a read of R = 1 that only this node answers would ask others too, so load first.
  SlotId id;
  Operation& operation = begin(request, tag, now, &id);
  operation.turn_into(Operation::Kind::kGet);
  own_request(operation);
  core_.load(id, operation);
}

void RequestRunner::refuse(const Request& request, uint64_t tag, Outcome outcome,
                           std::string_view text) {
  KVORUM_CHECK(outcome != Outcome::kOk);
  const Object nothing{};
  Completion completion;
  completion.outcome = outcome;
  completion.text = text;
  if (request.kind != Request::Kind::kEdit) completion.object = &nothing;
  core_.completions->on_complete(tag, completion);
}

// A put that has to know its object, and cannot. Another primary can; the asking node of a
// forwarded one will find it.
void RequestRunner::on_unreadable(SlotId id, Operation& operation, Now now) {
  if (operation.kind == Operation::Kind::kPut && operation.route.hops == 0) {
    operation.route.tried.push_back(core_.self());
    if (forwarding_.refused(id, operation, now)) return;
    KVORUM_CHECK(operation.route.refusals < operation.route.tried.size());
    operation.route.tried.erase_at(operation.route.refusals);
  }
  core_.complete_failed(operation, Outcome::kStoreFailed, kUnreadable, now);
  core_.open.release(id);
}

// The ring changed under an edit that stored nothing yet: an owner runs it. Of a forwarded one the
// asking node finds it, which may know less; it comes to know more.
void RequestRunner::on_misplaced(SlotId id, Operation& operation, Now now) {
  if (operation.remote) {
    if (core_.apart != nullptr) core_.apart->on_apart(operation.reply_to, now);
    return refuse_forwarded(id, operation, kMoved, now);
  }
  operation.route.tried.push_back(core_.self());
  if (forwarding_.refused(id, operation, now)) return;
  core_.complete_failed(operation, Outcome::kNoQuorum, kMoved, now);
  core_.open.release(id);
}

void RequestRunner::choose_anew(SlotId id, Operation& operation, Now now) {
  KVORUM_CHECK(operation.phase == Operation::Phase::kLinking);
  const MemberIndex coordinator =
      operation.remote ? forwarding_.coordinator_of(operation, now)
                       : forwarding_.choose(operation.request(), operation.route.tried);
  run_at(coordinator, id, operation, now);
}

}  // namespace kvorum::cluster
