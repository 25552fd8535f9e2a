// SPDX-License-Identifier: Apache-2.0
// A Lua 5.1 interpreter with a bound on its memory. The library is the one that is compiled as C++:
// an error is an exception inside it, so that what a C function of ours holds is given back. Such a
// function may raise an error by lua_error() and its like; no exception leaves lua_pcall(). One
// thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <lua5.1/lua.hpp>
#include <string_view>

namespace kvorum::server {

class LuaState {
 public:
  LuaState();
  ~LuaState();
  LuaState(const LuaState&) = delete;

  lua_State* get() { return state_; }
  size_t used_bytes() const { return memory_.used; }
  // A script that would need more than this beside what is used now fails: "not enough memory".
  void allow_bytes(size_t bytes) { memory_.limit = memory_.used + bytes; }
  void allow_any() { memory_.limit = SIZE_MAX; }

  // What C functions find by the state alone: whose interpreter it is.
  void set_owner(void* owner) { memory_.owner = owner; }
  static void* owner_of(lua_State* state);

  // Told of work that a C function does without an instruction of Lua's; may raise an error. Null:
  // nobody is.
  using CountWork = void (*)(lua_State* state, uint64_t units);
  void set_count_work(CountWork told) { memory_.count_work = told; }
  static void count_work(lua_State* state, uint64_t units) {
    if (const CountWork count = memory_of(state).count_work) count(state, units);
  }
  // A C function holds so many bytes of its own: an error where that is more than is allowed.
  static void hold_bytes(lua_State* state, size_t bytes) {
    const Memory& memory = memory_of(state);
    if (bytes > memory.limit - std::min(memory.used, memory.limit)) {
      luaL_error(state, "not enough memory");
    }
  }

 private:
  struct Memory {
    size_t used = 0;
    size_t limit = SIZE_MAX;
    void* owner = nullptr;
    CountWork count_work = nullptr;
  };
  static Memory& memory_of(lua_State* state) {
    void* memory = nullptr;
    lua_getallocf(state, &memory);
    return *static_cast<Memory*>(memory);
  }
  static void* allocate(void* memory, void* old, size_t old_size, size_t new_size);

  Memory memory_;
  lua_State* state_ = nullptr;
};

inline std::string_view lua_text(lua_State* state, int index) {
  size_t size = 0;
  const char* const text = lua_tolstring(state, index, &size);
  return text == nullptr ? std::string_view() : std::string_view(text, size);
}
inline void lua_push_text(lua_State* state, std::string_view text) {
  lua_pushlstring(state, text.data(), text.size());
}
// A function of C under this name in the table on top.
inline void lua_set_function(lua_State* state, const char* name, lua_CFunction function) {
  lua_pushcfunction(state, function);
  lua_setfield(state, -2, name);
}

}  // namespace kvorum::server
