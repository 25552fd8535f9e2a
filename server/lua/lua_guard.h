// SPDX-License-Identifier: Apache-2.0
// Tables that scripts may read and not change, so that none leaves anything for the next one. What
// a script sees is a proxy: an empty table that reads the real one, and refuses to be written. The
// functions of Lua that would reach behind it (next, pairs, rawget, rawset, setmetatable and those
// of `table` that write) are replaced by ones that know it. Redis patches its interpreter instead.
#pragma once

#include "server/lua/lua_state.h"

namespace kvorum::server {

// Replaces the table on top by its proxy.
void guard_table(lua_State* state);

// Puts the functions that know proxies in place of Lua's, in the globals and in `table`, and a
// pcall() that knows the errors of redis.call().
void install_guarded_functions(lua_State* state);

// load() and loadstring() take text alone: a chunk of bytecode is not checked by Lua, and could
// reach any memory.
void install_text_loaders(lua_State* state);

// The globals become a proxy, as scripts see them. A name that does not exist is an error. The real
// table stays on top of the stack.
void guard_globals(lua_State* state);

// The table on top has no name that is missing: to read one is an error.
void refuse_unknown_names(lua_State* state);

// The table on top becomes what the globals, which are guarded, show from now on.
void show_globals(lua_State* state);

}  // namespace kvorum::server
