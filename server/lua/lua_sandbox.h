// SPDX-License-Identifier: Apache-2.0
// The interpreter as scripts find it: Lua 5.1 with base, table, string, math and coroutine as far
// as they touch nothing outside, with bit, cjson, cmsgpack and struct, and with the table `redis`.
// All of it can be read only; KEYS and ARGV are new for each script.
#pragma once

#include <span>
#include <string_view>

#include "server/lua/lua_state.h"

namespace kvorum::server {

// What it gives beside Lua's own libraries.
struct LuaOffer {
  std::span<const luaL_Reg> redis;    // the functions of that table
  std::span<const luaL_Reg> loading;  // those while a library is loaded, which has no others
  std::string_view version;           // of Redis
  int version_number = 0;
};

class LuaSandbox {
 public:
  // What a script may need beside what its like have left; as much again may wait to be collected.
  static constexpr size_t kScriptBytesMax = 8 * 1024 * 1024;

  // Functions that are about commands find the owner, which outlives this.
  LuaSandbox(const LuaOffer& offer, void* owner);

  lua_State* state() { return lua_.get(); }
  void set_count_work(LuaState::CountWork count_work) { lua_.set_count_work(count_work); }

  // Before a script is compiled or run, outside of it.
  void begin();
  // From here on a script's memory is bounded, until it ends.
  void bound_memory() { lua_.allow_bytes(2 * kScriptBytesMax); }
  // It has ended; what was large of it is given back.
  void end();
  // A table of the words on top. REQUIRES: in a protected call.
  static void push_list(lua_State* state, std::span<const std::string_view> words);
  // KEYS or ARGV. REQUIRES: in a protected call.
  static void set_list(lua_State* state, const char* name, std::span<const std::string_view> words);
  static void drop_list(lua_State* state, const char* name);

  // While a library is loaded it finds nothing but `redis` with the functions for that, as in
  // Redis. REQUIRES: in a protected call.
  static void begin_loading(lua_State* state);
  static void end_loading(lua_State* state);

  // Compiles a chunk, whose errors name it ("@user_script"). True: the function is on top; else
  // what Lua says about the text.
  static bool compile(lua_State* state, std::string_view text, const char* name);

 private:
  void open_libraries();
  void make_redis_table(const LuaOffer& offer, std::span<const luaL_Reg> functions);
  void keep_loading_globals(const LuaOffer& offer);
  void collect();
  void collect_beyond(size_t bytes);

  LuaState lua_;
  size_t used_after_collection_ = 0;
};

}  // namespace kvorum::server
