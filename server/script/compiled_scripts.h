// SPDX-License-Identifier: Apache-2.0
// The scripts and libraries that an interpreter has compiled, by the SHA-1 of their text, in its
// registry. Bounded: beyond kCountMax or kBytesMax of text all are forgotten, and are compiled
// again when they come. The interpreter's owner is a ScriptContext. One thread; calls of Lua happen
// inside a protected call of the caller's.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/script/registered_functions.h"

namespace kvorum::server {

class CompiledScripts {
 public:
  static constexpr size_t kCountMax = 1024;
  static constexpr size_t kBytesMax = 8 * 1024 * 1024;

  bool contains(std::string_view sha) const { return compiled_.contains(sha); }
  // Its place in the registry; LUA_NOREF, with the problem said, where the text is no script.
  int script(lua_State* state, std::string_view sha, std::string_view body, std::string* problem);
  // What the text registers, run for that if it is not known; null, with the problem said, where it
  // fails. Valid until the next call.
  const std::vector<RegisteredFunction>* library(lua_State* state, std::string_view sha,
                                                 std::string_view code, std::string* problem);

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Compiled {
    int script = LUA_NOREF;
    std::vector<RegisteredFunction> functions;  // of a library
  };

  void make_room(lua_State* state, size_t bytes);
  Compiled& add(std::string_view sha, size_t bytes);

  std::unordered_map<std::string, Compiled, TextHash, std::equal_to<>> compiled_;
  size_t bytes_ = 0;
};

}  // namespace kvorum::server
