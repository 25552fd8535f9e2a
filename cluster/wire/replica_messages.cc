// SPDX-License-Identifier: Apache-2.0
#include "cluster/wire/replica_messages.h"

#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::cluster {
namespace {

void put_position(FrameFront& front, Position position) {
  put_u64(front, position.high);
  put_u64(front, position.low);
}

KeyRef get_key(ByteReader& reader, uint8_t keyspace) {
  KeyRef key;
  key.position.high = reader.u64();
  key.position.low = reader.u64();
  key.key = reader.bytes();
  key.keyspace = keyspace;
  return key;
}

bool valid_key(const KeyRef& key) {
  return key.keyspace < kKeyspacesMax && key.key.size() <= kKeyBytesMax;
}

constexpr uint16_t attempt_bits(uint8_t attempt) {
  return static_cast<uint16_t>(attempt << kAttemptShift);
}

constexpr uint8_t attempt_of(const Frame& frame) {
  return static_cast<uint8_t>(frame.head.flags >> kAttemptShift);
}

bool is_of_write(ReplicaVerdict verdict) {
  return verdict <= ReplicaVerdict::kDead || verdict == ReplicaVerdict::kApart;
}

FrameHead write_head(SlotId operation, const ReplicaWrite& message) {
  uint16_t flags = 0;
  if (message.blind) flags |= kWriteBlind;
  if (message.repair) flags |= kWriteRepair;
  if (message.second) flags |= kWriteSecond;
  if (message.late) flags |= kWriteLate;
  if (message.hint_for != 0) flags |= kWriteHinted;
  if (message.frontier != Hlc{}) flags |= kWriteFrontier;
  if (message.releases != 0) flags |= kWriteReleases;
  if (message.signature != 0) flags |= kWriteFenced;
  flags |= attempt_bits(message.attempt);
  return {MessageType::kReplicaWrite, message.key.keyspace, flags, operation};
}

void put_write_front(std::string& out, const ReplicaWrite& message) {
  KVORUM_CHECK(message.key.key.size() <= kKeyBytesMax);
  put_bytes(out, message.key.key);
  if (message.hint_for != 0) put_u64(out, message.hint_for);
  if (message.frontier != Hlc{}) put_u64(out, message.frontier.value);
  if (message.releases != 0) put_u64(out, message.releases);
  if (message.signature != 0) put_u64(out, message.signature);
}

}  // namespace

void put_replica_read(std::string& batch, SlotId operation, const ReplicaRead& message) {
  uint16_t flags = 0;
  if (message.full) flags |= kReadFull;
  if (message.hinted) flags |= kReadHinted;
  if (message.claimant != 0) flags |= kReadClaims;
  if (message.signature != 0) flags |= kReadFenced;
  flags |= attempt_bits(message.attempt);
  KVORUM_CHECK(message.key.key.size() <= kKeyBytesMax);
  FrameFront front({MessageType::kReplicaRead, message.key.keyspace, flags, operation});
  put_position(front, message.key.position);
  FrameWriter frame(batch, front);
  put_bytes(batch, message.key.key);
  if (message.claimant != 0) {
    put_u64(batch, message.claimant);
    put_u32(batch, message.claim_ms);
  }
  if (message.signature != 0) put_u64(batch, message.signature);
  frame.finish();
}

bool parse_replica_read(const Frame& frame, ReplicaRead* message) {
  ByteReader reader(frame.payload);
  message->key = get_key(reader, frame.head.keyspace);
  message->full = frame.head.flags & kReadFull;
  message->hinted = frame.head.flags & kReadHinted;
  message->attempt = attempt_of(frame);
  const bool claims = frame.head.flags & kReadClaims;
  message->claimant = claims ? reader.u64() : 0;
  message->claim_ms = claims ? reader.u32() : 0;
  message->signature = frame.head.flags & kReadFenced ? reader.u64() : 0;
  return reader.ok() && reader.done() && valid_key(message->key);
}

void put_replica_read_reply(std::string& batch, SlotId operation, const ReplicaReadReply& message) {
  uint16_t flags = message.full ? kReadFull : 0;
  if (!message.whole) flags |= kReadNotWhole;
  if (message.is_new) flags |= kReadNew;
  if (message.frontier != Hlc{}) flags |= kReadFrontier;
  if (message.contested) flags |= kReadContested;
  flags |= attempt_bits(message.attempt);
  KVORUM_CHECK(message.verdict != ReplicaVerdict::kClaimed || message.holder != 0);
  FrameFront front({MessageType::kReplicaReadReply, 0, flags, operation});
  put_u8(front, static_cast<uint8_t>(message.verdict));
  put_u64(front, message.digest);
  if (message.verdict == ReplicaVerdict::kClaimed) put_u64(front, message.holder);
  if (message.frontier != Hlc{}) put_u64(front, message.frontier.value);
  FrameWriter frame(batch, front);
  if (!message.object.empty()) batch.append(message.object);
  frame.finish();
}

