// SPDX-License-Identifier: Apache-2.0
// The flags of memcached's meta commands: a letter each, some with a token behind it. Which of them
// mean something is the command's affair; here they are read, and refused as memcached 1.6 refuses
// them (checked against 1.6.18; E and x are newer). Pure; views point into the request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/memcached_request.h"

namespace kvorum::protocol {

inline constexpr size_t kMemcachedOpaqueBytesMax = 32;
inline constexpr std::string_view kMemcachedLongOpaque = "CLIENT_ERROR opaque token too long";

struct MemcachedMetaFlags {
  std::string_view error = {};  // not empty: the answer; nothing is executed
  bool opaque_is_long = false;  // a reason to refuse as well
  std::string key;              // decoded, where it came in base64

  bool base64 = false;            // b
  bool quiet = false;             // q
  bool wants_value = false;       // v
  bool invalidates = false;       // I
  bool drops_value = false;       // x
  bool compares = false;          // C
  bool named = false;             // E
  bool sets_exptime = false;      // T
  bool creates = false;           // N
  bool recaches = false;          // R
  bool exptime_is_first = false;  // T stands before R
  bool exptime_is_last = false;   // T stands behind N, and counts for what is created too
  char mode = 0;                  // M
  uint64_t cas = 0, name = 0, delta = 1, initial = 0;
  uint32_t flags = 0;
  int32_t exptime = 0, created_exptime = 0, recache_seconds = 0;
};

// Of the words from `first` on.
MemcachedMetaFlags read_memcached_meta(const MemcachedRequest& request, size_t first);

}  // namespace kvorum::protocol
