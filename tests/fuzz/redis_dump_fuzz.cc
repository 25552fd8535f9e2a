// SPDX-License-Identifier: Apache-2.0
// Any bytes as what RESTORE gets, as they are and under a right checksum; and as the operations of
// BITFIELD that another node sends.
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "server/keys/redis_dump.h"
#include "server/strings/bit_fields.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {
namespace {

using namespace kvorum::server;  // NOLINT: half of it is under test here

constexpr uint64_t kValueBytesMaxHere = 1 << 16;

void check_dump(std::string_view dump) {
  if (!is_whole_dump(dump)) return;
  const std::optional<std::string> value = read_dump(dump, kValueBytesMaxHere);
  if (!value) return;
  KVORUM_CHECK(value->size() <= kValueBytesMaxHere);
  const std::string again = dump_string(*value);
  KVORUM_CHECK(is_whole_dump(again));
  KVORUM_CHECK(read_dump(again, kValueBytesMaxHere) == value);
}

void check_fields(std::string_view bytes) {
  FieldOperation field;
  for (ByteReader reader(bytes); get_field_operation(reader, &field);) {
    const int64_t before = read_field(bytes, field);
    const std::optional<int64_t> after = new_field_value(field, before);
    if (!after || field.last_bit() / 8 >= bytes.size()) continue;
    std::string changed(bytes);
    write_field(changed, field, *after);
    KVORUM_CHECK(read_field(changed, field) == *after);
  }
}

void fuzz_redis_dump(std::string_view input) {
  check_dump(input);
  std::string sealed(input);
  put_u16(sealed, kDumpVersion);
  put_u64(sealed, crc64(sealed));
  check_dump(sealed);
  check_fields(input);
}

const RegisterFuzzTarget kRegistered("redis_dump_fuzz", &fuzz_redis_dump);

}  // namespace
}  // namespace kvorum::fuzz
