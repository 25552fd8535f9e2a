// SPDX-License-Identifier: Apache-2.0
#include "protocol/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace kvorum::protocol {
namespace {

TEST(Glob, Matches) {
  EXPECT_TRUE(glob_matches("", ""));
  EXPECT_FALSE(glob_matches("*", "")) << "as in Redis, whose KEYS asks no pattern for *";
  EXPECT_FALSE(glob_matches("**", ""));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_TRUE(glob_matches("a?c", "abc"));
  EXPECT_FALSE(glob_matches("a?c", "ac"));
  EXPECT_TRUE(glob_matches("a*c", "ac"));
  EXPECT_TRUE(glob_matches("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(glob_matches("a*b*c", "a-b-b-cd"));
  EXPECT_TRUE(glob_matches("*ab", "aaab"));
}

TEST(Glob, Classes) {
  EXPECT_TRUE(glob_matches("h[ae]llo", "hallo"));
  EXPECT_FALSE(glob_matches("h[^ae]llo", "hallo"));
  EXPECT_TRUE(glob_matches("h[a-f]llo", "hello"));
  EXPECT_TRUE(glob_matches("h[f-a]llo", "hello"));
  EXPECT_FALSE(glob_matches("h[a-d]llo", "hello"));
  EXPECT_TRUE(glob_matches("h[\\]e]llo", "h]llo"));
  EXPECT_TRUE(glob_matches("[abc", "c"));  // not closed
  EXPECT_FALSE(glob_matches("[", "a"));
}

TEST(Glob, Escapes) {
  EXPECT_TRUE(glob_matches("\\*", "*"));
  EXPECT_FALSE(glob_matches("\\*", "a"));
  EXPECT_TRUE(glob_matches("a\\", "a\\"));
}

TEST(Glob, Case) {
  EXPECT_FALSE(glob_matches("ABC*", "abcd"));
  EXPECT_TRUE(glob_matches("ABC*", "abcd", true));
  EXPECT_TRUE(glob_matches("[A-C]", "b", true));
}

TEST(Glob, APatternOfManyStarsEndsSoon) {
  std::string pattern, text(2000, 'a');
  for (int i = 0; i < 500; ++i) pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern + "b", text));
  EXPECT_TRUE(glob_matches(pattern, text));
}

}  // namespace
}  // namespace kvorum::protocol
