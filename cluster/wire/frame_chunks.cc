// SPDX-License-Identifier: Apache-2.0
#include "cluster/wire/frame_chunks.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/large_memory.h"

namespace kvorum::cluster {
namespace {

// Length and checksum do not travel: each chunk has its own.
constexpr size_t kLeftOut = 8;
constexpr size_t kHeadBytes = kFrameHeadBytes - kLeftOut;

FrameHead get_head(ByteReader& reader) {
  FrameHead head{};
  head.type = static_cast<MessageType>(reader.u8());
  head.keyspace = reader.u8();
  head.flags = reader.u16();
  head.operation = reader.u64();
  return head;
}

std::string_view travelling_front(const LargeFrame& frame) {
  return std::string_view(frame.front).substr(kLeftOut);
}

size_t size_of(const LargeFrame& frame) {
  return travelling_front(frame).size() + frame.rest.size();
}

// Greetings and chunks do not come in chunks.
bool may_be_large(MessageType type) { return type >= MessageType::kForward; }

}  // namespace

bool has_large_frame(std::string_view batch) {
  while (batch.size() > kLargeFrameBytes) {
    ByteReader reader(batch);
    const size_t size = kFrameLengthBytes + reader.u32();
    if (size > kLargeFrameBytes) return true;
    batch.remove_prefix(size);
  }
  return false;
}

std::vector<LargeFrame> take_large_frames(std::string& batch) {
  std::vector<LargeFrame> large;
  const SharedBytes whole = share(std::move(batch));
  batch = std::string();
  for (std::string_view rest = *whole; !rest.empty();) {
    ByteReader reader(rest);
    const size_t size = std::min(kFrameLengthBytes + reader.u32(), rest.size());
    const std::string_view frame = rest.substr(0, size);
    if (size > kLargeFrameBytes) {
      large.push_back(
          {std::string(frame.substr(0, kFrameHeadBytes)), whole, frame.substr(kFrameHeadBytes)});
    } else {
      batch.append(frame);
    }
    rest.remove_prefix(size);
  }
  return large;
}

void ChunkSender::add(LargeFrame frame) {
  KVORUM_CHECK(frame.front.size() >= kFrameHeadBytes && size_of(frame) <= kFrameBytesMax);
  held_bytes_ += size_of(frame);
  waiting_.push_back(std::move(frame));
}

bool ChunkSender::can_send() const {
  const bool any = unsent_ > 0 || (!waiting_.empty() && begun_.size() < kTogetherMax);
  return any && in_window_ < kWindowBytes;
}

void ChunkSender::begin_some() {
  while (!waiting_.empty() && begun_.size() < kTogetherMax) {
    Transfer& transfer = begun_.emplace_back();
    transfer.frame = std::move(waiting_.front());
    waiting_.pop_front();
    ByteReader reader(travelling_front(transfer.frame));
    transfer.head = get_head(reader);
    transfer.total = size_of(transfer.frame);
    ++unsent_;
  }
}

void ChunkSender::put_chunks(std::string& batch, size_t bytes_max, uint64_t now_us) {
  begin_some();
  const size_t full_at = std::min(in_window_ + bytes_max, kWindowBytes);
  while (unsent_ > 0 && in_window_ < full_at) {
    next_ = next_ + 1 < begun_.size() ? next_ + 1 : 0;
    Transfer& transfer = begun_[next_];
    if (transfer.sent < transfer.total) put_chunk(batch, transfer, now_us);
  }
}

void ChunkSender::put_chunk(std::string& batch, Transfer& transfer, uint64_t now_us) {
  // In the order of their first chunks, which the other side insists on.
  if (transfer.sent == 0) transfer.number = ++last_number_;
  FrameWriter writer(batch, {MessageType::kChunk, 0, 0, transfer.number});
  put_u64(batch, transfer.sent);
  put_u64(batch, now_us);
  if (transfer.sent == 0) put_u64(batch, transfer.total);
  size_t room = kChunkBytes;
  const std::string_view front = travelling_front(transfer.frame);
  if (transfer.sent < front.size()) {
    const std::string_view part = front.substr(transfer.sent, room);
    batch.append(part);
    transfer.sent += part.size();
    in_window_ += part.size();
    room -= part.size();
  }
  if (room > 0) {
    KVORUM_CHECK(transfer.sent >= front.size());
    const std::string_view part = transfer.frame.rest.substr(transfer.sent - front.size(), room);
    batch.append(part);
    transfer.sent += part.size();
    in_window_ += part.size();
  }
  writer.finish();
  flowed_.push_back(transfer.head);
  if (transfer.sent < transfer.total) return;
  KVORUM_CHECK(transfer.sent == transfer.total && held_bytes_ >= transfer.total);
  --unsent_;
  held_bytes_ -= transfer.total;
  transfer.frame = {};
}

bool ChunkSender::on_taken(const Frame& frame) {
  ByteReader reader(frame.payload);
  const uint64_t taken = reader.u64();
  if (!reader.ok() || !reader.done()) return false;
  const auto found = std::find_if(begun_.begin(), begun_.end(), [&](const Transfer& transfer) {
    return transfer.number == frame.head.operation;
  });
  if (found == begun_.end() || taken <= found->taken || taken > found->sent) return false;
  KVORUM_CHECK(in_window_ >= taken - found->taken);
  in_window_ -= taken - found->taken;
  found->taken = taken;
  flowed_.push_back(found->head);
  if (taken == found->total) begun_.erase(found);
  return true;
}

size_t ChunkAssembler::Assembly::filled() const {
  KVORUM_CHECK(taken >= kHeadBytes);  // the head comes first, and whole
  return taken - kHeadBytes;
}

ChunkAssembler::Assembly* ChunkAssembler::begin(uint64_t number, ByteReader& reader) {
  const uint64_t total = reader.u64();
  const bool in_order =
      number == last_number_ + 1 && assemblies_.size() < ChunkSender::kTogetherMax;
  if (!in_order || total < kHeadBytes || total > kFrameBytesMax) return nullptr;
  const FrameHead head = get_head(reader);
  if (!reader.ok() || !may_be_large(head.type)) return nullptr;
  last_number_ = number;
  Assembly& assembly = assemblies_.emplace_back();
  assembly.number = number;
  assembly.head = head;
  assembly.total = total;
  assembly.taken = kHeadBytes;
  // Whoever links here knows the secret, and pages are not taken before they are written.
  assembly.payload = MappedMemory(std::max<size_t>(total - kHeadBytes, 1));
  assembly.ahead.reset(assembly.payload.data() + assembly.payload.warm_bytes());
  return &assembly;
}

ChunkAssembler::Result ChunkAssembler::on_chunk(const Frame& chunk) {
  ByteReader reader(chunk.payload);
  const uint64_t number = chunk.head.operation;
  const uint64_t offset = reader.u64();
  sent_us_ = reader.u64();
  if (!reader.ok()) return Result::kMalformed;
  Assembly* assembly = nullptr;
  if (offset == 0) {
    assembly = begin(number, reader);
  } else {
    for (Assembly& one : assemblies_) {
      if (one.number == number && one.taken == offset) assembly = &one;
    }
  }
  const std::string_view bytes = reader.rest();
  if (assembly == nullptr || bytes.size() > assembly->total - assembly->taken) {
    return Result::kMalformed;
  }
  if (bytes.empty() && offset != 0) return Result::kMalformed;
  char* const payload = assembly->payload.data();
  if (!bytes.empty()) std::memcpy(payload + assembly->filled(), bytes.data(), bytes.size());
  assembly->taken += bytes.size();
  assembly->ahead.wrote(payload + assembly->filled(), payload + assembly->payload.size());
  held_bytes_ += bytes.size();
  head_ = assembly->head;
  const bool is_whole = assembly->taken == assembly->total;
  untold_bytes_ += bytes.size();
  if (untold_bytes_ >= kTakenEvery) {
    for (Assembly& one : assemblies_) owe(one);
    untold_bytes_ = 0;
  } else if (is_whole) {
    owe(*assembly);
  }
  if (!is_whole) return Result::kMore;
  whole_ = share(std::move(assembly->payload), {payload, assembly->filled()});
  KVORUM_CHECK(held_bytes_ >= whole_->size());
  held_bytes_ -= whole_->size();
  assemblies_.erase(assemblies_.begin() + (assembly - assemblies_.data()));
  return Result::kWhole;
}

void ChunkAssembler::owe(Assembly& assembly) {
  KVORUM_CHECK(assembly.told <= assembly.taken && assembly.taken <= assembly.total);
  if (assembly.told == assembly.taken) return;
  assembly.told = assembly.taken;
  owed_.push_back({assembly.number, assembly.taken});
}

void ChunkAssembler::put_taken(std::string& batch) {
  for (const Owed& owed : owed_) {
    FrameWriter writer(batch, {MessageType::kChunkTaken, 0, 0, owed.number});
    put_u64(batch, owed.taken);
    writer.finish();
  }
  owed_.clear();
}

}  // namespace kvorum::cluster
