// SPDX-License-Identifier: Apache-2.0
#include "protocol/inline_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvorum::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The words of a line; "(unbalanced)" alone if the quotes do not match.
std::vector<std::string> words_of(std::string_view line) {
  std::forward_list<std::string> arena;
  std::vector<std::string_view> words;
  if (!split_inline_words(line, words, arena)) {
    EXPECT_TRUE(words.empty());
    return {"(unbalanced)"};
  }
  return {words.begin(), words.end()};
}

TEST(InlineWords, AreSeparatedByBlanks) {
  EXPECT_THAT(words_of("get k"), ElementsAre("get", "k"));
  EXPECT_THAT(words_of(" \t get \t k\r\v\f "), ElementsAre("get", "k"));
  EXPECT_THAT(words_of(""), IsEmpty());
  EXPECT_THAT(words_of(" \t\r"), IsEmpty());
}

TEST(InlineWords, KeepVerticalTabAndFormFeedInside) {
  EXPECT_THAT(words_of("\va\vb\fc"), ElementsAre("a\vb\fc"));
}

TEST(InlineWords, TakeEscapesInDoubleQuotes) {
  EXPECT_THAT(words_of(R"("\n\r\t\b\a\\\"\q")"), ElementsAre("\n\r\t\b\a\\\"q"));
  EXPECT_THAT(words_of(R"("\x41\x6f\xFf")"), ElementsAre("Ao\xff"));
  EXPECT_THAT(words_of(R"("\x4" "\xg1" "\x")"), ElementsAre("x4", "xg1", "x"));
  EXPECT_THAT(words_of(R"("a b")"), ElementsAre("a b"));
  EXPECT_THAT(words_of(R"("it's")"), ElementsAre("it's"));
}

TEST(InlineWords, TakeOnlyTheQuoteEscapedInSingleQuotes) {
  EXPECT_THAT(words_of(R"('a\'b')"), ElementsAre("a'b"));
  EXPECT_THAT(words_of(R"('a\nb\' \\x')"), ElementsAre("a\\nb' \\\\x"));
  EXPECT_THAT(words_of(R"('say "x"')"), ElementsAre(R"(say "x")"));
}

TEST(InlineWords, MayBeEmptyWithQuotes) {
  EXPECT_THAT(words_of(R"(set k "" '')"), ElementsAre("set", "k", "", ""));
}

TEST(InlineWords, MayOpenAQuoteInsideAWord) {
  EXPECT_THAT(words_of(R"(a"b c" d'e f')"), ElementsAre("ab c", "de f"));
}

TEST(InlineWords, WantABlankAfterAClosingQuote) {
  EXPECT_THAT(words_of(R"("a"b)"), ElementsAre("(unbalanced)"));
  EXPECT_THAT(words_of(R"('a''b')"), ElementsAre("(unbalanced)"));
  EXPECT_THAT(words_of("\"a\"\tb"), ElementsAre("a", "b"));
}

TEST(InlineWords, WantEveryQuoteClosed) {
  EXPECT_THAT(words_of(R"(get ")"), ElementsAre("(unbalanced)"));
  EXPECT_THAT(words_of(R"(get 'a)"), ElementsAre("(unbalanced)"));
  EXPECT_THAT(words_of(R"(get "a\)"), ElementsAre("(unbalanced)"));
  EXPECT_THAT(words_of(R"(get "a\")"), ElementsAre("(unbalanced)"));
}

TEST(InlineWords, WithoutQuotesPointIntoTheLine) {
  const std::string line = "get key";
  std::forward_list<std::string> arena;
  std::vector<std::string_view> words;
  ASSERT_TRUE(split_inline_words(line, words, arena));
  EXPECT_EQ(words[1].data(), line.data() + 4);
  EXPECT_TRUE(arena.empty());
}

}  // namespace
}  // namespace kvorum::protocol
