// SPDX-License-Identifier: Apache-2.0
// The table `redis` of scripts: redis.call() and what else Redis gives them. The owner of the
// interpreter is a ScriptContext.
#pragma once

#include <array>
#include <deque>
#include <string_view>
#include <vector>

#include "server/lua/lua_sandbox.h"
#include "server/script/registered_functions.h"
#include "server/script/script_calls.h"

namespace kvorum::server {

// What a running script has to do with.
struct ScriptContext {
  ScriptCalls calls;
  bool running = false;  // else there are no commands to call: it is being compiled
  uint64_t instructions = 0, instructions_max = 0;
  const std::atomic<bool>* killed = nullptr;
  Registration* registering = nullptr;  // of a library that is being loaded

  // Of a call: its words, and the texts of those that are numbers.
  std::vector<std::string_view> words;
  std::deque<std::array<char, 32>> numbers;

  static ScriptContext& of(lua_State* state) {
    return *static_cast<ScriptContext*>(LuaState::owner_of(state));
  }
};

// About what a command costs, beside the instructions that Lua counts.
inline constexpr uint64_t kInstructionsPerCall = 100;

LuaOffer redis_functions();

// Raises {err = text}.
int raise_script_error(lua_State* state, std::string_view text);

// Where redis.log() goes.
void set_script_log(void (*log)(int level, std::string_view text));

}  // namespace kvorum::server
