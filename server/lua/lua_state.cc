// SPDX-License-Identifier: Apache-2.0
#include "server/lua/lua_state.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"

namespace kvorum::server {

LuaState::LuaState() : state_(lua_newstate(allocate, &memory_)) { KVORUM_CHECK(state_ != nullptr); }

LuaState::~LuaState() {
  allow_any();
  lua_close(state_);
}

void* LuaState::owner_of(lua_State* state) { return memory_of(state).owner; }

void* LuaState::allocate(void* memory, void* old, size_t old_size, size_t new_size) {
  Memory& counted = *static_cast<Memory*>(memory);
  if (new_size == 0) {
    std::free(old);
    counted.used -= old_size;
    return nullptr;
  }
  const bool grows = new_size > old_size;
  if (grows && new_size - old_size > counted.limit - std::min(counted.used, counted.limit)) {
    return nullptr;
  }
  void* const made = std::realloc(old, new_size);
  if (made == nullptr) return nullptr;
  counted.used += new_size - old_size;
  return made;
}

}  // namespace kvorum::server
