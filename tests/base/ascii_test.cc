// SPDX-License-Identifier: Apache-2.0
#include "base/ascii.h"

#include <gtest/gtest.h>

namespace kvorum {
namespace {

TEST(Ascii, LettersAlone) {
  for (int byte = 0; byte < 256; ++byte) {
    const char letter = static_cast<char>(byte);
    const bool upper = byte >= 'A' && byte <= 'Z', lower = byte >= 'a' && byte <= 'z';
    EXPECT_EQ(to_lower(letter), upper ? static_cast<char>(byte + 32) : letter) << byte;
    EXPECT_EQ(to_upper(letter), lower ? static_cast<char>(byte - 32) : letter) << byte;
  }
}

TEST(Ascii, EqualsIgnoringCase) {
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_TRUE(equals_ignoring_case("GeT", "get"));
  EXPECT_FALSE(equals_ignoring_case("get", "gets"));
  EXPECT_FALSE(equals_ignoring_case("g@t", "g`t"));  // 32 apart, and no letters
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
}

TEST(Ascii, HexDigits) {
  const std::string_view digits = "0123456789abcdef";
  for (int byte = 0; byte < 256; ++byte) {
    const size_t place = digits.find(to_lower(static_cast<char>(byte)));
    const int expected = place == std::string_view::npos ? -1 : static_cast<int>(place);
    EXPECT_EQ(hex_digit(static_cast<char>(byte)), expected) << byte;
  }
}

TEST(Ascii, UpperCaseLeavesOtherBytes) {
  EXPECT_EQ(upper_case("config|get-1\xe9"), "CONFIG|GET-1\xe9");
  EXPECT_EQ(upper_case(""), "");
}

}  // namespace
}  // namespace kvorum
