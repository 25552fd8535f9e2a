// SPDX-License-Identifier: Apache-2.0
// The library `cmsgpack` of scripts: values as MessagePack (msgpack.org). A table whose keys are 1
// to n is an array, any other one a map; a number without a fraction is an integer.
#include <bit>
#include <climits>
#include <cmath>
#include <cstdint>
#include <string>

#include "server/lua/lua_libraries.h"

namespace kvorum::server {
namespace {

constexpr int kLevelsMax = 16;  // deeper tables are nil

// ---- packing

class Packer {
 public:
  Packer(lua_State* state, std::string& out) : state_(state), out_(out) {}

  // The value on top, which is popped.
  void pack(int level) {
    switch (lua_type(state_, -1)) {
      case LUA_TSTRING:
        put_text(lua_text(state_, -1));
        break;
      case LUA_TBOOLEAN:
        put(lua_toboolean(state_, -1) ? 0xc3 : 0xc2);
        break;
      case LUA_TNUMBER:
        put_number(lua_tonumber(state_, -1));
        break;
      case LUA_TTABLE:
        level < kLevelsMax ? put_table(level) : put(0xc0);
        break;
      default:
        put(0xc0);
    }
    lua_pop(state_, 1);
  }

 private:
  void put(int byte) { out_ += static_cast<char>(byte); }
  void put_big_endian(uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) put(value >> shift & 0xff);
  }
  void put_with(int type, uint64_t value, int bytes) {
    put(type);
    put_big_endian(value, bytes);
  }

  void put_number(lua_Number number) {
    constexpr lua_Number kEnd = 9223372036854775808.0;
    if (std::floor(number) == number && number >= -kEnd && number < kEnd) {
      return put_integer(static_cast<int64_t>(number));
    }
    const auto narrow = static_cast<float>(number);
    if (static_cast<lua_Number>(narrow) == number) {
      put_with(0xca, std::bit_cast<uint32_t>(narrow), 4);
    } else {
      put_with(0xcb, std::bit_cast<uint64_t>(number), 8);
    }
  }

  void put_integer(int64_t number) {
    const auto bits = static_cast<uint64_t>(number);
    if (number >= 0) {
      if (number <= 127) return put(static_cast<int>(number));
      if (number <= 0xff) return put_with(0xcc, bits, 1);
      if (number <= 0xffff) return put_with(0xcd, bits, 2);
      if (number <= 0xffffffff) return put_with(0xce, bits, 4);
      return put_with(0xcf, bits, 8);
    }
    if (number >= -32) return put(static_cast<int>(number & 0xff));
    if (number >= -128) return put_with(0xd0, bits, 1);
    if (number >= -32768) return put_with(0xd1, bits, 2);
    if (number >= INT32_MIN) return put_with(0xd2, bits, 4);
    put_with(0xd3, bits, 8);
  }

  void put_text(std::string_view text) {
    const size_t size = text.size();
    if (size < 32) {
      put(0xa0 | static_cast<int>(size));
    } else if (size <= 0xff) {
      put_with(0xd9, size, 1);
    } else {
      size <= 0xffff ? put_with(0xda, size, 2) : put_with(0xdb, size, 4);
    }
    out_.append(text);
  }

  void put_size(size_t size, int few, int many) {
    if (size <= 15) return put(few | static_cast<int>(size));
    size <= 0xffff ? put_with(many, size, 2) : put_with(many + 1, size, 4);
  }

  // How many pairs there are; `is_array` where their keys are 1 to that.
  size_t count_pairs(bool* is_array) {
    size_t count = 0;
    lua_Number highest = 0;
    *is_array = true;
    for (lua_pushnil(state_); lua_next(state_, -2) != 0; lua_pop(state_, 1)) {
      ++count;
      const lua_Number key = lua_type(state_, -2) == LUA_TNUMBER ? lua_tonumber(state_, -2) : 0;
      if (!(key >= 1) || std::floor(key) != key) *is_array = false;
      highest = std::max(highest, key);
    }
    *is_array = *is_array && highest == static_cast<lua_Number>(count);
    return count;
  }

  void put_table(int level) {
    luaL_checkstack(state_, 4, "too many levels");
    bool is_array = false;
    const size_t count = count_pairs(&is_array);
    if (is_array) {
      put_size(count, 0x90, 0xdc);
      for (size_t at = 1; at <= count; ++at) {
        lua_rawgeti(state_, -1, static_cast<int>(at));
        pack(level + 1);
      }
      return;
    }
    put_size(count, 0x80, 0xde);
    for (lua_pushnil(state_); lua_next(state_, -2) != 0;) {
      lua_pushvalue(state_, -2);
      pack(level + 1);
      pack(level + 1);
    }
  }

  lua_State* const state_;
  std::string& out_;
};

int pack(lua_State* state) {
  const int count = lua_gettop(state);
  luaL_argcheck(state, count > 0, 0, "MessagePack pack needs input.");
  luaL_checkstack(state, 2, "too many arguments");
  std::string out;
  Packer packer(state, out);
  for (int at = 1; at <= count; ++at) {
    lua_pushvalue(state, at);
    packer.pack(0);
  }
  lua_push_text(state, out);
  return 1;
}

// ---- unpacking

class Unpacker {
 public:
  Unpacker(lua_State* state, std::string_view bytes) : state_(state), rest_(bytes) {}

  size_t left() const { return rest_.size(); }

