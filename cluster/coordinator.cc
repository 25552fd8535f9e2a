// SPDX-License-Identifier: Apache-2.0
#include "cluster/coordinator.h"

#include <algorithm>

#include "cluster/core.h"
#include "cluster/forwarding.h"
#include "cluster/get_machine.h"
#include "cluster/hint_replay.h"
#include "cluster/inspect_machine.h"
#include "cluster/keyspace_machine.h"
#include "cluster/put_machine.h"
#include "cluster/replica_service.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kExpiredPerTurn = 200;
constexpr uint64_t kExpiryIntervalUs = 100'000;
constexpr uint8_t kFirstKeyspaceMessage = static_cast<uint8_t>(MessageType::kScan);

uint64_t sooner(uint64_t a, uint64_t b) {
  if (a == 0 || b == 0) return a + b;
  return std::min(a, b);
}

}  // namespace

struct Coordinator::Impl final : Starter {
  Impl(const NodeParts& parts, std::shared_ptr<const ClusterView> view,
       const CoordinatorOptions& options, uint64_t rng_seed)
      : core(parts, std::move(view), options, rng_seed),
        gets(core),
        puts(core, gets),
        inspections(core),
        forwarding(core),
        replicas(core),
        hint_replay(core),
        keyspaces(parts, core.outbox, {.timeout_ms = options.request_timeout_ms}) {
    core.starter = this;
    keyspaces.publish(core.view);
  }

  void submit(const Request& request, uint64_t tag, Now now);
  void answer_local(const Request& request, uint64_t tag, Now now);
  void refuse(const Request& request, uint64_t tag, Outcome outcome);
  void run_at(MemberIndex coordinator, SlotId id, Operation& operation, Now now) override;
  void own_request(Operation& operation);
  void start(SlotId id, Operation& operation, Now now);
  bool on_forward(MemberIndex from, const Frame& frame, Now now);
  bool on_read_reply(MemberIndex from, const Frame& frame, Now now);
  bool on_write_reply(MemberIndex from, const Frame& frame, Now now);
  void on_link_down(MemberIndex peer, Now now);
  void on_timer(SlotId id, Operation& operation, Now now);
  void expire(Now now);

  Core core;
  GetMachine gets;
  PutMachine puts;
  InspectMachine inspections;
  Forwarding forwarding;
  ReplicaService replicas;
  HintReplay hint_replay;
  KeyspaceMachine keyspaces;
  uint64_t expiry_due_us = 0;
  Now last_now;
};

Coordinator::Coordinator(const NodeParts& parts, std::shared_ptr<const ClusterView> view,
                         const CoordinatorOptions& options, uint64_t rng_seed)
    : impl_(std::make_unique<Impl>(parts, std::move(view), options, rng_seed)) {}

Coordinator::~Coordinator() = default;

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
  const bool edit = request.kind == Request::Kind::kEdit;
  ++(edit ? core.counters.puts : core.counters.gets);
  if (request.kind == Request::Kind::kLocal) return answer_local(request, tag, now);
  if (request.kind == Request::Kind::kRead && gets.answer_at_once(request, tag, now)) return;
  if (edit && puts.write_at_once(request, tag, now)) return;

  SlotId id;
  Operation& operation = core.operations.acquire(&id);
  operation.begin(Operation::Kind::kGet, now);
  operation.tag = tag;
  operation.keyspace = request.key.keyspace;
  operation.deadline_us = now.steady_us + core.timeout_ms(request) * 1000ULL;
  const MemberIndex coordinator = request.kind == Request::Kind::kInspect
                                      ? core.self()
                                      : forwarding.choose(request, operation.tried);
  // Also where nothing is forwarded: records of one size are written in place.
  operation.forwarded.origin = edit ? forwarding.new_origin() : 0;
  operation.forwarded.request = request;
  run_at(coordinator, id, operation, now);
  // What goes on after this call needs bytes of its own; by now the value is stored.
  Operation* const unfinished = core.operations.find(id);
  if (unfinished && unfinished->payload.empty()) own_request(*unfinished);
}

void Coordinator::Impl::own_request(Operation& operation) {
  const uint32_t timeout_ms = operation.request().timeout_ms;
  encode_forwarded(operation.request(), operation.forwarded.origin, operation.payload);
  const bool parsed = parse_forwarded(operation.keyspace, operation.payload, &operation.forwarded);
  KVORUM_CHECK(parsed);
  operation.forwarded.request.timeout_ms = timeout_ms;
}

