// SPDX-License-Identifier: Apache-2.0
#include "cluster/wire/held_copies.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr uint8_t kPercentMax = 100;

}  // namespace

const HeldCopy* HeldCopies::find(uint32_t partition) const {
  const auto found =
      std::lower_bound(copies.begin(), copies.end(), partition,
                       [](const HeldCopy& copy, uint32_t at) { return copy.partition < at; });
  return found == copies.end() || found->partition != partition ? nullptr : &*found;
}

void put_held_copies_question(std::string& batch) {
  FrameWriter(batch, {MessageType::kHeldCopies}).finish();
}

bool parse_held_copies_question(const Frame& frame) { return frame.payload.empty(); }

void put_held_copies(std::string& batch, const HeldCopies& held) {
  FrameWriter frame(batch, {MessageType::kHeldCopiesReply});
  KVORUM_CHECK(held.background_percent <= kPercentMax);
  put_u64(batch, held.newest_set);
  put_u8(batch, held.background_percent);
  uint32_t expected = 0;
  for (const HeldCopy& copy : held.copies) {
    KVORUM_CHECK(copy.partition >= expected);
    put_varint(batch, copy.partition - expected);
    put_varint(batch, copy.keys);
    put_varint(batch, copy.bytes);
    expected = copy.partition + 1;
  }
  frame.finish();
}

bool parse_held_copies(const Frame& frame, uint32_t partitions, HeldCopies* held) {
  ByteReader reader(frame.payload);
  held->newest_set = reader.u64();
  held->background_percent = reader.u8();
  if (!reader.ok() || held->background_percent > kPercentMax) return false;
  uint64_t expected = 0;
  while (!reader.done()) {
    HeldCopy copy;
    const uint64_t gap = reader.varint();
    copy.keys = reader.varint();
    copy.bytes = reader.varint();
    if (!reader.ok() || gap >= partitions || expected + gap >= partitions) return false;
    copy.partition = static_cast<uint32_t>(expected + gap);
    held->copies.push_back(copy);
    expected = copy.partition + uint64_t{1};
  }
  return true;
}

}  // namespace kvorum::cluster
