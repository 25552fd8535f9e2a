// SPDX-License-Identifier: Apache-2.0
// Runs scripts in one interpreter, of which each thread that does so has its own. A script is
// compiled when it first comes. What it changes is done to its keys (script_keys.h), also where it
// ends with an error, as in Redis; where it is ended, its caller forgets the keys.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/script/function_libraries.h"
#include "server/script/script_calls.h"
#include "server/script/script_task.h"

namespace kvorum::server {

enum class ScriptEnd : uint8_t {
  kDone,     // with a reply, which may be its error
  kTooLong,  // the budget is used up
  kKilled,
};

class ScriptEngine {
 public:
  ScriptEngine();
  ~ScriptEngine();
  ScriptEngine(const ScriptEngine&) = delete;
  static ScriptEngine& of_this_thread();

  // Why the body is no script: "ERR Error compiling script ..."; empty where it is one.
  std::string check(std::string_view sha, std::string_view body);

  // Why the text is no library, in Redis's words; empty, with what it registers, where it is one.
  std::string load(std::string_view sha, std::string_view code,
                   std::vector<LibraryFunction>* functions);

  struct Limits {
    ScriptBudget budget;
    uint64_t value_bytes_max = 0;
  };
  // With kDone, `reply` is what the script answered, as RESP.
  ScriptEnd run(const ScriptTask& task, ScriptKeys& keys, const Limits& limits, std::string& reply);
  // What the last run published (ScriptCalls::said()).
  const std::string& said() const;

 private:
  class Interpreter;  // all that knows Lua
  std::unique_ptr<Interpreter> interpreter_;
};

}  // namespace kvorum::server