bool parse_replica_read_reply(const Frame& frame, ReplicaReadReply* message) {
  ByteReader reader(frame.payload);
  const uint8_t verdict = reader.u8();
  message->verdict = static_cast<ReplicaVerdict>(verdict);
  message->digest = reader.u64();
  message->holder = message->verdict == ReplicaVerdict::kClaimed ? reader.u64() : 0;
  message->contested = frame.head.flags & kReadContested;
  message->attempt = attempt_of(frame);
  message->frontier.value = frame.head.flags & kReadFrontier ? reader.u64() : 0;
  message->object = reader.rest();
  message->owner = frame.owner;
  message->full = frame.head.flags & kReadFull;
  message->whole = !(frame.head.flags & kReadNotWhole);
  message->is_new = frame.head.flags & kReadNew;
  return reader.ok() && (verdict <= static_cast<uint8_t>(ReplicaVerdict::kNotHeld) ||
                         message->verdict == ReplicaVerdict::kClaimed ||
                         message->verdict == ReplicaVerdict::kApart);
}

void put_replica_write(std::string& batch, SlotId operation, const ReplicaWrite& message) {
  FrameFront front(write_head(operation, message));
  put_position(front, message.key.position);
  FrameWriter frame(batch, front);
  put_write_front(batch, message);
  batch.append(message.object);
  frame.finish();
}

bool parse_replica_write(const Frame& frame, ReplicaWrite* message) {
  ByteReader reader(frame.payload);
  message->key = get_key(reader, frame.head.keyspace);
  message->blind = frame.head.flags & kWriteBlind;
  message->repair = frame.head.flags & kWriteRepair;
  message->second = frame.head.flags & kWriteSecond;
  message->late = frame.head.flags & kWriteLate;
  message->hint_for = frame.head.flags & kWriteHinted ? reader.u64() : 0;
  message->frontier.value = frame.head.flags & kWriteFrontier ? reader.u64() : 0;
  message->releases = frame.head.flags & kWriteReleases ? reader.u64() : 0;
  message->signature = frame.head.flags & kWriteFenced ? reader.u64() : 0;
  message->attempt = attempt_of(frame);
  message->object = reader.rest();
  return reader.ok() && valid_key(message->key);
}

void put_replica_write_reply(std::string& batch, SlotId operation,
                             const ReplicaWriteReply& message) {
  KVORUM_CHECK(is_of_write(message.verdict));  // else no reader takes it
  const uint16_t flags = message.second ? kWriteSecond : 0;
  FrameFront front({MessageType::kReplicaWriteReply, 0, flags, operation});
  put_u8(front, static_cast<uint8_t>(message.verdict));
  if (message.verdict == ReplicaVerdict::kDead) put_u64(front, message.frontier.value);
  FrameWriter frame(batch, front);
  if (!message.vector.empty()) batch.append(message.vector);
  frame.finish();
}

bool parse_replica_write_reply(const Frame& frame, ReplicaWriteReply* message) {
  ByteReader reader(frame.payload);
  message->verdict = static_cast<ReplicaVerdict>(reader.u8());
  const bool dead = message->verdict == ReplicaVerdict::kDead;
  message->frontier.value = dead ? reader.u64() : 0;
  message->vector = reader.rest();
  message->second = frame.head.flags & kWriteSecond;
  return reader.ok() && is_of_write(message->verdict);
}

void put_unclaim(std::string& batch, SlotId operation, const Unclaim& message) {
  KVORUM_CHECK(message.claimant != 0);
  FrameFront front({MessageType::kUnclaim, 0, attempt_bits(message.attempt), operation});
  put_position(front, message.position);
  put_u64(front, message.claimant);
  FrameWriter(batch, front).finish();
}

bool parse_unclaim(const Frame& frame, Unclaim* message) {
  ByteReader reader(frame.payload);
  message->position.high = reader.u64();
  message->position.low = reader.u64();
  message->claimant = reader.u64();
  message->attempt = attempt_of(frame);
  return reader.ok() && reader.done();
}

}  // namespace kvorum::cluster
