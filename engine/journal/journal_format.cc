// SPDX-License-Identifier: Apache-2.0
#include "engine/journal/journal_format.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"

namespace kvorum::engine {
namespace {

constexpr uint32_t kSegmentMagic = 0x534a564b;  // "KVJS"
constexpr uint32_t kBatchMagic = 0x424a564b;    // "KVJB"
constexpr uint32_t kVersion = 1;
constexpr size_t kReserved = sizeof(uint64_t);
constexpr std::string_view kZeros("\0\0\0\0\0\0\0", BatchHead::kAlignment - 1);

size_t varint_bytes(uint64_t value) {
  size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}

size_t value_bytes(const StoreBatch::Change& change) {
  return change.value.size() + (change.tail == nullptr ? 0 : change.tail->bytes.size());
}

}  // namespace

uint64_t SegmentHead::seed() const {
  FixedBytes<2 * sizeof(uint64_t)> bytes;
  put_u64(bytes, store_id);
  put_u64(bytes, number);
  return hash_seeded(bytes.view(), kSegmentMagic);
}

std::string encode_segment_head(const SegmentHead& head) {
  std::string bytes;
  put_u32(bytes, kSegmentMagic);
  put_u32(bytes, kVersion);
  put_u64(bytes, head.store_id);
  put_u64(bytes, head.number);
  put_u64(bytes, head.first_sequence);
  put_u64(bytes, head.durable);
  put_u64(bytes, head.oldest);
  bytes.append(kReserved, '\0');
  put_u64(bytes, hash_seeded(bytes, kSegmentMagic));
  KVORUM_CHECK(bytes.size() == SegmentHead::kBytes);
  return bytes;
}

bool parse_segment_head(std::string_view bytes, SegmentHead* head) {
  if (bytes.size() < SegmentHead::kBytes) return false;
  ByteReader reader(bytes.substr(0, SegmentHead::kBytes));
  if (reader.u32() != kSegmentMagic || reader.u32() != kVersion) return false;
  head->store_id = reader.u64();
  head->number = reader.u64();
  head->first_sequence = reader.u64();
  head->durable = reader.u64();
  head->oldest = reader.u64();
  reader.take(kReserved);
  const std::string_view summed = bytes.substr(0, SegmentHead::kBytes - sizeof(uint64_t));
  if (reader.u64() != hash_seeded(summed, kSegmentMagic)) return false;
  const uint64_t highest = std::max({head->number, head->first_sequence, head->durable});
  return head->first_sequence != 0 && head->oldest != 0 && head->oldest <= head->number &&
         highest <= kJournalNumberMax;
}

uint64_t EncodedBatch::bytes_of(const StoreBatch& batch) {
  BatchHead head;
  head.payload_bytes = batch.bytes();
  for (size_t at = 0; at < batch.size(); ++at) {
    const StoreBatch::Change change = batch[at];
    head.payload_bytes += varint_bytes(uint64_t{change.key.size()} << 1);
    if (!change.erase) head.payload_bytes += varint_bytes(value_bytes(change));
  }
  return head.stride();
}

const std::vector<std::string_view>& EncodedBatch::encode(const StoreBatch& batch,
                                                          const Place& place) {
  KVORUM_CHECK(!batch.empty());
  parts_.assign(1, {});
  head_and_index_.assign(BatchHead::kBytes, '\0');
  const char* begun = batch[0].key.data();  // of the bytes in one piece that are no part yet
  const char* end = begun;
  for (size_t at = 0; at < batch.size(); ++at) {
    const StoreBatch::Change change = batch[at];
    put_varint(head_and_index_, uint64_t{change.key.size()} << 1 | uint64_t{change.erase});
    if (!change.erase) put_varint(head_and_index_, value_bytes(change));
    if (change.key.data() != end) {  // a sorted batch
      parts_.emplace_back(begun, static_cast<size_t>(end - begun));
      begun = change.key.data();
    }
    end = change.key.data() + change.key.size() + change.value.size();
    if (change.tail == nullptr) continue;
    parts_.emplace_back(begun, static_cast<size_t>(end - begun));
    parts_.push_back(change.tail->bytes);
    begun = end;
  }
  if (end != begun) parts_.emplace_back(begun, static_cast<size_t>(end - begun));

  BatchHead head;
  head.index_bytes = static_cast<uint32_t>(head_and_index_.size() - BatchHead::kBytes);
  std::string_view index = head_and_index_;
  index.remove_prefix(BatchHead::kBytes);
  head.payload_bytes = index.size();
  for (size_t part = 1; part < parts_.size(); ++part) head.payload_bytes += parts_[part].size();
  FixedBytes<BatchHead::kBytes> bytes;
  put_u32(bytes, kBatchMagic);
  put_u32(bytes, head.index_bytes);
  put_u64(bytes, head.payload_bytes);
  put_u64(bytes, place.sequence);
  put_u64(bytes, place.durable);
  HashStream sum(place.seed);
  sum.add(index);
  for (size_t part = 1; part < parts_.size(); ++part) sum.add(parts_[part]);
  put_u64(bytes, sum.value());
  put_u64(bytes, hash_seeded(bytes.view(), place.seed));
  std::memcpy(head_and_index_.data(), bytes.view().data(), BatchHead::kBytes);
  parts_[0] = head_and_index_;
  const size_t padding = head.stride() - BatchHead::kBytes - head.payload_bytes;
  if (padding != 0) parts_.push_back(kZeros.substr(0, padding));
  return parts_;
}

SegmentReader::SegmentReader(std::string_view bytes, const SegmentHead& head)
    : bytes_(bytes), seed_(head.seed()) {}

bool SegmentReader::parse_at(uint64_t at, Batch* batch) const {
  if (at + BatchHead::kBytes > bytes_.size()) return false;
  const std::string_view bytes = bytes_.substr(at, BatchHead::kBytes);
  ByteReader reader(bytes);
  if (reader.u32() != kBatchMagic) return false;
  BatchHead& head = batch->head;
  head.index_bytes = reader.u32();
  head.payload_bytes = reader.u64();
  head.sequence = reader.u64();
  head.durable = reader.u64();
  head.checksum = reader.u64();
  const std::string_view summed = bytes.substr(0, BatchHead::kBytes - sizeof(uint64_t));
  if (reader.u64() != hash_seeded(summed, seed_)) return false;
  const std::string_view rest = bytes_.substr(at + BatchHead::kBytes);
  if (head.payload_bytes > rest.size() || head.index_bytes > head.payload_bytes) return false;
  if (std::max(head.sequence, head.durable) > kJournalNumberMax) return false;
  batch->payload = rest.substr(0, head.payload_bytes);
  return hash_seeded(batch->payload, seed_) == head.checksum;
}

bool SegmentReader::next(Batch* batch) {
  if (!parse_at(at_, batch)) return false;
  at_ += batch->head.stride();
  return true;
}

bool SegmentReader::skip(Batch* batch) {
  for (uint64_t at = at_ + BatchHead::kAlignment; at < bytes_.size(); at += BatchHead::kAlignment) {
    uint32_t magic = 0;  // most places fail by it
    std::memcpy(&magic, bytes_.data() + at, std::min(sizeof(magic), bytes_.size() - at));
    if (magic != kBatchMagic || !parse_at(at, batch)) continue;
    at_ = at + batch->head.stride();
    return true;
  }
  return false;
}

bool for_each_change(const SegmentReader::Batch& batch,
                     FunctionRef<void(const StoreBatch::Change& change)> fn) {
  ByteReader index(batch.payload.substr(0, batch.head.index_bytes));
  ByteReader bytes(batch.payload.substr(batch.head.index_bytes));
  while (!index.done()) {
    const uint64_t key = index.varint();
    const bool erase = (key & 1) != 0;
    const uint64_t value = erase ? 0 : index.varint();
    StoreBatch::Change change;
    change.key = bytes.take(key >> 1);
    change.value = bytes.take(value);
    change.erase = erase;
    if (!index.ok() || !bytes.ok() || change.key.empty()) return false;
    fn(change);
  }
  return index.ok() && bytes.ok() && bytes.done();
}

}  // namespace kvorum::engine
