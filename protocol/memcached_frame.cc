// SPDX-License-Identifier: Apache-2.0
#include "protocol/memcached_frame.h"

#include "base/check.h"

namespace kvorum::protocol {
namespace {

using Opcode = MemcachedOpcode;
using Status = MemcachedStatus;

constexpr char kResponseMagic = '\x81';
constexpr size_t kFlagsBytes = 4;

template <class Number>
void append_big_endian(Number number, std::string& out) {
  for (size_t i = sizeof(Number); i > 0; --i) {
    out.push_back(static_cast<char>(number >> (8 * (i - 1)) & 0xff));
  }
}

// Whether a success shows the flags of an item.
bool reads(Opcode command) {
  return command == Opcode::kGet || command == Opcode::kGetK || command == Opcode::kTouch ||
         command == Opcode::kGat || command == Opcode::kGatK;
}

}  // namespace

MemcachedOpcode loud(MemcachedOpcode opcode) {
  switch (opcode) {
    case Opcode::kGetQ:
      return Opcode::kGet;
    case Opcode::kGetKQ:
      return Opcode::kGetK;
    case Opcode::kSetQ:
      return Opcode::kSet;
    case Opcode::kAddQ:
      return Opcode::kAdd;
    case Opcode::kReplaceQ:
      return Opcode::kReplace;
    case Opcode::kDeleteQ:
      return Opcode::kDelete;
    case Opcode::kIncrementQ:
      return Opcode::kIncrement;
    case Opcode::kDecrementQ:
      return Opcode::kDecrement;
    case Opcode::kQuitQ:
      return Opcode::kQuit;
    case Opcode::kFlushQ:
      return Opcode::kFlush;
    case Opcode::kAppendQ:
      return Opcode::kAppend;
    case Opcode::kPrependQ:
      return Opcode::kPrepend;
    case Opcode::kGatQ:
      return Opcode::kGat;
    case Opcode::kGatKQ:
      return Opcode::kGatK;
    default:
      return opcode;
  }
}

std::string_view text_of(MemcachedStatus status) {
  switch (status) {
    case Status::kOk:
    case Status::kAuthContinue:
      return {};
    case Status::kNotFound:
      return "Not found";
    case Status::kExists:
      return "Data exists for key.";
    case Status::kTooLarge:
      return "Too large.";
    case Status::kInvalid:
      return "Invalid arguments";
    case Status::kNotStored:
      return "Not stored.";
    case Status::kNotANumber:
      return "Non-numeric server-side value for incr or decr";
    case Status::kAuthFailed:
      return "Auth failure.";
    case Status::kUnknownCommand:
      return "Unknown command";
    case Status::kNoMemory:
      return "Out of memory";
    case Status::kInternal:
      return "Internal error";
    case Status::kTemporary:
      return "Temporary failure";
  }
  return {};
}

void append_echo(const MemcachedEcho& echo, std::string& out) {
  out.push_back(static_cast<char>(echo.opcode));
  append_big_endian(echo.opaque, out);
  out.append(echo.key);
}

MemcachedEcho read_echo(std::string_view bytes) {
  KVORUM_CHECK(bytes.size() >= MemcachedEcho::kBytes);
  return {static_cast<uint8_t>(bytes[0]), read_big_endian<uint32_t>(bytes, 1),
          bytes.substr(MemcachedEcho::kBytes)};
}

MemcachedEcho echo_of_header(std::string_view input) {
  std::string header(input.substr(0, kMemcachedHeaderBytes));
  header.resize(kMemcachedHeaderBytes);
  return {static_cast<uint8_t>(header[1]), read_big_endian<uint32_t>(header, 12), {}};
}

void append_binary_head(const MemcachedResponse& response, std::string& out) {
  const bool done = response.status == Status::kOk;
  const bool shows_flags = done && reads(loud(static_cast<Opcode>(response.echo.opcode)));
  const bool shows_key = done || response.status == Status::kNotFound;
  const std::string_view key = shows_key ? response.echo.key : std::string_view();
  const size_t extras_bytes = shows_flags ? kFlagsBytes : 0;
  out.push_back(kResponseMagic);
  out.push_back(static_cast<char>(response.echo.opcode));
  append_big_endian(static_cast<uint16_t>(key.size()), out);
  out.push_back(static_cast<char>(extras_bytes));
  out.push_back(0);  // the type of data: bytes
  append_big_endian(static_cast<uint16_t>(response.status), out);
  append_big_endian(static_cast<uint32_t>(extras_bytes + key.size() + response.text.size()), out);
  append_big_endian(response.echo.opaque, out);
  append_big_endian(response.cas, out);
  if (shows_flags) append_big_endian(response.flags, out);
  out.append(key);
}

void append_binary_stat(uint32_t opaque, std::string_view name, std::string_view value,
                        std::string& out) {
  const uint8_t opcode = static_cast<uint8_t>(Opcode::kStat);
  append_binary_head({{opcode, opaque, name}, Status::kOk, 0, 0, value}, out);
  out.append(value);
}

}  // namespace kvorum::protocol
