// SPDX-License-Identifier: Apache-2.0
#include "server/strings/bit_fields.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace kvorum::server {
namespace {

FieldOperation field_of(bool is_signed, uint8_t bits, uint64_t offset = 0) {
  FieldOperation field;
  field.is_signed = is_signed;
  field.bits = bits;
  field.offset = offset;
  return field;
}

std::optional<int64_t> sum(FieldOperation field, int64_t before, int64_t by,
                           FieldOverflow overflow) {
  field.action = FieldAction::kIncrement;
  field.overflow = overflow;
  field.value = by;
  return new_field_value(field, before);
}

TEST(BitFields, AreReadAsTheyWereWrittenAndTouchNothingElse) {
  Rng rng(5);
  for (int round = 0; round < 3000; ++round) {
    const bool is_signed = rng.below(2) == 0;
    const uint8_t bits = static_cast<uint8_t>(1 + rng.below(is_signed ? 64 : 63));
    const FieldOperation field = field_of(is_signed, bits, rng.below(40));
    std::string bytes;
    for (int i = 0; i < 16; ++i) bytes.push_back(static_cast<char>(rng.below(256)));
    const std::string before = bytes;
    const int64_t old = read_field(bytes, field);
    const int64_t value = static_cast<int64_t>(rng.below(UINT64_MAX)) >> (64 - bits);
    const int64_t fitting =
        is_signed ? value
                  : static_cast<int64_t>(static_cast<uint64_t>(value) & (~0ULL >> (64 - bits)));
    write_field(bytes, field, fitting);
    ASSERT_EQ(read_field(bytes, field), fitting) << int{bits};
    write_field(bytes, field, old);
    ASSERT_EQ(bytes, before);
  }
}

TEST(BitFields, BehindTheEndAreZero) {
  EXPECT_EQ(read_field("\xff", field_of(false, 16)), 0xff00);
  EXPECT_EQ(read_field("\xff", field_of(true, 16)), -256);
  EXPECT_EQ(read_field("", field_of(true, 64, 1000)), 0);
}

TEST(BitFields, Overflow) {
  const FieldOperation u8 = field_of(false, 8), i8 = field_of(true, 8), i64 = field_of(true, 64);
  EXPECT_EQ(sum(u8, 250, 10, FieldOverflow::kWrap), 4);
  EXPECT_EQ(sum(u8, 250, 10, FieldOverflow::kSaturate), 255);
  EXPECT_EQ(sum(u8, 250, 10, FieldOverflow::kFail), std::nullopt);
  EXPECT_EQ(sum(u8, 5, -10, FieldOverflow::kWrap), 251);
  EXPECT_EQ(sum(u8, 5, -10, FieldOverflow::kSaturate), 0);
  EXPECT_EQ(sum(i8, 120, 10, FieldOverflow::kWrap), -126);
  EXPECT_EQ(sum(i8, 120, 10, FieldOverflow::kSaturate), 127);
  EXPECT_EQ(sum(i8, -120, -10, FieldOverflow::kSaturate), -128);
  EXPECT_EQ(sum(i64, INT64_MAX, 1, FieldOverflow::kWrap), INT64_MIN);
  EXPECT_EQ(sum(i64, INT64_MAX, 1, FieldOverflow::kSaturate), INT64_MAX);
  EXPECT_EQ(sum(i64, INT64_MIN, -1, FieldOverflow::kFail), std::nullopt);
  EXPECT_EQ(sum(i64, INT64_MIN, INT64_MAX, FieldOverflow::kFail), -1);
}

TEST(BitFields, ANegativeNumberIsLargeWithoutASign) {
  FieldOperation u8 = field_of(false, 8);
  u8.action = FieldAction::kSet;
  u8.value = -1;
  EXPECT_EQ(new_field_value(u8, 7), 255);
  u8.overflow = FieldOverflow::kSaturate;
  EXPECT_EQ(new_field_value(u8, 7), 255);
  u8.overflow = FieldOverflow::kFail;
  EXPECT_EQ(new_field_value(u8, 7), std::nullopt);
}

TEST(BitFields, TheMostNegativeNumbersSaturateUpwardsAsInRedis) {
  FieldOperation i8 = field_of(true, 8);
  i8.action = FieldAction::kSet;
  i8.overflow = FieldOverflow::kSaturate;
  i8.value = -129;
  EXPECT_EQ(new_field_value(i8, 0), -128);
  i8.value = INT64_MIN + 128;
  EXPECT_EQ(new_field_value(i8, 0), -128);
  i8.value = INT64_MIN + 127;
  EXPECT_EQ(new_field_value(i8, 0), 127);
  i8.bits = 64;
  EXPECT_EQ(new_field_value(i8, 0), INT64_MIN + 127);
}

TEST(BitFields, TravelInBytes) {
  FieldOperation field = field_of(true, 33, 1234567);
  field.action = FieldAction::kIncrement;
  field.overflow = FieldOverflow::kFail;
  field.value = -9;
  std::string bytes;
  put_field_operation(bytes, field);
  ByteReader reader(bytes);
  FieldOperation read;
  ASSERT_TRUE(get_field_operation(reader, &read));
  EXPECT_EQ(read.action, field.action);
  EXPECT_EQ(read.overflow, field.overflow);
  EXPECT_EQ(read.bits, 33);
  EXPECT_TRUE(read.is_signed);
  EXPECT_EQ(read.offset, 1234567u);
  EXPECT_EQ(read.value, -9);
  EXPECT_FALSE(get_field_operation(reader, &read));
  bytes[3] = 65;  // bits
  ByteReader damaged(bytes);
  EXPECT_FALSE(get_field_operation(damaged, &read));
  ByteReader cut(std::string_view(bytes).substr(0, 5));
  EXPECT_FALSE(get_field_operation(cut, &read));
}

}  // namespace
}  // namespace kvorum::server
