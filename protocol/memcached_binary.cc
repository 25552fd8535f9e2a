// SPDX-License-Identifier: Apache-2.0
#include "protocol/memcached_binary.h"

#include <algorithm>

namespace kvorum::protocol {
namespace {

using Opcode = MemcachedOpcode;
using Status = MemcachedStatus;

constexpr size_t kFlagsBytes = 4, kStoreExtrasBytes = 8, kCountExtrasBytes = 20;
constexpr uint32_t kCreatesNothing = 0xffffffff;  // the exptime of increment and decrement

// What a command is made of.
enum class Shape : uint8_t {
  kUnknown,
  kEmpty,
  kKey,
  kStore,  // flags and exptime, key, value
  kJoin,   // key, value
  kCount,
  kTouch,
  kFlush,
  kAnyKey,  // or none
  kLogin,   // mechanism, credentials
};

Shape shape_of(Opcode command) {
  switch (command) {
    case Opcode::kGet:
    case Opcode::kGetK:
    case Opcode::kDelete:
      return Shape::kKey;
    case Opcode::kSet:
    case Opcode::kAdd:
    case Opcode::kReplace:
      return Shape::kStore;
    case Opcode::kAppend:
    case Opcode::kPrepend:
      return Shape::kJoin;
    case Opcode::kIncrement:
    case Opcode::kDecrement:
      return Shape::kCount;
    case Opcode::kTouch:
    case Opcode::kGat:
    case Opcode::kGatK:
      return Shape::kTouch;
    case Opcode::kFlush:
      return Shape::kFlush;
    case Opcode::kQuit:
    case Opcode::kNoop:
    case Opcode::kVersion:
    case Opcode::kSaslList:
      return Shape::kEmpty;
    case Opcode::kStat:
      return Shape::kAnyKey;
    case Opcode::kSaslAuth:
    case Opcode::kSaslStep:
      return Shape::kLogin;
    default:
      return Shape::kUnknown;
  }
}

bool may_be_asked_by_anybody(Opcode command) {
  return command == Opcode::kVersion || command == Opcode::kSaslList ||
         command == Opcode::kSaslAuth || command == Opcode::kSaslStep;
}

}  // namespace

struct MemcachedBinaryParser::Header {
  uint16_t key_bytes;
  uint8_t extras_bytes;
  uint32_t body_bytes;

