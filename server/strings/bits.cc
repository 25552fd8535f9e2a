// SPDX-License-Identifier: Apache-2.0
#include "server/strings/bits.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace kvorum::server {
namespace {

// The byte with all bits outside the range cleared.
uint8_t masked_byte(std::string_view bytes, uint64_t byte, BitRange range) {
  uint8_t mask = 0xff;
  if (byte == range.first / 8) mask &= static_cast<uint8_t>(0xff >> range.first % 8);
  if (byte == range.last / 8) mask &= static_cast<uint8_t>(0xff << (7 - range.last % 8));
  return static_cast<uint8_t>(bytes[byte]) & mask;
}

uint64_t word_at(const char* bytes) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

void check_range(std::string_view bytes, BitRange range) {
  KVORUM_CHECK(range.first <= range.last && range.last / 8 < bytes.size());
}

}  // namespace

uint64_t count_bits(std::string_view bytes, BitRange range) {
  check_range(bytes, range);
  const uint64_t first = range.first / 8, last = range.last / 8;
  uint64_t count = static_cast<uint64_t>(std::popcount(masked_byte(bytes, first, range)));
  if (first == last) return count;
  count += static_cast<uint64_t>(std::popcount(masked_byte(bytes, last, range)));
  uint64_t byte = first + 1;
  for (; byte + sizeof(uint64_t) <= last; byte += sizeof(uint64_t)) {
    count += static_cast<uint64_t>(std::popcount(word_at(bytes.data() + byte)));
  }
  for (; byte < last; ++byte) {
    count += static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(bytes[byte])));
  }
  return count;
}

std::optional<uint64_t> find_bit(std::string_view bytes, bool value, BitRange range) {
  check_range(bytes, range);
  const uint64_t last = range.last / 8;
  const uint64_t word_without = value ? 0 : UINT64_MAX;
  const char byte_without = static_cast<char>(value ? 0 : 0xff);
  for (uint64_t byte = range.first / 8; byte <= last;) {
    if (byte + sizeof(uint64_t) <= last && word_at(bytes.data() + byte) == word_without) {
      byte += sizeof(uint64_t);
      continue;
    }
    if (bytes[byte] != byte_without) {
      const uint64_t begin = std::max(range.first, byte * 8);
      const uint64_t end = std::min(range.last, byte * 8 + 7);
      for (uint64_t bit = begin; bit <= end; ++bit) {
        if (bit_at(bytes, bit) == value) return bit;
      }
    }
    ++byte;
  }
  return std::nullopt;
}

std::string combine_bits(BitOperation operation, std::span<const std::string_view> sources) {
  KVORUM_CHECK(!sources.empty() && (operation != BitOperation::kNot || sources.size() == 1));
  size_t size = 0;
  for (std::string_view source : sources) size = std::max(size, source.size());
  std::string result(sources[0]);
  result.resize(size);
  if (operation == BitOperation::kNot) {
    for (char& byte : result) byte = static_cast<char>(~byte);
    return result;
  }
  for (std::string_view source : sources.subspan(1)) {
    for (size_t i = 0; i < source.size(); ++i) {
      if (operation == BitOperation::kAnd) result[i] = static_cast<char>(result[i] & source[i]);
      if (operation == BitOperation::kOr) result[i] = static_cast<char>(result[i] | source[i]);
      if (operation == BitOperation::kXor) result[i] = static_cast<char>(result[i] ^ source[i]);
    }
    if (operation == BitOperation::kAnd) {
      std::fill(result.begin() + static_cast<std::ptrdiff_t>(source.size()), result.end(), '\0');
    }
  }
  return result;
}

}  // namespace kvorum::server
