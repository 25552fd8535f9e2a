// SPDX-License-Identifier: Apache-2.0
#include "server/script/compiled_scripts.h"

#include <fmt/format.h>

#include <utility>

#include "server/lua/lua_sandbox.h"
#include "server/lua/lua_values.h"
#include "server/script/redis_functions.h"

namespace kvorum::server {
namespace {

// What an error that is on top says.
std::string error_text(lua_State* state) {
  if (lua_istable(state, -1)) lua_getfield(state, -1, "err");
  return std::string(lua_text(state, -1));
}

void drop(lua_State* state, const std::vector<RegisteredFunction>& functions) {
  for (const RegisteredFunction& function : functions) {
    luaL_unref(state, LUA_REGISTRYINDEX, function.reference);
  }
}

}  // namespace

void CompiledScripts::make_room(lua_State* state, size_t bytes) {
  if (compiled_.size() < kCountMax && bytes_ + bytes <= kBytesMax) return;
  for (const auto& [sha, compiled] : compiled_) {
    luaL_unref(state, LUA_REGISTRYINDEX, compiled.script);
    drop(state, compiled.functions);
  }
  compiled_.clear();
  bytes_ = 0;
  lua_gc(state, LUA_GCCOLLECT, 0);
}

CompiledScripts::Compiled& CompiledScripts::add(std::string_view sha, size_t bytes) {
  bytes_ += bytes;
  return compiled_[std::string(sha)];
}

int CompiledScripts::script(lua_State* state, std::string_view sha, std::string_view body,
                            std::string* problem) {
  const auto found = compiled_.find(sha);
  if (found != compiled_.end()) return found->second.script;
  make_room(state, body.size());
  if (!LuaSandbox::compile(state, body, "@user_script")) {
    *problem = fmt::format("ERR Error compiling script (new function): {}", lua_text(state, -1));
    lua_pop(state, 1);
    return LUA_NOREF;
  }
  const int reference = luaL_ref(state, LUA_REGISTRYINDEX);
  add(sha, body.size()).script = reference;
  return reference;
}

const std::vector<RegisteredFunction>* CompiledScripts::library(lua_State* state,
                                                                std::string_view sha,
                                                                std::string_view code,
                                                                std::string* problem) {
  const auto found = compiled_.find(sha);
  if (found != compiled_.end()) return &found->second.functions;
  make_room(state, code.size());
  const int top = lua_gettop(state);
  if (!LuaSandbox::compile(state, code, "@user_function")) {
    *problem = fmt::format("ERR Error compiling function: {}", lua_text(state, -1));
    lua_settop(state, top);
    return nullptr;
  }
  Registration registration;
  ScriptContext& context = ScriptContext::of(state);
  context.registering = &registration;
  LuaSandbox::begin_loading(state);
  const int failed = lua_pcall(state, 0, 0, 0);
  LuaSandbox::end_loading(state);
  context.registering = nullptr;
  if (failed != 0) *problem = "ERR Error registering functions: " + error_text(state);
  lua_settop(state, top);
  if (failed == 0 && registration.functions.empty()) *problem = "ERR No functions registered";
  if (!problem->empty()) {
    drop(state, registration.functions);
    return nullptr;
  }
  Compiled& compiled = add(sha, code.size());
  compiled.functions = std::move(registration.functions);
  return &compiled.functions;
}

}  // namespace kvorum::server
