// SPDX-License-Identifier: Apache-2.0
// What comes in from peers, links and the store: each input finds its operation and its machine.
#include "cluster/coordinator/coordinator_impl.h"

namespace kvorum::cluster {
namespace {

constexpr std::string_view kUnreadable = "the object cannot be read from it";

// Types go in blocks of 32.
constexpr uint8_t block_of(MessageType type) { return static_cast<uint8_t>(type) / 32; }

// `payload` is the end of the frame's. Returns it as it is kept.
std::string_view keep_payload(const Frame& frame, std::string_view payload, Operation& operation) {
  if (frame.owner == nullptr) return operation.payload.assign(payload);
  operation.payload_body = {*frame.owner, payload};
  return payload;
}

}  // namespace

bool Coordinator::Impl::on_forward(LinkIndex from, const Frame& frame, Now now) {
  ForwardEnvelope envelope;
  std::string_view payload;
  if (!parse_forward_envelope(frame, &envelope, &payload)) return false;
  SlotId id;
  Operation& operation = core.operations.acquire(&id);
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
  core.count_held(operation);
  if (!parse_forwarded(envelope.keyspace, payload, &operation.forwarded)) {
    core.release(id);
    return false;
  }
  operation.forwarded.request.value_owner = &operation.payload_body.owner;
  if (forwarding.comes_too_late(from, envelope, operation.request(), now) ||
      !core.view->is_member() || forwarding.seen_before(operation.forwarded)) {
    core.release(id);
    return true;
  }
  if (core.refuses(operation.keyspace)) {
    refuse_forwarded(id, operation, now);
    return true;
  }
  if (operation.route.retried && operation.request().kind == Request::Kind::kEdit) {
    retry_permit.ask(id, operation, now);
  } else {
    run_at(forwarding.coordinator_of(operation, now), id, operation, now);
  }
  return true;
}

// It ran nothing here: the asking node finds another.
void Coordinator::Impl::refuse_forwarded(SlotId id, Operation& operation, Now now) {
  if (operation.request().kind == Request::Kind::kEdit) operation.turn_into(Operation::Kind::kPut);
  forwarding.forget_seen(operation.forwarded);
  core.complete_failed(operation, Outcome::kClusterDown,
                       core.parts.agreement->reason(operation.keyspace), now);
  core.release(id);
}

bool Coordinator::Impl::on_read_reply(MemberIndex from, const Frame& frame, Now now) {
  ReplicaReadReply reply;
  if (!parse_replica_read_reply(frame, &reply)) return false;
  const SlotId id = frame.head.operation;
  if (pool_of(id) != OperationPool::kRequests) core.health.heard(from, now.steady_us);
  if (Machine* const machine = machine_of(id)) machine->on_read_reply(id, {from, reply}, now);
  return true;
}

bool Coordinator::Impl::on_write_reply(MemberIndex from, const Frame& frame, Now now) {
  ReplicaWriteReply reply;
  if (!parse_replica_write_reply(frame, &reply)) return false;
  const SlotId id = frame.head.operation;
  if (pool_of(id) != OperationPool::kRequests) core.health.heard(from, now.steady_us);
  if (Machine* const machine = machine_of(id)) machine->on_write_reply(id, {from, reply}, now);
  return true;
}

bool Coordinator::Impl::on_other(LinkIndex from, const Frame& frame, Now now) {
  if (block_of(frame.head.type) == block_of(MessageType::kScan)) {
    return keyspaces.on_message(from, frame, now);
  }
  if (block_of(frame.head.type) != block_of(MessageType::kExchangeOpen)) return false;
  if (exchange_server.on_message(from, frame, now)) return true;
  return control && control->on_message(from.member(), frame, now);
}

bool Coordinator::on_message(LinkIndex from, const Frame& frame, Now now) {
  Impl& impl = *impl_;
  const MemberIndex peer = from.member();  // of an answer
  bool well_formed = true;
  switch (frame.head.type) {
    case MessageType::kForward:
      well_formed = impl.on_forward(from, frame, now);
      break;
    case MessageType::kForwardReply:
      well_formed = impl.forwarding.on_reply(peer, frame, now);
      break;
    case MessageType::kForwardAsk:
      well_formed = impl.retry_permit.on_ask(peer, frame, now);
      break;
    case MessageType::kForwardPermit:
      well_formed = impl.retry_permit.on_permit(from, frame, now);
      break;
    case MessageType::kReplicaRead:
      if (impl.agreement_link.is_foreign(from, frame.head.keyspace)) {
        impl.replicas.refuse(from, frame.head);
        break;
      }
      well_formed = impl.replicas.on_read(from, frame, now);
      break;
    case MessageType::kReplicaReadReply:
      well_formed = impl.on_read_reply(peer, frame, now);
      break;
    case MessageType::kReplicaWrite:
      if (impl.agreement_link.is_foreign(from, frame.head.keyspace)) {
        impl.replicas.refuse(from, frame.head);
        break;
      }
      well_formed = impl.replicas.on_write(from, frame, now);
      break;
    case MessageType::kReplicaWriteReply:
      well_formed = impl.on_write_reply(peer, frame, now);
      break;
    case MessageType::kUnclaim:
      well_formed = impl.replicas.on_unclaim(from, frame, now);
      break;
    case MessageType::kGossip:
    case MessageType::kGossipReply:
      well_formed = impl.gossip.on_message(from, frame);
      break;
    case MessageType::kTelling:
    case MessageType::kTellingReply:
      well_formed = impl.agreement_link.on_message(from, frame, now);
      break;
    case MessageType::kProbe:
      put_probe(impl.core.outbox.frames(from), MessageType::kProbeReply, frame.head.operation);
      break;
    case MessageType::kStoppingSeen:
      break;  // for the link that it came on
    case MessageType::kProbeReply:
      impl.core.health.probe_answered(peer, frame.head.operation, now.steady_us);
      break;
    default:
      well_formed = impl.on_other(from, frame, now);
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

void Coordinator::on_flow(MemberIndex peer, const FrameHead& head, Now now) {
  impl_->core.health.heard(peer, now.steady_us);
  Machine* const machine = impl_->machine_of(head.operation);
  if (machine) machine->on_flow(head.operation, now);
}

void Coordinator::on_link(MemberIndex peer, bool up, Now now) {
  impl_->core.health.set_linked(peer, up, now.steady_us);
  impl_->agreement_link.on_link(peer, up, now);
  impl_->keyspaces.on_peer(peer, up, now);
  if (impl_->control) impl_->control->on_link(peer, up, now);
  if (up) return;
  for (Machine* const machine : impl_->machines) {
    if (machine) machine->on_link_down(peer, now);
  }
}

void Coordinator::on_committed(engine::Ticket ticket, bool ok, Now now) {
  Impl& impl = *impl_;
  impl.lone_puts.on_committed(ticket, ok, now);
  impl.replicas.on_committed(impl.core.awaited_commits, {ticket, ok}, [&](SlotId id) {
    impl.on_own_commit(id, {false, ok}, now);
  });
}

void Coordinator::on_hints_committed(engine::Ticket ticket, bool ok, Now now) {
  Impl& impl = *impl_;
  impl.replicas.on_committed(impl.core.awaited_hint_commits, {ticket, ok}, [&](SlotId id) {
    impl.on_own_commit(id, {true, ok}, now);
  });
}

void Coordinator::Impl::on_own_commit(SlotId id, OwnCommit commit, Now now) {
  if (Machine* const machine = machine_of(id)) machine->on_own_commit(id, commit, now);
}

// A put that has to know its object, and cannot. Another primary can; the asking node of a
// forwarded one will find it.
void Coordinator::Impl::on_unreadable(SlotId id, Operation& operation, Now now) {
  if (operation.kind == Operation::Kind::kPut && operation.route.hops == 0) {
    operation.route.tried.push_back(core.self());
    if (forwarding.refused(id, operation, now)) return;
    operation.route.tried.erase_at(operation.route.refusals);
  }
  core.complete_failed(operation, Outcome::kStoreFailed, kUnreadable, now);
  core.release(id);
}

void Coordinator::on_loaded(SlotId id, bool ok, Now now) {
  if (Machine* const machine = impl_->machine_of(id)) machine->on_loaded(id, ok, now);
}

void Coordinator::on_scanned(SlotId operation, const ScanPage& page, Now now) {
  switch (page.reader) {
    case RangeLoad::Reader::kScan:
    case RangeLoad::Reader::kMarkSweeper:
      return impl_->keyspaces.on_scanned(operation, page, now);
    case RangeLoad::Reader::kExchangeServer:
      return impl_->exchange_server.on_scanned(operation, page);
    case RangeLoad::Reader::kExchangeAsker:
    case RangeLoad::Reader::kTreeKeeper:
      if (impl_->control) impl_->control->on_scanned(operation, page, now);
      return;
  }
}

}  // namespace kvorum::cluster
