// SPDX-License-Identifier: Apache-2.0
#include "protocol/resp_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/protocol/transcript.h"

namespace kvorum::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Lines parsed(std::string_view bytes) {
  RespParser parser;
  return resp_transcript(parser, {bytes});
}

std::string bulk(std::string_view word) {
  return "$" + std::to_string(word.size()) + "\r\n" + std::string(word) + "\r\n";
}

TEST(RespParser, ReadsAnArrayOfBulkStrings) {
  EXPECT_THAT(parsed("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n"),
              ElementsAre("request: SET|k|value"));
}

TEST(RespParser, ReadsAPipelineOneRequestPerCall) {
  EXPECT_THAT(parsed("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n"),
              ElementsAre("request: PING", "request: GET|k", "request: PING"));
}

TEST(RespParser, TakesAnyBytesInABulkString) {
  const std::string bytes("\0\r\n*$\xff", 6);
  EXPECT_THAT(parsed("*1\r\n" + bulk(bytes)), ElementsAre("request: " + bytes));
}

TEST(RespParser, TakesEmptyBulkStrings) {
  EXPECT_THAT(parsed("*3\r\n$0\r\n\r\n$0\r\n\r\n$1\r\nx\r\n"), ElementsAre("request: ||x"));
}

TEST(RespParser, SkipsEmptyAndNegativeArraysAndEmptyLines) {
  EXPECT_THAT(parsed("*0\r\n*-1\r\n\r\n\n   \r\n*-999\r\nPING\r\n"), ElementsAre("request: PING"));
}

TEST(RespParser, ConsumesSkippedRequestsWhenNothingFollows) {
  RespParser parser;
  std::vector<std::string_view> words;
  const ParseResult result = parser.parse("\r\n*0\r\n*1", words);
  EXPECT_EQ(result.status, ParseStatus::kNeedMore);
  EXPECT_EQ(result.consumed, 6u);
  EXPECT_THAT(words, IsEmpty());
}

TEST(RespParser, WordsOfArraysPointIntoTheInput) {
  RespParser parser;
  const std::string input = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
  std::vector<std::string_view> words;
  EXPECT_EQ(parser.parse(input, words).consumed, input.size());
  ASSERT_EQ(words.size(), 2u);
  EXPECT_EQ(words[1].data(), input.data() + input.find("key"));
}

TEST(RespParser, KeepsUnquotedWordsUntilTheArenaIsReset) {
  RespParser parser;
  const std::string input = "set \"a\\x41\" 'it\\'s'\r\nget \"a\\n\"\r\n";
  std::vector<std::string_view> words;
  const size_t first = parser.parse(input, words).consumed;
  parser.parse(std::string_view(input).substr(first), words);
  EXPECT_THAT(words, ElementsAre("set", "aA", "it's", "get", "a\n"));
}

TEST(RespParser, RefusesUnbalancedQuotes) {
  EXPECT_THAT(parsed("PING\r\nset \"a\r\n"),
              ElementsAre("request: PING", "error: Protocol error: unbalanced quotes in request"));
  EXPECT_THAT(parsed("set 'a'b\r\n"),
              ElementsAre("error: Protocol error: unbalanced quotes in request"));
}

TEST(RespParser, AnswersTheSameErrorUntilReset) {
  RespParser parser;
  std::vector<std::string_view> words;
  EXPECT_EQ(parser.parse("*x\r\n", words).error, "Protocol error: invalid multibulk length");
  const ParseResult again = parser.parse("PING\r\n", words);
  EXPECT_EQ(again.status, ParseStatus::kError);
  EXPECT_EQ(again.error, "Protocol error: invalid multibulk length");
  parser.reset();
  EXPECT_EQ(parser.parse("PING\r\n", words).status, ParseStatus::kRequest);
}

// Every way to cut the stream in two, and byte by byte, must give what it gives in one piece.
class RespStream : public ::testing::TestWithParam<std::string> {};

