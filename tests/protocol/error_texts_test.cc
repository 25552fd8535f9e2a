// SPDX-License-Identifier: Apache-2.0
#include "protocol/error_texts.h"

#include <gtest/gtest.h>

#include <vector>

namespace kvorum::protocol {
namespace {

std::string unknown(std::vector<std::string_view> words) { return unknown_command(words); }

TEST(ErrorTexts, NameTheCommand) {
  EXPECT_EQ(wrong_number_of_arguments("get"), "ERR wrong number of arguments for 'get' command");
  EXPECT_EQ(wrong_number_of_arguments("config|get"),
            "ERR wrong number of arguments for 'config|get' command");
  EXPECT_EQ(invalid_expire_time("set"), "ERR invalid expire time in 'set' command");
  EXPECT_EQ(unknown_subcommand("foo", "CONFIG"), "ERR unknown subcommand 'foo'. Try CONFIG HELP.");
  EXPECT_EQ(bad_subcommand("foo", "CONFIG"),
            "ERR unknown subcommand or wrong number of arguments for 'foo'. Try CONFIG HELP.");
}

TEST(UnknownCommand, ShowsTheFirstArguments) {
  EXPECT_EQ(unknown({"foo"}), "ERR unknown command 'foo', with args beginning with: ");
  EXPECT_EQ(unknown({"foo", "a", "b"}),
            "ERR unknown command 'foo', with args beginning with: 'a' 'b' ");
}

TEST(UnknownCommand, CutsWhatItShowsAt128Bytes) {
  const std::string longest(128, 'x');
  const std::string head = "ERR unknown command '" + longest + "', with args beginning with: ";
  EXPECT_EQ(unknown({longest + "y"}), head);
  EXPECT_EQ(unknown({longest, longest + "y", "z"}), head + "'" + longest + "' ");
  const std::string half(100, 'h');  // with quotes and blank 103 of the 128 bytes
  EXPECT_EQ(unknown({longest, half, longest, "z"}),
            head + "'" + half + "' '" + std::string(25, 'x') + "' ");
}

TEST(UnknownCommand, StaysOneLine) {
  EXPECT_EQ(unknown({"a\r\nb", "c\nd"}),
            "ERR unknown command 'a  b', with args beginning with: 'c d' ");
}

}  // namespace
}  // namespace kvorum::protocol
