// SPDX-License-Identifier: Apache-2.0
#include "server/keys/redis_dump.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/rng.h"

namespace kvorum::server {
namespace {

constexpr uint64_t kMax = 1 << 20;

// With a right checksum, whatever the bytes are.
std::string sealed(std::string_view content, uint16_t version = kDumpVersion) {
  std::string dump(content);
  put_u16(dump, version);
  put_u64(dump, crc64(dump));
  return dump;
}

std::optional<std::string> read_sealed(std::string_view content) {
  const std::string dump = sealed(content);
  EXPECT_TRUE(is_whole_dump(dump));
  return read_dump(dump, kMax);
}

TEST(RedisDump, ChecksumOfTheUsualDigits) { EXPECT_EQ(crc64("123456789"), 0xe9c6d914c4b8d9caULL); }

// What Redis 7.0 answers to DUMP: bytes, small integers, and LZF.
TEST(RedisDump, OfRedis) {
  const auto read = [](std::string_view dump) {
    EXPECT_TRUE(is_whole_dump(dump));
    return read_dump(dump, kMax);
  };
  using namespace std::string_view_literals;
  EXPECT_EQ(read("\x00\x05hello\x0a\x00\x63\x72\xdf\x76\x65\x34\x20\x0a"sv), "hello");
  EXPECT_EQ(read("\x00\xc0\x7b\x0a\x00\x48\xe2\x53\xe1\x00\x7a\x67\xb9"sv), "123");
  EXPECT_EQ(read("\x00\xc0\xfb\x0a\x00\x49\xc4\xc6\xf4\xd7\x26\x3f\x68"sv), "-5");
  EXPECT_EQ(read("\x00\xc2\x70\x11\x01\x00\x0a\x00\x01\xa4\x08\xfe\x95\x30\x95\xa5"sv), "70000");
  EXPECT_EQ(read("\x00\x00\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda"sv), "");
  EXPECT_EQ(read("\x00\xc3\x09\x40\x64\x01\x61\x61\xe0\x57\x00\x01\x61\x61\x0a\x00\xe8\xa3\xb5\x07"
                 "\xb0\x6d\xf2\x71"sv),
            std::string(100, 'a'));
  std::string repeated;
  for (int i = 0; i < 4; ++i) repeated += "abcabcabcabcabcabcabcabcabcabcxyz";
  EXPECT_EQ(read("\x00\xc3\x17\x40\x84\x03\x61\x62\x63\x61\xe0\x11\x02\x02\x78\x79\x7a\xe0\x12\x1d"
                 "\x20\x1a\xe0\x3a\x20\x01\x79\x7a\x0a\x00\x00\x03\xfa\x03\xb3\x46\x90\xbd"sv),
            repeated);
  // A list.
  EXPECT_EQ(read("\x12\x01\x02\x0a\x0a\x00\x00\x00\x01\x00\x81\x61\x02\xff\x0a\x00\x09\xb9\xed\xf5"
                 "\x94\xde\xd9\x95"sv),
            std::nullopt);
}

TEST(RedisDump, IsReadAsItWasMade) {
  Rng rng(3);
  for (const size_t size : {0u, 1u, 63u, 64u, 16383u, 16384u, 70000u}) {
    std::string value;
    for (size_t i = 0; i < size; ++i) value.push_back(static_cast<char>(rng.below(256)));
    const std::string dump = dump_string(value);
    EXPECT_TRUE(is_whole_dump(dump));
    EXPECT_EQ(read_dump(dump, kMax), value);
  }
  for (const char* number :
       {"0", "-1", "127", "128", "-128", "-129", "32767", "32768", "2147483647", "-2147483648",
        "2147483648", "99999999999", "007", "-0", "+1"}) {
    EXPECT_EQ(read_dump(dump_string(number), kMax), number);
  }
  EXPECT_EQ(dump_string("127").size(), 13u);
}

TEST(RedisDump, DamageIsNoticed) {
  const std::string dump = dump_string("hello");
  for (size_t i = 0; i < dump.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = dump;
      damaged[i] = static_cast<char>(damaged[i] ^ 1 << bit);
      EXPECT_FALSE(is_whole_dump(damaged)) << i;
    }
  }
  for (size_t size = 0; size < dump.size(); ++size) {
    EXPECT_FALSE(is_whole_dump(dump.substr(0, size)));
  }
  EXPECT_TRUE(is_whole_dump(sealed("x", kDumpVersionNewest)));
  EXPECT_FALSE(is_whole_dump(sealed("x", kDumpVersionNewest + 1)));
}

TEST(RedisDump, LyingLengthsAreRefused) {
  using namespace std::string_view_literals;
  EXPECT_EQ(read_sealed(""), std::nullopt);
  EXPECT_EQ(read_sealed("\x00"sv), std::nullopt);
  EXPECT_EQ(read_sealed("\x00\x05hell"sv), std::nullopt);
  EXPECT_EQ(read_sealed("\x00\x80\xff\xff\xff\xff"sv), std::nullopt);
  EXPECT_EQ(read_sealed("\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff"sv), std::nullopt);
  EXPECT_EQ(read_sealed("\x00\x82\x01"sv), std::nullopt);
  EXPECT_EQ(read_sealed("\x00\xc1\x01"sv), std::nullopt);
  EXPECT_EQ(read_sealed("\x00\xc4\x01\x01"sv), std::nullopt);
  // LZF: more than the bytes can make, a copy of what is not there, too much and too little.
  EXPECT_EQ(read_sealed("\x00\xc3\x02\x80\x00\x0f\xff\xff\x00\x61"sv), std::nullopt);
  EXPECT_EQ(read_sealed("\x00\xc3\x02\x03\x20\x00"sv), std::nullopt);
  EXPECT_EQ(read_sealed("\x00\xc3\x04\x03\x00\x61\x20\x00"sv), std::nullopt);
  EXPECT_EQ(read_sealed("\x00\xc3\x02\x02\x00\x61"sv), std::nullopt);
  EXPECT_EQ(read_sealed("\x00\xc3\x04\x04\x00\x61\x20\x00"sv), "aaaa");
}

// Any bytes under a right checksum: an answer, and never a large one.
TEST(RedisDump, AnyBytesAreRead) {
  Rng rng(17);
  const std::string seeds[] = {
      dump_string("hello").substr(0, 7),
      std::string("\x00\xc3\x09\x40\x64\x01\x61\x61\xe0\x57\x00\x01\x61\x61", 14),
      std::string("\x00\xc2\x70\x11\x01\x00", 6)};
  for (int round = 0; round < 200'000; ++round) {
    std::string content = seeds[rng.below(3)];
    for (uint64_t i = rng.below(6); i > 0; --i) {
      content[rng.below(content.size())] = static_cast<char>(rng.below(256));
    }
    if (rng.below(4) == 0) content.resize(rng.below(content.size() + 1));
    const std::string dump = sealed(content);
    ASSERT_TRUE(is_whole_dump(dump));
    const std::optional<std::string> value = read_dump(dump, kMax);
    ASSERT_LE(value.value_or("").size(), kMax);
  }
}

TEST(RedisDump, OfLibraries) {
  using namespace std::string_view_literals;
  const std::string_view texts[] = {"#!lua name=a\nreturn 1", "#!lua name=b\n"};
  const std::string dump = dump_libraries(texts);
  ASSERT_TRUE(is_whole_dump(dump));
  EXPECT_EQ(read_library_dump(dump, kMax),
            std::vector<std::string>(std::begin(texts), std::end(texts)));
  EXPECT_FALSE(read_library_dump(dump, 10));
  EXPECT_FALSE(read_library_dump(dump_string("text"), kMax));
  for (size_t size = 0; size < dump.size() - 10; ++size) {
    const auto read = read_library_dump(sealed(dump.substr(0, size)), kMax);
    EXPECT_TRUE(!read || read->size() < 2) << size;
  }
  // What Redis 7.0 says where it has none.
  constexpr std::string_view kNone = "\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda"sv;
  EXPECT_TRUE(is_whole_dump(kNone));
  EXPECT_EQ(read_library_dump(kNone, kMax), std::vector<std::string>());
}

}  // namespace
}  // namespace kvorum::server
