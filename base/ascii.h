// SPDX-License-Identifier: Apache-2.0
// Letters of ASCII, whatever the locale says: protocol words, host names, hexadecimal digits.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kvorum {

constexpr char to_lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}
constexpr char to_upper(char letter) {
  return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
}

inline std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& letter : upper) letter = to_upper(letter);
  return upper;
}

inline std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& letter : lower) letter = to_lower(letter);
  return lower;
}

// REQUIRES: `lower` holds no upper-case letter.
constexpr bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (to_lower(text[i]) != lower[i]) return false;
  }
  return true;
}

// The value of a hexadecimal digit, or -1.
constexpr int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  const char lower = to_lower(letter);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace kvorum