  // Pushes the next value.
  void unpack() {
    const Level level(*this);
    luaL_checkstack(state_, 3, "too many levels");
    const auto type = static_cast<uint8_t>(take(1)[0]);
    if (type <= 0x7f) return lua_pushnumber(state_, type);
    if (type >= 0xe0) return lua_pushnumber(state_, static_cast<int8_t>(type));
    if (type <= 0x8f) return push_map(type & 0x0f);
    if (type <= 0x9f) return push_array(type & 0x0f);
    if (type <= 0xbf) return push_text(type & 0x1f);
    unpack_typed(type);
  }

 private:
  static constexpr int kUnpackedLevelsMax = 1000;
  // Given back also where an error is raised within it.
  class Level {
   public:
    explicit Level(Unpacker& unpacker) : unpacker_(unpacker) {
      if (++unpacker_.levels_ > kUnpackedLevelsMax) luaL_error(unpacker_.state_, "too many levels");
    }
    ~Level() { --unpacker_.levels_; }
    Level(const Level&) = delete;

   private:
    Unpacker& unpacker_;
  };

  std::string_view take(uint64_t size) {
    if (size > rest_.size()) luaL_error(state_, "Missing bytes in input.");
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  uint64_t take_number(size_t bytes) {
    uint64_t value = 0;
    for (const char byte : take(bytes)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }

  void push_signed(size_t bytes) {
    const int unused = static_cast<int>(8 - bytes) * 8;
    const auto value = static_cast<int64_t>(take_number(bytes) << unused) >> unused;
    lua_pushnumber(state_, static_cast<lua_Number>(value));
  }

  void unpack_typed(uint8_t type) {
    switch (type) {
      case 0xc0:
        return lua_pushnil(state_);
      case 0xc2:
      case 0xc3:
        return lua_pushboolean(state_, type == 0xc3);
      case 0xc4:  // bytes
      case 0xc5:
      case 0xc6:
        return push_text(take_number(size_t{1} << (type - 0xc4)));
      case 0xca:
        return lua_pushnumber(state_, std::bit_cast<float>(static_cast<uint32_t>(take_number(4))));
      case 0xcb:
        return lua_pushnumber(state_, std::bit_cast<double>(take_number(8)));
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return lua_pushnumber(state_,
                              static_cast<lua_Number>(take_number(size_t{1} << (type - 0xcc))));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return push_signed(size_t{1} << (type - 0xd0));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return push_text(take_number(size_t{1} << (type - 0xd9)));
      case 0xdc:
      case 0xdd:
        return push_array(take_number(size_t{2} << (type - 0xdc)));
      case 0xde:
      case 0xdf:
        return push_map(take_number(size_t{2} << (type - 0xde)));
      default:
        luaL_error(state_, "Bad data format in input.");
    }
  }

  void push_text(uint64_t size) { lua_push_text(state_, take(size)); }

  void push_array(uint64_t size) {
    lua_newtable(state_);
    for (uint64_t at = 1; at <= size; ++at) {
      unpack();
      lua_rawseti(state_, -2, static_cast<int>(at));
    }
  }

  void push_map(uint64_t size) {
    lua_newtable(state_);
    for (uint64_t at = 0; at < size; ++at) {
      unpack();
      unpack();
      lua_settable(state_, -3);
    }
  }

  lua_State* const state_;
  std::string_view rest_;
  int levels_ = 0;
};

// Up to `limit` values from an offset on. `tells_offset`: where the rest begins comes first, -1
// where there is none.
int unpack_some(lua_State* state, lua_Integer limit, lua_Integer offset, bool tells_offset) {
  luaL_checkstring(state, 1);
  const std::string_view bytes = lua_text(state, 1);
  if (offset < 0 || limit < 0) {
    return luaL_error(state, "Invalid request to unpack with offset of %d and limit of %d.",
                      static_cast<int>(offset), static_cast<int>(bytes.size()));
  }
  if (static_cast<size_t>(offset) > bytes.size()) {
    return luaL_error(state, "Start offset %d greater than input length %d.",
                      static_cast<int>(offset), static_cast<int>(bytes.size()));
  }
  lua_settop(state, 1);
  Unpacker unpacker(state, bytes.substr(static_cast<size_t>(offset)));
  lua_Integer count = 0;
  for (; unpacker.left() > 0 && count < limit; ++count) unpacker.unpack();
  if (!tells_offset) return static_cast<int>(count);
  const size_t left = unpacker.left();
  lua_pushinteger(state, left == 0 ? -1 : static_cast<lua_Integer>(bytes.size() - left));
  lua_insert(state, 2);
  return static_cast<int>(count + 1);
}

int unpack(lua_State* state) { return unpack_some(state, INT_MAX, 0, false); }

int unpack_one(lua_State* state) {
  return unpack_some(state, 1, luaL_optinteger(state, 2, 0), true);
}

int unpack_limit(lua_State* state) {
  const lua_Integer limit = luaL_checkinteger(state, 2);
  return unpack_some(state, limit, luaL_optinteger(state, 3, 0), true);
}

}  // namespace

int open_msgpack(lua_State* state) {
  lua_newtable(state);
  lua_set_function(state, "pack", pack);
  lua_set_function(state, "unpack", unpack);
  lua_set_function(state, "unpack_one", unpack_one);
  lua_set_function(state, "unpack_limit", unpack_limit);
  lua_pushliteral(state, "cmsgpack");
  lua_setfield(state, -2, "_NAME");
  return 1;
}

}  // namespace kvorum::server
