// SPDX-License-Identifier: Apache-2.0
#include "server/keys/redis_dump.h"

#include <array>

#include "base/bytes.h"
#include "base/check.h"
#include "protocol/number_text.h"

namespace kvorum::server {
namespace {

constexpr size_t kVersionBytes = 2, kCrcBytes = 8;
constexpr size_t kFooterBytes = kVersionBytes + kCrcBytes;
constexpr uint8_t kStringType = 0, kLibraryType = 245;

// The two highest bits of the first byte say how a length, or a string, follows.
constexpr uint8_t kIn6Bits = 0x00, kIn14Bits = 0x40, kSpecial = 0xc0;
constexpr uint8_t kIn32Bits = 0x80, kIn64Bits = 0x81;
constexpr uint8_t kInt8 = 0, kInt16 = 1, kInt32 = 2, kLzf = 3;
constexpr size_t kIntegerTextMax = 11;  // longer texts are no 32-bit integers

void put_length(std::string& out, uint64_t length) {
  if (length < 1u << 6) {
    put_u8(out, static_cast<uint8_t>(kIn6Bits | length));
  } else if (length < 1u << 14) {
    put_u8(out, static_cast<uint8_t>(kIn14Bits | length >> 8));
    put_u8(out, static_cast<uint8_t>(length));
  } else if (length <= UINT32_MAX) {
    put_u8(out, kIn32Bits);
    put_u32(out, __builtin_bswap32(static_cast<uint32_t>(length)));
  } else {
    put_u8(out, kIn64Bits);
    put_u64(out, __builtin_bswap64(length));
  }
}

bool put_integer(std::string& out, int64_t number) {
  if (number == static_cast<int8_t>(number)) {
    put_u8(out, kSpecial | kInt8);
    put_u8(out, static_cast<uint8_t>(number));
  } else if (number == static_cast<int16_t>(number)) {
    put_u8(out, kSpecial | kInt16);
    put_u16(out, static_cast<uint16_t>(number));
  } else if (number == static_cast<int32_t>(number)) {
    put_u8(out, kSpecial | kInt32);
    put_u32(out, static_cast<uint32_t>(number));
  } else {
    return false;
  }
  return true;
}

// A length whose first byte was read already; a bad one fails the reader.
std::optional<uint64_t> get_length(ByteReader& reader, uint8_t first) {
  uint64_t length = 0;
  if (first < kIn14Bits) {
    length = first;
  } else if (first < kIn32Bits) {
    length = static_cast<uint64_t>(first & 0x3f) << 8 | reader.u8();
  } else if (first == kIn32Bits) {
    length = __builtin_bswap32(reader.u32());
  } else if (first == kIn64Bits) {
    length = __builtin_bswap64(reader.u64());
  } else {
    return std::nullopt;
  }
  if (!reader.ok()) return std::nullopt;
  return length;
}

std::optional<uint64_t> get_length(ByteReader& reader) { return get_length(reader, reader.u8()); }

std::optional<std::string> integer_text(int64_t number) {
  std::string text;
  protocol::append_int64(text, number);
  return text;
}

// LZF: a control byte below 32 is followed by one literal more than it says; else it begins a copy
// of what stands up to 8 KiB before, of 3 to 264 bytes. False where the bytes are none, or do not
// make `size` bytes.
bool expand_lzf(std::string_view packed, uint64_t size, std::string& out) {
  ByteReader reader(packed);
  while (!reader.done()) {
    const uint8_t control = reader.u8();
    if (control < 32) {
      out.append(reader.take(control + 1u));
    } else {
      uint64_t length = control >> 5;
      if (length == 7) length += reader.u8();
      length += 2;
      const uint64_t back = (static_cast<uint64_t>(control & 0x1f) << 8 | reader.u8()) + 1;
      if (back > out.size() || out.size() + length > size) return false;
      for (; length > 0; --length) out.push_back(out[out.size() - back]);
    }
    if (!reader.ok() || out.size() > size) return false;
  }
  return out.size() == size;
}

// What a byte of LZF makes at most: three make 264.
constexpr uint64_t kLzfGrowthMax = 88;

std::optional<std::string> get_lzf(ByteReader& reader, uint64_t value_bytes_max) {
  const std::optional<uint64_t> packed_size = get_length(reader);
  const std::optional<uint64_t> size = packed_size ? get_length(reader) : std::nullopt;
  if (!size || *size > value_bytes_max) return std::nullopt;
  const std::string_view packed = reader.take(*packed_size);
  if (!reader.ok() || *size > packed.size() * kLzfGrowthMax) return std::nullopt;
  std::string value;
  value.reserve(*size);
  if (!expand_lzf(packed, *size, value)) return std::nullopt;
  return value;
}

std::optional<std::string> get_string(ByteReader& reader, uint64_t value_bytes_max) {
  const uint8_t first = reader.u8();
  if (first >= kSpecial) {
    std::optional<std::string> value;
    switch (first & ~kSpecial) {
      case kInt8:
        value = integer_text(static_cast<int8_t>(reader.u8()));
        break;
      case kInt16:
        value = integer_text(static_cast<int16_t>(reader.u16()));
        break;
      case kInt32:
        value = integer_text(static_cast<int32_t>(reader.u32()));
        break;
      case kLzf:
        value = get_lzf(reader, value_bytes_max);
        break;
    }
    if (!reader.ok()) return std::nullopt;
    return value;
  }
  const std::optional<uint64_t> length = get_length(reader, first);
  if (!length || *length > value_bytes_max) return std::nullopt;
  const std::string_view bytes = reader.take(*length);
  if (!reader.ok()) return std::nullopt;
  return std::string(bytes);
}

constexpr std::array<uint64_t, 256> crc_table() {
  constexpr uint64_t kReflected = 0x95ac9329ac4bc9b5ULL;  // of 0xad93d23594c935a9
  std::array<uint64_t, 256> table{};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? kReflected : 0);
    table[byte] = crc;
  }
  return table;
}

