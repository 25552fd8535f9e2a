// SPDX-License-Identifier: Apache-2.0
#include "server/lua/lua_libraries.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

extern "C" {
#include <lua5.1/lua-bitop.h>
#include <lua5.1/lua-cjson.h>
}

namespace kvorum::server {
namespace {

// The linear congruence of POSIX's rand48.
class Random48 {
 public:
  void seed(uint32_t seed) { state_ = uint64_t{seed} << 16 | 0x330e; }
  uint32_t next() {  // 31 bits
    state_ = (state_ * 0x5deece66d + 0xb) & ((uint64_t{1} << 48) - 1);
    return static_cast<uint32_t>(state_ >> 17);
  }

 private:
  uint64_t state_ = 0x330e;
};

thread_local Random48 random48;

int random(lua_State* state) {
  constexpr double kEnd = 2147483647;
  const double share = random48.next() % static_cast<uint32_t>(kEnd) / kEnd;
  const int arguments = lua_gettop(state);
  if (arguments == 0) {
    lua_pushnumber(state, share);
    return 1;
  }
  if (arguments > 2) return luaL_error(state, "wrong number of arguments");
  const lua_Number low = arguments == 2 ? luaL_checkint(state, 1) : 1;
  const lua_Number high = luaL_checkint(state, arguments);
  luaL_argcheck(state, low <= high, arguments, "interval is empty");
  lua_pushnumber(state, std::floor(share * (high - low + 1)) + low);
  return 1;
}

int random_seed(lua_State* state) {
  random48.seed(static_cast<uint32_t>(luaL_checkint(state, 1)));
  return 0;
}

// bit.tohex() of the library that is linked copies memory without end for as many digits as
// -2147483648 says. Upvalues: that function, and bit.tobit().
int bounded_to_hex(lua_State* state) {
  constexpr lua_Number kDigitsMax = 8;
  luaL_checknumber(state, 1);  // here, where an error names the function
  if (!lua_isnone(state, 2)) {
    luaL_checknumber(state, 2);
    lua_pushvalue(state, lua_upvalueindex(2));
    lua_pushvalue(state, 2);
    lua_call(state, 1, 1);
    const lua_Number digits = lua_tonumber(state, -1);
    lua_pushnumber(state, std::clamp(digits, -kDigitsMax, kDigitsMax));
    lua_replace(state, 2);
    lua_pop(state, 1);
  }
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  lua_call(state, lua_gettop(state) - 1, 1);
  return 1;
}

}  // namespace

int open_bit(lua_State* state) {
  luaopen_bit(state);
  lua_getfield(state, -1, "tohex");
  lua_getfield(state, -2, "tobit");
  lua_pushcclosure(state, bounded_to_hex, 2);
  lua_setfield(state, -2, "tohex");
  return 1;
}

int open_cjson(lua_State* state) { return luaopen_cjson(state); }

void install_random(lua_State* state) {
  lua_set_function(state, "random", random);
  lua_set_function(state, "randomseed", random_seed);
}

void seed_random(uint32_t seed) { random48.seed(seed); }

}  // namespace kvorum::server
