// SPDX-License-Identifier: Apache-2.0
// Frames of memcached's binary protocol: a header of 24 bytes, then extras, key and value; and how
// responses are written. Pure values.
//
//   magic u8, opcode u8, key length u16, length of extras u8, data type u8, vbucket or status u16,
//   length of extras, key and value u32, opaque u32, cas u64; big endian
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvorum::protocol {

// Of the first byte of a connection; no command of the text protocol begins with it.
inline constexpr char kMemcachedBinaryMagic = '\x80';
inline constexpr size_t kMemcachedHeaderBytes = 24;

enum class MemcachedOpcode : uint8_t {
  kGet = 0x00,
  kSet = 0x01,
  kAdd = 0x02,
  kReplace = 0x03,
  kDelete = 0x04,
  kIncrement = 0x05,
  kDecrement = 0x06,
  kQuit = 0x07,
  kFlush = 0x08,
  kGetQ = 0x09,
  kNoop = 0x0a,
  kVersion = 0x0b,
  kGetK = 0x0c,
  kGetKQ = 0x0d,
  kAppend = 0x0e,
  kPrepend = 0x0f,
  kStat = 0x10,
  kSetQ = 0x11,
  kAddQ = 0x12,
  kReplaceQ = 0x13,
  kDeleteQ = 0x14,
  kIncrementQ = 0x15,
  kDecrementQ = 0x16,
  kQuitQ = 0x17,
  kFlushQ = 0x18,
  kAppendQ = 0x19,
  kPrependQ = 0x1a,
  kVerbosity = 0x1b,
  kTouch = 0x1c,
  kGat = 0x1d,
  kGatQ = 0x1e,
  kSaslList = 0x20,
  kSaslAuth = 0x21,
  kSaslStep = 0x22,
  kGatK = 0x23,
  kGatKQ = 0x24,
};

enum class MemcachedStatus : uint8_t {
  kOk = 0x00,
  kNotFound = 0x01,
  kExists = 0x02,
  kTooLarge = 0x03,
  kInvalid = 0x04,
  kNotStored = 0x05,
  kNotANumber = 0x06,
  kAuthFailed = 0x20,
  kAuthContinue = 0x21,
  kUnknownCommand = 0x81,
  kNoMemory = 0x82,
  kInternal = 0x84,
  kTemporary = 0x86,
};

// What memcached says of a status; empty for kOk and kAuthContinue.
std::string_view text_of(MemcachedStatus status);

// What a response repeats of its request, and the bytes that it is kept as while operations run.
struct MemcachedEcho {
  uint8_t opcode = 0;
  uint32_t opaque = 0;        // as it came
  std::string_view key = {};  // getk and gatk repeat it, also of what is not found

  static constexpr size_t kBytes = 5;  // without the key
};
void append_echo(const MemcachedEcho& echo, std::string& out);
// REQUIRES: append_echo() made it.
MemcachedEcho read_echo(std::string_view bytes);

// Of the first bytes of a request; what has not arrived of them counts as zero.
MemcachedEcho echo_of_header(std::string_view input);

struct MemcachedResponse {
  MemcachedEcho echo;
  MemcachedStatus status = MemcachedStatus::kOk;
  uint64_t cas = 0;
  uint32_t flags = 0;  // shown by successful get, gat and touch
  std::string_view text;
};
// All but the text.
void append_binary_head(const MemcachedResponse& response, std::string& out);
// `stat` answers a frame per name, and an empty one behind the last.
void append_binary_stat(uint32_t opaque, std::string_view name, std::string_view value,
                        std::string& out);

// The loud form of a quiet command; of others nothing changes.
MemcachedOpcode loud(MemcachedOpcode opcode);

// The number that begins there. REQUIRES: its bytes are there.
template <class Number>
Number read_big_endian(std::string_view bytes, size_t at) {
  Number number = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) {
    number = static_cast<Number>(number << 8 | static_cast<unsigned char>(bytes[at + i]));
  }
  return number;
}

}  // namespace kvorum::protocol
