// SPDX-License-Identifier: Apache-2.0
#include "protocol/number_text.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace kvorum::protocol {
namespace {

std::string double_text(double value) {
  std::string text;
  append_double(text, value);
  return text;
}

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

TEST(ParseDouble, TakesWhatStrtodTakes) {
  EXPECT_EQ(parse_double("3.25"), 3.25);
  EXPECT_EQ(parse_double("-1e3"), -1000.0);
  EXPECT_EQ(parse_double("+.5"), 0.5);
  EXPECT_EQ(parse_double("0x10"), 16.0);
  EXPECT_EQ(parse_double("inf"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_double("-Infinity"), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_long_double("0.1"), 0.1L);
}

TEST(ParseDouble, RefusesBlanksRestsNanAndLossToZeroOrInfinity) {
  for (const std::string_view bad :
       {"", " 1", "1 ", "1x", "nan", "-nan", "1e999", "-1e999", "1e-999", "x", ".", "1,5"}) {
    EXPECT_EQ(parse_double(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_double(std::string_view("1\0", 2)), std::nullopt);
  EXPECT_EQ(parse_double(std::string(6000, '1')), std::nullopt);
  EXPECT_EQ(parse_long_double("nan"), std::nullopt);
  EXPECT_EQ(parse_long_double(" 1"), std::nullopt);
}

TEST(ParseMemorySize, KnowsBothKindsOfUnits) {
  EXPECT_EQ(parse_memory_size("0"), 0u);
  EXPECT_EQ(parse_memory_size("100"), 100u);
  EXPECT_EQ(parse_memory_size("100B"), 100u);
  EXPECT_EQ(parse_memory_size("1k"), 1000u);
  EXPECT_EQ(parse_memory_size("1Kb"), 1024u);
  EXPECT_EQ(parse_memory_size("2m"), 2000000u);
  EXPECT_EQ(parse_memory_size("2MB"), 2097152u);
  EXPECT_EQ(parse_memory_size("3g"), 3000000000u);
  EXPECT_EQ(parse_memory_size("3gb"), 3221225472u);
}

TEST(ParseMemorySize, RefusesOtherUnitsSignsAndOverflow) {
  for (const std::string_view bad : {"", "mb", "-1", "1tb", "1 mb", "1kbb", "1.5gb",
                                     "18446744073709551616", "18446744073709551615kb"}) {
    EXPECT_EQ(parse_memory_size(bad), std::nullopt) << bad;
  }
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

// The texts are those of Redis 7.2 for the same scores.
TEST(AppendDouble, WritesAsRedisDoes) {
  EXPECT_EQ(double_text(0), "0");
  EXPECT_EQ(double_text(-0.0), "-0");
  EXPECT_EQ(double_text(1), "1");
  EXPECT_EQ(double_text(-17), "-17");
  EXPECT_EQ(double_text(3.14), "3.14");
  EXPECT_EQ(double_text(-3.5), "-3.5");
  EXPECT_EQ(double_text(0.1), "0.1");
  EXPECT_EQ(double_text(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(double_text(123456.789), "123456.789");
  EXPECT_EQ(double_text(0.000001), "0.000001");
  EXPECT_EQ(double_text(0.0000001), "1e-7");
  EXPECT_EQ(double_text(0.00000015), "1.5e-7");
  EXPECT_EQ(double_text(4e18), "4000000000000000000");
  EXPECT_EQ(double_text(1e19), "1e+19");
  EXPECT_EQ(double_text(1.5e300), "1.5e+300");
  EXPECT_EQ(double_text(-1.7976931348623157e308), "-1.7976931348623157e+308");
  EXPECT_EQ(double_text(5e-324), "5e-324");
  EXPECT_EQ(double_text(1.2345678901234567e19), "12345678901234567000");
  EXPECT_EQ(double_text(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(double_text(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(double_text(std::numeric_limits<double>::quiet_NaN()), "nan");
}

TEST(AppendDouble, WritesWhatReadsBackAsTheSameNumber) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (std::isnan(value)) continue;
    const std::string text = double_text(value);
    ASSERT_EQ(parse_double(text), value) << text;
    ASSERT_LE(text.size(), kDoubleTextMax);
  }
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