void put_footer(std::string& out, uint16_t version) {
  put_u16(out, version);
  put_u64(out, crc64(out));
}

uint64_t crc_of(std::string_view dump) {
  ByteReader footer(dump.substr(dump.size() - kCrcBytes));
  return footer.u64();
}

}  // namespace

uint64_t crc64(std::string_view bytes) {
  static constexpr std::array<uint64_t, 256> kTable = crc_table();
  uint64_t crc = 0;
  for (char byte : bytes) crc = kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xff] ^ crc >> 8;
  return crc;
}

std::string dump_string(std::string_view value) {
  std::string out;
  out.reserve(value.size() + 32);
  put_u8(out, kStringType);
  const std::optional<int64_t> number =
      value.size() <= kIntegerTextMax ? protocol::parse_int64(value) : std::nullopt;
  if (!number || !put_integer(out, *number)) {
    put_length(out, value.size());
    out.append(value);
  }
  put_footer(out, kDumpVersion);
  return out;
}

bool is_whole_dump(std::string_view dump) {
  if (dump.size() < kFooterBytes) return false;
  ByteReader footer(dump.substr(dump.size() - kFooterBytes));
  if (footer.u16() > kDumpVersionNewest) return false;
  return crc64(dump.substr(0, dump.size() - kCrcBytes)) == crc_of(dump);
}

std::optional<std::string> read_dump(std::string_view dump, uint64_t value_bytes_max) {
  KVORUM_CHECK(dump.size() >= kFooterBytes);
  ByteReader reader(dump.substr(0, dump.size() - kFooterBytes));
  if (reader.u8() != kStringType || !reader.ok()) return std::nullopt;
  return get_string(reader, value_bytes_max);
}

std::string dump_libraries(std::span<const std::string_view> texts) {
  std::string out;
  for (const std::string_view text : texts) {
    put_u8(out, kLibraryType);
    put_length(out, text.size());
    out.append(text);
  }
  put_footer(out, kLibraryDumpVersion);
  return out;
}

std::optional<std::vector<std::string>> read_library_dump(std::string_view dump,
                                                          uint64_t text_bytes_max) {
  KVORUM_CHECK(dump.size() >= kFooterBytes);
  ByteReader reader(dump.substr(0, dump.size() - kFooterBytes));
  std::vector<std::string> texts;
  while (!reader.done()) {
    if (reader.u8() != kLibraryType || !reader.ok()) return std::nullopt;
    std::optional<std::string> text = get_string(reader, text_bytes_max);
    if (!text) return std::nullopt;
    texts.push_back(std::move(*text));
  }
  return texts;
}

}  // namespace kvorum::server
