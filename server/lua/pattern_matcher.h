// SPDX-License-Identifier: Apache-2.0
// A pattern of Lua 5.1 (its manual, 5.4.1) followed through a subject by backtracking, within
// bounds: lua_pattern.h. Raises Lua's errors. For lua_pattern.cc alone.
#pragma once

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/lua/lua_pattern.h"

namespace kvorum::server {

// One pattern against one subject. Positions in the subject are offsets; kNo is no match.
class PatternMatcher {
 public:
  static constexpr size_t kNo = SIZE_MAX;

  // The pattern ends at its first zero, as Lua's does.
  PatternMatcher(lua_State* state, std::string_view subject, std::string_view pattern)
      : state_(state), subject_(subject), pattern_(pattern.substr(0, pattern.find('\0'))) {}

  std::string_view pattern() const { return pattern_; }
  bool takes_anchor() {
    if (!pattern_.starts_with('^')) return false;
    pattern_.remove_prefix(1);
    return true;
  }

  // Where a match that begins at `at` ends.
  size_t match_at(size_t at) {
    level_ = 0;
    return match(at, 0);
  }

  // The captures of the last match, or all of it where there are none. Returns how many.
  int push_captures(size_t begin, size_t end, bool whole_if_none = true) {
    const int count = level_ == 0 && whole_if_none ? 1 : level_;
    luaL_checkstack(state_, count, "too many captures");
    for (int at = 0; at < count; ++at) push_capture(at, begin, end);
    return count;
  }

  void push_whole(size_t begin, size_t end) {
    lua_push_text(state_, subject_.substr(begin, end - begin));
  }
  void push_capture(int which, size_t begin, size_t end) {
    if (which >= level_) {
      if (which != 0) luaL_error(state_, "invalid capture index");
      return push_whole(begin, end);
    }
    const Capture& capture = captures_[which];
    if (capture.size == kUnfinished) luaL_error(state_, "unfinished capture");
    if (capture.size == kPosition) {
      return lua_pushinteger(state_, static_cast<lua_Integer>(capture.begin + 1));
    }
    lua_push_text(state_, subject_.substr(capture.begin, static_cast<size_t>(capture.size)));
  }

 private:
  static constexpr int kCapturesMax = LUA_MAXCAPTURES;
  static constexpr uint64_t kStepsCountedAtOnce = 1024;
  static constexpr char kEscape = '%';
  static constexpr ptrdiff_t kUnfinished = -1, kPosition = -2;
  struct Capture {
    size_t begin = 0;
    ptrdiff_t size = 0;
  };
  // A level of recursion, given back also where an error is raised within it.
  class Level {
   public:
    explicit Level(PatternMatcher& matcher) : matcher_(matcher) {
      if (++matcher_.levels_ > kPatternLevelsMax) {
        luaL_error(matcher_.state_, "pattern too complex");
      }
    }
    ~Level() { --matcher_.levels_; }
    Level(const Level&) = delete;

   private:
    PatternMatcher& matcher_;
  };

  static unsigned char byte_of(char letter) { return static_cast<unsigned char>(letter); }

  void count_step() {
    if (++steps_ % kStepsCountedAtOnce == 0) LuaState::count_work(state_, kStepsCountedAtOnce);
  }
  // Zero behind the end, as in Lua's own strings.
  char pattern_at(size_t at) const { return at < pattern_.size() ? pattern_[at] : '\0'; }
  char subject_at(size_t at) const { return at < subject_.size() ? subject_[at] : '\0'; }

