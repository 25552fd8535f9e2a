// SPDX-License-Identifier: Apache-2.0
#include "server/script/registered_functions.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/ascii.h"
#include "server/lua/lua_values.h"
#include "server/script/redis_functions.h"

namespace kvorum::server {
namespace {

constexpr int kNamed = 1;  // the table of named arguments, where there is one

// Reads the flags of the table on top; false for one that is none.
bool read_flags(lua_State* state, uint8_t* flags) {
  const size_t count = lua_objlen(state, -1);
  for (size_t at = 1; at <= count; ++at) {
    lua_rawgeti(state, -1, static_cast<int>(at));
    const bool is_text = lua_type(state, -1) == LUA_TSTRING;
    const std::string_view name = is_text ? lua_text(state, -1) : std::string_view();
    const auto* const known =
        std::find(std::begin(kFunctionFlagNames), std::end(kFunctionFlagNames), name);
    lua_pop(state, 1);
    if (known == std::end(kFunctionFlagNames)) return false;
    *flags |= static_cast<uint8_t>(1u << (known - std::begin(kFunctionFlagNames)));
  }
  return true;
}

// A named argument, whose value is on top. What is wrong with it, or nothing.
std::string_view read_argument(lua_State* state, std::string_view name,
                               RegisteredFunction& function) {
  const int type = lua_type(state, -1);
  LibraryFunction& described = function.described;
  if (name == "function_name") {
    if (type != LUA_TSTRING) {
      return "function_name argument given to redis.register_function must be a string";
    }
    described.name = lua_text(state, -1);
  } else if (name == "description") {
    if (type != LUA_TSTRING) {
      return "description argument given to redis.register_function must be a string";
    }
    described.description = lua_text(state, -1);
    described.flags |= LibraryFunction::kHasDescription;
  } else if (name == "callback") {
    if (type != LUA_TFUNCTION) {
      return "callback argument given to redis.register_function must be a function";
    }
    lua_pushvalue(state, -1);
    function.reference = luaL_ref(state, LUA_REGISTRYINDEX);
  } else if (name == "flags") {
    if (type != LUA_TTABLE) {
      return "flags argument to redis.register_function must be a table representing function "
             "flags";
    }
    if (!read_flags(state, &described.flags)) return "unknown flag given";
  } else {
    return "unknown argument given to redis.register_function";
  }
  return {};
}

std::string_view read_named(lua_State* state, RegisteredFunction& function) {
  if (!lua_istable(state, kNamed)) {
    return "calling redis.register_function with a single argument is only applicable to Lua "
           "table (representing named arguments).";
  }
  lua_pushnil(state);
  while (lua_next(state, kNamed) != 0) {
    if (lua_type(state, -2) != LUA_TSTRING) {
      return "named argument key given to redis.register_function is not a string";
    }
    const std::string_view problem = read_argument(state, lua_text(state, -2), function);
    if (!problem.empty()) return problem;
    lua_pop(state, 1);
  }
  if (function.described.name.empty()) {
    return "redis.register_function must get a function name argument";
  }
  if (function.reference == LUA_NOREF) {
    return "redis.register_function must get a callback argument";
  }
  return {};
}

std::string_view read_placed(lua_State* state, RegisteredFunction& function) {
  if (lua_type(state, 1) != LUA_TSTRING) {
    return "first argument to redis.register_function must be a string";
  }
  if (lua_type(state, 2) != LUA_TFUNCTION) {
    return "second argument to redis.register_function must be a function";
  }
  function.described.name = lua_text(state, 1);
  function.reference = luaL_ref(state, LUA_REGISTRYINDEX);
  return {};
}

std::string_view read_function(lua_State* state, const Registration& others,
                               RegisteredFunction& function) {
  const int count = lua_gettop(state);
  if (count < 1 || count > 2) return "wrong number of arguments to redis.register_function";
  const std::string_view problem =
      count == 1 ? read_named(state, function) : read_placed(state, function);
  if (!problem.empty()) return problem;
  if (!is_library_name(function.described.name)) {
    return "Library names can only contain letters, numbers, or underscores(_) and must be at "
           "least one character long";
  }
  const std::string lower = lower_case(function.described.name);
  const bool known = std::any_of(
      others.functions.begin(), others.functions.end(),
      [&](const auto& other) { return equals_ignoring_case(other.described.name, lower); });
  return known ? "Function already exists in the library" : "";
}

}  // namespace

// What it refuses leaves nothing in the registry.
int register_function(lua_State* state) {
  Registration* const registering = ScriptContext::of(state).registering;
  std::string_view problem = "redis.register_function can only be called on FUNCTION LOAD command";
  if (registering != nullptr) {
    RegisteredFunction function;
    problem = read_function(state, *registering, function);
    if (problem.empty()) {
      registering->functions.push_back(std::move(function));
      return 0;
    }
    luaL_unref(state, LUA_REGISTRYINDEX, function.reference);
  }
  return raise_script_error(state, problem);
}

}  // namespace kvorum::server
