// SPDX-License-Identifier: Apache-2.0
// Integers of 1 to 64 bits at any bit of a byte string, as BITFIELD sees it: reading, writing, and
// what a sum that does not fit becomes. Also how a list of such operations travels in the argument
// of an edit, and its results in a reply. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace kvorum::server {

enum class FieldAction : uint8_t { kGet, kSet, kIncrement };
enum class FieldOverflow : uint8_t { kWrap, kSaturate, kFail };

struct FieldOperation {
  FieldAction action = FieldAction::kGet;
  FieldOverflow overflow = FieldOverflow::kWrap;
  bool is_signed = false;
  uint8_t bits = 1;  // 1 to 63, signed ones to 64
  uint64_t offset = 0;
  int64_t value = 0;  // to set, or to add

  uint64_t last_bit() const { return offset + bits - 1; }
};

// Zero bits behind the end.
int64_t read_field(std::string_view bytes, const FieldOperation& field);
// REQUIRES: the field lies within the bytes.
void write_field(std::string& bytes, const FieldOperation& field, int64_t value);

// What `before` becomes by kSet or kIncrement; nothing where it does not fit and shall fail.
std::optional<int64_t> new_field_value(const FieldOperation& field, int64_t before);

void put_field_operation(std::string& out, const FieldOperation& field);
// False at the end, and where the bytes are damaged.
bool get_field_operation(ByteReader& reader, FieldOperation* field);

}  // namespace kvorum::server
