// SPDX-License-Identifier: Apache-2.0
// The 64-bit words of a bucket's slots: a 16-bit tag above a 48-bit address whose three low bits,
// free by alignment, say what stands there. Zero is an empty slot. Used by BucketIndex only.
#pragma once

#include <cstdint>

#include "base/check.h"
#include "engine/index/entry.h"

namespace kvorum::engine {

struct LongBucket;

inline constexpr uint64_t kAddressMask = (uint64_t{1} << 48) - 1;
inline constexpr uint64_t kLinkBit = 1;  // the bucket goes on in another line
inline constexpr uint64_t kLongBit = 2;  // the bucket is a LongBucket; only ever in slot 0
inline constexpr uint64_t kKindMask = 7;

inline uint16_t tag_of(uint64_t word) { return static_cast<uint16_t>(word >> 48); }
inline bool is_link(uint64_t word) { return (word & kLinkBit) != 0; }
inline bool is_long(uint64_t word) { return (word & kLongBit) != 0; }
inline bool is_entry(uint64_t word) { return word != 0 && (word & kKindMask) == 0; }

inline uint64_t entry_word(const Entry* entry, uint16_t tag) {
  KVORUM_DEBUG_CHECK((reinterpret_cast<uintptr_t>(entry) & ~(kAddressMask & ~kKindMask)) == 0);
  return reinterpret_cast<uintptr_t>(entry) | uint64_t{tag} << 48;
}
inline Entry* to_entry(uint64_t word) {
  KVORUM_DEBUG_CHECK(is_entry(word));
  return reinterpret_cast<Entry*>(word & kAddressMask);
}

inline uint64_t long_word(const LongBucket* bucket) {
  return reinterpret_cast<uintptr_t>(bucket) | kLongBit;
}
inline LongBucket* to_long(uint64_t word) {
  KVORUM_DEBUG_CHECK(is_long(word));
  return reinterpret_cast<LongBucket*>(word & kAddressMask & ~kKindMask);
}

template <class Line>
uint64_t link_word(const Line* line) {
  return reinterpret_cast<uintptr_t>(line) | kLinkBit;
}
template <class Line>
Line* to_line(uint64_t word) {
  KVORUM_DEBUG_CHECK(is_link(word));
  return reinterpret_cast<Line*>(word & kAddressMask & ~kKindMask);
}

}  // namespace kvorum::engine
