// SPDX-License-Identifier: Apache-2.0
// What a script may cost, and how it ends.
#include "server/script/script_engine.h"

#include <gtest/gtest.h>

#include <thread>

#include "server/lua/sha1.h"

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
  for (size_t at = 0; at < ScriptEngine::kCompiledMax + 10; ++at) {
    EXPECT_EQ(reply_of("return " + std::to_string(at)), ":" + std::to_string(at) + "\r\n");
  }
  EXPECT_EQ(reply_of("return 3"), ":3\r\n");
  // Also where they are few and large.
  const std::string large = "local t = '" + std::string(1024 * 1024, 'x') + "' return ";
  for (int at = 0; at < 30; ++at) {
    EXPECT_EQ(reply_of(large + std::to_string(at)), ":" + std::to_string(at) + "\r\n");
  }
}

}  // namespace
}  // namespace kvorum::server
