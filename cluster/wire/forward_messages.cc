// SPDX-License-Identifier: Apache-2.0
#include "cluster/wire/forward_messages.h"

#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/large_memory.h"
#include "cluster/version/context.h"
#include "cluster/version/object_codec.h"

namespace kvorum::cluster {
namespace {

constexpr uint8_t kHasContext = 1 << 0;
constexpr uint8_t kStrictW = 1 << 1;
constexpr uint8_t kWantsContext = 1 << 2;

constexpr uint8_t kHasObject = 1 << 0;
constexpr uint8_t kHasReplyBytes = 1 << 1;
constexpr uint8_t kStored = 1 << 2;
constexpr uint8_t kGaveContext = 1 << 3;
constexpr uint8_t kHasReplicas = 1 << 4;

constexpr uint16_t kHopsBits = 0x7f;  // of a frame's flags
constexpr uint16_t kRetriedBit = 1 << 7;

constexpr uint8_t kOutcomeLast = static_cast<uint8_t>(Outcome::kClusterDown);
constexpr size_t kReplicasMax = 256;

// Length-prefixed with a fixed width, so that the content can be appended first.
class LengthPrefix {
 public:
  explicit LengthPrefix(std::string& out) : out_(out), at_(out.size()) { put_u32(out, 0); }
  ~LengthPrefix() {
    KVORUM_CHECK(out_.size() >= at_ + 4);  // nothing was cut off meanwhile
    const uint32_t size = static_cast<uint32_t>(out_.size() - at_ - 4);
    std::memcpy(out_.data() + at_, &size, 4);
  }

