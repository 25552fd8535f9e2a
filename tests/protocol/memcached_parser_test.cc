// SPDX-License-Identifier: Apache-2.0
#include "protocol/memcached_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/protocol/transcript.h"

namespace kvorum::protocol {
namespace {

using ::testing::ElementsAre;

constexpr const char* kBadFormat = "line: CLIENT_ERROR bad command line format";

Lines parsed(std::string_view bytes) {
  MemcachedParser parser;
  return memcached_transcript(parser, {bytes});
}

TEST(MemcachedParser, ReadsAStorageCommandWithItsDataBlock) {
  EXPECT_THAT(
      parsed("set k 7 60 5\r\nhello\r\nadd k 0 -1 0 noreply\r\n\r\n"),
      ElementsAre("set k=k f=7 e=60 c=0 d=0 v=hello", "add k=k f=0 e=-1 c=0 d=0 noreply v="));
  EXPECT_THAT(parsed("cas k 1 2 3 99\r\nabc\r\n"), ElementsAre("cas k=k f=1 e=2 c=99 d=0 v=abc"));
  EXPECT_THAT(parsed("append k 0 0 4\r\n\r\n\r\n\r\n"),
              ElementsAre("append k=k f=0 e=0 c=0 d=0 v=\r\n\r\n"));
}

TEST(MemcachedParser, ReadsKeysOfRetrievals) {
  EXPECT_THAT(parsed("get a\r\ngets a b  c \r\ngat 10 a b\r\n"),
              ElementsAre("get k=a f=0 e=0 c=0 d=0", "gets k=a,b,c f=0 e=0 c=0 d=0",
                          "gat k=a,b f=0 e=10 c=0 d=0"));
}

TEST(MemcachedParser, ReadsTheOtherCommands) {
  EXPECT_THAT(parsed("incr n 18446744073709551615\r\ndecr n 1 noreply\r\ntouch k 5\r\n"),
              ElementsAre("incr k=n f=0 e=0 c=0 d=18446744073709551615",
                          "decr k=n f=0 e=0 c=0 d=1 noreply", "touch k=k f=0 e=5 c=0 d=0"));
  EXPECT_THAT(
      parsed("delete k\r\ndelete k 0\r\ndelete k noreply\r\ndelete k 0 noreply\r\n"),
      ElementsAre("delete k=k f=0 e=0 c=0 d=0", "delete k=k f=0 e=0 c=0 d=0",
                  "delete k=k f=0 e=0 c=0 d=0 noreply", "delete k=k f=0 e=0 c=0 d=0 noreply"));
  EXPECT_THAT(
      parsed("flush_all\r\nflush_all 5\r\nflush_all noreply\r\nflush_all 5 noreply\r\n"),
      ElementsAre("flush_all f=0 e=0 c=0 d=0", "flush_all f=0 e=5 c=0 d=0",
                  "flush_all f=0 e=0 c=0 d=0 noreply", "flush_all f=0 e=5 c=0 d=0 noreply"));
  EXPECT_THAT(parsed("version\r\nquit\r\nstats settings\r\nverbosity 1\r\n"),
              ElementsAre("version f=0 e=0 c=0 d=0", "quit f=0 e=0 c=0 d=0",
                          "stats f=0 e=0 c=0 d=0", "verbosity f=0 e=0 c=0 d=0"));
}

TEST(MemcachedParser, KeepsAllWordsOfTheLine) {
  MemcachedParser parser;
  MemcachedRequest request;
  parser.parse("mg key t v O123\r\n", request);
  EXPECT_EQ(request.command, MemcachedCommand::kMetaGet);
  EXPECT_THAT(request.words, ElementsAre("mg", "key", "t", "v", "O123"));
  EXPECT_EQ(request.key(), "key");
  parser.parse("lru_crawler metadump all\r\n", request);
  EXPECT_EQ(request.command, MemcachedCommand::kMaintenance);
  EXPECT_THAT(request.words, ElementsAre("lru_crawler", "metadump", "all"));
  EXPECT_EQ(request.key(), "");
}

TEST(MemcachedParser, FramesMetaCommands) {
  EXPECT_THAT(
      parsed("ms k 3 T60 F1\r\nabc\r\nmn\r\nmd k q\r\nma k\r\nme k\r\n"),
      ElementsAre("ms k=k f=0 e=0 c=0 d=0 v=abc", "mn f=0 e=0 c=0 d=0", "md k=k f=0 e=0 c=0 d=0",
                  "ma k=k f=0 e=0 c=0 d=0", "me k=k f=0 e=0 c=0 d=0"));
}

TEST(MemcachedParser, TakesLinesWithoutCarriageReturn) {
  EXPECT_THAT(parsed("set k 0 0 1\na\r\nget k\n"),
              ElementsAre("set k=k f=0 e=0 c=0 d=0 v=a", "get k=k f=0 e=0 c=0 d=0"));
}

TEST(MemcachedParser, TakesLeadingBlanksButNoTabsBetweenWords) {
  EXPECT_THAT(parsed("  get k\r\nget\tk\r\n"),
              ElementsAre("get k=k f=0 e=0 c=0 d=0", "line: ERROR"));
}

TEST(MemcachedParser, EndsALineAtANul) {
  EXPECT_THAT(parsed(std::string_view("get a\0b c\r\n", 11)),
              ElementsAre("get k=a f=0 e=0 c=0 d=0"));
}

// The lines below and their answers are memcached 1.6.18's own, taken from a running server.
TEST(MemcachedParser, AnswersUnknownAndMisshapenLinesWithError) {
  for (const std::string_view line : {"",
                                      "g",
                                      "foo",
                                      "GET k",
                                      "get",
                                      "gets",
                                      "gat",
                                      "set k 0 0",
                                      "set k 0 0 1 2 3",
                                      "cas k 0 0 1",
                                      "cas k 0 0 1 2 3 4",
                                      "incr k",
                                      "incr k 1 2 3",
                                      "touch k",
                                      "touch k 1 2 3",
                                      "delete",
                                      "delete a b c d",
                                      "flush_all a b c",
                                      "verbosity",
                                      "verbosity 1 2 3",
                                      "mg",
                                      "ms",
                                      "md",
                                      "ma",
                                      "mx",
                                      "m",
                                      "stat",
                                      "setx k 0 0 1"}) {
    EXPECT_THAT(parsed(std::string(line) + "\r\n"), ElementsAre("line: ERROR")) << line;
  }
}

TEST(MemcachedParser, AnswersBadNumbersWithWhatMemcachedSays) {
  EXPECT_THAT(parsed("gat x k\r\n"), ElementsAre("line: CLIENT_ERROR invalid exptime argument"));
  EXPECT_THAT(parsed("touch k x\r\n"), ElementsAre("line: CLIENT_ERROR invalid exptime argument"));
  EXPECT_THAT(parsed("flush_all x\r\n"),
              ElementsAre("line: CLIENT_ERROR invalid exptime argument"));
  EXPECT_THAT(parsed("incr k x\r\n"),
              ElementsAre("line: CLIENT_ERROR invalid numeric delta argument"));
  EXPECT_THAT(parsed("incr k -1\r\n"),
              ElementsAre("line: CLIENT_ERROR invalid numeric delta argument"));
  EXPECT_THAT(parsed("decr k 18446744073709551616 noreply\r\n"),
              ElementsAre("silent: CLIENT_ERROR invalid numeric delta argument"));
  EXPECT_THAT(parsed("verbosity x\r\n"), ElementsAre(kBadFormat));
  EXPECT_THAT(parsed("delete k 5\r\n"),
              ElementsAre("line: CLIENT_ERROR bad command line format.  Usage: delete <key> "
                          "[noreply]"));
  EXPECT_THAT(parsed("delete k 0 0\r\n"),
              ElementsAre("line: CLIENT_ERROR bad command line format.  Usage: delete <key> "
                          "[noreply]"));
}

TEST(MemcachedParser, RefusesAStorageLineAndReadsItsDataAsCommands) {
  for (const std::string_view line :
       {"set k x 0 3", "set k 0 x 3", "set k 0 0 x", "set k 0 0 -1", "set k -1 0 3",
        "set k 0 0 2147483646", "set k 0 99999999999999999999 3", "cas k 0 0 3 x",
        "cas k 0 0 3 18446744073709551616", "ms k x", "ms k -1", "ms k"}) {
    EXPECT_THAT(parsed(std::string(line) + "\r\nabc\r\n"), ElementsAre(kBadFormat, "line: ERROR"))
        << line;
  }
}

TEST(MemcachedParser, TakesTheLargestNumbers) {
  EXPECT_THAT(parsed("cas k 4294967295 2147483647 1 18446744073709551615\r\na\r\n"),
              ElementsAre("cas k=k f=4294967295 e=2147483647 c=18446744073709551615 d=0 v=a"));
}

// Numbers of 64 bits for fields of 32: memcached reads the one and keeps the other.
TEST(MemcachedParser, TakesTheLowBitsOfLargerNumbers) {
  EXPECT_THAT(parsed("set k 4294967297 2147483648 4294967297\r\na\r\n"),
              ElementsAre("set k=k f=1 e=-2147483648 c=0 d=0 v=a"));
  EXPECT_THAT(parsed("touch k 4294967306\r\n"), ElementsAre("touch k=k f=0 e=10 c=0 d=0"));
  EXPECT_THAT(parsed("set k 0 0 2147483648\r\n"), ElementsAre(kBadFormat));
  EXPECT_THAT(parsed("set k 0 9223372036854775808 1\r\n"), ElementsAre(kBadFormat));
}

TEST(MemcachedParser, LimitsTheLengthOfKeys) {
  const auto with_key = [](const std::string& before, size_t size, const std::string& after) {
    const Lines lines = parsed(before + std::string(size, 'k') + after + "\r\n");
    return lines[0].substr(0, 5) == "line:" ? lines[0] : "request";
  };
  for (const size_t size : {249, 250}) {
    EXPECT_EQ(with_key("get ", size, ""), "request");
    EXPECT_EQ(with_key("set ", size, " 0 0 1\r\na"), "request");
    EXPECT_EQ(with_key("mg ", size, " v"), "request");
  }
  for (const char* before : {"get ", "gets a ", "gat 1 ", "delete ", "mg ", "md ", "ma ", "me "}) {
    EXPECT_EQ(with_key(before, 251, ""), kBadFormat) << before;
  }
  for (const char* before : {"set ", "cas "})
    EXPECT_EQ(with_key(before, 251, " 0 0 1 1"), kBadFormat);
  EXPECT_EQ(with_key("incr ", 251, " 1"), kBadFormat);
  EXPECT_EQ(with_key("touch ", 251, " 1"), kBadFormat);
  EXPECT_EQ(with_key("ms ", 251, " 1"), kBadFormat);
}

TEST(MemcachedParser, LimitsTheFlagsOfMetaCommands) {
  const auto with_flags = [](const std::string& line, int flags) {
    std::string text = line;
    for (int i = 0; i < flags; ++i) text += " v";
    return parsed(text + "\r\n")[0];
  };
  EXPECT_EQ(with_flags("mg k", 17), "mg k=k f=0 e=0 c=0 d=0");
  EXPECT_EQ(with_flags("mg k", 18), "line: CLIENT_ERROR options flags are too long");
  EXPECT_EQ(with_flags("md k", 17), "md k=k f=0 e=0 c=0 d=0");
  EXPECT_EQ(with_flags("md k", 18), "line: CLIENT_ERROR options flags too long");
  EXPECT_EQ(with_flags("ma k", 18), "line: CLIENT_ERROR options flags too long");
  EXPECT_EQ(with_flags("ms k 1", 17), "line: CLIENT_ERROR options flags too long");
}

TEST(MemcachedParser, DropsADataBlockThatDoesNotEndWhereItShould) {
  EXPECT_THAT(
      parsed("set k 0 0 3\r\nabcdef\r\nversion\r\n"),
      ElementsAre("line: CLIENT_ERROR bad data chunk", "line: ERROR", "version f=0 e=0 c=0 d=0"));
  EXPECT_THAT(parsed("set k 0 0 3 noreply\r\nabcdef\r\n"),
              ElementsAre("silent: CLIENT_ERROR bad data chunk", "line: ERROR"));
  EXPECT_THAT(parsed("ms k 3 q\r\nabcd\r\n"),
              ElementsAre("line: CLIENT_ERROR bad data chunk", "line: ERROR"));
}

TEST(MemcachedParser, SwallowsADataBlockThatIsTooLarge) {
  const auto with_value = [](size_t size, const std::string& rest) {
    MemcachedParser parser({.value_bytes_max = 10});
    const std::string stream = "set k 0 0 " + std::to_string(size) + rest + "\r\n" +
                               std::string(size, 'x') + "\r\nversion\r\n";
    return memcached_transcript(parser, cut(stream, 7));
  };
  const std::string version = "version f=0 e=0 c=0 d=0";
  EXPECT_THAT(with_value(9, ""), ElementsAre("set k=k f=0 e=0 c=0 d=0 v=xxxxxxxxx", version));
  EXPECT_THAT(with_value(10, ""), ElementsAre("set k=k f=0 e=0 c=0 d=0 v=xxxxxxxxxx", version));
  EXPECT_THAT(with_value(11, ""),
              ElementsAre("line: SERVER_ERROR object too large for cache", version));
  EXPECT_THAT(with_value(1000, " noreply"),
              ElementsAre("silent: SERVER_ERROR object too large for cache", version));
}

TEST(MemcachedParser, KeepsTheKeyOfARefusedSet) {
  MemcachedParser parser({.value_bytes_max = 10});
  MemcachedRequest request;
  EXPECT_EQ(parser.parse("set key 0 0 11\r\n", request).status, ParseStatus::kRequest);
  EXPECT_EQ(request.command, MemcachedCommand::kSet);
  EXPECT_EQ(request.key(), "key");
}

TEST(MemcachedParser, TakesOnlyShortValuesFromStrangers) {
  const auto before_login = [](size_t size) {
    MemcachedParser parser;
    parser.set_authenticated(false);
    return memcached_transcript(
        parser, {"set k 0 0 " + std::to_string(size) + "\r\n", std::string(size, 'x') + "\r\n"})[0];
  };
  EXPECT_EQ(before_login(2047).substr(0, 3), "set");
  EXPECT_EQ(before_login(2048).substr(0, 3), "set");
  EXPECT_EQ(before_login(2049), "line: CLIENT_ERROR unauthenticated");
}

TEST(MemcachedParser, EndsTheConnectionAfterAnEndlessLine) {
  const auto with_line = [](const std::string& line, size_t piece) {
    MemcachedParser parser;
    const Lines lines = memcached_transcript(parser, cut(line + "\n", piece));
    return lines[0].substr(0, lines[0].find(' ', 7));
  };
  for (const size_t piece : {5000, 100, 1}) {
    EXPECT_EQ(with_line(std::string(2047, 'x'), piece), "line: ERROR");
    EXPECT_EQ(with_line(std::string(2048, 'x'), piece), "line: ERROR");
    EXPECT_EQ(with_line(std::string(2049, 'x'), piece), "error: CLIENT_ERROR");
  }
  EXPECT_THAT(parsed(std::string(2049, 'x')), ElementsAre("error: CLIENT_ERROR line too long"));
}

TEST(MemcachedParser, TakesLongLinesOfKeys) {
  for (const std::string command : {"get", "gets", "gat 1", "gats 1"}) {
    std::string line = command;
    while (line.size() < 100000) line += " key";
    MemcachedParser parser;
    EXPECT_EQ(memcached_transcript(parser, cut(line + "\r\n", 1000)).size(), 1u);
    EXPECT_EQ(parsed(line + "\r\n")[0].substr(0, 3), line.substr(0, 3));
  }
  std::string line = "get";
  while (line.size() <= kMemcachedKeysLineBytesMax) line += " key";
  EXPECT_THAT(parsed(line), ElementsAre("error: CLIENT_ERROR line too long"));
}

TEST(MemcachedParser, HangsUpOnHttp) {
  EXPECT_THAT(parsed("GET / HTTP/1.1\r\nHost: x\r\n"), ElementsAre("error: "));
}

TEST(MemcachedParser, SaysHowManyBytesADataBlockNeeds) {
  MemcachedParser parser;
  MemcachedRequest request;
  EXPECT_EQ(parser.parse("set k 0 0 1000\r\nabc", request).more_hint, 999u);
  EXPECT_EQ(parser.parse("set k 0 0 1000\r\nabcdefg", request).more_hint, 995u);
}

TEST(MemcachedParser, ReusesARequestWithoutTracesOfTheLast) {
  MemcachedParser parser;
  MemcachedRequest request;
  parser.parse("cas k 1 2 1 3 noreply\r\nx\r\n", request);
  parser.parse("get a\r\n", request);
  EXPECT_FALSE(request.noreply);
  EXPECT_EQ(request.flags, 0u);
  EXPECT_EQ(request.exptime, 0);
  EXPECT_EQ(request.cas, 0u);
  EXPECT_EQ(request.value, "");
  EXPECT_THAT(request.words, ElementsAre("get", "a"));
}

class MemcachedStream : public ::testing::TestWithParam<std::string> {};

TEST_P(MemcachedStream, GivesTheSameHoweverItIsCut) {
  const std::string stream = GetParam();
  const auto in_pieces = [](const Pieces& pieces) {
    MemcachedParser parser({.value_bytes_max = 20});
    return memcached_transcript(parser, pieces);
  };
  const Lines whole = in_pieces({stream});
  for (size_t at = 1; at < stream.size(); ++at) {
    const std::string_view bytes = stream;
    EXPECT_EQ(in_pieces({bytes.substr(0, at), bytes.substr(at)}), whole) << at;
  }
  for (const size_t size : {1, 2, 3, 5}) EXPECT_EQ(in_pieces(cut(stream, size)), whole) << size;
}

INSTANTIATE_TEST_SUITE_P(
    All, MemcachedStream,
    ::testing::Values("set k 7 60 5\r\nhello\r\nget k\r\ngets a b\r\nquit\r\n",
                      "cas k 0 0 3 9 noreply\r\nabc\r\nincr n 5\r\n", "ms k 2 T0\r\nab\r\nmn\r\n",
                      "set k 0 0 3\r\nabcdef\r\nversion\r\n", "set k 0 0 x\r\nabc\r\nversion\r\n",
                      "set k 0 0 21\r\nxxxxxxxxxxxxxxxxxxxxx\r\nversion\r\n", "\r\n\n\r\nget k\n",
                      "set k 0 0 1\na\r\nget k\nset k 0 0", "GET / HTTP/1.0\r\n\r\n"));

}  // namespace
}  // namespace kvorum::protocol
