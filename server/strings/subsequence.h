// SPDX-License-Identifier: Apache-2.0
// The longest common subsequence of two byte strings, with the choices that Redis makes where there
// are several. The usual table of lengths: time and memory grow with the product of the lengths, so
// the caller bounds them first (subsequence_table_bytes). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvorum::server {

// Bytes that both have, one behind the other: from first to last, inclusive.
struct SharedRange {
  uint32_t a_first, a_last;
  uint32_t b_first, b_last;
  uint32_t length() const { return a_last - a_first + 1; }
};

struct Subsequence {
  std::string text;
  std::vector<SharedRange> ranges;  // from the end of the strings to their beginning
};

// What the table takes; both are shorter than 4 GiB.
inline uint64_t subsequence_table_bytes(std::string_view a, std::string_view b) {
  return (a.size() + 1) * (b.size() + 1) * sizeof(uint32_t);
}

Subsequence longest_subsequence(std::string_view a, std::string_view b);
// The same without the table.
size_t longest_subsequence_length(std::string_view a, std::string_view b);

}  // namespace kvorum::server
