// SPDX-License-Identifier: Apache-2.0
// The 64-bit words of a bucket's slots: a 16-bit tag above a 48-bit address whose three low bits,
// free by alignment, say what stands there. Zero is an empty slot. Used by BucketIndex only.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/check.h"
#include "engine/index/entry.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

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

inline constexpr size_t kWordsInLine = 8;
using LineWords = std::array<std::atomic<uint64_t>, kWordsInLine>;

inline unsigned tags_equal_one_by_one(const LineWords& words, uint16_t tag) {
  unsigned found = 0;
  for (size_t at = 0; at < kWordsInLine; ++at) {
    const bool equal = tag_of(words[at].load(std::memory_order_relaxed)) == tag;
    found |= static_cast<unsigned>(equal) << at;
  }
  return found;
}

// One bit for each word of the line, which is aligned, whose tag is this one. On x86 a word is read
// whole by a vector load as well; the thread sanitizer does not know that.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
inline unsigned tags_equal(const LineWords& words, uint16_t tag) {
  const __m128i* const pairs = reinterpret_cast<const __m128i*>(words.data());
  const __m128i wanted = _mm_set1_epi16(static_cast<int16_t>(tag));
  const auto compare = [&](size_t pair) {
    return _mm_castsi128_ps(_mm_cmpeq_epi16(_mm_load_si128(pairs + pair), wanted));
  };
  constexpr int kUpperHalves = _MM_SHUFFLE(3, 1, 3, 1);  // their highest bit is the tag's
  const __m128 low = _mm_shuffle_ps(compare(0), compare(1), kUpperHalves);
  const __m128 high = _mm_shuffle_ps(compare(2), compare(3), kUpperHalves);
  return static_cast<unsigned>(_mm_movemask_ps(low) | _mm_movemask_ps(high) << 4);
}
#else
inline unsigned tags_equal(const LineWords& words, uint16_t tag) {
  return tags_equal_one_by_one(words, tag);
}
#endif

}  // namespace kvorum::engine
