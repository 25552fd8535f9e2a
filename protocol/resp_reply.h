// SPDX-License-Identifier: Apache-2.0
// The client's side of RESP2: a command as it is sent, and the reply read back. For what talks to
// nodes as a client does, the load generator and the simulator; nodes themselves only write
// replies, so that a mistake of the writer is not shared by the reader. Pure; the caller owns the
// bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvorum::protocol {

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

// What nobody answers, and what would go too deep.
inline constexpr int kReplyNestingMax = 16;

struct ReplyExtent {
  enum class Status : uint8_t {
    kWhole,
    kNeedMore,  // more bytes are wanted
    kBroken,    // the bytes are no reply
  };
  Status status = Status::kNeedMore;
  size_t size = 0;  // bytes of the whole reply
  RespReply::Kind kind = RespReply::Kind::kNull;
};

// Of the reply in front of `bytes`; copies and allocates nothing.
ReplyExtent measure_reply(std::string_view bytes);

// Takes one reply from the front of `bytes` and returns what it occupied; 0 where it is not whole
// yet, kNoReply where the bytes are no reply.
inline constexpr size_t kNoReply = static_cast<size_t>(-1);
size_t parse_reply(std::string_view bytes, RespReply* reply);

// A command as a client sends it.
std::string encode_command(const std::vector<std::string>& words);

}  // namespace kvorum::protocol
