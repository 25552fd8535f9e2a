// SPDX-License-Identifier: Apache-2.0
// What a script may cost, and how it ends.
#include "server/script/script_engine.h"

#include <gmock/gmock.h>

#include <thread>

#include "base/bytes.h"
#include "server/lua/sha1.h"
#include "server/script/compiled_scripts.h"

namespace kvorum::server {
namespace {

struct ScriptEngineTest : ::testing::Test {
  ScriptEnd run(std::string_view body, ScriptBudget budget = {}) {
    const std::string sha = sha1_hex(body);
    ScriptTask task;
    task.sha = sha;
    task.body = body;
    ScriptKeys none;
    reply.clear();
    return engine.run(task, none, {budget, 512 * 1024 * 1024}, reply);
  }
  // Of a script that ends by itself.
  std::string reply_of(std::string_view body) {
    EXPECT_EQ(run(body), ScriptEnd::kDone);
    return reply;
  }

  ScriptEngine engine;
  std::string reply;
};

TEST_F(ScriptEngineTest, ABudgetEndsIt) {
  EXPECT_EQ(run("while true do end", {100'000, nullptr}), ScriptEnd::kTooLong);
  EXPECT_EQ(run("for i = 1, 1000 do end return 7", {100'000, nullptr}), ScriptEnd::kDone);
  EXPECT_EQ(reply, ":7\r\n");
}

TEST_F(ScriptEngineTest, NothingInItHoldsTheEndUp) {
  for (const char* const body :
       {"while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() end) end",
        "while true do coroutine.wrap(function() while true do end end)() end",
        "while true do pcall(coroutine.wrap(function() while true do end end)) end",
        "local function f() return pcall(f) end while true do f() end",
        "while true do redis.pcall('PING') end", "while true do string.rep('x', 1000) end"}) {
    EXPECT_EQ(run(body, {300'000, nullptr}), ScriptEnd::kTooLong) << body;
  }
  EXPECT_EQ(reply_of("return 1"), ":1\r\n");
}

TEST_F(ScriptEngineTest, AnotherThreadEndsIt) {
  std::atomic<bool> killed = false;
  std::thread killer([&] { killed = true; });
  EXPECT_EQ(run("while true do end", {UINT64_MAX, &killed}), ScriptEnd::kKilled);
  killer.join();
}

TEST_F(ScriptEngineTest, MemoryIsBounded) {
  for (const char* const body :
       {"local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = {} end", "return string.rep('x', 1e9)",
        "return {string.rep('x', 5e6), string.rep('y', 5e6)}"}) {
    EXPECT_TRUE(reply_of(body).starts_with("-ERR not enough memory script: ")) << body;
  }
  // What those left is no burden to the next one.
  EXPECT_EQ(reply_of("return #string.rep('x', 3e6)"), ":3000000\r\n");
  EXPECT_EQ(reply_of("return #string.rep('y', 3e6)"), ":3000000\r\n");
}

TEST_F(ScriptEngineTest, ACollectorThatWasStoppedRunsAgain) {
  EXPECT_EQ(reply_of("collectgarbage('stop') return 1"), ":1\r\n");
  EXPECT_EQ(reply_of("for i = 1, 1e6 do local t = {} end return 1"), ":1\r\n");
}

TEST_F(ScriptEngineTest, ARepliesSizeIsBounded) {
  const std::string nested =
      "local t = {1,1,1,1,1,1,1,1,1,1} "
      "for i = 1, 12 do t = {t,t,t,t,t,t,t,t,t,t} end return t";
  EXPECT_EQ(run(nested, {100'000, nullptr}), ScriptEnd::kTooLong);
  EXPECT_EQ(reply_of(nested), "-ERR the reply of the script is too large\r\n");
  EXPECT_EQ(reply_of("local s = string.rep('x', 4e6) local t = {} for i = 1, 20 do t[i] = s end "
                     "return t"),
            "-ERR the reply of the script is too large\r\n");
}

TEST_F(ScriptEngineTest, NoScriptLeavesAnythingForTheNext) {
  reply_of("pcall(function() x = 1 end) pcall(rawset, _G, 'x', 1) KEYS.x = 1 return 1");
  EXPECT_TRUE(reply_of("return x").starts_with("-ERR "));
  EXPECT_EQ(reply_of("return KEYS.x"), "$-1\r\n");
  reply_of("pcall(function() getmetatable('').__index = nil end) return 1");
  EXPECT_EQ(reply_of("return ('a'):upper()"), "$1\r\nA\r\n");
  reply_of("redis.setresp(3) return 1");
  EXPECT_EQ(reply_of("return false"), "$-1\r\n");
}

TEST_F(ScriptEngineTest, BytecodeIsNotTaken) {
  EXPECT_EQ(reply_of("return tostring(loadstring(string.dump(function() end)))"), "$3\r\nnil\r\n");
  EXPECT_EQ(reply_of("local once = string.dump(function() end) "
                     "return tostring(load(function() local s = once once = nil return s end))"),
            "$3\r\nnil\r\n");
  EXPECT_TRUE(engine.check(sha1_hex("\x1bLua"), "\x1bLua")
                  .starts_with("ERR Error compiling script (new function): "));
}

TEST_F(ScriptEngineTest, CompiledScriptsAreForgottenAtSomeTime) {
  for (size_t at = 0; at < CompiledScripts::kCountMax + 10; ++at) {
    EXPECT_EQ(reply_of("return " + std::to_string(at)), ":" + std::to_string(at) + "\r\n");
  }
  EXPECT_EQ(reply_of("return 3"), ":3\r\n");
  // Also where they are few and large.
  const std::string large = "local t = '" + std::string(1024 * 1024, 'x') + "' return ";
  for (int at = 0; at < 30; ++at) {
    EXPECT_EQ(reply_of(large + std::to_string(at)), ":" + std::to_string(at) + "\r\n");
  }
}

// ---- libraries

struct LibraryTest : ScriptEngineTest {
  // What loading it says is wrong.
  std::string load(std::string_view code) {
    functions.clear();
    return engine.load(sha1_hex(code), code, &functions);
  }
  std::string call(std::string_view code, std::string_view function,
                   const std::vector<std::string_view>& arguments = {}) {
    const std::string sha = sha1_hex(code);
    ScriptTask task;
    task.sha = sha;
    task.body = code;
    task.function = function;
    task.arguments.assign(arguments);
    ScriptKeys none;
    reply.clear();
    EXPECT_EQ(engine.run(task, none, {{}, 512 * 1024 * 1024}, reply), ScriptEnd::kDone);
    return reply;
  }

  std::vector<LibraryFunction> functions;
};

TEST_F(LibraryTest, FunctionsAreRegistered) {
  constexpr std::string_view kCode =
      "local function sum(keys, args) return args[1] + args[2] end "
      "redis.register_function('sum', sum) "
      "redis.register_function{function_name='one', callback=function() return 1 end, "
      "flags={'no-writes', 'allow-oom'}, description='of one'}";
  EXPECT_EQ(load(kCode), "");
  ASSERT_EQ(functions.size(), 2u);
  EXPECT_EQ(functions[0].name, "sum");
  EXPECT_EQ(functions[0].flags, 0);
  EXPECT_EQ(functions[1].description, "of one");
  EXPECT_EQ(functions[1].flags, LibraryFunction::kNoWrites | LibraryFunction::kAllowOom |
                                    LibraryFunction::kHasDescription);
  EXPECT_EQ(call(kCode, "sum", {"3", "4"}), ":7\r\n");
  EXPECT_EQ(call(kCode, "one"), ":1\r\n");
  EXPECT_EQ(call(kCode, "none"), "-ERR Function not found\r\n");
}

// Where the function runs its library may be unknown, or have been forgotten.
TEST_F(LibraryTest, ALibraryIsLoadedWhereItIsCalled) {
  constexpr std::string_view kCode = "redis.register_function('f', function() return 5 end)";
  EXPECT_EQ(call(kCode, "f"), ":5\r\n");
  for (size_t at = 0; at < CompiledScripts::kCountMax + 10; ++at) {
    reply_of("return " + std::to_string(at));
  }
  EXPECT_EQ(call(kCode, "f"), ":5\r\n");
}

TEST_F(LibraryTest, ErrorsNameTheFunctionAndItsLine) {
  constexpr std::string_view kCode =
      "\nredis.register_function('bad', function()\n error('boom')\nend)";
  EXPECT_EQ(call(kCode, "bad"), "-ERR user_function:3: boom script: bad, on @user_function:3.\r\n");
}

TEST_F(LibraryTest, WhatIsNoLibraryIsRefused) {
  using ::testing::HasSubstr;
  EXPECT_THAT(load("return +"), HasSubstr("ERR Error compiling function: "));
  EXPECT_EQ(load("return 1"), "ERR No functions registered");
  EXPECT_THAT(load("redis.register_function('f')"), HasSubstr("ERR Error registering functions: "));
  EXPECT_THAT(load("redis.register_function('f', 1)"),
              HasSubstr("second argument to redis.register_function must be a function"));
  EXPECT_THAT(load("redis.register_function('f f', function() end)"),
              HasSubstr("Library names can only contain letters"));
  EXPECT_THAT(load("local f = function() end redis.register_function('f', f) "
                   "redis.register_function('F', f)"),
              HasSubstr("Function already exists in the library"));
  EXPECT_THAT(load("redis.register_function{function_name='f', callback=function() end, "
                   "flags={'x'}}"),
              HasSubstr("unknown flag given"));
  EXPECT_EQ(load("while true do end"), "ERR FUNCTION LOAD timeout");
  EXPECT_THAT(load("local text = 'x' while true do text = text .. text end"),
              HasSubstr("not enough memory"));
  EXPECT_TRUE(functions.empty());
}

TEST_F(LibraryTest, AFunctionRegistersNone) {
  constexpr std::string_view kCode =
      "redis.register_function('f', function() "
      "redis.register_function('g', function() end) end)";
  EXPECT_THAT(call(kCode, "f"),
              ::testing::HasSubstr("call field 'register_function' (a nil value)"));
  constexpr std::string_view kKept =
      "local register = redis.register_function register('f', function() "
      "register('g', function() end) end)";
  EXPECT_THAT(call(kKept, "f"), ::testing::HasSubstr("can only be called on FUNCTION LOAD"));
}

// It finds what it needs for that alone; its functions find everything.
TEST_F(LibraryTest, ALibraryIsLoadedWithFewNames) {
  for (const char* const name : {"math", "string", "pcall", "getmetatable", "_G", "KEYS"}) {
    EXPECT_THAT(load(std::string("local x = ") + name),
                ::testing::HasSubstr(std::string("nonexistent global variable '") + name + "'"));
  }
  for (const char* const name : {"call", "pcall", "setresp", "set_repl", "acl_check_cmd"}) {
    EXPECT_THAT(load(std::string("local x = redis.") + name),
                ::testing::HasSubstr(std::string("nonexistent global variable '") + name + "'"));
  }
  EXPECT_THAT(load("redis.mine = 1"), ::testing::HasSubstr("Attempt to modify a readonly table"));
  EXPECT_THAT(load("mine = 1"), ::testing::HasSubstr("Attempt to modify a readonly table"));
  constexpr std::string_view kCode =
      "redis.log(redis.LOG_DEBUG, redis.REDIS_VERSION) "
      "redis.register_function('f', function() return math.max(string.len('abc'), 2) end)";
  EXPECT_EQ(call(kCode, "f"), ":3\r\n");
  EXPECT_EQ(reply_of("return math.max(1, 2)"), ":2\r\n");
  EXPECT_EQ(reply_of("return redis.REDIS_VERSION_NUM"), ":459264\r\n");  // 0x070200
}

TEST_F(ScriptEngineTest, WhatItPublishesIsKeptForItsCaller) {
  EXPECT_EQ(reply_of("return redis.call('PUBLISH', 'c', 'hello')"), ":0\r\n");
  ByteReader said(engine.said());
  EXPECT_EQ(said.u8(), 0);
  EXPECT_EQ(said.bytes(), "c");
  EXPECT_EQ(said.bytes(), "hello");
  EXPECT_TRUE(said.ok() && said.done());
  reply_of("return redis.call('SPUBLISH', 'c', 'x')");
  EXPECT_EQ(ByteReader(engine.said()).u8(), 1);
  reply_of("return 1");
  EXPECT_EQ(engine.said(), "");
  EXPECT_THAT(reply_of("local long = string.rep('x', 1000000) "
                       "for i = 1, 20 do redis.call('PUBLISH', 'c', long) end"),
              ::testing::HasSubstr("ERR the script publishes too much"));
  EXPECT_LT(engine.said().size(), size_t{10} * 1024 * 1024);
}

}  // namespace
}  // namespace kvorum::server
