// SPDX-License-Identifier: Apache-2.0
#include "server/script/script_engine.h"

#include <fmt/format.h>

#include <functional>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "server/lua/lua_libraries.h"
#include "server/lua/lua_sandbox.h"
#include "server/lua/lua_values.h"
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

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

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
  if (context.running && is_over(context)) end_script(state, count_instructions);
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
    task_ = &task;
    sandbox_.begin();
    lua_State* const state = sandbox_.state();
    const int failed = lua_cpcall(state, protected_check, this);
    sandbox_.end();
    if (failed != 0) problem_ = fmt::format("ERR Error compiling script: {}", lua_text(state, -1));
    lua_settop(state, 0);
    return std::exchange(problem_, {});
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
  static int protected_run(lua_State* state) {
    Interpreter& self = *static_cast<Interpreter*>(lua_touserdata(state, 1));
    self.run_script(state);
    return 0;
  }

  static int protected_check(lua_State* state) {
    Interpreter& self = *static_cast<Interpreter*>(lua_touserdata(state, 1));
    self.sandbox_.bound_memory();
    self.compile(state, self.task_->sha, self.task_->body);
    return 0;
  }

  // In a protected call: what goes wrong with Lua's memory here ends it.
  void run_script(lua_State* state) {
    LuaSandbox::set_list(state, "KEYS", task_->keys);
    LuaSandbox::set_list(state, "ARGV", task_->arguments);
    sandbox_.bound_memory();
    lua_pushcfunction(state, describe_error);
    const int reference = compile(state, task_->sha, task_->body);
    if (reference == 0) return protocol::append_error(*reply_, std::exchange(problem_, {}));
    lua_rawgeti(state, LUA_REGISTRYINDEX, reference);
    lua_sethook(state, count_instructions, LUA_MASKCOUNT, kInstructionsPerHook);
    const int failed = lua_pcall(state, 0, 1, -2);
    lua_sethook(state, nullptr, 0, 0);
    failed == 0 ? write_result(state) : write_error(state);
    LuaSandbox::drop_list(state, "KEYS");
    LuaSandbox::drop_list(state, "ARGV");
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
    std::string text;
    if (lua_istable(state, -1)) {
      lua_getfield(state, -1, "err");
      text = fmt::format("{} script: {}", lua_text(state, -1), task_->sha);
      lua_getfield(state, -2, "line");
      if (lua_isnumber(state, -1)) {
        text += fmt::format(", on @user_script:{}.", lua_tointeger(state, -1));
      }
    } else {
      text = fmt::format("ERR {} script: {}", lua_text(state, -1), task_->sha);
    }
    protocol::append_error(*reply_, text);
  }

  // The compiled script's place in the registry; 0, with the problem kept, where it is none.
  int compile(lua_State* state, std::string_view sha, std::string_view body) {
    const auto found = compiled_.find(sha);
    if (found != compiled_.end()) return found->second;
    const bool is_full =
        compiled_.size() >= kCompiledMax || compiled_bytes_ + body.size() > kCompiledBytesMax;
    if (is_full) forget_compiled(state);
    if (!LuaSandbox::compile(state, body)) {
      problem_ = fmt::format("ERR Error compiling script (new function): {}", lua_text(state, -1));
      lua_pop(state, 1);
      return 0;
    }
    const int reference = luaL_ref(state, LUA_REGISTRYINDEX);
    compiled_.emplace(sha, reference);
    compiled_bytes_ += body.size();
    return reference;
  }

  void forget_compiled(lua_State* state) {
    for (const auto& [sha, reference] : compiled_) {
      luaL_unref(state, LUA_REGISTRYINDEX, reference);
    }
    compiled_.clear();
    compiled_bytes_ = 0;
    lua_gc(state, LUA_GCCOLLECT, 0);
  }

  ScriptContext context_;
  LuaSandbox sandbox_;
  std::unordered_map<std::string, int, TextHash, std::equal_to<>> compiled_;  // by SHA-1
  size_t compiled_bytes_ = 0;
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

ScriptEnd ScriptEngine::run(const ScriptTask& task, ScriptKeys& keys, const Limits& limits,
                            std::string& reply) {
  return interpreter_->run(task, keys, limits, reply);
}

}  // namespace kvorum::server
