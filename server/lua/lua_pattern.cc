// SPDX-License-Identifier: Apache-2.0
#include "server/lua/lua_pattern.h"

#include <cctype>
#include <cstring>
#include <string>

namespace kvorum::server {
namespace {

constexpr int kCapturesMax = LUA_MAXCAPTURES;
constexpr uint64_t kStepsCountedAtOnce = 1024;
constexpr char kEscape = '%';
constexpr std::string_view kSpecials = "^$*+?.([%-";

unsigned char byte_of(char letter) { return static_cast<unsigned char>(letter); }

// One pattern against one subject. Positions in the subject are offsets; kNo is no match.
class Matcher {
 public:
  static constexpr size_t kNo = SIZE_MAX;

  // The pattern ends at its first zero, as Lua's does.
  Matcher(lua_State* state, std::string_view subject, std::string_view pattern)
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
  static constexpr ptrdiff_t kUnfinished = -1, kPosition = -2;
  struct Capture {
    size_t begin = 0;
    ptrdiff_t size = 0;
  };
  // A level of recursion, given back also where an error is raised within it.
  class Level {
   public:
    explicit Level(Matcher& matcher) : matcher_(matcher) {
      if (++matcher_.levels_ > kPatternLevelsMax) {
        luaL_error(matcher_.state_, "pattern too complex");
      }
    }
    ~Level() { --matcher_.levels_; }
    Level(const Level&) = delete;

   private:
    Matcher& matcher_;
  };

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

std::string_view checked_text(lua_State* state, int index) {
  luaL_checkstring(state, index);
  return lua_text(state, index);
}

// Where the search begins: the third argument, of which a negative one counts from the end.
size_t first_place(lua_State* state, size_t size) {
  lua_Integer place = luaL_optinteger(state, 3, 1);
  if (place < 0) place += static_cast<lua_Integer>(size) + 1;
  if (place < 1) return 0;
  return std::min(static_cast<size_t>(place) - 1, size);
}

int push_span(lua_State* state, size_t begin, size_t end) {
  lua_pushinteger(state, static_cast<lua_Integer>(begin + 1));
  lua_pushinteger(state, static_cast<lua_Integer>(end));
  return 2;
}

int find_plain(lua_State* state, std::string_view subject, std::string_view text, size_t from) {
  LuaState::count_work(state, (subject.size() - from) / 16);
  const size_t found = subject.find(text, from);
  if (found != std::string_view::npos) return push_span(state, found, found + text.size());
  lua_pushnil(state);
  return 1;
}

bool is_plain(std::string_view pattern) {
  return pattern.substr(0, pattern.find('\0')).find_first_of(kSpecials) == std::string_view::npos;
}

int search(lua_State* state, bool finds) {
  const std::string_view subject = checked_text(state, 1);
  const std::string_view pattern = checked_text(state, 2);
  size_t at = first_place(state, subject.size());
  if (finds && (lua_toboolean(state, 4) || is_plain(pattern))) {
    return find_plain(state, subject, pattern, at);
  }
  Matcher matcher(state, subject, pattern);
  const bool anchored = matcher.takes_anchor();
  do {
    const size_t end = matcher.match_at(at);
    if (end == Matcher::kNo) continue;
    if (!finds) return matcher.push_captures(at, end);
    return push_span(state, at, end) + matcher.push_captures(at, end, false);
  } while (at++ < subject.size() && !anchored);
  lua_pushnil(state);
  return 1;
}

int find(lua_State* state) { return search(state, true); }
int match(lua_State* state) { return search(state, false); }

// Upvalues: the subject, the pattern, where to go on.
int next_match(lua_State* state) {
  const std::string_view subject = lua_text(state, lua_upvalueindex(1));
  Matcher matcher(state, subject, lua_text(state, lua_upvalueindex(2)));
  const auto first = static_cast<size_t>(lua_tointeger(state, lua_upvalueindex(3)));
  for (size_t at = first; at <= subject.size(); ++at) {
    const size_t end = matcher.match_at(at);
    if (end == Matcher::kNo) continue;
    lua_pushinteger(state, static_cast<lua_Integer>(end == at ? end + 1 : end));
    lua_replace(state, lua_upvalueindex(3));
    return matcher.push_captures(at, end);
  }
  return 0;
}

int gmatch(lua_State* state) {
  checked_text(state, 1);
  checked_text(state, 2);
  lua_settop(state, 2);
  lua_pushinteger(state, 0);
  lua_pushcclosure(state, next_match, 3);
  return 1;
}

struct Found {
  size_t begin, end;
};

// The replacement as text, in which %0 to %9 stand for what was captured.
void append_template(lua_State* state, Matcher& matcher, Found found, std::string& out) {
  const std::string_view text = lua_text(state, 3);
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != kEscape) {
      out += text[at];
      continue;
    }
    ++at;
    const char letter = at < text.size() ? text[at] : '\0';
    if (!std::isdigit(byte_of(letter))) {
      out += letter;
      continue;
    }
    if (letter == '0') {
      matcher.push_whole(found.begin, found.end);
    } else {
      matcher.push_capture(letter - '1', found.begin, found.end);
    }
    out += lua_text(state, -1);
    lua_pop(state, 1);
  }
}

// What a function or a table gives for it; the match itself where that is nil or false.
void append_looked_up(lua_State* state, Matcher& matcher, Found found, std::string& out) {
  if (lua_type(state, 3) == LUA_TFUNCTION) {
    lua_pushvalue(state, 3);
    lua_call(state, matcher.push_captures(found.begin, found.end), 1);
  } else {
    matcher.push_capture(0, found.begin, found.end);
    lua_gettable(state, 3);
  }
  if (!lua_toboolean(state, -1)) {
    lua_pop(state, 1);
    matcher.push_whole(found.begin, found.end);
  } else if (!lua_isstring(state, -1)) {
    luaL_error(state, "invalid replacement value (a %s)", luaL_typename(state, -1));
  }
  out += lua_text(state, -1);
  lua_pop(state, 1);
}

int gsub(lua_State* state) {
  const std::string_view subject = checked_text(state, 1);
  Matcher matcher(state, subject, checked_text(state, 2));
  const int kind = lua_type(state, 3);
  const bool anchored = matcher.takes_anchor();
  const auto most = luaL_optinteger(state, 4, static_cast<lua_Integer>(subject.size()) + 1);
  luaL_argcheck(
      state,
      kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TFUNCTION || kind == LUA_TTABLE, 3,
      "string/function/table expected");
  std::string out;
  lua_Integer count = 0;
  size_t at = 0;
  while (count < most) {
    const size_t end = matcher.match_at(at);
    if (end != Matcher::kNo) {
      ++count;
      const bool is_template = kind == LUA_TNUMBER || kind == LUA_TSTRING;
      (is_template ? append_template : append_looked_up)(state, matcher, {at, end}, out);
      LuaState::hold_bytes(state, out.size());
    }
    if (end != Matcher::kNo && end > at) {
      at = end;
    } else if (at < subject.size()) {
      out += subject[at++];
    } else {
      break;
    }
    if (anchored) break;
  }
  out += subject.substr(at);
  lua_push_text(state, out);
  lua_pushinteger(state, count);
  return 2;
}

}  // namespace

void install_patterns(lua_State* state) {
  lua_set_function(state, "find", find);
  lua_set_function(state, "match", match);
  lua_set_function(state, "gmatch", gmatch);
  lua_set_function(state, "gsub", gsub);
}

}  // namespace kvorum::server