void Coordinator::Impl::run_at(MemberIndex coordinator, SlotId id, Operation& operation, Now now) {
  if (coordinator == core.self() || coordinator == kNoMember) {
    start(id, operation, now);
    return;
  }
  operation.kind = Operation::Kind::kForward;
  if (operation.payload.empty()) own_request(operation);
  forwarding.send(id, operation, coordinator, now);
}

void Coordinator::Impl::start(SlotId id, Operation& operation, Now now) {
  switch (operation.request().kind) {
    case Request::Kind::kRead:
    case Request::Kind::kLocal:
      operation.kind = Operation::Kind::kGet;
      gets.start(id, operation, now);
      return;
    case Request::Kind::kEdit:
      operation.kind = Operation::Kind::kPut;
      puts.start(id, operation, now);
      return;
    case Request::Kind::kInspect:
      operation.kind = Operation::Kind::kInspect;
      inspections.start(id, operation, now);
      return;
  }
}

void Coordinator::Impl::answer_local(const Request& request, uint64_t tag, Now now) {
  if (!core.is_primary(core.self(), request.key)) return refuse(request, tag, Outcome::kNotOwner);
  const engine::Access access = core.read_own(request.key, [&](Record& record) {
    Completion completion;
    completion.object = &record.object;
    completion.now_ms = core.clock_ms(now);
    completion.fastest = core.self_id();
    completion.service = {.coordinator = core.self_id(), .answered = 1, .primaries = 1};
    core.completions->on_complete(tag, completion);
  });
  if (access == engine::Access::kDone) return;
  // Not resident: a read of R = 1 that only this node answers would ask others too, so load first.
  SlotId id;
  Operation& operation = core.operations.acquire(&id);
  operation.begin(Operation::Kind::kGet, now);
  operation.tag = tag;
  operation.keyspace = request.key.keyspace;
  operation.deadline_us = now.steady_us + core.timeout_ms(request) * 1000ULL;
  encode_forwarded(request, 0, operation.payload);
  parse_forwarded(operation.keyspace, operation.payload, &operation.forwarded);
  core.load(id, operation, operation.request().key);
}

void Coordinator::Impl::refuse(const Request& request, uint64_t tag, Outcome outcome) {
  const Object nothing{};
  Completion completion;
  completion.outcome = outcome;
  if (request.kind != Request::Kind::kEdit) completion.object = &nothing;
  core.completions->on_complete(tag, completion);
}

bool Coordinator::Impl::on_forward(MemberIndex from, const Frame& frame, Now now) {
  ForwardEnvelope envelope;
  std::string_view payload;
  if (!parse_forward_envelope(frame, &envelope, &payload)) return false;
  SlotId id;
  Operation& operation = core.operations.acquire(&id);
  operation.begin(Operation::Kind::kGet, now);
  operation.remote = true;
  operation.reply_to = from;
  operation.reply_operation = frame.head.operation;
  operation.keyspace = envelope.keyspace;
  operation.hops = envelope.hops;
  operation.deadline_us = now.steady_us + envelope.remaining_ms * 1000ULL;
  operation.payload.assign(payload);
  if (!parse_forwarded(envelope.keyspace, operation.payload, &operation.forwarded)) {
    core.release(id);
    return false;
  }
  if (!core.view->is_member() || forwarding.seen_before(operation.forwarded)) {
    core.release(id);
    return true;
  }
  // A fallback that sees a healthy primary passes the request on, but not round in circles.
  MemberIndex coordinator = core.self();
  if (envelope.hops < Forwarding::kHopsMax &&
      !core.is_primary(core.self(), operation.request().key)) {
    coordinator = forwarding.choose(operation.request(), operation.tried);
  }
  run_at(coordinator, id, operation, now);
  return true;
}

bool Coordinator::Impl::on_read_reply(MemberIndex from, const Frame& frame, Now now) {
  ReplicaReadReply reply;
  if (!parse_replica_read_reply(frame, &reply)) return false;
  const SlotId id = frame.head.operation;
  Operation* operation = core.operations.find(id);
  if (!operation) return true;  // too late
  core.health.answered(from);
  switch (operation->kind) {
    case Operation::Kind::kGet:
      gets.advance(id, *operation, gets.on_reply(id, *operation, from, reply), now);
      break;
    case Operation::Kind::kPut:
      puts.after_read(id, *operation, gets.on_reply(id, *operation, from, reply), now);
      break;
    case Operation::Kind::kInspect:
      inspections.on_reply(id, *operation, {from, reply}, now);
      break;
    case Operation::Kind::kForward:
    case Operation::Kind::kReplicaFrame:
    case Operation::Kind::kHintReplay:
      break;
  }
  return true;
}