  // What follows in the pattern from `item` on, at this place of the subject.
  size_t match(size_t at, size_t item) {
    const Level level(*this);
    for (;;) {
      count_step();
      if (item >= pattern_.size()) return at;
      const char first = pattern_[item];
      if (first == '(') {
        const bool is_position = pattern_at(item + 1) == ')';
        return begin_capture(at, item + (is_position ? 2 : 1),
                             is_position ? kPosition : kUnfinished);
      }
      if (first == ')') return end_capture(at, item + 1);
      if (first == '$' && item + 1 == pattern_.size()) return at == subject_.size() ? at : kNo;
      if (first == kEscape && is_special_escape(pattern_at(item + 1))) {
        at = match_escape(at, &item);
        if (at == kNo) return kNo;
        continue;
      }
      bool ended = false;
      at = match_item(at, &item, &ended);
      if (ended || at == kNo) return at;
    }
  }

  static bool is_special_escape(char letter) {
    return letter == 'b' || letter == 'f' || std::isdigit(byte_of(letter));
  }

  // %b, %f and %1. Moves `item` behind it.
  size_t match_escape(size_t at, size_t* item) {
    const char kind = pattern_at(*item + 1);
    if (kind == 'b') {
      at = match_balance(at, *item + 2);
      *item += 4;
      return at;
    }
    if (kind == 'f') return match_frontier(at, item);
    at = match_captured(at, kind);
    *item += 2;
    return at;
  }

  // A single character of the pattern with what stands behind it. `ended`: all of the rest was
  // matched, or was not.
  size_t match_item(size_t at, size_t* item, bool* ended) {
    const size_t end = class_end(*item);
    const bool matches = at < subject_.size() && matches_single(subject_[at], *item, end);
    const char suffix = pattern_at(end);
    *ended = true;
    switch (suffix) {
      case '?': {
        const size_t rest = matches ? match(at + 1, end + 1) : kNo;
        if (rest != kNo) return rest;
        *ended = false;
        *item = end + 1;
        return at;
      }
      case '*':
        return match_most(at, *item, end);
      case '+':
        return matches ? match_most(at + 1, *item, end) : kNo;
      case '-':
        return match_least(at, *item, end);
      default:
        *ended = false;
        *item = end;
        return matches ? at + 1 : kNo;
    }
  }

  size_t match_most(size_t at, size_t item, size_t end) {
    size_t last = at;
    while (last < subject_.size() && matches_single(subject_[last], item, end)) {
      count_step();
      ++last;
    }
    for (;; --last) {
      const size_t rest = match(last, end + 1);
      if (rest != kNo || last == at) return rest;
    }
  }

  size_t match_least(size_t at, size_t item, size_t end) {
    for (;; ++at) {
      const size_t rest = match(at, end + 1);
      if (rest != kNo) return rest;
      if (at >= subject_.size() || !matches_single(subject_[at], item, end)) return kNo;
    }
  }

  size_t begin_capture(size_t at, size_t item, ptrdiff_t kind) {
    if (level_ >= kCapturesMax) luaL_error(state_, "too many captures");
    captures_[level_] = {at, kind};
    ++level_;
    const size_t rest = match(at, item);
    if (rest == kNo) --level_;
    return rest;
  }

  size_t end_capture(size_t at, size_t item) {
    int open = level_ - 1;
    while (open >= 0 && captures_[open].size != kUnfinished) --open;
    if (open < 0) luaL_error(state_, "invalid pattern capture");
    captures_[open].size = static_cast<ptrdiff_t>(at - captures_[open].begin);
    const size_t rest = match(at, item);
    if (rest == kNo) captures_[open].size = kUnfinished;
    return rest;
  }

  size_t match_captured(size_t at, char digit) {
    const int which = digit - '1';
    if (which < 0 || which >= level_ || captures_[which].size == kUnfinished) {
      luaL_error(state_, "invalid capture index");
    }
    const Capture& capture = captures_[which];
    if (capture.size < 0) return kNo;  // a position is no text
    const std::string_view text = subject_.substr(capture.begin, static_cast<size_t>(capture.size));
    return subject_.substr(at).starts_with(text) ? at + text.size() : kNo;
  }

