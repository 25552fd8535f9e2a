// SPDX-License-Identifier: Apache-2.0
// A record whose large body is in a file of its own (large_files.h), as the store keeps it:
//
//   | kFiledMark u8 | id u64 | bytes u64 | checksum u64 | portable record without its body |
//
// What begins otherwise is a whole portable record: none begins with the mark (RecordCodec).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::engine {

inline constexpr uint8_t kFiledMark = 0x80;

struct FileReference {
  uint64_t id = 0;  // 0: there is no file
  uint64_t bytes = 0;
  uint64_t checksum = 0;  // XXH64

  bool exists() const { return id != 0; }
  bool operator==(const FileReference&) const = default;
};

// What stands before the portable record.
inline void put_file_reference(std::string& out, const FileReference& file) {
  KVORUM_CHECK(file.exists());
  put_u8(out, kFiledMark);
  put_u64(out, file.id);
  put_u64(out, file.bytes);
  put_u64(out, file.checksum);
}

// Takes it off a value of the store, if there is one. False where it makes no sense.
inline bool take_file_reference(std::string_view& value, FileReference* file) {
  *file = {};
  if (value.empty() || static_cast<uint8_t>(value.front()) != kFiledMark) return true;
  ByteReader reader(value);
  reader.u8();
  file->id = reader.u64();
  file->bytes = reader.u64();
  file->checksum = reader.u64();
  value = reader.rest();
  return reader.ok() && file->exists();
}

}  // namespace kvorum::engine
