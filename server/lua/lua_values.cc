// SPDX-License-Identifier: Apache-2.0
#include "server/lua/lua_values.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/check.h"
#include "server/lua/lua_resp.h"

namespace kvorum::server {

using protocol::Reply;
using protocol::RespVersion;

namespace {

void push_field(lua_State* state, const char* name, std::string_view text) {
  lua_push_text(state, text);
  lua_setfield(state, -2, name);
}

void push_array(lua_State* state, const Reply& reply, RespVersion version) {
  lua_createtable(state, static_cast<int>(reply.items().size()), 0);
  int place = 0;
  for (const Reply& item : reply.items()) {
    push_reply(state, item, version);
    lua_rawseti(state, -2, ++place);
  }
}

// {map = {key = value}} or {set = {member = true}}.
void push_collection(lua_State* state, const Reply& reply, RespVersion version) {
  const bool is_map = reply.kind() == Reply::Kind::kMap;
  lua_createtable(state, 0, 1);
  lua_newtable(state);
  for (size_t at = 0; at < reply.items().size(); at += is_map ? 2 : 1) {
    push_reply(state, reply.items()[at], version);
    if (is_map) {
      push_reply(state, reply.items()[at + 1], version);
    } else {
      lua_pushboolean(state, 1);
    }
    lua_rawset(state, -3);
  }
  lua_setfield(state, -2, is_map ? "map" : "set");
}

void push_verbatim(lua_State* state, const Reply& reply) {
  lua_createtable(state, 0, 1);
  lua_createtable(state, 0, 2);
  push_field(state, "format", "txt");
  push_field(state, "string", reply.text());
  lua_setfield(state, -2, "verbatim_string");
}

// Writes one value, and what is in it. Fields are read past metatables.
class ResultWriter {
 public:
  ResultWriter(lua_State* state, const ResultShape& shape, std::string& out)
      : state_(state), shape_(shape), out_(out), end_(bytes_end(shape, out)) {}

  Appended verdict() const {
    if (values_ > shape_.values_max) return Appended::kTooMany;
    return out_.size() <= end_ ? Appended::kWhole : Appended::kTooLarge;
  }

  // The value on top, which is popped.
  void write() {
    ++values_;
    if (verdict() != Appended::kWhole) {
      lua_pop(state_, 1);
      return;
    }
    if (!lua_checkstack(state_, 6)) {
      protocol::append_error(out_, "ERR reached lua stack limit");
      lua_pop(state_, 1);
      return;
    }
    switch (lua_type(state_, -1)) {
      case LUA_TSTRING:
        protocol::append_bulk(out_, lua_text(state_, -1));
        break;
      case LUA_TBOOLEAN:
        write_boolean(lua_toboolean(state_, -1) != 0);
        break;
      case LUA_TNUMBER:
        protocol::append_integer(out_, whole_part(lua_tonumber(state_, -1)));
        break;
      case LUA_TTABLE:
        write_table();
        break;
      default:
        protocol::append_nil(out_, shape_.client);
    }
    lua_pop(state_, 1);
  }

 private:
  static size_t bytes_end(const ResultShape& shape, const std::string& out) {
    return shape.bytes_max > SIZE_MAX - out.size() ? SIZE_MAX : out.size() + shape.bytes_max;
  }

  // As the processor converts: what does not fit is the least integer.
  static int64_t whole_part(double number) {
    constexpr double kEnd = 9223372036854775808.0;
    if (!(number >= -kEnd && number < kEnd)) return std::numeric_limits<int64_t>::min();
    return static_cast<int64_t>(number);
  }

  void write_boolean(bool value) {
    if (shape_.script == RespVersion::k3) {
      if (shape_.client == RespVersion::k3) {
        out_ += value ? "#t\r\n" : "#f\r\n";
      } else {
        protocol::append_integer(out_, value);
      }
    } else if (value) {
      protocol::append_integer(out_, 1);
    } else {
      protocol::append_nil(out_, shape_.client);
    }
  }

  bool push_raw_field(const char* name, int type) {
    lua_pushstring(state_, name);
    lua_rawget(state_, -2);
    if (lua_type(state_, -1) == type) return true;
    lua_pop(state_, 1);
    return false;
  }

  void write_table() {
    if (push_raw_field("err", LUA_TSTRING)) {
      protocol::append_error(out_, lua_text(state_, -1));
    } else if (push_raw_field("ok", LUA_TSTRING)) {
      protocol::append_simple(out_, lua_text(state_, -1));
    } else if (push_raw_field("double", LUA_TNUMBER)) {
      write_double(lua_tonumber(state_, -1));
    } else if (push_raw_field("map", LUA_TTABLE)) {
      write_collection(true);
    } else if (push_raw_field("set", LUA_TTABLE)) {
      write_collection(false);
    } else if (push_raw_field("big_number", LUA_TSTRING)) {
      write_big_number(lua_text(state_, -1));
    } else if (push_raw_field("verbatim_string", LUA_TTABLE)) {
      write_verbatim();
    } else {
      return write_array();
    }
    lua_pop(state_, 1);
  }

