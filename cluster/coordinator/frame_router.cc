// SPDX-License-Identifier: Apache-2.0
#include "cluster/coordinator/frame_router.h"

#include <array>

#include "base/check.h"
#include "cluster/wire/asker.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kTypes = 256;  // that a frame's head can name
constexpr size_t kTypesOfBlock = 32;

}  // namespace

// By MessageType. Blocks belong to one machine, which tells malformed types from its own.
struct FrameRouter::Table {
  using Handler = bool (*)(FrameRouter& router, LinkIndex from, const Frame& frame, Now now);
  std::array<Handler, kTypes> handlers{};

  constexpr void set(MessageType type, Handler handler) {
    handlers[static_cast<size_t>(type)] = handler;
  }
  constexpr void set_block(MessageType first, Handler handler) {
    const auto begin = static_cast<size_t>(first);
    for (size_t type = begin; type < begin + kTypesOfBlock; ++type) handlers[type] = handler;
  }
  constexpr Table();
};

constexpr FrameRouter::Table::Table() {
  using R = FrameRouter;
  using Type = MessageType;
  handlers.fill([](R&, LinkIndex, const Frame&, Now) { return false; });
  set(Type::kForward, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.to_.requests.on_forward(from, frame, now);
  });
  set(Type::kForwardReply, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.to_.requests.on_forward_reply(from.member(), frame, now);
  });
  set(Type::kForwardAsk, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.to_.requests.on_forward_ask(from.member(), frame, now);
  });
  set(Type::kForwardPermit, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.to_.requests.on_forward_permit(from, frame, now);
  });
  set(Type::kReplicaRead, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.on_replica_read(from, frame, now);
  });
  set(Type::kReplicaReadReply, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.on_read_reply(from.member(), frame, now);
  });
  set(Type::kReplicaWrite, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.on_replica_write(from, frame, now);
  });
  set(Type::kReplicaWriteReply, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.on_write_reply(from.member(), frame, now);
  });
  set(Type::kUnclaim, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.to_.replicas.on_unclaim(from, frame, now);
  });
  for (const Type type : {Type::kGossip, Type::kGossipReply}) {
    set(type, [](R& router, LinkIndex from, const Frame& frame, Now) {
      return router.to_.gossip.on_message(from, frame);
    });
  }
  for (const Type type : {Type::kTelling, Type::kTellingReply}) {
    set(type, [](R& router, LinkIndex from, const Frame& frame, Now now) {
      return router.to_.agreement_link.on_message(from, frame, now);
    });
  }
  for (const Type type : {Type::kHistoryBuckets, Type::kHistoryDifference}) {
    set(type, [](R& router, LinkIndex from, const Frame& frame, Now now) {
      return router.to_.histories.on_message(from, frame, now);
    });
  }
  for (const Type type : {Type::kHeldCopies, Type::kHeldCopiesReply}) {
    set(type, [](R& router, LinkIndex from, const Frame& frame, Now now) {
      return router.to_.held_copies.on_message(from, frame, now);
    });
  }
  set(Type::kProbe, [](R& router, LinkIndex from, const Frame& frame, Now) {
    return router.on_probe(from, frame);
  });
  set(Type::kProbeReply, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.on_probe_reply(from.member(), frame, now);
  });
  set(Type::kStoppingSeen, [](R&, LinkIndex, const Frame&, Now) {
    return true;  // for the link that it came on
  });
  set_block(Type::kScan, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.to_.keyspaces.on_message(from, frame, now);
  });
  set_block(Type::kFindText, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.to_.keyspaces.on_message(from, frame, now);
  });
  set_block(Type::kExchangeOpen, [](R& router, LinkIndex from, const Frame& frame, Now now) {
    return router.on_exchange(from, frame, now);
  });
}

bool FrameRouter::on_message(LinkIndex from, const Frame& frame, Now now) {
  static constexpr Table kTable;
  const bool well_formed =
      kTable.handlers[static_cast<uint8_t>(frame.head.type)](*this, from, frame, now);
  if (!well_formed) ++to_.core.counters.malformed_frames;
  return well_formed;
}

// Of a node that treats the keyspace otherwise: it is told so.
bool FrameRouter::is_refused(LinkIndex from, const Frame& frame) {
  if (!to_.agreement_link.is_foreign(from, frame.head.keyspace)) return false;
  to_.replicas.refuse(from, frame.head);
  return true;
}

bool FrameRouter::on_replica_read(LinkIndex from, const Frame& frame, Now now) {
  return is_refused(from, frame) || to_.replicas.on_read(from, frame, now);
}

bool FrameRouter::on_replica_write(LinkIndex from, const Frame& frame, Now now) {
  return is_refused(from, frame) || to_.replicas.on_write(from, frame, now);
}

// Requests note how long their peer took; an answer to others says only that it is there.
void FrameRouter::note_heard(MemberIndex from, SlotId answered, Now now) {
  if (MachineTable::pool_of(answered) == OperationPool::kRequests) return;
  to_.core.health.heard(from, now.steady_us);
}

bool FrameRouter::on_read_reply(MemberIndex from, const Frame& frame, Now now) {
  ReplicaReadReply reply;
  if (!parse_replica_read_reply(frame, &reply)) return false;
  const SlotId id = frame.head.operation;
  note_heard(from, id, now);
  if (Machine* const machine = to_.by_pool.find(id)) machine->on_read_reply(id, {from, reply}, now);
  return true;
}

bool FrameRouter::on_write_reply(MemberIndex from, const Frame& frame, Now now) {
  ReplicaWriteReply reply;
  if (!parse_replica_write_reply(frame, &reply)) return false;
  const SlotId id = frame.head.operation;
  note_heard(from, id, now);
  if (Machine* const machine = to_.by_pool.find(id))
    machine->on_write_reply(id, {from, reply}, now);
  return true;
}

// Questions are answered by every coordinator; answers are for the one that asks.
bool FrameRouter::on_exchange(LinkIndex from, const Frame& frame, Now now) {
  if (to_.exchange_server.on_message(from, frame, now)) return true;
  return to_.control != nullptr && to_.control->on_message(from.member(), frame, now);
}

bool FrameRouter::on_probe(LinkIndex from, const Frame& frame) {
  put_probe(to_.core.outbox.frames(from), MessageType::kProbeReply, frame.head.operation);
  return true;
}

bool FrameRouter::on_probe_reply(MemberIndex from, const Frame& frame, Now now) {
  const uint64_t asked_us = probe_asked_us(frame.head.operation, to_.core.options.reactor);
  to_.core.health.probe_answered(from, asked_us, now.steady_us);
  return true;
}

}  // namespace kvorum::cluster
