// SPDX-License-Identifier: Apache-2.0
#include "server/lua/lua_pattern.h"

#include <string>

#include "server/lua/pattern_matcher.h"

namespace kvorum::server {
namespace {

constexpr char kEscape = '%';
constexpr std::string_view kSpecials = "^$*+?.([%-";

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

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
  PatternMatcher matcher(state, subject, pattern);
  const bool anchored = matcher.takes_anchor();
  do {
    const size_t end = matcher.match_at(at);
    if (end == PatternMatcher::kNo) continue;
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
  PatternMatcher matcher(state, subject, lua_text(state, lua_upvalueindex(2)));
  const auto first = static_cast<size_t>(lua_tointeger(state, lua_upvalueindex(3)));
  for (size_t at = first; at <= subject.size(); ++at) {
    const size_t end = matcher.match_at(at);
    if (end == PatternMatcher::kNo) continue;
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
void append_template(lua_State* state, PatternMatcher& matcher, Found found, std::string& out) {
  const std::string_view text = lua_text(state, 3);
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != kEscape) {
      out += text[at];
      continue;
    }
    ++at;
    const char letter = at < text.size() ? text[at] : '\0';
    if (!is_digit(letter)) {
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
void append_looked_up(lua_State* state, PatternMatcher& matcher, Found found, std::string& out) {
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
  PatternMatcher matcher(state, subject, checked_text(state, 2));
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
    if (end != PatternMatcher::kNo) {
      ++count;
      const bool is_template = kind == LUA_TNUMBER || kind == LUA_TSTRING;
      (is_template ? append_template : append_looked_up)(state, matcher, {at, end}, out);
      LuaState::hold_bytes(state, out.size());
    }
    if (end != PatternMatcher::kNo && end > at) {
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
