// SPDX-License-Identifier: Apache-2.0
#include "server/lua/lua_resp.h"

#include <charconv>

#include "base/check.h"

namespace kvorum::server {
namespace {

std::string_view take(std::string_view* bytes, size_t size) {
  KVORUM_CHECK(size <= bytes->size());
  const std::string_view taken = bytes->substr(0, size);
  bytes->remove_prefix(size);
  return taken;
}

std::string_view take_line(std::string_view* bytes) {
  const size_t size = bytes->find("\r\n");
  KVORUM_CHECK(size != std::string_view::npos);
  const std::string_view line = take(bytes, size);
  bytes->remove_prefix(2);
  return line;
}

template <class Number>
Number number_of(std::string_view text) {
  Number number{};
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  KVORUM_CHECK(end.ec == std::errc());
  return number;
}

std::string_view take_text(std::string_view size, std::string_view* bytes) {
  const std::string_view text = take(bytes, number_of<size_t>(size));
  KVORUM_CHECK(take_line(bytes).empty());
  return text;
}

void push_field(lua_State* state, const char* name, std::string_view text) {
  lua_createtable(state, 0, 1);
  lua_push_text(state, text);
  lua_setfield(state, -2, name);
}

void push_items(lua_State* state, size_t count, std::string_view* bytes) {
  lua_createtable(state, static_cast<int>(count), 0);
  for (size_t place = 1; place <= count; ++place) {
    push_written(state, bytes);
    lua_rawseti(state, -2, static_cast<int>(place));
  }
}

// {map = {key = value}} or {set = {member = true}}.
void push_members(lua_State* state, char kind, size_t count, std::string_view* bytes) {
  lua_createtable(state, 0, 1);
  lua_newtable(state);
  for (size_t at = 0; at < count; ++at) {
    push_written(state, bytes);
    if (kind == '%') {
      push_written(state, bytes);
    } else {
      lua_pushboolean(state, 1);
    }
    lua_rawset(state, -3);
  }
  lua_setfield(state, -2, kind == '%' ? "map" : "set");
}

void push_verbatim(lua_State* state, std::string_view text) {
  constexpr size_t kFormatBytes = 3;  // and a colon
  lua_createtable(state, 0, 1);
  lua_createtable(state, 0, 2);
  lua_push_text(state, text.substr(0, kFormatBytes));
  lua_setfield(state, -2, "format");
  lua_push_text(state, text.substr(kFormatBytes + 1));
  lua_setfield(state, -2, "string");
  lua_setfield(state, -2, "verbatim_string");
}

void pass_over(lua_State* state, size_t values, std::string_view* bytes) {
  for (size_t at = 0; at < values; ++at) {
    push_written(state, bytes);
    lua_pop(state, 1);
  }
}

void push_sized(lua_State* state, char kind, std::string_view line, std::string_view* bytes) {
  if (line == "-1") return lua_pushboolean(state, 0);
  if (kind == '$') return lua_push_text(state, take_text(line, bytes));
  if (kind == '=') return push_verbatim(state, take_text(line, bytes));
  const auto count = number_of<size_t>(line);
  if (kind == '*' || kind == '>') return push_items(state, count, bytes);
  if (kind == '%' || kind == '~') return push_members(state, kind, count, bytes);
  KVORUM_CHECK(kind == '|');
  pass_over(state, 2 * count, bytes);
  push_written(state, bytes);
}

}  // namespace

void push_written(lua_State* state, std::string_view* bytes) {
  luaL_checkstack(state, 8, "too many levels in a reply");
  const char kind = take(bytes, 1)[0];
  const std::string_view line = take_line(bytes);
  switch (kind) {
    case '+':
      return push_field(state, "ok", line);
    case '-':
      return push_field(state, "err", line);
    case ':':
      return lua_pushnumber(state, static_cast<lua_Number>(number_of<int64_t>(line)));
    case '_':
      return lua_pushnil(state);
    case '#':
      return lua_pushboolean(state, line == "t");
    case '(':
      return push_field(state, "big_number", line);
    case ',':
      lua_createtable(state, 0, 1);
      lua_pushnumber(state, number_of<double>(line));
      return lua_setfield(state, -2, "double");
    default:
      return push_sized(state, kind, line, bytes);
  }
}

}  // namespace kvorum::server
