// SPDX-License-Identifier: Apache-2.0
// The grammar of one memcached command line: which command, how many words it takes, which of them
// are numbers, and the error line for what does not fit. Pure; called by MemcachedParser, which
// finds lines and data blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/memcached_request.h"

namespace kvorum::protocol {

inline constexpr std::string_view kMemcachedError = "ERROR";
inline constexpr std::string_view kMemcachedBadFormat = "CLIENT_ERROR bad command line format";
inline constexpr std::string_view kMemcachedBadChunk = "CLIENT_ERROR bad data chunk";
inline constexpr std::string_view kMemcachedBadExptime = "CLIENT_ERROR invalid exptime argument";
inline constexpr std::string_view kMemcachedBadDelta =
    "CLIENT_ERROR invalid numeric delta argument";
inline constexpr std::string_view kMemcachedDeleteUsage =
    "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]";
inline constexpr std::string_view kMemcachedTooLarge = "SERVER_ERROR object too large for cache";
inline constexpr std::string_view kMemcachedUnauthenticated = "CLIENT_ERROR unauthenticated";
inline constexpr std::string_view kMemcachedLineTooLong = "CLIENT_ERROR line too long";

struct MemcachedLine {
  bool has_value = false;  // a data block of value_bytes and CR LF follows
  bool close = false;      // somebody speaks HTTP to us
  uint64_t value_bytes = 0;
};

// Fills `request` from a line without its line end.
MemcachedLine read_memcached_line(std::string_view line, size_t key_bytes_max,
                                  MemcachedRequest& request);

}  // namespace kvorum::protocol