  size_t parts() const { return size_t{key_bytes} + extras_bytes; }
  size_t value_bytes() const { return body_bytes - parts(); }
  bool fits(Shape shape) const;
};

bool MemcachedBinaryParser::Header::fits(Shape shape) const {
  const bool no_value = value_bytes() == 0;
  switch (shape) {
    case Shape::kUnknown:
      return true;
    case Shape::kEmpty:
      return body_bytes == 0;
    case Shape::kKey:
      return extras_bytes == 0 && key_bytes > 0 && no_value;
    case Shape::kStore:
      return extras_bytes == kStoreExtrasBytes && key_bytes > 0;
    case Shape::kJoin:
    case Shape::kLogin:
      return extras_bytes == 0 && key_bytes > 0;
    case Shape::kCount:
      return extras_bytes == kCountExtrasBytes && key_bytes > 0 && no_value;
    case Shape::kTouch:
      return extras_bytes == kFlagsBytes && key_bytes > 0 && no_value;
    case Shape::kFlush:
      return key_bytes == 0 && no_value && (extras_bytes == 0 || extras_bytes == kFlagsBytes);
    case Shape::kAnyKey:
      return extras_bytes == 0 && no_value;
  }
  return false;
}

ParseResult MemcachedBinaryParser::parse(std::string_view input, MemcachedBinaryRequest& request) {
  return parse_behind_refused(swallowing_, input,
                              [&](std::string_view rest) { return parse_request(rest, request); });
}

// In the order of memcached's checks. All of these but kUnknownCommand and kTooLarge end the
// connection.
Status MemcachedBinaryParser::refusal(const Header& header,
                                      const MemcachedBinaryRequest& request) const {
  const Shape shape = shape_of(request.command);
  if (header.body_bytes > kBodyBytesMax) return Status::kInvalid;
  if (!authenticated_ && !may_be_asked_by_anybody(request.command)) return Status::kAuthFailed;
  if (header.key_bytes > limits_.key_bytes_max) return Status::kInvalid;
  if (shape == Shape::kUnknown) return Status::kUnknownCommand;
  if (!header.fits(shape)) return Status::kInvalid;
  if (shape == Shape::kLogin && header.value_bytes() > kMemcachedUnauthenticatedValueBytesMax) {
    return Status::kAuthFailed;
  }
  const bool too_large =
      header.value_bytes() > limits_.value_bytes_max ||
      (shape != Shape::kLogin &&
       item_bytes(header.key_bytes, 0, header.value_bytes()) > limits_.item_bytes_max);
  return too_large ? Status::kTooLarge : Status::kOk;
}

ParseResult MemcachedBinaryParser::parse_request(std::string_view input,
                                                 MemcachedBinaryRequest& request) {
  if (!input.empty() && input[0] != kMemcachedBinaryMagic) {
    return {ParseStatus::kError, 0, {}, 0};
  }
  if (input.size() < kMemcachedHeaderBytes) {
    return {ParseStatus::kNeedMore, 0, {}, kMemcachedHeaderBytes - input.size()};
  }
  const Header header{read_big_endian<uint16_t>(input, 2), static_cast<uint8_t>(input[4]),
                      read_big_endian<uint32_t>(input, 8)};
  request = {};
  request.opcode = static_cast<uint8_t>(input[1]);
  request.command = loud(static_cast<Opcode>(input[1]));
  request.quiet = static_cast<uint8_t>(request.command) != request.opcode;
  request.opaque = read_big_endian<uint32_t>(input, 12);
  request.cas = read_big_endian<uint64_t>(input, 16);
  if (header.parts() > header.body_bytes) {
    request.status = Status::kUnknownCommand;
    request.closes = true;
    return {ParseStatus::kRequest, kMemcachedHeaderBytes, {}, 0};
  }
  request.status = refusal(header, request);
  if (request.status == Status::kUnknownCommand) {
    swallowing_ = header.body_bytes;
    return {ParseStatus::kRequest, kMemcachedHeaderBytes, {}, 0};
  }
  const bool too_large = request.status == Status::kTooLarge;
  if (request.status != Status::kOk && !too_large) {
    request.closes = true;
    return {ParseStatus::kRequest, kMemcachedHeaderBytes, {}, 0};
  }
  const size_t whole = kMemcachedHeaderBytes + (too_large ? header.parts() : header.body_bytes);
  if (input.size() < whole) return {ParseStatus::kNeedMore, 0, {}, whole - input.size()};
  if (too_large) swallowing_ = header.value_bytes();
  read_parts(input, header, request);
  // Flags take room too, and only now they are known.
  if (request.status == Status::kOk &&
      item_bytes(header.key_bytes, request.flags, header.value_bytes()) > limits_.item_bytes_max) {
    request.status = Status::kTooLarge;
    request.value = {};
  }
  return {ParseStatus::kRequest, whole, {}, 0};
}

void MemcachedBinaryParser::read_parts(std::string_view input, const Header& header,
                                       MemcachedBinaryRequest& request) {
  const size_t extras = kMemcachedHeaderBytes;
  const size_t key = extras + header.extras_bytes;
  request.key = input.substr(key, header.key_bytes);
  if (request.status == Status::kOk) {
    request.value = input.substr(key + header.key_bytes, header.value_bytes());
  }
  switch (shape_of(request.command)) {
    case Shape::kStore:
      request.flags = read_big_endian<uint32_t>(input, extras);
      request.exptime = read_big_endian<uint32_t>(input, extras + 4);
      return;
    case Shape::kCount:
      request.delta = read_big_endian<uint64_t>(input, extras);
      request.initial = read_big_endian<uint64_t>(input, extras + 8);
      request.exptime = read_big_endian<uint32_t>(input, extras + 16);
      request.creates = request.exptime != kCreatesNothing;
      return;
    case Shape::kTouch:
      request.exptime = read_big_endian<uint32_t>(input, extras);
      return;
    case Shape::kFlush:
      if (header.extras_bytes != 0) {
        request.exptime = read_big_endian<uint32_t>(input, extras);
      }
      return;
    default:
      return;
  }
}

}  // namespace kvorum::protocol
