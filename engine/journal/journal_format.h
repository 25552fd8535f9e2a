// SPDX-License-Identifier: Apache-2.0
// The bytes of a journal (docs/FORMATS.md, "Journal"): segments, each a head and then batches one
// behind the other, what follows the last of which may be anything. Numbers are little endian.
//
//   segment head, 64 bytes      u32 magic "KVJS", u32 version, u64 store id, u64 number,
//                               u64 first sequence, u64 durable, u64 oldest, u64 0, u64 checksum
//   batch head, 48 bytes        u32 magic "KVJB", u32 index bytes, u64 payload bytes,
//                               u64 sequence, u64 durable, u64 payload checksum, u64 checksum
//   payload                     index: of each change varint(key bytes << 1 | erase), and of a put
//                               varint(value bytes); then key and value of each change
//   padding                     to a multiple of 8
//
// The checksums of a batch are seeded with store and segment: what a segment that is used again has
// of before is no batch. `durable` is the last sequence that was known to survive a power cut when
// the head was made: what is missing up to there is damage, what is missing after it may be what a
// power cut took. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/store.h"

namespace kvorum::engine {

// Numbers of segments and sequences of batches that are higher make no sense: what counts on from
// them would begin anew at 0.
inline constexpr uint64_t kJournalNumberMax = uint64_t{1} << 62;

struct SegmentHead {
  static constexpr size_t kBytes = 64;

  uint64_t store_id = 0;        // of the journal, random
  uint64_t number = 0;          // counts up
  uint64_t first_sequence = 0;  // of its first batch; what the segment before has from there on is
                                // no part of the journal
  uint64_t durable = 0;
  uint64_t oldest = 0;  // the first segment that was needed when this one was begun

  uint64_t seed() const;
  friend bool operator==(const SegmentHead&, const SegmentHead&) = default;
};
std::string encode_segment_head(const SegmentHead& head);
bool parse_segment_head(std::string_view bytes, SegmentHead* head);

struct BatchHead {
  static constexpr size_t kBytes = 48;
  static constexpr size_t kAlignment = 8;

  uint32_t index_bytes = 0;
  uint64_t payload_bytes = 0;  // with the index
  uint64_t sequence = 0;
  uint64_t durable = 0;
  uint64_t checksum = 0;  // of the payload

  // From head to head.
  uint64_t stride() const {
    return (kBytes + payload_bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
};

// A batch as it is written: parts one behind the other, some of which are those of the StoreBatch.
// Keeps its memory from one to the next.
class EncodedBatch {
 public:
  struct Place {
    uint64_t sequence;
    uint64_t durable;
    uint64_t seed;  // of the segment
  };
  // The parts are valid until the next call, and as long as `batch` is as it was.
  const std::vector<std::string_view>& encode(const StoreBatch& batch, const Place& place);
  // What encode() would come to, with padding.
  static uint64_t bytes_of(const StoreBatch& batch);

 private:
  std::string head_and_index_;
  std::vector<std::string_view> parts_;
};

// The batches of a segment, in order.
class SegmentReader {
 public:
  struct Batch {
    BatchHead head;
    std::string_view payload;
  };
  // `bytes` of the whole segment, whose head was parsed.
  SegmentReader(std::string_view bytes, const SegmentHead& head);

  // The next batch, of any sequence. False where there is none: what stands there makes no sense.
  bool next(Batch* batch);
  // After next() said false: goes on behind what makes no sense, at the next batch that does, if
  // there is one. Looks at every place where one could begin.
  bool skip(Batch* batch);

  // Behind the last batch that was given out.
  uint64_t end() const { return at_; }

 private:
  bool parse_at(uint64_t at, Batch* batch) const;

  const std::string_view bytes_;
  const uint64_t seed_;
  uint64_t at_ = SegmentHead::kBytes;
};

// The changes of a payload, in order. False where it makes no sense: then some may have been shown.
bool for_each_change(const SegmentReader::Batch& batch,
                     FunctionRef<void(const StoreBatch::Change& change)> fn);

}  // namespace kvorum::engine