bool Coordinator::Impl::on_write_reply(MemberIndex from, const Frame& frame, Now now) {
  ReplicaWriteReply reply;
  if (!parse_replica_write_reply(frame, &reply)) return false;
  const SlotId id = frame.head.operation;
  Operation* operation = core.operations.find(id);
  if (!operation) return true;
  core.health.answered(from);
  if (operation->kind == Operation::Kind::kPut) {
    puts.on_reply(id, *operation, {from, reply}, now);
  } else if (operation->kind == Operation::Kind::kHintReplay) {
    hint_replay.on_reply(id, *operation, reply);
  }
  return true;
}

bool Coordinator::on_message(MemberIndex from, const Frame& frame, Now now) {
  Impl& impl = *impl_;
  bool well_formed = true;
  switch (frame.head.type) {
    case MessageType::kForward:
      well_formed = impl.on_forward(from, frame, now);
      break;
    case MessageType::kForwardReply:
      well_formed = impl.forwarding.on_reply(frame, now);
      break;
    case MessageType::kReplicaRead:
      well_formed = impl.replicas.on_read(from, frame);
      break;
    case MessageType::kReplicaReadReply:
      well_formed = impl.on_read_reply(from, frame, now);
      break;
    case MessageType::kReplicaWrite:
      well_formed = impl.replicas.on_write(from, frame, now);
      break;
    case MessageType::kReplicaWriteReply:
      well_formed = impl.on_write_reply(from, frame, now);
      break;
    default:
      well_formed = static_cast<uint8_t>(frame.head.type) >= kFirstKeyspaceMessage &&
                    impl.keyspaces.on_message(from, frame, now);
  }
  if (!well_formed) ++impl.core.counters.malformed_frames;
  return well_formed;
}

void Coordinator::prefetch(std::span<const Frame> frames) const {
  const engine::ObjectTable& table = *impl_->core.parts.table;
  constexpr size_t kBatch = 32;
  KeyRef keys[kBatch];
  for (size_t at = 0; at < frames.size();) {
    size_t count = 0;
    for (; at < frames.size() && count < kBatch; ++at) {
      if (peek_key(frames[at], &keys[count])) table.prefetch_bucket(keys[count++]);
    }
    for (size_t key = 0; key < count; ++key) table.prefetch_entry(keys[key]);
  }
}

void Coordinator::on_link(MemberIndex peer, bool up, Now now) {
  impl_->core.health.set_linked(peer, up);
  impl_->keyspaces.on_peer(peer, up, now);
  if (up) {
    impl_->hint_replay.on_link_up(now);
  } else {
    impl_->on_link_down(peer, now);
  }
}

void Coordinator::Impl::on_link_down(MemberIndex peer, Now now) {
  core.operations.for_each([&](SlotId id, Operation& operation) {
    switch (operation.kind) {
      case Operation::Kind::kGet:
        gets.advance(id, operation, gets.on_link_down(id, operation, peer), now);
        break;
      case Operation::Kind::kPut:
        puts.on_link_down(id, operation, peer, now);
        break;
      case Operation::Kind::kForward:
        if (operation.tried.back() == peer) forwarding.on_link_down(id, operation, now);
        break;
      case Operation::Kind::kInspect:
      case Operation::Kind::kReplicaFrame:
      case Operation::Kind::kHintReplay:
        break;  // their timer ends them
    }
  });
}

void Coordinator::on_committed(engine::Ticket ticket, bool ok, Now now) {
  Impl& impl = *impl_;
  impl.replicas.on_committed(ticket, ok, [&](SlotId id, bool committed) {
    Operation* operation = impl.core.operations.find(id);
    if (operation) impl.puts.on_own_commit(id, *operation, committed, now);
  });
}

void Coordinator::on_loaded(SlotId id, bool ok, Now now) {
  Impl& impl = *impl_;
  Operation* operation = impl.core.operations.find(id);
  if (!operation || operation->phase != Operation::Phase::kLoading) return;
  if (operation->kind == Operation::Kind::kReplicaFrame) {
    impl.replicas.on_loaded(id, *operation, ok, now);
  } else if (!ok) {
    impl.core.complete_failed(*operation, Outcome::kStoreFailed, {}, now);
    impl.core.release(id);
  } else {
    impl.start(id, *operation, now);
  }
}