TEST_P(RespStream, GivesTheSameHoweverItIsCut) {
  const std::string stream = GetParam();
  const Lines whole = parsed(stream);
  for (size_t at = 1; at < stream.size(); ++at) {
    RespParser parser;
    const std::string_view bytes = stream;
    EXPECT_EQ(resp_transcript(parser, {bytes.substr(0, at), bytes.substr(at)}), whole) << at;
  }
  for (const size_t size : {1, 2, 3, 5}) {
    RespParser parser;
    EXPECT_EQ(resp_transcript(parser, cut(stream, size)), whole) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Good, RespStream,
    ::testing::Values("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\nvalue\r\nvalue\r\n*1\r\n$4\r\nPING\r\n",
                      "\r\n*0\r\n*-1\r\nPING\r\n*1\r\n$0\r\n\r\n",
                      "set k \"a b\\x41\" 'c'\r\nget k\n", "*2\r\n$00003\r\nGET\r\n",
                      "*1\r\n$1\r\na__*1\r\n$1\r\nb\r\n", "*1\rx$1\rxaxx",
                      "*2\r\n$3\r\nGET\r\n$1\r\nk"));
INSTANTIATE_TEST_SUITE_P(Bad, RespStream,
                         ::testing::Values("*1\r\n$4\r\nPING\r\n*x\r\n", "*1\r\n:4\r\nPING\r\n",
                                           "*2\r\n$3\r\nGET\r\n$-1\r\n", "*1\r\n\r\n\r\n",
                                           "*+1\r\n", "*01\r\n", "*\r\n", "* 1\r\n", "*1 \r\n",
                                           "*1\r\n$\r\n", "*1\r\n$ 1\r\n",
                                           "*99999999999999999999\r\n", "get \"k\r\n",
                                           "*1\r\n$99999999999999999999\r\n",
                                           "*1\r\n$4294967296\r\n"));

TEST(RespParser, NamesWhatItGotInsteadOfABulkString) {
  EXPECT_THAT(parsed("*1\r\n:4\r\n"), ElementsAre("error: Protocol error: expected '$', got ':'"));
  EXPECT_THAT(parsed("*1\r\n\r\n"), ElementsAre("error: Protocol error: expected '$', got ' '"));
  EXPECT_THAT(parsed("*1\r\n\nx\r\n"), ElementsAre("error: Protocol error: expected '$', got ' '"));
  EXPECT_THAT(parsed("*1\r\nPING\r\n"),
              ElementsAre("error: Protocol error: expected '$', got 'P'"));
}

TEST(RespParser, RefusesLengthsThatAreNoNumbers) {
  for (const std::string bad :
       {"", "x", "+1", "01", "-0", " 1", "1 ", "1x", "9223372036854775808"}) {
    EXPECT_THAT(parsed("*" + bad + "\r\n"),
                ElementsAre("error: Protocol error: invalid multibulk length"))
        << bad;
    EXPECT_THAT(parsed("*1\r\n$" + bad + "\r\n"),
                ElementsAre("error: Protocol error: invalid bulk length"))
        << bad;
  }
}

TEST(RespParser, LimitsTheNumberOfWords) {
  EXPECT_THAT(parsed("*1048575\r\n"), ElementsAre("rest: 10"));
  EXPECT_THAT(parsed("*1048576\r\n"), ElementsAre("rest: 10"));
  EXPECT_THAT(parsed("*1048577\r\n"),
              ElementsAre("error: Protocol error: invalid multibulk length"));
}

TEST(RespParser, TakesAnotherLimitOfWords) {
  RespParser parser({.words_max = 2});
  EXPECT_THAT(resp_transcript(parser, {"*2\r\n$1\r\na\r\n$1\r\nb\r\n*3\r\n"}),
              ElementsAre("request: a|b", "error: Protocol error: invalid multibulk length"));
}

TEST(RespParser, LimitsTheSizeOfABulkString) {
  EXPECT_THAT(parsed("*1\r\n$536870911\r\n"), ElementsAre("rest: 16"));
  EXPECT_THAT(parsed("*1\r\n$536870912\r\n"), ElementsAre("rest: 16"));
  EXPECT_THAT(parsed("*1\r\n$536870913\r\n"),
              ElementsAre("error: Protocol error: invalid bulk length"));
  EXPECT_THAT(parsed("*1\r\n$-1\r\n"), ElementsAre("error: Protocol error: invalid bulk length"));
}

TEST(RespParser, TakesAnotherLimitOfBulkStrings) {
  RespParser parser;
  parser.set_bulk_bytes_max(4);
  EXPECT_THAT(resp_transcript(parser, {"*1\r\n$4\r\nPING\r\n*1\r\n$5\r\n"}),
              ElementsAre("request: PING", "error: Protocol error: invalid bulk length"));
}

TEST(RespParser, LimitsWhatAnUnauthenticatedClientMaySend) {
  const auto before_login = [](const std::string& bytes) {
    RespParser parser;
    parser.set_authenticated(false);
    return resp_transcript(parser, {bytes});
  };
  EXPECT_THAT(before_login("*9\r\n"), ElementsAre("rest: 4"));
  EXPECT_THAT(before_login("*10\r\n"), ElementsAre("rest: 5"));
  EXPECT_THAT(before_login("*11\r\n"),
              ElementsAre("error: Protocol error: unauthenticated multibulk length"));
  EXPECT_THAT(before_login("*1\r\n$16383\r\n"), ElementsAre("rest: 12"));
  EXPECT_THAT(before_login("*1\r\n$16384\r\n"), ElementsAre("rest: 12"));
  EXPECT_THAT(before_login("*1\r\n$16385\r\n"),
              ElementsAre("error: Protocol error: unauthenticated bulk length"));
}

TEST(RespParser, ForgetsTheLimitsOfStrangersAfterLogin) {
  RespParser parser;
  parser.set_authenticated(false);
  parser.set_authenticated(true);
  EXPECT_THAT(resp_transcript(parser, {"*11\r\n"}), ElementsAre("rest: 5"));
}

// At the limit, one below and one above, in one piece and in many; the answer must be the same.
TEST(RespParser, LimitsTheLengthOfAnInlineRequest) {
  const auto in_pieces = [](size_t line_bytes, size_t piece_bytes) {
    RespParser parser;
    const std::string line = std::string(line_bytes, 'a') + "\n";
    const Lines lines = resp_transcript(parser, cut(line, piece_bytes));
    return lines[0].substr(0, 7) == "request" ? "request" : lines[0];
  };
  for (const size_t piece : {100000, 16384, 4099}) {
    EXPECT_EQ(in_pieces(kRespLineBytesMax - 1, piece), "request");
    EXPECT_EQ(in_pieces(kRespLineBytesMax, piece), "request");
    EXPECT_EQ(in_pieces(kRespLineBytesMax + 1, piece),
              "error: Protocol error: too big inline request");
  }
}

TEST(RespParser, LimitsTheLengthOfHeaderLines) {
  const std::string zeros(kRespLineBytesMax - 1, '0');  // with the marker: exactly the limit
  EXPECT_THAT(parsed("*" + zeros + "\r\n"),
              ElementsAre("error: Protocol error: invalid multibulk length"));
  EXPECT_THAT(parsed("*" + zeros), ElementsAre("rest: 65536"));
  EXPECT_THAT(parsed("*" + zeros + "0"),
              ElementsAre("error: Protocol error: too big mbulk count string"));
  EXPECT_THAT(parsed("*" + zeros + "0\r\n"),
              ElementsAre("error: Protocol error: too big mbulk count string"));
  EXPECT_THAT(parsed("*1\r\n$" + zeros + "\r\n"),
              ElementsAre("error: Protocol error: invalid bulk length"));
  EXPECT_THAT(parsed("*1\r\n$" + zeros), ElementsAre("rest: 65540"));
  EXPECT_THAT(parsed("*1\r\n$" + zeros + "0"),
              ElementsAre("error: Protocol error: too big bulk count string"));
}

TEST(RespParser, SaysHowManyBytesABulkStringNeeds) {
  RespParser parser;
  std::vector<std::string_view> words;
  EXPECT_EQ(parser.parse("*2\r\n$3\r\nGET\r\n$1000\r\nabc", words).more_hint, 999u);
  EXPECT_EQ(parser.parse("*2\r\n$3\r\nGET\r\n$1000\r\nabcdefg", words).more_hint, 995u);
}

// A reader that starts anew with every piece needs minutes for this.
TEST(RespParser, ReadsAMillionWordsInSmallPieces) {
  std::string stream = "*1048576\r\n";
  for (int i = 0; i < 1048576; ++i) stream += "$1\r\nx\r\n";
  RespParser parser;
  std::vector<std::string_view> words;
  for (size_t end = 1024; end < stream.size(); end += 1024) {
    ASSERT_EQ(parser.parse(std::string_view(stream).substr(0, end), words).status,
              ParseStatus::kNeedMore);
  }
  EXPECT_EQ(parser.parse(stream, words).status, ParseStatus::kRequest);
  EXPECT_EQ(words.size(), 1048576u);
  EXPECT_EQ(words.back(), "x");
}

TEST(RespParser, ReadsAHugeBulkStringInSmallPieces) {
  const size_t size = 64 * 1024 * 1024;
  std::string stream = "*1\r\n$" + std::to_string(size) + "\r\n";
  const size_t header = stream.size();
  stream.append(size, 'v').append("\r\n");
  RespParser parser;
  std::vector<std::string_view> words;
  for (size_t end = header; end < stream.size(); end += 1024) {
    ASSERT_EQ(parser.parse(std::string_view(stream).substr(0, end), words).more_hint,
              stream.size() - end);
  }
  EXPECT_EQ(parser.parse(stream, words).consumed, stream.size());
  EXPECT_EQ(words[0].size(), size);
}

}  // namespace
}  // namespace kvorum::protocol
