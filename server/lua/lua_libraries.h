// SPDX-License-Identifier: Apache-2.0
// The libraries that scripts find beside Lua's own, each as a function that pushes its table: bit
// and cjson as Debian packages them, cmsgpack and struct by what their formats say, and what
// replaces a part of math.
#pragma once

#include <cstdint>

#include "server/lua/lua_state.h"

namespace kvorum::server {

int open_bit(lua_State* state);
int open_cjson(lua_State* state);
int open_msgpack(lua_State* state);
int open_struct(lua_State* state);

// math.random and math.randomseed into the table on top: the numbers of drand48(), as in Redis.
void install_random(lua_State* state);
// At the begin of a script, for its numbers.
void seed_random(uint32_t seed);

}  // namespace kvorum::server