void Coordinator::on_scanned(SlotId operation, const ScanPage& page, Now now) {
  impl_->keyspaces.on_scanned(operation, page, now);
}

void Coordinator::Impl::on_timer(SlotId id, Operation& operation, Now now) {
  switch (operation.kind) {
    case Operation::Kind::kGet:
      gets.on_timer(id, operation, now);
      break;
    case Operation::Kind::kPut:
      puts.on_timer(id, operation, now);
      break;
    case Operation::Kind::kForward:
      forwarding.on_timer(id, operation, now);
      break;
    case Operation::Kind::kInspect:
      inspections.on_timer(id, operation, now);
      break;
    case Operation::Kind::kHintReplay:
      hint_replay.on_timer(id, operation, now);
      break;
    case Operation::Kind::kReplicaFrame:
      break;
  }
}

// An expired version is emptied under its own dot: neither dot nor digest change, so that replicas
// which notice at different times stay equal.
void Coordinator::Impl::expire(Now now) {
  const uint64_t now_ms = core.clock_ms(now);
  const uint64_t next_ms = core.parts.table->next_deadline_ms();
  if (next_ms == 0 || next_ms > now_ms || now.steady_us < expiry_due_us) return;
  std::string head;
  const bool alone = core.view->members.size() == 1;
  const size_t shown = core.parts.table->expire(
      now_ms, kExpiredPerTurn, [&](const KeyRef& key, std::string_view bytes) {
        engine::RecordChange change;
        decode_record(bytes, *core.parts.authors, core.record);
        Object& object = core.record.object;
        const uint64_t digest = leaf_digest(key, object, core.parts.digest_seed);
        for (Version& version : object.versions) {
          if (version.type == TypeTag::kTombstone || visible(version, now_ms)) continue;
          version.type = TypeTag::kTombstone;
          version.bytes = {};
          ++core.counters.expired;
        }
        describe_record(object, &change);
        change.frees = true;
        if (alone && !change.live) {
          change.action = engine::RecordChange::Action::kErase;
          change.digest_change = digest;
        } else if (encode_record(core.record, *core.parts.authors, head, &change.body)) {
          change.action = engine::RecordChange::Action::kStore;
          change.head = head;
        }
        return change;
      });
  expiry_due_us = shown < kExpiredPerTurn ? now.steady_us + kExpiryIntervalUs : now.steady_us;
}

void Coordinator::on_time(Now now) {
  Impl& impl = *impl_;
  impl.last_now = now;
  while (const std::optional<SlotId> id = impl.core.timers.take_due(now.steady_us)) {
    Operation* operation = impl.core.operations.find(*id);
    if (operation) impl.on_timer(*id, *operation, now);
  }
  impl.hint_replay.on_time(now);
  impl.keyspaces.on_time(now);
  if (impl.core.options.replays_hints) impl.expire(now);
}

uint64_t Coordinator::next_deadline_us() const {
  const Impl& impl = *impl_;
  uint64_t next = sooner(impl.core.timers.next_due_us(), impl.hint_replay.next_deadline_us());
  next = sooner(next, impl.keyspaces.next_deadline_us());
  const uint64_t expiry_ms = impl.core.parts.table->next_deadline_ms();
  if (expiry_ms != 0 && impl.core.options.replays_hints) {
    const uint64_t clock_ms = impl.core.clock_ms(impl.last_now);
    const uint64_t wait_us = expiry_ms > clock_ms ? (expiry_ms - clock_ms) * 1000 : 0;
    next = sooner(next, std::max(impl.last_now.steady_us + wait_us, impl.expiry_due_us));
  }
  return next;
}

Outbox& Coordinator::outbox() { return impl_->core.outbox; }
const ClusterView& Coordinator::view() const { return *impl_->core.view; }

PeerState Coordinator::peer_state(MemberIndex peer) const {
  const PeerHealth& health = impl_->core.health;
  if (health.healthy(peer)) return PeerState::kUp;
  return health.linked(peer) ? PeerState::kSuspected : PeerState::kDown;
}

const CoordinatorCounters& Coordinator::counters() const {
  impl_->core.counters.operations_in_flight = impl_->core.operations.used();
  return impl_->core.counters;
}

}  // namespace kvorum::cluster
