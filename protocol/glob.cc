// SPDX-License-Identifier: Apache-2.0
#include "protocol/glob.h"

#include <utility>

#include "base/ascii.h"

namespace kvorum::protocol {
namespace {

unsigned char folded(char letter, bool ignore_case) {
  return static_cast<unsigned char>(ignore_case ? to_lower(letter) : letter);
}

// Whether `letter` is in the class that begins behind "[" at `*at`; moves *at behind the class. A
// class that is not closed ends with the pattern.
bool class_matches(std::string_view pattern, size_t* at, unsigned char letter, bool ignore_case) {
  size_t i = *at;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) ++i;
  bool found = false;
  for (; i < pattern.size() && pattern[i] != ']'; ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      ++i;
      found |= folded(pattern[i], ignore_case) == letter;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      unsigned char low = folded(pattern[i], ignore_case);
      unsigned char high = folded(pattern[i + 2], ignore_case);
      if (low > high) std::swap(low, high);
      found |= letter >= low && letter <= high;
      i += 2;
    } else {
      found |= folded(pattern[i], ignore_case) == letter;
    }
  }
  *at = i < pattern.size() ? i + 1 : i;
  return found != negated;
}

// Whether the pattern's element at `*at`, no star, takes `letter`; moves *at behind it.
bool element_matches(std::string_view pattern, size_t* at, char text_letter, bool ignore_case) {
  const unsigned char letter = folded(text_letter, ignore_case);
  const char first = pattern[(*at)++];
  if (first == '?') return true;
  if (first == '[') return class_matches(pattern, at, letter, ignore_case);
  if (first == '\\' && *at < pattern.size()) {
    return folded(pattern[(*at)++], ignore_case) == letter;
  }
  return folded(first, ignore_case) == letter;
}

}  // namespace

// Only the last star is ever widened: what an earlier one could take, the last one can too. As in
// Redis no pattern but the empty one takes the empty text, not even stars.
bool glob_matches(std::string_view pattern, std::string_view text, bool ignore_case) {
  if (text.empty()) return pattern.empty();
  constexpr size_t kNone = std::string_view::npos;
  size_t in_pattern = 0, in_text = 0;
  size_t after_star = kNone, star_end = 0;
  while (in_text < text.size()) {
    size_t next = in_pattern;
    if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
      after_star = ++in_pattern;
      star_end = in_text;
    } else if (in_pattern < pattern.size() &&
               element_matches(pattern, &next, text[in_text], ignore_case)) {
      in_pattern = next;
      ++in_text;
    } else if (after_star != kNone) {
      in_pattern = after_star;
      in_text = ++star_end;
    } else {
      return false;
    }
  }
  while (in_pattern < pattern.size() && pattern[in_pattern] == '*') ++in_pattern;
  return in_pattern == pattern.size();
}

}  // namespace kvorum::protocol
