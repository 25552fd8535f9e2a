// SPDX-License-Identifier: Apache-2.0
#include "server/script/redis_functions.h"

#include <fmt/format.h>

#include <atomic>
#include <string>

#include "server/commands/command_table.h"
#include "server/commands/versions.h"
#include "server/lua/lua_values.h"
#include "server/lua/sha1.h"

namespace kvorum::server {
namespace {

std::atomic<void (*)(int, std::string_view)> script_log = nullptr;

constexpr int kLogLevelMax = 3;

constexpr std::string_view kNoArguments =
    "ERR Please specify at least one argument for this redis lib call";

// Numbers as Redis writes them: 17 digits are enough for any.
std::string_view number_text(ScriptContext& context, lua_Number number) {
  std::array<char, 32>& text = context.numbers.emplace_back();
  char* end = text.data();
  const auto whole = static_cast<int64_t>(number);
  constexpr lua_Number kWholeMax = 9007199254740992;
  if (number > -kWholeMax && number < kWholeMax && static_cast<lua_Number>(whole) == number &&
      whole != 0) {
    end = fmt::format_to(end, "{}", whole);
  } else {
    end = fmt::format_to(end, "{:.17g}", number);
  }
  return {text.data(), static_cast<size_t>(end - text.data())};
}

// The arguments as words. False where one is neither text nor a number.
bool take_words(lua_State* state, ScriptContext& context) {
  context.words.clear();
  context.numbers.clear();
  const int count = lua_gettop(state);
  for (int at = 1; at <= count; ++at) {
    switch (lua_type(state, at)) {
      case LUA_TNUMBER:
        context.words.push_back(number_text(context, lua_tonumber(state, at)));
        break;
      case LUA_TSTRING:
        context.words.push_back(lua_text(state, at));
        break;
      default:
        return false;
    }
  }
  return true;
}

// More than these would leave Lua's stack no room for a reply.
constexpr int kWordsOnStackMax = 1000;

// What the words are views of goes from the stack into a table there.
void clear_stack(lua_State* state) {
  const int count = lua_gettop(state);
  lua_createtable(state, count, 0);
  lua_insert(state, 1);
  for (int at = count; at > 0; --at) lua_rawseti(state, 1, at);
}

// Pushes what the command answered. False for an error.
bool call_command(lua_State* state) {
  ScriptContext& context = ScriptContext::of(state);
  std::string_view refusal;
  if (!context.running) {
    refusal = "ERR redis.call/pcall can only be called inside a script invocation";
  } else if (lua_gettop(state) == 0) {
    refusal = kNoArguments;
  } else if (!take_words(state, context)) {
    refusal = "ERR Lua redis lib command arguments must be strings or integers";
  }
  if (!refusal.empty()) {
    push_error(state, refusal);
    return false;
  }
  if (lua_gettop(state) > kWordsOnStackMax) clear_stack(state);
  context.instructions += kInstructionsPerCall;
  const protocol::Reply reply = context.calls.run(context.words);
  push_reply(state, reply, context.calls.resp());
  return !reply.is_error();
}

int redis_call(lua_State* state) {
  if (call_command(state)) return 1;
  return lua_error(state);
}

int redis_pcall(lua_State* state) {
  call_command(state);
  return 1;
}

int redis_sha1hex(lua_State* state) {
  if (lua_gettop(state) != 1) return raise_script_error(state, "ERR wrong number of arguments");
  lua_push_text(state, sha1_hex(lua_text(state, 1)));
  return 1;
}

bool has_one_text(lua_State* state) {
  if (lua_gettop(state) == 1 && lua_type(state, 1) == LUA_TSTRING) return true;
  push_error(state, "ERR wrong number or type of arguments");
  return false;
}

// "-CODE text" has a code; other text gets ERR, also a single word behind a minus.
int redis_error_reply(lua_State* state) {
  if (!has_one_text(state)) return 1;
  std::string_view text = lua_text(state, 1);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (text.starts_with('-')) text.remove_prefix(1);
  const bool has_code = text.find(' ') != std::string_view::npos;
  push_error(state, has_code ? std::string(text) : fmt::format("ERR {}", text));
  return 1;
}

int redis_status_reply(lua_State* state) {
  if (!has_one_text(state)) return 1;
  lua_createtable(state, 0, 1);
  lua_pushvalue(state, 1);
  lua_setfield(state, -2, "ok");
  return 1;
}

int redis_log(lua_State* state) {
  const int count = lua_gettop(state);
  if (count < 2) {
    return raise_script_error(state, "ERR redis.log() requires two arguments or more.");
  }
  if (lua_type(state, 1) != LUA_TNUMBER) {
    return raise_script_error(state, "ERR First argument must be a number (log level).");
  }
  const int level = static_cast<int>(lua_tonumber(state, 1));
  if (level < 0 || level > kLogLevelMax) {
    return raise_script_error(state, "ERR Invalid debug level.");
  }
  std::string text;
  for (int at = 2; at <= count; ++at) {
    if (at > 2) text += ' ';
    text += lua_text(state, at);
  }
  if (const auto log = script_log.load(std::memory_order_relaxed)) log(level, text);
  return 0;
}

int redis_setresp(lua_State* state) {
  if (lua_gettop(state) != 1) {
    return raise_script_error(state, "ERR redis.setresp() requires one argument.");
  }
  const lua_Number version = lua_tonumber(state, 1);
  if (version != 2 && version != 3) {
    return raise_script_error(state, "ERR RESP version must be 2 or 3.");
  }
  ScriptContext::of(state).calls.set_resp(version == 3 ? protocol::RespVersion::k3
                                                       : protocol::RespVersion::k2);
  return 0;
}

// Effects always travel, and nothing else.
int redis_set_repl(lua_State* state) {
  if (lua_gettop(state) != 1) {
    return raise_script_error(state, "ERR redis.set_repl() requires two arguments.");
  }
  const int wanted = static_cast<int>(lua_tonumber(state, 1));
  if (wanted < 0 || wanted > 3) {
    return raise_script_error(
        state,
        "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or "
        "REPL_NONE.");
  }
  return 0;
}

int redis_replicate_commands(lua_State* state) {
  lua_pushboolean(state, 1);
  return 1;
}

// There is no debugger.
int redis_breakpoint(lua_State* state) {
  lua_pushboolean(state, 0);
  return 1;
}
int redis_debug(lua_State*) { return 0; }

int redis_acl_check_cmd(lua_State* state) {
  if (lua_gettop(state) == 0) return raise_script_error(state, kNoArguments);
  ScriptContext& context = ScriptContext::of(state);
  if (!take_words(state, context)) {
    return raise_script_error(
        state, "ERR redis.acl_check_cmd() command arguments must be strings or integers");
  }
  if (find_command(context.words[0]) == nullptr) {
    return raise_script_error(state, "ERR Invalid command passed to redis.acl_check_cmd()");
  }
  lua_pushboolean(state, 1);
  return 1;
}

constexpr luaL_Reg kFunctions[] = {
    {"call", redis_call},
    {"pcall", redis_pcall},
    {"sha1hex", redis_sha1hex},
    {"error_reply", redis_error_reply},
    {"status_reply", redis_status_reply},
    {"log", redis_log},
    {"setresp", redis_setresp},
    {"set_repl", redis_set_repl},
    {"replicate_commands", redis_replicate_commands},
    {"breakpoint", redis_breakpoint},
    {"debug", redis_debug},
    {"acl_check_cmd", redis_acl_check_cmd},
};

constexpr luaL_Reg kLoadingFunctions[] = {
    {"log", redis_log},
    {"register_function", register_function},
};

// "7.2.0" is 0x070200.
int version_number(std::string_view version) {
  int number = 0, part = 0;
  for (const char letter : version) {
    if (letter != '.') {
      part = part * 10 + (letter - '0');
      continue;
    }
    number = number << 8 | part;
    part = 0;
  }
  return number << 8 | part;
}

}  // namespace

LuaOffer redis_functions() {
  return {kFunctions, kLoadingFunctions, kRedisVersion, version_number(kRedisVersion)};
}

int raise_script_error(lua_State* state, std::string_view text) {
  push_error(state, text);
  return lua_error(state);
}

void set_script_log(void (*log)(int level, std::string_view text)) { script_log = log; }

}  // namespace kvorum::server
