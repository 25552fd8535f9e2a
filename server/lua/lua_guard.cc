// SPDX-License-Identifier: Apache-2.0
#include "server/lua/lua_guard.h"

#include <string>

namespace kvorum::server {
namespace {

// Its address marks the field of a proxy's metatable that has the real table.
constexpr char kRealTable = 0;

constexpr const char* kReadonly = "Attempt to modify a readonly table";

void* real_table_key() { return const_cast<char*>(&kRealTable); }

// Pushes the real table of the proxy at this index. False, with nothing pushed, for other values.
bool push_real(lua_State* state, int index) {
  if (!lua_istable(state, index) || !lua_getmetatable(state, index)) return false;
  lua_pushlightuserdata(state, real_table_key());
  lua_rawget(state, -2);
  lua_remove(state, -2);
  if (lua_istable(state, -1)) return true;
  lua_pop(state, 1);
  return false;
}

int refuse_change(lua_State* state) { return luaL_error(state, kReadonly); }

void refuse_if_guarded(lua_State* state) {
  if (!push_real(state, 1)) return;
  lua_pushstring(state, kReadonly);
  lua_error(state);
}

// pcall(), which gives the text of an error that redis.call() raised, as Redis's does.
int unwrapping_pcall(lua_State* state) {
  luaL_checkany(state, 1);
  const int failed = lua_pcall(state, lua_gettop(state) - 1, LUA_MULTRET, 0);
  if (failed != 0 && lua_istable(state, -1)) {
    lua_getfield(state, -1, "err");
    lua_isstring(state, -1) ? lua_replace(state, -2) : lua_pop(state, 1);
  }
  lua_pushboolean(state, failed == 0);
  lua_insert(state, 1);
  return lua_gettop(state);
}

// The original, kept as the first upvalue, with all arguments.
int call_original(lua_State* state) {
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  lua_call(state, lua_gettop(state) - 1, LUA_MULTRET);
  return lua_gettop(state);
}

int guarded_write(lua_State* state) {
  refuse_if_guarded(state);
  return call_original(state);
}

// next() and rawget(), which only read.
int guarded_read(lua_State* state) {
  if (push_real(state, 1)) lua_replace(state, 1);
  return call_original(state);
}

// The real table never reaches the script: only the proxy is handed on to next().
int guarded_pairs(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  const bool guarded = push_real(state, 1);
  if (guarded) lua_pop(state, 1);
  lua_pushvalue(state, lua_upvalueindex(guarded ? 1 : 2));
  lua_pushvalue(state, 1);
  lua_pushnil(state);
  return 3;
}

// The function `name` of the table on top becomes the closure of `with` over it.
void wrap(lua_State* state, const char* name, lua_CFunction with) {
  lua_getfield(state, -1, name);
  lua_pushcclosure(state, with, 1);
  lua_setfield(state, -2, name);
}

// Text, as luaL_loadbuffer() takes it: nil and why not where it is no chunk.
int load_text(lua_State* state, std::string_view text, const char* name) {
  if (!text.empty() && text[0] == LUA_SIGNATURE[0]) {
    lua_pushnil(state);
    lua_pushliteral(state, "bytecode is not allowed");
    return 2;
  }
  if (luaL_loadbuffer(state, text.data(), text.size(), name) == 0) return 1;
  lua_pushnil(state);
  lua_insert(state, -2);
  return 2;
}

int load_string(lua_State* state) {
  luaL_checkstring(state, 1);
  const std::string_view text = lua_text(state, 1);
  return load_text(state, text, luaL_optstring(state, 2, text.data()));
}

int load_pieces(lua_State* state) {
  luaL_checktype(state, 1, LUA_TFUNCTION);
  const char* const name = luaL_optstring(state, 2, "=(load)");
  luaL_Buffer pieces;
  luaL_buffinit(state, &pieces);
  for (;;) {
    lua_pushvalue(state, 1);
    lua_call(state, 0, 1);
    if (lua_isnil(state, -1)) break;
    if (!lua_isstring(state, -1)) return luaL_error(state, "reader function must return a string");
    if (lua_objlen(state, -1) == 0) break;
    luaL_addvalue(&pieces);
  }
  lua_pop(state, 1);
  luaL_pushresult(&pieces);
  return load_text(state, lua_text(state, -1), name);
}

int refuse_unknown_global(lua_State* state) {
  const std::string name(lua_text(state, 2));
  return luaL_error(state, "Script attempted to access nonexistent global variable '%s'",
                    name.c_str());
}

// Pushes what a script is shown in place of a metatable: a table that it cannot change.
void push_nothing_to_change(lua_State* state) {
  lua_newtable(state);
  lua_newtable(state);
  lua_set_function(state, "__newindex", refuse_change);
  lua_pushboolean(state, 0);
  lua_setfield(state, -2, "__metatable");
  lua_pushlightuserdata(state, real_table_key());
  lua_newtable(state);
  lua_rawset(state, -3);
  lua_setmetatable(state, -2);
}

}  // namespace

void guard_table(lua_State* state) {
  const int real = lua_gettop(state);
  lua_newtable(state);  // the proxy
  lua_newtable(state);  // its metatable
  lua_pushvalue(state, real);
  lua_setfield(state, -2, "__index");
  lua_set_function(state, "__newindex", refuse_change);
  push_nothing_to_change(state);
  lua_setfield(state, -2, "__metatable");
  lua_pushlightuserdata(state, real_table_key());
  lua_pushvalue(state, real);
  lua_rawset(state, -3);
  lua_setmetatable(state, -2);
  lua_remove(state, real);
}

void install_guarded_functions(lua_State* state) {
  lua_pushvalue(state, LUA_GLOBALSINDEX);
  lua_set_function(state, "pcall", unwrapping_pcall);
  wrap(state, "rawget", guarded_read);
  lua_getfield(state, -1, "next");  // the original one
  lua_pushvalue(state, -1);
  lua_pushcclosure(state, guarded_read, 1);
  lua_pushvalue(state, -1);
  lua_setfield(state, -4, "next");
  lua_insert(state, -2);  // guarded, original
  lua_pushcclosure(state, guarded_pairs, 2);
  lua_setfield(state, -2, "pairs");
  wrap(state, "rawset", guarded_write);
  wrap(state, "setmetatable", guarded_write);
  lua_getfield(state, -1, "table");
  for (const char* const name : {"insert", "remove", "sort", "setn"}) {
    wrap(state, name, guarded_write);
  }
  lua_pop(state, 2);
}

void install_text_loaders(lua_State* state) {
  lua_pushvalue(state, LUA_GLOBALSINDEX);
  lua_set_function(state, "loadstring", load_string);
  lua_set_function(state, "load", load_pieces);
  lua_pop(state, 1);
}

void refuse_unknown_names(lua_State* state) {
  lua_newtable(state);
  lua_set_function(state, "__index", refuse_unknown_global);
  lua_setmetatable(state, -2);
}

void show_globals(lua_State* state) {
  lua_getmetatable(state, LUA_GLOBALSINDEX);
  lua_pushvalue(state, -2);
  lua_setfield(state, -2, "__index");
  lua_pushlightuserdata(state, real_table_key());
  lua_pushvalue(state, -3);
  lua_rawset(state, -3);
  lua_pop(state, 2);
}

void guard_globals(lua_State* state) {
  lua_pushvalue(state, LUA_GLOBALSINDEX);
  refuse_unknown_names(state);
  lua_pushvalue(state, -1);
  guard_table(state);
  lua_pushvalue(state, -1);
  lua_setfield(state, -3, "_G");
  lua_replace(state, LUA_GLOBALSINDEX);
}

}  // namespace kvorum::server