  void write_double(double value) {
    std::string text = std::isnan(value) ? "nan" : fmt::format("{:.17g}", value);
    if (std::isinf(value)) text = value > 0 ? "inf" : "-inf";
    if (shape_.client == RespVersion::k3) {
      out_.append(",").append(text).append("\r\n");
    } else {
      protocol::append_bulk(out_, text);
    }
  }

  void write_big_number(std::string_view text) {
    std::string line;  // in both versions
    protocol::append_one_line(line, text);
    if (shape_.client != RespVersion::k3) return protocol::append_bulk(out_, line);
    out_.append("(").append(line).append("\r\n");
  }

  void write_verbatim() {
    std::string_view format, text;
    if (push_raw_field("format", LUA_TSTRING)) {
      format = lua_text(state_, -1);
      lua_pop(state_, 1);  // the table holds it still
    }
    if (push_raw_field("string", LUA_TSTRING)) {
      text = lua_text(state_, -1);
      lua_pop(state_, 1);
    }
    if (shape_.client != RespVersion::k3) return protocol::append_bulk(out_, text);
    std::string three(format.substr(0, 3));
    three.resize(3, ' ');
    out_ += fmt::format("={}\r\n{}:{}\r\n", text.size() + 4, three, text);
  }

  void write_collection(bool is_map) {
    size_t size = 0;
    for (lua_pushnil(state_); lua_next(state_, -2) != 0; lua_pop(state_, 1)) ++size;
    if (is_map) {
      protocol::append_map_header(out_, shape_.client, size);
    } else {
      protocol::append_set_header(out_, shape_.client, size);
    }
    lua_pushnil(state_);
    while (lua_next(state_, -2) != 0) {
      lua_pushvalue(state_, -2);
      write();  // the key
      if (is_map) {
        write();
      } else {
        lua_pop(state_, 1);
      }
    }
  }

  void write_array() {
    int size = 0;
    for (;; ++size) {
      lua_rawgeti(state_, -1, size + 1);
      const bool ends = lua_isnil(state_, -1);
      lua_pop(state_, 1);
      if (ends) break;
    }
    protocol::append_array_header(out_, static_cast<size_t>(size));
    for (int place = 1; place <= size; ++place) {
      lua_rawgeti(state_, -1, place);
      write();
    }
  }

  lua_State* const state_;
  const ResultShape shape_;
  std::string& out_;
  const size_t end_;
  size_t values_ = 0;
};

}  // namespace

void push_error(lua_State* state, std::string_view text) {
  lua_createtable(state, 0, 1);
  push_field(state, "err", text);
}

void push_reply(lua_State* state, const Reply& reply, RespVersion version) {
  luaL_checkstack(state, 8, "too many levels in a reply");
  const bool is_new = version == RespVersion::k3;
  switch (reply.kind()) {
    case Reply::Kind::kSimple:
      lua_createtable(state, 0, 1);
      return push_field(state, "ok", reply.text());
    case Reply::Kind::kError:
      return push_error(state, reply.text());
    case Reply::Kind::kInteger:
      return lua_pushnumber(state, static_cast<lua_Number>(reply.number()));
    case Reply::Kind::kBulk:
      return lua_push_text(state, reply.text());
    case Reply::Kind::kArray:
      return push_array(state, reply, version);
    case Reply::Kind::kMap:
    case Reply::Kind::kSet:
      return is_new ? push_collection(state, reply, version) : push_array(state, reply, version);
    case Reply::Kind::kVerbatim:
      return is_new ? push_verbatim(state, reply) : lua_push_text(state, reply.text());
    case Reply::Kind::kPreformatted: {
      std::string_view bytes = reply.text();
      return push_written(state, &bytes);
    }
    case Reply::Kind::kNil:
    case Reply::Kind::kNone:
    case Reply::Kind::kLine:
    case Reply::Kind::kValueItem:
    case Reply::Kind::kMetaItem:
    case Reply::Kind::kFrame:
    case Reply::Kind::kFollowUp:
      break;
  }
  is_new ? lua_pushnil(state) : lua_pushboolean(state, 0);
}

Appended append_result(lua_State* state, int index, const ResultShape& shape, std::string& out) {
  ResultWriter writer(state, shape, out);
  lua_pushvalue(state, index);
  writer.write();
  return writer.verdict();
}

}  // namespace kvorum::server
