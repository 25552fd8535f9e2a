// SPDX-License-Identifier: Apache-2.0
#include "server/strings/bits.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace kvorum::server {
namespace {

std::string drawn_bytes(Rng& rng, size_t size) {
  std::string bytes;
  // Long runs of equal bytes, too: they are passed over word by word.
  while (bytes.size() < size) {
    const uint64_t kind = rng.below(4);
    const char byte = static_cast<char>(kind == 0 ? 0 : kind == 1 ? 0xff : rng.below(256));
    bytes.append(1 + rng.below(20), byte);
  }
  bytes.resize(size);
  return bytes;
}

TEST(Bits, AreNumberedFromTheHighest) {
  EXPECT_TRUE(bit_at("\x80", 0));
  EXPECT_FALSE(bit_at("\x80", 1));
  EXPECT_TRUE(bit_at(std::string("\0\1", 2), 15));
  EXPECT_FALSE(bit_at("\xff", 8));
  EXPECT_FALSE(bit_at("", 0));
}

TEST(Bits, AreCountedAndFoundInEveryRange) {
  Rng rng(11);
  for (int round = 0; round < 2000; ++round) {
    const std::string bytes = drawn_bytes(rng, 1 + rng.below(60));
    const uint64_t bits = bytes.size() * 8;
    BitRange range{rng.below(bits), 0};
    range.last = range.first + rng.below(bits - range.first);
    uint64_t count = 0;
    std::optional<uint64_t> first_one, first_zero;
    for (uint64_t bit = range.first; bit <= range.last; ++bit) {
      count += bit_at(bytes, bit);
      if (bit_at(bytes, bit) && !first_one) first_one = bit;
      if (!bit_at(bytes, bit) && !first_zero) first_zero = bit;
    }
    ASSERT_EQ(count_bits(bytes, range), count);
    ASSERT_EQ(find_bit(bytes, true, range), first_one);
    ASSERT_EQ(find_bit(bytes, false, range), first_zero);
  }
}

TEST(Bits, OfSeveralStringsAreCombined) {
  Rng rng(12);
  constexpr BitOperation kAll[] = {BitOperation::kAnd, BitOperation::kOr, BitOperation::kXor};
  for (int round = 0; round < 500; ++round) {
    const BitOperation operation = kAll[rng.below(3)];
    std::vector<std::string> sources;
    size_t size = 0;
    for (uint64_t i = 0; i <= rng.below(4); ++i) {
      sources.push_back(drawn_bytes(rng, rng.below(30)));
      size = std::max(size, sources.back().size());
    }
    const std::vector<std::string_view> views(sources.begin(), sources.end());
    const std::string result = combine_bits(operation, views);
    ASSERT_EQ(result.size(), size);
    for (uint64_t bit = 0; bit < size * 8; ++bit) {
      bool expected = bit_at(sources[0], bit);
      for (size_t i = 1; i < sources.size(); ++i) {
        const bool other = bit_at(sources[i], bit);
        if (operation == BitOperation::kAnd) expected = expected && other;
        if (operation == BitOperation::kOr) expected = expected || other;
        if (operation == BitOperation::kXor) expected = expected != other;
      }
      ASSERT_EQ(bit_at(result, bit), expected);
    }
  }
  const std::vector<std::string_view> one = {"\x0f\xff"};
  EXPECT_EQ(combine_bits(BitOperation::kNot, one), std::string("\xf0\0", 2));
}

}  // namespace
}  // namespace kvorum::server
