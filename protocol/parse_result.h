// SPDX-License-Identifier: Apache-2.0
// What every parser of a client's bytes answers. The session owns one contiguous input buffer,
// hands all unconsumed bytes to parse() and drops `consumed` bytes after EVERY answer: a parser
// that skips empty requests or swallows a refused value consumes bytes also where it needs more.
// Called again with fewer bytes dropped than consumed, or with other bytes than before, a parser
// gives nonsense, but stays within the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kvorum::protocol {

enum class ParseStatus : uint8_t {
  kRequest,   // one request was read
  kNeedMore,  // call again when the buffer has grown
  kError,     // the stream makes no sense: write `error` unless it is empty, then close
};

struct ParseResult {
  ParseStatus status = ParseStatus::kNeedMore;
  size_t consumed = 0;
  std::string_view error = {};  // without "-ERR "; valid until the parser is used again
  // With kNeedMore: at least so many bytes are missing. It is what the client claims to send, so
  // grow a buffer by it only within the limits that hold for this client.
  size_t more_hint = 0;
};

}  // namespace kvorum::protocol
