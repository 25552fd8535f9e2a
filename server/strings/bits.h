// SPDX-License-Identifier: Apache-2.0
// Bits of a byte string as Redis numbers them: bit 0 is the highest of the first byte. Counting and
// finding over ranges of them, and operations of whole strings. Pure; what lies behind the end is
// not looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kvorum::server {

inline bool bit_at(std::string_view bytes, uint64_t bit) {
  const uint64_t byte = bit / 8;
  return byte < bytes.size() && (static_cast<uint8_t>(bytes[byte]) >> (7 - bit % 8) & 1) != 0;
}

// Inclusive on both sides.
struct BitRange {
  uint64_t first = 0, last = 0;
};

// REQUIRES of both: the range is not empty and lies within the bytes.
uint64_t count_bits(std::string_view bytes, BitRange range);
// The first bit of that value.
std::optional<uint64_t> find_bit(std::string_view bytes, bool value, BitRange range);

enum class BitOperation : uint8_t { kAnd, kOr, kXor, kNot };

// As long as the longest of the sources; shorter ones are padded with zero bits. REQUIRES: kNot has
// one source, the others have one at least.
std::string combine_bits(BitOperation operation, std::span<const std::string_view> sources);

}  // namespace kvorum::server
