// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace kvorum {
namespace {

constexpr uint64_t kLargest = std::numeric_limits<uint64_t>::max();

TEST(Bytes, FixedNumbersAreLittleEndian) {
  std::string out;
  put_u8(out, 0x01);
  put_u16(out, 0x0302);
  put_u32(out, 0x07060504);
  put_u64(out, 0x0f0e0d0c0b0a0908);
  EXPECT_EQ(out, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");

  ByteReader reader(out);
  EXPECT_EQ(reader.u8(), 0x01);
  EXPECT_EQ(reader.u16(), 0x0302);
  EXPECT_EQ(reader.u32(), 0x07060504u);
  EXPECT_EQ(reader.u64(), 0x0f0e0d0c0b0a0908u);
  EXPECT_TRUE(reader.ok());
  EXPECT_TRUE(reader.done());
}

TEST(Bytes, BigEndianBytesSortLikeTheirNumbers) {
  std::string small, large;
  put_u64_big_endian(small, 0x00000000000000ff);
  put_u64_big_endian(large, 0x0000000000000100);
  EXPECT_LT(small, large);
  EXPECT_EQ(ByteReader(large).u64_big_endian(), 0x100u);
}

TEST(Bytes, VarintsAreAsShortAsTheirNumberAllows) {
  const std::vector<std::pair<uint64_t, size_t>> sizes = {
      {0, 1}, {127, 1}, {128, 2}, {16383, 2}, {16384, 3}, {kLargest >> 1, 9}, {kLargest, 10}};
  for (const auto& [value, size] : sizes) {
    std::string out;
    put_varint(out, value);
    EXPECT_EQ(out.size(), size) << value;
    ByteReader reader(out);
    EXPECT_EQ(reader.varint(), value);
    EXPECT_TRUE(reader.ok() && reader.done()) << value;
  }
}

TEST(Bytes, AVarintThatDoesNotFitIsRefused) {
  for (const char* last : {"\x02", "\x7f", "\x80\x00"}) {
    const std::string text = std::string(9, '\xff') + last;
    ByteReader reader(text);
    EXPECT_EQ(reader.varint(), 0u);
    EXPECT_FALSE(reader.ok());
  }
}

TEST(Bytes, AVarintThatEndsEarlyIsRefused) {
  ByteReader reader("\xff\xff");
  EXPECT_EQ(reader.varint(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, LengthPrefixedBytesComeBack) {
  const std::string value(300, 'v');
  std::string out;
  put_bytes(out, "");
  put_bytes(out, value);
  ByteReader reader(out);
  EXPECT_EQ(reader.bytes(), "");
  EXPECT_EQ(reader.bytes(), value);
  EXPECT_TRUE(reader.ok() && reader.done());
}

TEST(ByteReader, RefusesALengthBeyondTheEnd) {
  std::string out;
  put_varint(out, kLargest);
  out += "abc";
  ByteReader reader(out);
  EXPECT_EQ(reader.bytes(), "");
  EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, AfterABadReadEverythingIsEmpty) {
  ByteReader reader("\x01\x02\x03");
  EXPECT_EQ(reader.u32(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0u);
  EXPECT_EQ(reader.take(0), "");
  EXPECT_EQ(reader.varint(), 0u);
  EXPECT_EQ(reader.rest(), "");
}

TEST(ByteReader, EveryCutOfARecordIsRefused) {
  std::string record;
  put_u16(record, 7);
  put_bytes(record, "key");
  put_varint(record, 1u << 20);
  put_u64(record, 9);
  for (size_t size = 0; size < record.size(); ++size) {
    ByteReader reader(std::string_view(record).substr(0, size));
    reader.u16();
    reader.bytes();
    reader.varint();
    reader.u64();
    EXPECT_FALSE(reader.ok()) << size;
  }
}

}  // namespace
}  // namespace kvorum
