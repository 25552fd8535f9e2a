// SPDX-License-Identifier: Apache-2.0
#include "server/strings/bit_fields.h"

#include "base/check.h"
#include "server/strings/bits.h"

namespace kvorum::server {
namespace {

constexpr uint8_t kBitsMax = 64;

// Wide enough for every sum of two 64-bit numbers, signed or not.
__extension__ using Wide = __int128;

struct FieldRange {
  Wide least, most;
};

FieldRange range_of(const FieldOperation& field) {
  if (!field.is_signed) return {0, (Wide{1} << field.bits) - 1};
  const Wide half = Wide{1} << (field.bits - 1);
  return {-half, half - 1};
}

// The low bits of `number`, read as a field of that kind.
int64_t low_bits(const FieldOperation& field, uint64_t number) {
  const int unused = kBitsMax - field.bits;
  const uint64_t raised = number << unused;
  if (!field.is_signed) return static_cast<int64_t>(raised >> unused);
  return static_cast<int64_t>(raised) >> unused;
}

}  // namespace

int64_t read_field(std::string_view bytes, const FieldOperation& field) {
  uint64_t number = 0;
  for (uint64_t bit = field.offset; bit <= field.last_bit(); ++bit) {
    number = number << 1 | (bit_at(bytes, bit) ? 1 : 0);
  }
  return low_bits(field, number);
}

void write_field(std::string& bytes, const FieldOperation& field, int64_t value) {
  KVORUM_CHECK(field.last_bit() / 8 < bytes.size());
  uint64_t rest = static_cast<uint64_t>(value);
  for (uint64_t bit = field.last_bit() + 1; bit-- > field.offset; rest >>= 1) {
    const uint8_t mask = static_cast<uint8_t>(0x80 >> bit % 8);
    const uint8_t byte = static_cast<uint8_t>(bytes[bit / 8]);
    bytes[bit / 8] = static_cast<char>(rest & 1 ? byte | mask : byte & ~mask);
  }
}

// A negative number that is set counts as a large one where the field has no sign.
std::optional<int64_t> new_field_value(const FieldOperation& field, int64_t before) {
  const bool adds = field.action == FieldAction::kIncrement;
  const uint64_t raw =
      static_cast<uint64_t>(field.value) + (adds ? static_cast<uint64_t>(before) : 0);
  Wide exact = field.value;
  if (adds) exact += before;
  if (!adds && !field.is_signed) exact = static_cast<uint64_t>(field.value);
  const FieldRange range = range_of(field);
  // As in Redis, where the difference to the largest wraps for the most negative numbers.
  const bool wraps = !adds && field.is_signed && range.most - exact > INT64_MAX;
  if (exact >= range.least && exact <= range.most) return static_cast<int64_t>(exact);
  switch (field.overflow) {
    case FieldOverflow::kWrap:
      return low_bits(field, raw);
    case FieldOverflow::kSaturate:
      return static_cast<int64_t>(exact > range.most || wraps ? range.most : range.least);
    case FieldOverflow::kFail:
      break;
  }
  return std::nullopt;
}

void put_field_operation(std::string& out, const FieldOperation& field) {
  put_u8(out, static_cast<uint8_t>(field.action));
  put_u8(out, static_cast<uint8_t>(field.overflow));
  put_u8(out, field.is_signed ? 1 : 0);
  put_u8(out, field.bits);
  put_varint(out, field.offset);
  put_u64(out, static_cast<uint64_t>(field.value));
}

bool get_field_operation(ByteReader& reader, FieldOperation* field) {
  if (reader.done()) return false;
  field->action = static_cast<FieldAction>(reader.u8());
  field->overflow = static_cast<FieldOverflow>(reader.u8());
  field->is_signed = reader.u8() != 0;
  field->bits = reader.u8();
  field->offset = reader.varint();
  field->value = static_cast<int64_t>(reader.u64());
  return reader.ok() && field->action <= FieldAction::kIncrement &&
         field->overflow <= FieldOverflow::kFail && field->bits >= 1 &&
         field->bits <= kBitsMax - (field->is_signed ? 0 : 1) &&
         field->offset <= UINT64_MAX - kBitsMax;
}

}  // namespace kvorum::server
