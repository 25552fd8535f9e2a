// SPDX-License-Identifier: Apache-2.0
// Our matching of patterns beside Lua's own: the same answers and errors for patterns that are
// drawn; and bounds where Lua has none.
#include "server/lua/lua_pattern.h"

#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"

namespace kvorum::server {
namespace {

struct LuaPatternTest : ::testing::Test {
  LuaPatternTest() {
    luaL_openlibs(state());
    lua_newtable(state());
    install_patterns(state());
    lua_setglobal(state(), "ours");
  }
  lua_State* state() { return lua.get(); }

  // What the chunk returns, as text; its error likewise.
  std::string run(const std::string& chunk) {
    lua_settop(state(), 0);
    if (luaL_loadbuffer(state(), chunk.data(), chunk.size(), "=c") != 0 ||
        lua_pcall(state(), 0, LUA_MULTRET, 0) != 0) {
      return "error: " + std::string(lua_text(state(), -1));
    }
    std::string text;
    for (int at = 1; at <= lua_gettop(state()); ++at) {
      lua_getglobal(state(), "tostring");
      lua_pushvalue(state(), at);
      lua_call(state(), 1, 1);
      text.append(lua_text(state(), -1)).append("|");
      lua_pop(state(), 1);
    }
    return text;
  }

  static std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char letter : text) {
      char digits[8];
      std::snprintf(digits, sizeof(digits), "\\%03d", static_cast<unsigned char>(letter));
      out += digits;
    }
    return out + "\"";
  }

  LuaState lua;
};

std::string drawn(Rng& rng, std::string_view letters, size_t most) {
  std::string text;
  for (uint64_t left = rng.below(most + 1); left > 0; --left) {
    text += letters[rng.below(letters.size())];
  }
  return text;
}

// Pieces of which patterns are made, right and wrong ones.
std::string drawn_pattern(Rng& rng) {
  static const char* const kPieces[] = {
      "a",  "b",    "c",    ".",     "%a",    "%d",     "%s",    "%W",     "%x",
      "%z", "[ab]", "[^a]", "[a-c]", "[%d_]", "[]]",    "[^]a]", "*",      "+",
      "-",  "?",    "*",    "+",     "(",     ")",      "()",    "(a*)",   "%1",
      "%2", "^",    "$",    "%b()",  "%f[a]", "%f[%w]", "%%",    "%.",     "[a",
      "%",  "[a-]", "%b",   "%f",    "(.-)",  "(%w+)",  "x",     "[%w%-]", "1"};
  std::string pattern;
  for (uint64_t left = rng.below(6) + 1; left > 0; --left) {
    pattern += kPieces[rng.below(std::size(kPieces))];
  }
  return pattern;
}

TEST_F(LuaPatternTest, AnswersAsLuaDoes) {
  Rng rng(7);
  const char* const kUses[] = {
      "return L.find(S, P)",
      "return L.match(S, P)",
      "return L.find(S, P, N)",
      "return L.match(S, P, N)",
      "return L.find(S, P, 1, true)",
      "return L.gsub(S, P, 'X')",
      "return L.gsub(S, P, '<%1%0%%>')",
      "return L.gsub(S, P, 'y', 2)",
      "return L.gsub(S, P, {a = 'A', ab = 1, b = false})",
      "return L.gsub(S, P, function(x, y) return y or x and #tostring(x) end)",
      "local t = {} for a, b in L.gmatch(S, P) do t[#t + 1] = tostring(a) .. tostring(b) end "
      "return #t, table.concat(t, ';')",
  };
  int answered = 0;
  for (int round = 0; round < 40'000; ++round) {
    std::string chunk = "local S, P, N = " + quoted(drawn(rng, "aabbc1_() .%-]\n", 12)) + ", " +
                        quoted(drawn_pattern(rng)) + ", " +
                        std::to_string(static_cast<int>(rng.below(30)) - 12) + " " +
                        kUses[rng.below(std::size(kUses))];
    const std::string theirs = run("local L = string " + chunk);
    const std::string ours = run("local L = ours " + chunk);
    ASSERT_EQ(ours, theirs) << chunk;
    answered += !theirs.starts_with("error");
  }
  EXPECT_GT(answered, 20'000);
}

TEST_F(LuaPatternTest, WrongArgumentsAreNamedAlike) {
  for (const char* const use :
       {"find()", "find('a')", "match('a', {})", "gsub('a', 'a')", "gsub('a', 'a', true)",
        "gsub('a', 'a', function() return {} end)", "gmatch('a')", "find('a', 'a', 'x')",
        "match(12, 1)", "gsub('abc', '%w', '%9')", "find('', '')", "find('a\\0b', '\\0')",
        "gsub('abc', '', '-')", "match('x=1', '(%w+)=(%w+)')", "find('a\\0b', 'b', 1, true)"}) {
    EXPECT_EQ(run(std::string("return ours.") + use), run(std::string("return string.") + use))
        << use;
  }
}

TEST_F(LuaPatternTest, IsBoundedInDepth) {
  EXPECT_EQ(run("return ours.find(('a'):rep(1e6), ('a?'):rep(1e6))"),
            "error: c:1: pattern too complex");
  EXPECT_EQ(run("return ours.find(('a'):rep(1e6), 'a*')"), "1|1000000|");
}

TEST_F(LuaPatternTest, TellsHowMuchItDoes) {
  static uint64_t units;
  units = 0;
  lua.set_count_work([](lua_State* state, uint64_t more) {
    units += more;
    if (units > 1'000'000) luaL_error(state, "enough");
  });
  EXPECT_EQ(run("return ours.find(('a'):rep(30) .. 'b', ('a?'):rep(30) .. ('a'):rep(31))"),
            "error: c:1: enough");
}

TEST_F(LuaPatternTest, IsBoundedInMemory) {
  lua.allow_bytes(1'000'000);
  EXPECT_EQ(run("return #ours.gsub(('a'):rep(1000), 'a', ('x'):rep(10000))"),
            "error: c:1: not enough memory");
  lua.allow_any();
}

}  // namespace
}  // namespace kvorum::server
