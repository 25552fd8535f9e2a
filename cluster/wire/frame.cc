// SPDX-License-Identifier: Apache-2.0
#include "cluster/wire/frame.h"

#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kChecksummedFrom = 8;

}  // namespace

void FrameWriter::finish() {
  const size_t size = batch_.size() - start_;
  KVORUM_CHECK(size <= kFrameBytesMax);
  KVORUM_CHECK(size >= kFrameHeadBytes);  // nobody took the batch away meanwhile
  const uint32_t length = static_cast<uint32_t>(size - kFrameLengthBytes);
  const uint32_t checksum =
      checksum32({batch_.data() + start_ + kChecksummedFrom, size - kChecksummedFrom});
  std::memcpy(batch_.data() + start_, &length, 4);
  std::memcpy(batch_.data() + start_ + 4, &checksum, 4);
}

FrameStatus parse_frame(std::string_view bytes, Frame* frame, size_t* size) {
  ByteReader reader(bytes);
  const uint32_t length = reader.u32();
  *size = kFrameHeadBytes;
  if (!reader.ok()) return FrameStatus::kNeedMore;
  if (length > kFrameBytesMax) return FrameStatus::kTooLong;
  if (length < kFrameHeadBytes - kFrameLengthBytes) return FrameStatus::kDamaged;
  *size = kFrameLengthBytes + length;
  if (bytes.size() < *size) return FrameStatus::kNeedMore;
  const std::string_view checked = bytes.substr(kChecksummedFrom, *size - kChecksummedFrom);
  if (reader.u32() != checksum32(checked)) return FrameStatus::kDamaged;
  frame->head.type = static_cast<MessageType>(reader.u8());
  frame->head.keyspace = reader.u8();
  frame->head.flags = reader.u16();
  frame->head.operation = reader.u64();
  frame->payload = bytes.substr(kFrameHeadBytes, *size - kFrameHeadBytes);
  return FrameStatus::kFrame;
}

bool peek_key(const Frame& frame, KeyRef* key) {
  const bool forward = frame.head.type == MessageType::kForward;
  if (!forward && frame.head.type != MessageType::kReplicaRead &&
      frame.head.type != MessageType::kReplicaWrite) {
    return false;
  }
  ByteReader reader(frame.payload);
  if (forward) reader.take(sizeof(uint32_t) + sizeof(uint64_t));  // the envelope's
  key->position.high = reader.u64();
  key->position.low = reader.u64();
  key->keyspace = frame.head.keyspace;
  return reader.ok() && key->keyspace < kKeyspacesMax;
}

void put_probe(std::string& batch, MessageType type, SlotId operation) {
  FrameWriter(batch, {type, 0, 0, operation}).finish();
}

}  // namespace kvorum::cluster
