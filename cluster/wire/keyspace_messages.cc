// SPDX-License-Identifier: Apache-2.0
#include "cluster/wire/keyspace_messages.h"

#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr uint16_t kRefused = 1 << 0;
constexpr size_t kClockBytes = 24;
constexpr size_t kItemBytesMin = 10;

bool valid_keyspace(const Frame& frame) { return frame.head.keyspace < kKeyspacesMax; }

void put_empty(std::string& batch, const FrameHead& head) { FrameWriter(batch, head).finish(); }

}  // namespace

void put_scan(std::string& batch, SlotId operation, const ScanQuestion& question) {
  FrameWriter frame(batch, {MessageType::kScan, question.keyspace, 0, operation});
  KVORUM_CHECK(question.count > 0);
  KVORUM_CHECK(question.keyspace < kKeyspacesMax);
  put_u64(batch, question.from);
  put_u32(batch, question.last_partition);
  put_u32(batch, question.count);
  frame.finish();
}

bool parse_scan(const Frame& frame, ScanQuestion* question) {
  ByteReader reader(frame.payload);
  question->keyspace = frame.head.keyspace;
  question->from = reader.u64();
  question->last_partition = reader.u32();
  question->count = reader.u32();
  return reader.ok() && reader.done() && question->count > 0 && valid_keyspace(frame);
}

void put_scan_reply(std::string& batch, SlotId operation, const ScanAnswer& answer) {
  const uint16_t flags = answer.refused ? kRefused : 0;
  FrameWriter frame(batch, {MessageType::kScanReply, 0, flags, operation});
  put_u64(batch, answer.next);
  batch.append(answer.items);
  frame.finish();
}

bool parse_scan_reply(const Frame& frame, ScanAnswer* answer) {
  ByteReader reader(frame.payload);
  answer->refused = frame.head.flags & kRefused;
  answer->next = reader.u64();
  answer->items = reader.rest();
  return reader.ok();
}

void put_page_item(std::string& items, const PageItem& item) {
  KVORUM_CHECK(item.key.size() <= kKeyBytesMax && !item.object.empty());
  put_u64(items, item.high);
  put_bytes(items, item.key);
  put_bytes(items, item.object);
}

bool parse_page_items(std::string_view items, std::vector<PageItem>* parsed) {
  ByteReader reader(items);
  parsed->reserve(parsed->size() + items.size() / (4 * kItemBytesMin));
  while (!reader.done()) {
    PageItem item;
    item.high = reader.u64();
    item.key = reader.bytes();
    item.object = reader.bytes();
    if (!reader.ok() || item.key.size() > kKeyBytesMax || item.object.empty()) return false;
    parsed->push_back(item);
  }
  return reader.ok();
}

void put_count(std::string& batch, SlotId operation, uint8_t keyspace) {
  KVORUM_CHECK(keyspace < kKeyspacesMax);
  put_empty(batch, {MessageType::kCount, keyspace, 0, operation});
}

bool parse_count(const Frame& frame) { return frame.payload.empty() && valid_keyspace(frame); }

void put_count_reply(std::string& batch, SlotId operation, const PartitionCounts& counts) {
  FrameWriter frame(batch, {MessageType::kCountReply, 0, 0, operation});
  uint32_t expected = 0;
  for (const auto& [partition, count] : counts) {
    KVORUM_CHECK(partition >= expected);
    put_varint(batch, partition - expected);
    put_varint(batch, count);
    expected = partition + 1;
  }
  frame.finish();
}

bool parse_count_reply(const Frame& frame, PartitionCounts* counts) {
  ByteReader reader(frame.payload);
  uint64_t expected = 0;
  while (!reader.done()) {
    const uint64_t gap = reader.varint();
    const uint64_t count = reader.varint();
    if (!reader.ok() || gap > UINT32_MAX - expected) return false;
    counts->emplace_back(static_cast<uint32_t>(expected + gap), count);
    expected += gap + 1;
    if (expected > UINT32_MAX) return false;
  }
  return reader.ok();
}

void put_flush_clocks(std::string& batch, SlotId operation) {
  put_empty(batch, {MessageType::kFlushClocks, 0, 0, operation});
}

bool parse_flush_clocks(const Frame& frame) { return frame.payload.empty(); }

void put_flush_clocks_reply(std::string& batch, SlotId operation, const FlushMark& clocks) {
  FrameWriter frame(batch, {MessageType::kFlushClocksReply, 0, 0, operation});
  for (const FlushMarkEntry& clock : clocks) {
    KVORUM_CHECK(clock.node != 0);
    put_u64(batch, clock.node);
    put_u64(batch, clock.incarnation);
    put_u64(batch, clock.hlc.value);
  }
  frame.finish();
}

bool parse_flush_clocks_reply(const Frame& frame, FlushMark* clocks) {
  if (frame.payload.size() % kClockBytes != 0) return false;
  ByteReader reader(frame.payload);
  while (!reader.done()) {
    FlushMarkEntry& clock = clocks->emplace_back();
    clock.node = reader.u64();
    clock.incarnation = reader.u64();
    clock.hlc.value = reader.u64();
    if (clock.node == 0) return false;
  }
  return true;
}

void put_flush_mark(std::string& batch, SlotId operation, std::string_view marks) {
  FrameWriter frame(batch, {MessageType::kFlushMark, 0, 0, operation});
  batch.append(marks);
  frame.finish();
}

void put_flush_mark_reply(std::string& batch, SlotId operation) {
  put_empty(batch, {MessageType::kFlushMarkReply, 0, 0, operation});
}

bool parse_flush_mark_reply(const Frame& frame) { return frame.payload.empty(); }

}  // namespace kvorum::cluster
