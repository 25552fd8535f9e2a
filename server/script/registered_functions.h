// SPDX-License-Identifier: Apache-2.0
// The functions of a library, as its text registers them: redis.register_function(), which only
// exists for a text that is being loaded.
#pragma once

#include <string>
#include <vector>

#include "server/lua/lua_state.h"
#include "server/script/function_libraries.h"

namespace kvorum::server {

// A function of an interpreter, in its registry.
struct RegisteredFunction {
  LibraryFunction described;
  int reference = LUA_NOREF;
};

// What a text that is being loaded has registered.
struct Registration {
  std::vector<RegisteredFunction> functions;
};

// The interpreter's owner is a ScriptContext, whose `registering` says where they go.
int register_function(lua_State* state);

}  // namespace kvorum::server
