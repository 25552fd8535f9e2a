// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_values.h"

#include <gtest/gtest.h>

#include <array>

namespace kvorum::server {
namespace {

TEST(ConfigValues, Durations) {
  EXPECT_EQ(parse_duration_ms("100ms").value(), 100);
  EXPECT_EQ(parse_duration_ms("1s").value(), 1000);
  EXPECT_EQ(parse_duration_ms("5M").value(), 300000);
  EXPECT_EQ(parse_duration_ms("2h").value(), 7200000);
  EXPECT_EQ(parse_duration_ms("1d").value(), 86400000);
  EXPECT_EQ(parse_duration_ms("-3s").value(), -3000);
  EXPECT_EQ(parse_duration_ms("0").value(), 0);
  for (const char* text : {"", "-", "s", "1", "1.5s", "1 s", "--1s", "1sec", "9223372036854775807s",
                           "18446744073709551616ms"}) {
    EXPECT_FALSE(parse_duration_ms(text).ok()) << text;
  }
}

TEST(ConfigValues, Sizes) {
  EXPECT_EQ(parse_size("512").value(), 512U);
  EXPECT_EQ(parse_size("1b").value(), 1U);
  EXPECT_EQ(parse_size("64KB").value(), 65536U);
  EXPECT_EQ(parse_size("1gb").value(), 1ULL << 30);
  EXPECT_EQ(parse_size("2tb").value(), 2ULL << 40);
  for (const char* text : {"", "mb", "-1mb", "1.5gb", "1m", "8388608tb"}) {
    EXPECT_FALSE(parse_size(text).ok()) << text;
  }
}

TEST(ConfigValues, TextsAreReadBack) {
  for (const int64_t ms : {0LL, 1LL, 999LL, 1000LL, 90000LL, 3600000LL, 86400000LL, -5000LL}) {
    EXPECT_EQ(parse_duration_ms(duration_text(ms)).value(), ms) << duration_text(ms);
  }
  EXPECT_EQ(duration_text(90000), "90s");
  EXPECT_EQ(duration_text(-7200000), "-2h");
  for (const uint64_t bytes : {0ULL, 1ULL, 1023ULL, 1024ULL, 3ULL << 20, 1ULL << 50}) {
    EXPECT_EQ(parse_size(size_text(bytes)).value(), bytes) << size_text(bytes);
  }
  EXPECT_EQ(size_text(1536ULL << 20), "1536mb");
}

TEST(ConfigValues, Names) {
  EXPECT_TRUE(is_plain_name("a.B_9-z"));
  EXPECT_TRUE(is_plain_name(std::string(64, 'x')));
  for (const std::string& text : {std::string(), std::string("a b"), std::string("a/b"),
                                  std::string("\xc3\xa4"), std::string(65, 'x')}) {
    EXPECT_FALSE(is_plain_name(text)) << text;
  }
}

TEST(ConfigValues, EditDistanceCountsExchangedNeighboursOnce) {
  EXPECT_EQ(edit_distance("redsi", "redis"), 1U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("same", "same"), 0U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("ab", "ba"), 1U);
}

TEST(ConfigValues, TheNearestIsNearOrNone) {
  constexpr std::array<std::string_view, 3> kWords{"redis", "memcached", "r"};
  EXPECT_EQ(nearest("redi", kWords), "redis");
  EXPECT_EQ(nearest("REDIS", kWords), "redis");
  EXPECT_EQ(nearest("memcache", kWords), "memcached");
  EXPECT_EQ(nearest("xyz", kWords), std::nullopt);
  EXPECT_EQ(nearest("w", kWords), std::nullopt);  // one letter is no evidence
  EXPECT_EQ(nearest(std::string(100000, 'r'), kWords), std::nullopt);
  EXPECT_EQ(suggestion("xyz", kWords), "; known are redis, memcached, r");
}

}  // namespace
}  // namespace kvorum::server
