// SPDX-License-Identifier: Apache-2.0
#include "server/lua/lua_sandbox.h"

#include "base/check.h"
#include "server/lua/lua_guard.h"
#include "server/lua/lua_libraries.h"
#include "server/lua/lua_pattern.h"

namespace kvorum::server {
namespace {

constexpr int kCollectorPause = 120;  // percent of what was left, until it begins again

// In the registry: the real tables of the globals, as a rule and while a library is loaded.
constexpr const char* kGlobals = "kvorum.globals";
constexpr const char* kLoadingGlobals = "kvorum.globals.loading";

constexpr luaL_Reg kLuaLibraries[] = {
    {"", luaopen_base},
    {LUA_TABLIBNAME, luaopen_table},
    {LUA_STRLIBNAME, luaopen_string},
    {LUA_MATHLIBNAME, luaopen_math},
};
constexpr luaL_Reg kOtherLibraries[] = {
    {"bit", open_bit},
    {"cjson", open_cjson},
    {"cmsgpack", open_msgpack},
    {"struct", open_struct},
};

// They reach files, the output, or other functions' globals.
constexpr const char* kLeftOut[] = {"dofile",  "loadfile", "print",
                                    "getfenv", "setfenv",  "newproxy"};

// REQUIRES: nothing but the state is used, and errors are impossible or fatal.
void open(lua_State* state, const luaL_Reg& library) {
  lua_pushcfunction(state, library.func);
  lua_pushstring(state, library.name);
  lua_call(state, 1, 1);
}

void guard_global(lua_State* state, const char* name) {
  lua_getglobal(state, name);
  if (lua_istable(state, -1)) {
    guard_table(state);
    lua_setglobal(state, name);
  } else {
    lua_pop(state, 1);
  }
}

// getmetatable("") would give scripts the table that all strings share.
void hide_string_metatable(lua_State* state) {
  lua_pushliteral(state, "");
  lua_getmetatable(state, -1);
  lua_pushboolean(state, 0);
  lua_setfield(state, -2, "__metatable");
  lua_pop(state, 2);
}

}  // namespace

LuaSandbox::LuaSandbox(const LuaOffer& offer, void* owner) {
  lua_State* const state = lua_.get();
  lua_.set_owner(owner);
  lua_gc(state, LUA_GCSTOP, 0);
  open_libraries();
  make_redis_table(offer, offer.redis);
  lua_setglobal(state, "redis");
  install_text_loaders(state);
  install_guarded_functions(state);
  hide_string_metatable(state);
  for (const char* const name :
       {"table", "string", "math", "coroutine", "bit", "cjson", "cmsgpack", "struct", "redis"}) {
    guard_global(state, name);
  }
  guard_globals(state);
  lua_setfield(state, LUA_REGISTRYINDEX, kGlobals);
  keep_loading_globals(offer);
  lua_gc(state, LUA_GCRESTART, 0);
  lua_gc(state, LUA_GCSETPAUSE, kCollectorPause);
  collect();
}

void LuaSandbox::open_libraries() {
  lua_State* const state = lua_.get();
  for (const luaL_Reg& library : kLuaLibraries) {
    open(state, library);
    lua_pop(state, 1);
  }
  for (const luaL_Reg& library : kOtherLibraries) {
    open(state, library);
    lua_setglobal(state, library.name);
  }
  for (const char* const name : kLeftOut) {
    lua_pushnil(state);
    lua_setglobal(state, name);
  }
  lua_getglobal(state, "math");
  install_random(state);
  lua_getglobal(state, "string");
  install_patterns(state);
  lua_settop(state, 0);
}

// Leaves it on top.
void LuaSandbox::make_redis_table(const LuaOffer& offer, std::span<const luaL_Reg> functions) {
  lua_State* const state = lua_.get();
  lua_newtable(state);
  for (const luaL_Reg& function : functions) lua_set_function(state, function.name, function.func);
  lua_push_text(state, offer.version);
  lua_setfield(state, -2, "REDIS_VERSION");
  lua_pushinteger(state, offer.version_number);
  lua_setfield(state, -2, "REDIS_VERSION_NUM");
  constexpr struct {
    const char* name;
    int value;
  } kNumbers[] = {{"LOG_DEBUG", 0},   {"LOG_VERBOSE", 1}, {"LOG_NOTICE", 2},
                  {"LOG_WARNING", 3}, {"REPL_NONE", 0},   {"REPL_REPLICA", 2},
                  {"REPL_SLAVE", 2},  {"REPL_AOF", 1},    {"REPL_ALL", 3}};
  for (const auto& [name, value] : kNumbers) {
    lua_pushinteger(state, value);
    lua_setfield(state, -2, name);
  }
}

void LuaSandbox::keep_loading_globals(const LuaOffer& offer) {
  lua_State* const state = lua_.get();
  lua_newtable(state);
  make_redis_table(offer, offer.loading);
  refuse_unknown_names(state);
  guard_table(state);
  lua_setfield(state, -2, "redis");
  refuse_unknown_names(state);
  lua_setfield(state, LUA_REGISTRYINDEX, kLoadingGlobals);
}

void LuaSandbox::begin_loading(lua_State* state) {
  lua_getfield(state, LUA_REGISTRYINDEX, kLoadingGlobals);
  show_globals(state);
}

void LuaSandbox::end_loading(lua_State* state) {
  lua_getfield(state, LUA_REGISTRYINDEX, kGlobals);
  show_globals(state);
}

void LuaSandbox::collect() {
  lua_gc(lua_.get(), LUA_GCCOLLECT, 0);
  used_after_collection_ = lua_.used_bytes();
}

void LuaSandbox::begin() {
  lua_.allow_any();
  lua_gc(lua_.get(), LUA_GCRESTART, 0);  // a script may have stopped it, or slowed it down
  lua_gc(lua_.get(), LUA_GCSETPAUSE, kCollectorPause);
  collect_beyond(kScriptBytesMax / 8);  // what scripts before left would count as this one's
}

void LuaSandbox::end() {
  lua_.allow_any();
  collect_beyond(kScriptBytesMax);
}

void LuaSandbox::collect_beyond(size_t bytes) {
  if (lua_.used_bytes() > used_after_collection_ + bytes) collect();
}

void LuaSandbox::push_list(lua_State* state, std::span<const std::string_view> words) {
  lua_createtable(state, static_cast<int>(words.size()), 0);
  int place = 0;
  for (const std::string_view word : words) {
    lua_push_text(state, word);
    lua_rawseti(state, -2, ++place);
  }
}

void LuaSandbox::set_list(lua_State* state, const char* name,
                          std::span<const std::string_view> words) {
  lua_getfield(state, LUA_REGISTRYINDEX, kGlobals);
  push_list(state, words);
  lua_setfield(state, -2, name);
  lua_pop(state, 1);
}

void LuaSandbox::drop_list(lua_State* state, const char* name) {
  lua_getfield(state, LUA_REGISTRYINDEX, kGlobals);
  lua_pushnil(state);
  lua_setfield(state, -2, name);
  lua_pop(state, 1);
}

bool LuaSandbox::compile(lua_State* state, std::string_view text, const char* name) {
  if (!text.empty() && text[0] == LUA_SIGNATURE[0]) {
    lua_pushliteral(state, "bytecode is not allowed");
    return false;
  }
  return luaL_loadbuffer(state, text.data(), text.size(), name) == 0;
}

}  // namespace kvorum::server
