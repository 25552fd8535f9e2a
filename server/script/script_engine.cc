// SPDX-License-Identifier: Apache-2.0
#include "server/script/script_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/lua/lua_libraries.h"
#include "server/lua/lua_sandbox.h"
#include "server/lua/lua_values.h"
#include "server/script/compiled_scripts.h"
#include "server/script/redis_functions.h"

namespace kvorum::server {
namespace {

constexpr int kInstructionsPerHook = 1000;
// Of a reply: the values of a script's memory can be many times as many where tables are shared.
constexpr size_t kReplyBytesMax = 64 * 1024 * 1024;
constexpr size_t kValuesMax = 16 * 1024 * 1024;
constexpr uint64_t kInstructionsPerValue = 5;
constexpr std::string_view kTooLarge = "-ERR the reply of the script is too large\r\n";

// Ends the script: again at each line, so that no pcall() of the script's holds it up.
int end_script(lua_State* state, lua_Hook hook) {
  lua_sethook(state, hook, LUA_MASKLINE | LUA_MASKCOUNT, 1);
  return luaL_error(state, "Script killed by user with SCRIPT KILL.");
}

bool is_over(const ScriptContext& context) {
  return context.instructions > context.instructions_max ||
         (context.killed != nullptr && context.killed->load(std::memory_order_relaxed));
}

void count_instructions(lua_State* state, lua_Debug* event) {
  ScriptContext& context = ScriptContext::of(state);
  if (event->event == LUA_HOOKCOUNT) context.instructions += kInstructionsPerHook;
  if (is_over(context)) end_script(state, count_instructions);
}

// Of C functions, which no hook sees.
void count_work(lua_State* state, uint64_t units) {
  ScriptContext& context = ScriptContext::of(state);
  context.instructions += units;
  const bool may_end = context.running || context.registering != nullptr;
  if (may_end && is_over(context)) end_script(state, count_instructions);
}

// Where the script was: the first level that is Lua.
bool find_place(lua_State* state, lua_Debug* place) {
  for (int level = 1; level <= 2 && lua_getstack(state, level, place) != 0; ++level) {
    lua_getinfo(state, "Sl", place);
    if (*place->what != 'C') return true;
  }
  return false;
}

// What was raised becomes {err = ..., line = ...}, while the script's stack is there still.
int describe_error(lua_State* state) {
  if (lua_istable(state, 1)) {
    lua_getfield(state, 1, "err");
    const bool has_text = lua_isstring(state, -1) != 0;
    push_error(state,
               has_text ? lua_text(state, -1) : "ERR the script raised a table as its error");
  } else if (lua_isstring(state, 1)) {
    push_error(state, fmt::format("ERR {}", lua_text(state, 1)));
  } else {
    push_error(state, "ERR the script raised an error that is no text");
  }
  lua_Debug place;
  if (find_place(state, &place)) {
    lua_pushinteger(state, place.currentline);
    lua_setfield(state, -2, "line");
  }
  return 1;
}

}  // namespace

class ScriptEngine::Interpreter {
 public:
  Interpreter() : sandbox_(redis_functions(), &context_) { sandbox_.set_count_work(count_work); }

  std::string check(std::string_view sha, std::string_view body) {
    if (compiled_.contains(sha)) return {};
    ScriptTask task;
    task.sha = sha;
    task.body = body;
    return protect(task, protected_check, "ERR Error compiling script: ");
  }

  const std::string& said() const { return context_.calls.said(); }

  std::string load(std::string_view sha, std::string_view code,
                   std::vector<LibraryFunction>* functions) {
    ScriptTask task;
    task.sha = sha;
    task.body = code;
    context_.instructions = 0;
    context_.instructions_max = kInstructionsOnReactor;
    context_.killed = nullptr;
    loaded_ = functions;
    std::string problem = protect(task, protected_load, "ERR Error registering functions: ");
    return is_over(context_) ? "ERR FUNCTION LOAD timeout" : problem;
  }

  ScriptEnd run(const ScriptTask& task, ScriptKeys& keys, const Limits& limits,
                std::string& reply) {
    sandbox_.begin();
    seed_random(static_cast<uint32_t>(task.now_us + 0x9e3779b9 * ++runs_));
    context_.calls.begin(task, keys, limits.value_bytes_max);
    context_.running = true;
    context_.instructions = 0;
    context_.instructions_max = limits.budget.instructions;
    context_.killed = limits.budget.killed;
    task_ = &task;
    reply_ = &reply;
    lua_State* const state = sandbox_.state();
    const int failed = lua_cpcall(state, protected_run, this);
    lua_sethook(state, nullptr, 0, 0);
    sandbox_.end();
    context_.running = false;
    if (is_over(context_)) {
      lua_settop(state, 0);
      return context_.instructions > context_.instructions_max ? ScriptEnd::kTooLong
                                                               : ScriptEnd::kKilled;
    }
    if (failed != 0) {
      reply.clear();
      protocol::append_error(reply,
                             fmt::format("ERR {} script: {}", lua_text(state, -1), task.sha));
    }
    lua_settop(state, 0);
    return ScriptEnd::kDone;
  }

 private:
  std::string protect(const ScriptTask& task, lua_CFunction body, std::string_view prefix) {
    task_ = &task;
    sandbox_.begin();
    lua_State* const state = sandbox_.state();
    const int failed = lua_cpcall(state, body, this);
    lua_sethook(state, nullptr, 0, 0);
    sandbox_.end();
    if (failed != 0) problem_ = fmt::format("{}{}", prefix, lua_text(state, -1));
    lua_settop(state, 0);
    return std::exchange(problem_, {});
  }

