// SPDX-License-Identifier: Apache-2.0
// What the edits of memcached commands tell their handlers, and how that is said to clients.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "server/commands/plan.h"

namespace kvorum::server {

enum CacheReply : uint8_t {
  kCacheStored,
  kCacheNotStored,
  kCacheExists,
  kCacheNotFound,
  kCacheUnchanged,  // touched, with the deadline that it had
};

// What kEditCacheTouch answers of an item whose value is wanted.
struct TouchedItem {
  uint32_t flags = 0;
  uint64_t unique = 0;
  std::string_view value;
};
inline TouchedItem touched_item(const cluster::Completion& completion) {
  ByteReader reader(completion.reply_bytes);
  TouchedItem item;
  item.flags = reader.u32();
  item.unique = reader.u64();
  item.value = reader.rest();
  return item;
}

// Of an item whose value an edit writes over: what was said of it stays, its unique does not.
inline uint8_t kept_marks(const cluster::EditInput& input) {
  return input.visible[0].marks & static_cast<uint8_t>(~cluster::kMarkNamed);
}

inline constexpr std::string_view kMemcachedNotANumber =
    "CLIENT_ERROR cannot increment or decrement non-numeric value";

}  // namespace kvorum::server
