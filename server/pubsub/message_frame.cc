// SPDX-License-Identifier: Apache-2.0
#include "server/pubsub/message_frame.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::server {
namespace {

constexpr size_t kBytesEach = 128;  // of a message that waits, beside its own

}  // namespace

size_t put_message_piece(std::string& batch, const Message& message, size_t offset,
                         uint64_t reactor) {
  KVORUM_CHECK(offset <= message.payload.size());
  const size_t end = std::min(message.payload.size(), offset + kMessagePieceBytes);
  uint16_t flags = message.is_sharded ? kMessageSharded : uint16_t{0};
  if (offset != 0) flags |= kMessageRest;
  if (end < message.payload.size()) flags |= kMessageMore;
  cluster::FrameWriter frame(batch, {cluster::MessageType::kPublish, 0, flags, reactor});
  if (offset == 0) {
    put_u64(frame.out(), message.payload.size());
    put_u32(frame.out(), static_cast<uint32_t>(message.channel.size()));
    frame.out().append(message.channel);
  }
  frame.out().append(message.payload.substr(offset, end - offset));
  frame.finish();
  return end;
}

void put_message(std::string& batch, const Message& message, uint64_t reactor) {
  size_t offset = 0;
  do {
    offset = put_message_piece(batch, message, offset, reactor);
  } while (offset < message.payload.size());
}

// ---- MessageQueue

bool MessageQueue::add(const std::shared_ptr<const KeptMessage>& message) {
  const size_t more = message->bytes() + kBytesEach;
  if (bytes_ + more > kBytesMax && !messages_.empty()) return false;
  messages_.push_back(message);
  bytes_ += more;
  return true;
}

void MessageQueue::put(std::string& batch, size_t bytes_max, uint64_t reactor) {
  const size_t full_at = batch.size() + bytes_max;
  while (!messages_.empty() && batch.size() < full_at) {
    const KeptMessage& first = *messages_.front();
    offset_ = put_message_piece(batch, first.view(), offset_, reactor);
    if (offset_ < first.payload.size()) continue;
    bytes_ -= first.bytes() + kBytesEach;
    messages_.pop_front();
    offset_ = 0;
  }
}

void MessageQueue::clear() { *this = {}; }

// ---- MessageAssembler

MessageAssembler::Result MessageAssembler::on_piece(cluster::LinkIndex from,
                                                    const cluster::Frame& frame, Message* message) {
  const Source source{from, frame.head.operation};
  if ((frame.head.flags & kMessageRest) == 0) return on_first(source, frame, message);
  const auto found = parts_.find(source);
  if (found == parts_.end()) return Result::kMalformed;
  Part& part = found->second;
  const bool more = (frame.head.flags & kMessageMore) != 0;
  const size_t size = part.message.payload.size() + frame.payload.size();
  held_bytes_ -= part.message.bytes();
  const bool fits = more ? size < part.total : size == part.total;
  if (frame.payload.empty() || !fits) {
    parts_.erase(found);
    return Result::kMalformed;
  }
  part.message.payload.append(frame.payload);
  if (more) {
    held_bytes_ += part.message.bytes();
    return Result::kMore;
  }
  whole_ = std::move(part.message);
  parts_.erase(found);
  *message = whole_.view();
  return Result::kWhole;
}

MessageAssembler::Result MessageAssembler::on_first(const Source& source,
                                                    const cluster::Frame& frame, Message* message) {
  ByteReader reader(frame.payload);
  const uint64_t total = reader.u64();
  message->is_sharded = (frame.head.flags & kMessageSharded) != 0;
  message->channel = reader.take(reader.u32());
  message->payload = reader.rest();
  const bool more = (frame.head.flags & kMessageMore) != 0;
  const bool fits = more ? message->payload.size() < total : message->payload.size() == total;
  if (!reader.ok() || !fits || total > cluster::kFrameBytesMax || parts_.contains(source)) {
    return Result::kMalformed;
  }
  if (!more) return Result::kWhole;
  Part& part = parts_[source];
  part.message = KeptMessage(*message);
  part.total = total;
  held_bytes_ += part.message.bytes();
  return Result::kMore;
}

void MessageAssembler::forget(cluster::LinkIndex from) {
  auto part = parts_.lower_bound({from, 0});
  while (part != parts_.end() && part->first.first == from) {
    held_bytes_ -= part->second.message.bytes();
    part = parts_.erase(part);
  }
}

}  // namespace kvorum::server
