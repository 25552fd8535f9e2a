// SPDX-License-Identifier: Apache-2.0
// One memcached request as MemcachedParser found it: the command, its arguments as numbers, the
// data block, or the error line that answers it. All views point into the session's input buffer
// and are valid until the caller moves that. A session keeps a few of these objects and uses them
// again and again: `words` keeps its memory.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace kvorum::protocol {

enum class MemcachedCommand : uint8_t {
  kUnknown,
  kGet,   // also "bget", its forgotten twin
  kGets,  // with the cas unique
  kGat,   // get and touch
  kGats,
  kSet,
  kAdd,
  kReplace,
  kAppend,
  kPrepend,
  kCas,
  kIncr,
  kDecr,
  kTouch,
  kDelete,
  kFlushAll,
  kVersion,
  kVerbosity,
  kStats,
  kQuit,
  kMetaGet,
  kMetaSet,
  kMetaDelete,
  kMetaArithmetic,
  kMetaNoop,
  kMetaDebug,
  kMaintenance,  // slabs, lru, lru_crawler, watch, cache_memlimit, shutdown: see the words
};

struct MemcachedRequest {
  MemcachedCommand command = MemcachedCommand::kUnknown;
  // The client wants no answer, not even to an error. Never set for meta commands: their q flag
  // hides some answers only.
  bool noreply = false;
  // Not empty: answer this line (unless noreply) and go on; do not execute. The fields below it are
  // then only a part, but the key of a refused set is there: memcached deletes it, lest the old
  // value stay for the new one.
  std::string_view error = {};
  uint32_t flags = 0;
  int32_t exptime = 0;  // seconds as the client wrote them, in memcached's 32 bits
  uint64_t cas = 0;
  uint64_t delta = 0;                   // of incr and decr
  uint32_t level = 0;                   // of verbosity
  std::string_view value = {};          // the data block, without its line end
  std::vector<std::string_view> words;  // of the command line, the command first

  // The keys of get, gets, gat and gats; the one key of the others; none where there is no key.
  std::span<const std::string_view> keys() const {
    return std::span(words).subspan(first_key, key_count);
  }
  std::string_view key() const { return key_count > 0 ? words[first_key] : std::string_view(); }

  uint32_t first_key = 0;
  uint32_t key_count = 0;
};

}  // namespace kvorum::protocol