  size_t match_balance(size_t at, size_t item) {
    if (item + 1 >= pattern_.size()) luaL_error(state_, "unbalanced pattern");
    const char opens = pattern_[item], closes = pattern_[item + 1];
    if (at >= subject_.size() || subject_[at] != opens) return kNo;
    size_t open = 1;
    while (++at < subject_.size()) {
      count_step();
      if (subject_[at] == closes) {
        if (--open == 0) return at + 1;
      } else if (subject_[at] == opens) {
        ++open;
      }
    }
    return kNo;
  }

  size_t match_frontier(size_t at, size_t* item) {
    *item += 2;
    if (pattern_at(*item) != '[') luaL_error(state_, "missing '[' after '%%f' in pattern");
    const size_t end = class_end(*item);
    const char before = at == 0 ? '\0' : subject_[at - 1];
    const bool stands_between =
        !matches_set(before, *item, end - 1) && matches_set(subject_at(at), *item, end - 1);
    *item = end;
    return stands_between ? at : kNo;
  }

  // Where the single character, class or set that begins at `item` ends.
  size_t class_end(size_t item) const {
    const char first = pattern_[item++];
    if (first == kEscape) {
      if (item >= pattern_.size()) luaL_error(state_, "malformed pattern (ends with '%%')");
      return item + 1;
    }
    if (first != '[') return item;
    if (pattern_at(item) == '^') ++item;
    do {
      if (item >= pattern_.size()) luaL_error(state_, "malformed pattern (missing ']')");
      if (pattern_[item++] == kEscape && item < pattern_.size()) ++item;
    } while (pattern_at(item) != ']');
    return item + 1;
  }

  bool matches_single(char letter, size_t item, size_t end) const {
    switch (pattern_[item]) {
      case '.':
        return true;
      case kEscape:
        return matches_class(letter, pattern_[item + 1]);
      case '[':
        return matches_set(letter, item, end - 1);
      default:
        return pattern_[item] == letter;
    }
  }

  static bool matches_class(char letter, char kind) {
    const int byte = byte_of(letter);
    bool is_in = false;
    switch (std::tolower(byte_of(kind))) {
      case 'a':
        is_in = std::isalpha(byte) != 0;
        break;
      case 'c':
        is_in = std::iscntrl(byte) != 0;
        break;
      case 'd':
        is_in = std::isdigit(byte) != 0;
        break;
      case 'l':
        is_in = std::islower(byte) != 0;
        break;
      case 'p':
        is_in = std::ispunct(byte) != 0;
        break;
      case 's':
        is_in = std::isspace(byte) != 0;
        break;
      case 'u':
        is_in = std::isupper(byte) != 0;
        break;
      case 'w':
        is_in = std::isalnum(byte) != 0;
        break;
      case 'x':
        is_in = std::isxdigit(byte) != 0;
        break;
      case 'z':
        is_in = byte == 0;
        break;
      default:
        return kind == letter;
    }
    return std::isupper(byte_of(kind)) ? !is_in : is_in;
  }

  // The set from '[' at `item` to ']' at `last`.
  bool matches_set(char letter, size_t item, size_t last) const {
    const bool excludes = pattern_at(item + 1) == '^';
    if (excludes) ++item;
    while (++item < last) {
      if (pattern_[item] == kEscape) {
        ++item;
        if (matches_class(letter, pattern_[item])) return !excludes;
      } else if (pattern_at(item + 1) == '-' && item + 2 < last) {
        item += 2;
        const bool in_range = byte_of(pattern_[item - 2]) <= byte_of(letter) &&
                              byte_of(letter) <= byte_of(pattern_[item]);
        if (in_range) return !excludes;
      } else if (pattern_[item] == letter) {
        return !excludes;
      }
    }
    return excludes;
  }

  lua_State* const state_;
  const std::string_view subject_;
  std::string_view pattern_;
  int level_ = 0;  // captures that were begun
  Capture captures_[kCapturesMax];
  int levels_ = 0;  // of recursion
  uint64_t steps_ = 0;
};

}  // namespace kvorum::server
