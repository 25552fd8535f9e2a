// SPDX-License-Identifier: Apache-2.0
// The bytes that DUMP answers and RESTORE takes: one value as Redis's RDB format has it, its
// version, and a CRC-64.
//
//   | type 1 | string | version 2 | crc 8 |     numbers of the footer: little-endian
//
// A string is a length and bytes, a small integer (when its text is short), or LZF. We write
// the first two, and read all three. Other types are refused. Pure; nothing that is read allocates
// more than `value_bytes_max`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvorum::server {

inline constexpr uint16_t kDumpVersion = 11;         // of Redis 7.2, which we write
inline constexpr uint16_t kLibraryDumpVersion = 10;  // of Redis 7.0, which has the same libraries
inline constexpr uint16_t kDumpVersionNewest =
    12;  // of Redis 7.4 and 8, whose strings are the same

std::string dump_string(std::string_view value);

// The version is known, and the checksum is right.
bool is_whole_dump(std::string_view dump);
// REQUIRES: is_whole_dump(). Nothing where it holds no string, or a damaged one.
std::optional<std::string> read_dump(std::string_view dump, uint64_t value_bytes_max);

// The texts of libraries of functions, as FUNCTION DUMP has them.
std::string dump_libraries(std::span<const std::string_view> texts);
// REQUIRES: is_whole_dump(). Nothing where it holds something else.
std::optional<std::vector<std::string>> read_library_dump(std::string_view dump,
                                                          uint64_t text_bytes_max);

// Redis's: polynomial 0xad93d23594c935a9, reflected, begun with zero, not inverted.
uint64_t crc64(std::string_view bytes);

}  // namespace kvorum::server
