// SPDX-License-Identifier: Apache-2.0
// Reads memcached's text protocol, classic and meta commands, and answers malformed lines with what
// memcached 1.6 answers (checked against 1.6.18). One per session, used by its one thread; no I/O,
// no copy of keys or values. Meta commands are framed (line and data block); their flags are left
// as words.
//
//                    no data block
//     line ------------------------------------------> request
//       | storage command                               (perhaps with an error line)
//       +----> data block and CR LF ------------------> request
//       +----> refused for its size: the request is an error, and its data block is swallowed
//
// Deliberate differences from memcached, for answers that do not depend on how the bytes arrive: a
// line over the limit always ends the connection (memcached takes it when it comes in one piece),
// and says why.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/memcached_request.h"
#include "protocol/parse_result.h"

namespace kvorum::protocol {

inline constexpr size_t kMemcachedLineBytesMax = 2048;
// For get, gets, gat and gats, which may name any number of keys.
inline constexpr size_t kMemcachedKeysLineBytesMax = 16 * 1024 * 1024;
inline constexpr size_t kMemcachedMetaWordsMax = 19;  // memcached's limit of flags
// A client that must give a password first (as the value of a set) needs no more than this for it.
inline constexpr uint64_t kMemcachedUnauthenticatedValueBytesMax = 2048;

struct MemcachedLimits {
  uint64_t value_bytes_max = 512 * 1024 * 1024;
  uint64_t item_bytes_max = UINT64_MAX;  // of item_bytes()
  size_t key_bytes_max = 250;
};

// What memcached 1.6 reckons an item to have, of which `-I` is the limit.
constexpr uint64_t item_bytes(size_t key_bytes, uint32_t flags, uint64_t value_bytes) {
  constexpr uint64_t kHeaderAndEnds = 59, kFlags = 4;
  return kHeaderAndEnds + key_bytes + (flags != 0 ? kFlags : 0) + value_bytes;
}

// Passes over what is still to come of a refused block; what stands behind it, if that is here, is
// parsed.
template <class Parse>
ParseResult parse_behind_refused(uint64_t& swallowing, std::string_view input, Parse parse) {
  const size_t swallowed = static_cast<size_t>(std::min<uint64_t>(swallowing, input.size()));
  swallowing -= swallowed;
  ParseResult result;
  if (swallowing > 0) {
    result.more_hint = 1;  // nothing of it needs room
  } else {
    result = parse(input.substr(swallowed));
  }
  result.consumed += swallowed;
  return result;
}

class MemcachedParser {
 public:
  explicit MemcachedParser(MemcachedLimits limits = {}) : limits_(limits) {}

  // One request per call. `request` is filled only with kRequest; a malformed one is a kRequest
  // with an error text. kError with an empty text means: close without a word. While a refused data
  // block is swallowed the answer is kNeedMore with consumed > 0.
  ParseResult parse(std::string_view input, MemcachedRequest& request);

  void set_authenticated(bool authenticated) { authenticated_ = authenticated; }
  // So many bytes from here on belong to what was refused: the next request begins behind them.
  uint64_t swallowing() const { return swallowing_; }

 private:
  ParseResult parse_request(std::string_view input, MemcachedRequest& request);
  ParseResult line_missing(std::string_view input);
  ParseResult take_value(std::string_view input, size_t line_size, uint64_t bytes,
                         MemcachedRequest& request);

  MemcachedLimits limits_;
  bool authenticated_ = true;
  size_t scanned_ = 0;       // so many bytes of the input hold no line end
  uint64_t needed_ = 0;      // the half-received request has so many bytes, once its line is known
  uint64_t swallowing_ = 0;  // so many bytes of a refused data block are still to come
};

}  // namespace kvorum::protocol
