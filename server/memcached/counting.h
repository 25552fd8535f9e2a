// SPDX-License-Identifier: Apache-2.0
// What memcached's `stats` counts of finished commands, in whichever of its protocols they came.
// Used by finish functions; pure.
#pragma once

#include "server/commands/command.h"
#include "server/memcached/memcached_replies.h"

namespace kvorum::server {

inline void count(const FinishInput& input, CacheCount what) { input.facts.traffic().note(what); }

// Of a command that found its item, or not.
inline bool count_found(const FinishInput& input, CacheCount hits, CacheCount misses) {
  const bool found = input.completion.reply_code != kCacheNotFound;
  count(input, found ? hits : misses);
  return found;
}

inline void count_get(const FinishInput& input, bool found) {
  count(input, CacheCount::kGet);
  count(input, found ? CacheCount::kGetHits : CacheCount::kGetMisses);
  if (found) return;
  for (const cluster::Version& version : input.completion.object->versions) {
    if (version.type == cluster::TypeTag::kTombstone) continue;
    return count(input, CacheCount::kGetExpired);
  }
}

inline bool count_touch(const FinishInput& input) {
  count(input, CacheCount::kTouch);
  return count_found(input, CacheCount::kTouchHits, CacheCount::kTouchMisses);
}

// Of a store; those with a cas unique have counts of their own.
inline void count_store(const FinishInput& input, bool compares) {
  const uint8_t code = input.completion.reply_code;
  count(input, CacheCount::kSet);
  if (compares) {
    count(input, code == kCacheNotFound ? CacheCount::kCasMisses
                 : code == kCacheExists ? CacheCount::kCasBadValue
                                        : CacheCount::kCasHits);
  }
  const bool stored = code == kCacheStored || code == kCacheUnchanged;
  if (stored) count(input, CacheCount::kTotalItems);
}

}  // namespace kvorum::server
