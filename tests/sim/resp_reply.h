// SPDX-License-Identifier: Apache-2.0
// A RESP2 reply as a client sees it, and its incremental parser: the client's side of the protocol,
// written from its description and not with the code under test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvorum::sim {

struct RespReply {
  enum class Kind : uint8_t { kStatus, kError, kInteger, kBulk, kNull, kArray };
  Kind kind = Kind::kNull;
  std::string text;  // of a status, an error, a bulk string
  int64_t number = 0;
  std::vector<RespReply> items;

  bool is_error() const { return kind == Kind::kError; }
  bool is_error(std::string_view code) const { return is_error() && text.starts_with(code); }
  // The number behind a name in a flat list of names and values; -1 where there is none.
  int64_t field(std::string_view name) const;
};

// Takes one reply from the front of `bytes` and returns what it occupied; 0 where it is not whole
// yet, npos where the bytes are no reply.
inline constexpr size_t kNoReply = static_cast<size_t>(-1);
size_t parse_reply(std::string_view bytes, RespReply* reply);

// A command as a client sends it.
std::string encode_command(const std::vector<std::string>& words);

}  // namespace kvorum::sim
