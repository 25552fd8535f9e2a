// SPDX-License-Identifier: Apache-2.0
#include "server/strings/subsequence.h"

#include <algorithm>

namespace kvorum::server {
namespace {

// One more row of the table: the lengths for all prefixes of `b` beside one more letter of `a`.
void fill_row(const uint32_t* above, uint32_t* row, char letter, std::string_view b) {
  row[0] = 0;
  for (size_t j = 1; j <= b.size(); ++j) {
    row[j] = b[j - 1] == letter ? above[j - 1] + 1 : std::max(above[j], row[j - 1]);
  }
}

}  // namespace

Subsequence longest_subsequence(std::string_view a, std::string_view b) {
  const size_t width = b.size() + 1;
  std::vector<uint32_t> table((a.size() + 1) * width);
  for (size_t i = 1; i <= a.size(); ++i) {
    fill_row(&table[(i - 1) * width], &table[i * width], a[i - 1], b);
  }
  Subsequence found;
  bool extends = false;  // the last range goes on
  for (size_t i = a.size(), j = b.size(); i > 0 && j > 0;) {
    if (a[i - 1] != b[j - 1]) {
      extends = false;
      table[(i - 1) * width + j] > table[i * width + j - 1] ? --i : --j;
      continue;
    }
    --i;
    --j;
    found.text.push_back(a[i]);
    const uint32_t in_a = static_cast<uint32_t>(i), in_b = static_cast<uint32_t>(j);
    if (extends) {
      found.ranges.back().a_first = in_a;
      found.ranges.back().b_first = in_b;
    } else {
      found.ranges.push_back({in_a, in_a, in_b, in_b});
    }
    extends = true;
  }
  std::reverse(found.text.begin(), found.text.end());
  return found;
}

size_t longest_subsequence_length(std::string_view a, std::string_view b) {
  std::vector<uint32_t> above(b.size() + 1), row(b.size() + 1);
  for (const char letter : a) {
    fill_row(above.data(), row.data(), letter, b);
    above.swap(row);
  }
  return above[b.size()];
}

}  // namespace kvorum::server
