// SPDX-License-Identifier: Apache-2.0
#include "protocol/number_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace kvorum::protocol {
namespace {

std::string human(long double value) {
  std::string text;
  append_human_long_double(text, value);
  return text;
}

TEST(ParseInt64, TakesTheOneWayToWriteANumber) {
  EXPECT_EQ(parse_int64("0"), 0);
  EXPECT_EQ(parse_int64("1"), 1);
  EXPECT_EQ(parse_int64("-1"), -1);
  EXPECT_EQ(parse_int64("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(parse_int64("-9223372036854775808"), std::numeric_limits<int64_t>::min());
}

TEST(ParseInt64, RefusesAllOthers) {
  for (const std::string_view bad : {"",
                                     "-",
                                     "+",
                                     "+1",
                                     "-0",
                                     "00",
                                     "01",
                                     "-01",
                                     " 1",
                                     "1 ",
                                     "1x",
                                     "x",
                                     "1.0",
                                     "0x1",
                                     "--1",
                                     "9223372036854775808",
                                     "-9223372036854775809",
                                     "99999999999999999999",
                                     "18446744073709551616",
                                     "1\n"}) {
    EXPECT_EQ(parse_int64(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_int64(std::string_view("1\0", 2)), std::nullopt);
}

// Each of these was asked of memcached 1.6.18.
TEST(ParseLax, CountsAsMemcachedDoes) {
  using Text = std::string_view;
  for (const Text twelve :
       {Text("12"), Text("12 "), Text(" 12"), Text("12\n"), Text("+12"), Text("\t12"), Text("12 x"),
        Text("12\tx"), Text("00012"), Text("12\0x", 4), Text("\v\f\r12"), Text("\r\n +12\r\n")}) {
    EXPECT_EQ(parse_lax_uint64(twelve), 12u) << twelve;
    EXPECT_EQ(parse_lax_int64(twelve), 12) << twelve;
  }
  for (const Text bad : {Text("12x"), Text(""), Text(" "), Text("+"), Text("-"), Text("+ 5"),
                         Text("--5"), Text("+-5"), Text("0x10"), Text("x"), Text("1.5"),
                         Text("\0"
                              "12",
                              3),
                         Text("99999999999999999999999")}) {
    EXPECT_EQ(parse_lax_uint64(bad), std::nullopt) << bad;
    EXPECT_EQ(parse_lax_int64(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_lax_uint64("-0"), 0u);
  EXPECT_EQ(parse_lax_uint64("-9223372036854775808"), std::nullopt);
  EXPECT_EQ(parse_lax_uint64("-9223372036854775809"), 9223372036854775807u);
  EXPECT_EQ(parse_lax_uint64("+18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(parse_lax_int64("-9223372036854775809"), std::nullopt);
}

TEST(ParseLax, TakesLeadingZeros) {
  EXPECT_EQ(parse_lax_uint64("007"), 7u);
  EXPECT_EQ(parse_lax_uint64("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(parse_lax_uint64("18446744073709551616"), std::nullopt);
  EXPECT_EQ(parse_lax_uint64("-1"), std::nullopt);
  EXPECT_EQ(parse_lax_uint64(""), std::nullopt);
  EXPECT_EQ(parse_lax_int64("-007"), -7);
  EXPECT_EQ(parse_lax_int64("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(parse_lax_int64("9223372036854775808"), std::nullopt);
  EXPECT_EQ(parse_lax_int64("-"), std::nullopt);
}

TEST(ParseLongDouble, TakesWhatStrtoldTakes) {
  EXPECT_EQ(parse_long_double("3.25"), 3.25L);
  EXPECT_EQ(parse_long_double("-1e3"), -1000.0L);
  EXPECT_EQ(parse_long_double("+.5"), 0.5L);
  EXPECT_EQ(parse_long_double("0x10"), 16.0L);
  EXPECT_EQ(parse_long_double("inf"), std::numeric_limits<long double>::infinity());
  EXPECT_EQ(parse_long_double("-Infinity"), -std::numeric_limits<long double>::infinity());
  EXPECT_EQ(parse_long_double("0.1"), 0.1L);
}

TEST(ParseLongDouble, RefusesBlanksRestsNanAndLossToZeroOrInfinity) {
  for (const std::string_view bad :
       {"", " 1", "1 ", "1x", "nan", "-nan", "1e9999", "-1e9999", "1e-9999", "x", ".", "1,5"}) {
    EXPECT_EQ(parse_long_double(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_long_double(std::string_view("1\0", 2)), std::nullopt);
  EXPECT_EQ(parse_long_double(std::string(6000, '1')), std::nullopt);
}

TEST(AppendInteger, WritesTheExtremes) {
  std::string text;
  append_int64(text, std::numeric_limits<int64_t>::min());
  text += ' ';
  append_int64(text, std::numeric_limits<int64_t>::max());
  text += ' ';
  append_uint64(text, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(text, "-9223372036854775808 9223372036854775807 18446744073709551615");
}

TEST(AppendHumanLongDouble, NeverWritesAnExponentOrNeedlessZeros) {
  EXPECT_EQ(human(10.5L), "10.5");
  EXPECT_EQ(human(0.1L + 0.2L), "0.3");
  EXPECT_EQ(human(3.0L), "3");
  EXPECT_EQ(human(5.0e3L), "5000");
  EXPECT_EQ(human(-0.0L), "0");
  EXPECT_EQ(human(1e-20L), "0");
  EXPECT_EQ(human(1e20L), "100000000000000000000");
  EXPECT_EQ(human(std::numeric_limits<long double>::max()).size(), 4933u);
  EXPECT_EQ(human(std::numeric_limits<long double>::infinity()), "inf");
  EXPECT_EQ(human(-std::numeric_limits<long double>::infinity()), "-inf");
}

}  // namespace
}  // namespace kvorum::protocol