  static Interpreter& self_of(lua_State* state) {
    return *static_cast<Interpreter*>(lua_touserdata(state, 1));
  }

  static int protected_run(lua_State* state) {
    Interpreter& self = self_of(state);
    self.task_->function.empty() ? self.run_script(state) : self.run_function(state);
    return 0;
  }

  static int protected_check(lua_State* state) {
    Interpreter& self = self_of(state);
    self.sandbox_.bound_memory();
    self.compiled_.script(state, self.task_->sha, self.task_->body, &self.problem_);
    return 0;
  }

  static int protected_load(lua_State* state) {
    Interpreter& self = self_of(state);
    self.sandbox_.bound_memory();
    lua_sethook(state, count_instructions, LUA_MASKCOUNT, kInstructionsPerHook);
    const auto* const functions =
        self.compiled_.library(state, self.task_->sha, self.task_->body, &self.problem_);
    if (functions == nullptr) return 0;
    for (const RegisteredFunction& function : *functions) {
      self.loaded_->push_back(function.described);
    }
    return 0;
  }

  // In a protected call: what goes wrong with Lua's memory here ends it.
  void run_script(lua_State* state) {
    LuaSandbox::set_list(state, "KEYS", task_->keys.all());
    LuaSandbox::set_list(state, "ARGV", task_->arguments.all());
    sandbox_.bound_memory();
    lua_pushcfunction(state, describe_error);
    const int reference = compiled_.script(state, task_->sha, task_->body, &problem_);
    if (reference == LUA_NOREF) return refuse();
    lua_rawgeti(state, LUA_REGISTRYINDEX, reference);
    invoke(state, 0);
    LuaSandbox::drop_list(state, "KEYS");
    LuaSandbox::drop_list(state, "ARGV");
  }

  // Its keys and arguments are its own arguments.
  void run_function(lua_State* state) {
    sandbox_.bound_memory();
    lua_pushcfunction(state, describe_error);
    lua_sethook(state, count_instructions, LUA_MASKCOUNT, kInstructionsPerHook);
    const auto* const functions = compiled_.library(state, task_->sha, task_->body, &problem_);
    if (functions == nullptr) return refuse();
    const auto found = std::find_if(functions->begin(), functions->end(), [this](const auto& one) {
      return one.described.name == task_->function;
    });
    if (found == functions->end()) {
      problem_ = "ERR Function not found";
      return refuse();
    }
    lua_rawgeti(state, LUA_REGISTRYINDEX, found->reference);
    LuaSandbox::push_list(state, task_->keys.all());
    LuaSandbox::push_list(state, task_->arguments.all());
    invoke(state, 2);
  }

  void refuse() { protocol::append_error(*reply_, std::exchange(problem_, {})); }

  // What is on top, below its arguments, with describe_error() below that.
  void invoke(lua_State* state, int arguments) {
    lua_sethook(state, count_instructions, LUA_MASKCOUNT, kInstructionsPerHook);
    const int failed = lua_pcall(state, arguments, 1, -arguments - 2);
    lua_sethook(state, nullptr, 0, 0);
    failed == 0 ? write_result(state) : write_error(state);
  }

  void write_result(lua_State* state) {
    const uint64_t left = context_.instructions_max - context_.instructions;
    const ResultShape shape{task_->resp, context_.calls.resp(), kReplyBytesMax,
                            std::min<uint64_t>(left / kInstructionsPerValue, kValuesMax)};
    const Appended appended = append_result(state, -1, shape, *reply_);
    if (appended == Appended::kWhole) return;
    *reply_ = kTooLarge;
    if (appended == Appended::kTooMany && shape.values_max < kValuesMax) {
      context_.instructions = UINT64_MAX;  // more than the budget
    }
  }

  void write_error(lua_State* state) {
    const bool is_function = !task_->function.empty();
    const std::string_view name = is_function ? task_->function : task_->sha;
    std::string text;
    if (lua_istable(state, -1)) {
      lua_getfield(state, -1, "err");
      text = fmt::format("{} script: {}", lua_text(state, -1), name);
      lua_getfield(state, -2, "line");
      if (lua_isnumber(state, -1)) {
        text += fmt::format(", on {}:{}.", is_function ? "@user_function" : "@user_script",
                            lua_tointeger(state, -1));
      }
    } else {
      text = fmt::format("ERR {} script: {}", lua_text(state, -1), name);
    }
    protocol::append_error(*reply_, text);
  }

  ScriptContext context_;
  LuaSandbox sandbox_;
  CompiledScripts compiled_;
  std::vector<LibraryFunction>* loaded_ = nullptr;
  std::string problem_;
  const ScriptTask* task_ = nullptr;
  std::string* reply_ = nullptr;
  uint64_t runs_ = 0;
};

ScriptEngine::ScriptEngine() : interpreter_(std::make_unique<Interpreter>()) {}
ScriptEngine::~ScriptEngine() = default;

ScriptEngine& ScriptEngine::of_this_thread() {
  thread_local ScriptEngine engine;
  return engine;
}

std::string ScriptEngine::check(std::string_view sha, std::string_view body) {
  return interpreter_->check(sha, body);
}

std::string ScriptEngine::load(std::string_view sha, std::string_view code,
                               std::vector<LibraryFunction>* functions) {
  return interpreter_->load(sha, code, functions);
}

ScriptEnd ScriptEngine::run(const ScriptTask& task, ScriptKeys& keys, const Limits& limits,
                            std::string& reply) {
  return interpreter_->run(task, keys, limits, reply);
}

const std::string& ScriptEngine::said() const { return interpreter_->said(); }

}  // namespace kvorum::server