 private:
  std::string& out_;
  size_t at_;
};

std::string_view get_prefixed(ByteReader& reader) { return reader.take(reader.u32()); }

void put_service(FrameFront& out, const ServiceRecord& service) {
  put_u64(out, service.coordinator);
  put_u8(out, service.answered);
  put_u8(out, service.primaries);
  put_u8(out, service.fallbacks);
  put_u8(out, service.hints);
  put_u8(out, service.repairs);
  put_u8(out, service.short_of_w);
}

void get_service(ByteReader& reader, ServiceRecord& service) {
  service.coordinator = reader.u64();
  service.answered = reader.u8();
  service.primaries = reader.u8();
  service.fallbacks = reader.u8();
  service.hints = reader.u8();
  service.repairs = reader.u8();
  service.short_of_w = reader.u8();
}

bool get_replicas(ByteReader& reader, std::vector<ReplicaFacts>& replicas) {
  const uint64_t count = reader.varint();
  if (count > kReplicasMax) return false;
  replicas.resize(count);
  for (ReplicaFacts& facts : replicas) {
    facts.node = reader.u64();
    facts.answered = reader.u8() != 0;
    if (!decode_object(get_prefixed(reader), facts.object)) return false;
  }
  return true;
}

// Frames of one number.
void put_number(std::string& batch, const FrameHead& head, uint64_t number) {
  FrameWriter frame(batch, head);
  put_u64(batch, number);
  frame.finish();
}

bool parse_number(const Frame& frame, uint64_t* number) {
  ByteReader reader(frame.payload);
  *number = reader.u64();
  return reader.ok() && reader.done();
}

}  // namespace

void encode_forwarded(const Request& request, uint64_t origin, std::string& payload) {
  KVORUM_CHECK(request.key.key.size() <= kKeyBytesMax);  // else no reader takes it
  uint8_t flags = 0;
  if (request.has_context) flags |= kHasContext;
  if (request.strict_w) flags |= kStrictW;
  if (request.wants_context) flags |= kWantsContext;
  char head[37];
  std::memcpy(head, &request.key.position.high, 8);
  std::memcpy(head + 8, &request.key.position.low, 8);
  head[16] = static_cast<char>(request.kind);
  head[17] = static_cast<char>(request.edit);
  head[18] = static_cast<char>(flags);
  head[19] = static_cast<char>(request.r);
  head[20] = static_cast<char>(request.w);
  std::memcpy(head + 21, &request.preferred, 8);
  std::memcpy(head + 29, &origin, 8);
  payload.append(head, sizeof head);
  put_bytes(payload, request.key.key);
  put_bytes(payload, request.argument);
  if (request.has_context) {
    KVORUM_CHECK(request.context != nullptr);
    const LengthPrefix prefix(payload);
    encode_context(*request.context, payload);
  }
  make_large_room(payload, request.value.size());
  payload.append(request.value);
}

bool parse_forwarded(uint8_t keyspace, std::string_view payload, ForwardedRequest* message) {
  ByteReader reader(payload);
  Request& request = message->request;
  request = {};
  request.key.position.high = reader.u64();
  request.key.position.low = reader.u64();
  request.key.keyspace = keyspace;
  const uint8_t kind = reader.u8();
  if (kind > static_cast<uint8_t>(Request::Kind::kInspect)) return false;
  request.kind = static_cast<Request::Kind>(kind);
  request.edit = reader.u8();
  const uint8_t flags = reader.u8();
  request.has_context = flags & kHasContext;
  request.strict_w = flags & kStrictW;
  request.wants_context = flags & kWantsContext;
  request.r = reader.u8();
  request.w = reader.u8();
  request.preferred = reader.u64();
  message->origin = reader.u64();
  request.key.key = reader.bytes();
  request.argument = reader.bytes();
  if (request.has_context) {
    if (!decode_context(get_prefixed(reader), message->context)) return false;
    request.context = &message->context;
  }
  request.value = reader.rest();
  return reader.ok() && keyspace < kKeyspacesMax && request.key.key.size() <= kKeyBytesMax;
}

void put_forward(std::string& batch, SlotId operation, const ForwardEnvelope& envelope,
                 std::string_view payload) {
  const auto flags =
      static_cast<uint16_t>((envelope.hops & kHopsBits) | (envelope.retried ? kRetriedBit : 0));
  FrameFront front({MessageType::kForward, envelope.keyspace, flags, operation});
  put_u32(front, envelope.remaining_ms);
  put_u64(front, envelope.sent_us);
  FrameWriter frame(batch, front);
  batch.append(payload);
  frame.finish();
}

bool parse_forward_envelope(const Frame& frame, ForwardEnvelope* envelope,
                            std::string_view* payload) {
  ByteReader reader(frame.payload);
  envelope->keyspace = frame.head.keyspace;
  envelope->hops = static_cast<uint8_t>(frame.head.flags & kHopsBits);
  envelope->retried = frame.head.flags & kRetriedBit;
  envelope->remaining_ms = reader.u32();
  envelope->sent_us = reader.u64();
  // How long a large one took to be sent says nothing about how long it was held up.
  if (frame.sent_us != 0) envelope->sent_us = frame.sent_us;
  *payload = reader.rest();
  return reader.ok();
}

uint64_t patience_us(const ForwardEnvelope& envelope, const Request& request, EditTable edits) {
  return envelope.remaining_ms * (is_idempotent(request, edits) ? 250ULL : 1000ULL);
}

void put_forward_ask(std::string& batch, SlotId operation, SlotId slot) {
  put_number(batch, {MessageType::kForwardAsk, 0, 0, operation}, slot);
}

bool parse_forward_ask(const Frame& frame, SlotId* slot) { return parse_number(frame, slot); }

void put_forward_permit(std::string& batch, SlotId slot, uint64_t remaining_us) {
  put_number(batch, {MessageType::kForwardPermit, 0, 0, slot}, remaining_us);
}

bool parse_forward_permit(const Frame& frame, uint64_t* remaining_us) {
  return parse_number(frame, remaining_us);
}

void put_forward_reply(std::string& batch, SlotId operation, const Completion& completion,
                       bool ends_before_object) {
  KVORUM_CHECK(completion.object != nullptr || !ends_before_object);
  uint16_t flags = 0;
  if (completion.object) flags |= kHasObject;
  if (completion.has_reply_bytes) flags |= kHasReplyBytes;
  if (completion.stored) flags |= kStored;
  if (completion.context) flags |= kGaveContext;
  if (completion.replicas) flags |= kHasReplicas;
  FrameFront front({MessageType::kForwardReply, 0, flags, operation});
  put_u8(front, static_cast<uint8_t>(completion.outcome));
  put_u8(front, completion.reply_code);
  put_u8(front, completion.acknowledged);
  put_u8(front, completion.needed);
  put_u64(front, static_cast<uint64_t>(completion.reply_number));
  put_u64(front, completion.fastest);
  put_service(front, completion.service);
  FrameWriter frame(batch, front);
  put_bytes(batch, completion.text);
  if (completion.context) {
    const LengthPrefix prefix(batch);
    encode_context(*completion.context, batch);
  }
  if (completion.replicas) {
    KVORUM_CHECK(completion.replicas->size() <= kReplicasMax);
    put_varint(batch, completion.replicas->size());
    for (const ReplicaFacts& facts : *completion.replicas) {
      put_u64(batch, facts.node);
      put_u8(batch, facts.answered);
      const LengthPrefix prefix(batch);
      encode_object(facts.object, batch);
    }
  }
  if (completion.has_reply_bytes) put_bytes(batch, completion.reply_bytes);
  if (completion.object && !ends_before_object) encode_object(*completion.object, batch);
  frame.finish();
}

bool parse_forward_reply(const Frame& frame, CompletionStorage* storage, Completion* completion) {
  const uint16_t flags = frame.head.flags;
  ByteReader reader(frame.payload);
  const uint8_t outcome = reader.u8();
  if (outcome > kOutcomeLast) return false;
  completion->outcome = static_cast<Outcome>(outcome);
  completion->reply_code = reader.u8();
  completion->acknowledged = reader.u8();
  completion->needed = reader.u8();
  completion->reply_number = static_cast<int64_t>(reader.u64());
  completion->fastest = reader.u64();
  get_service(reader, completion->service);
  completion->text = reader.bytes();
  completion->stored = flags & kStored;
  if (flags & kGaveContext) {
    if (!decode_context(get_prefixed(reader), storage->context)) return false;
    completion->context = &storage->context;
  }
  if (flags & kHasReplicas) {
    if (!get_replicas(reader, storage->replicas)) return false;
    completion->replicas = &storage->replicas;
  }
  if (flags & kHasReplyBytes) {
    completion->has_reply_bytes = true;
    completion->reply_bytes = reader.bytes();
  }
  if (!reader.ok()) return false;
  if (flags & kHasObject) {
    if (!decode_object(reader.rest(), storage->object, frame.owner)) return false;
    completion->object = &storage->object;
  }
  return true;
}

}  // namespace kvorum::cluster
