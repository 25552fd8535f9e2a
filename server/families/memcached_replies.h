// SPDX-License-Identifier: Apache-2.0
// What the edits of memcached commands tell their handlers, and how that is said to clients.
#pragma once

#include <cstdint>

#include "server/commands/plan.h"

namespace kvorum::server {

enum CacheReply : uint8_t {
  kCacheStored,
  kCacheNotStored,
  kCacheExists,
  kCacheNotFound,
  kCacheUnchanged,  // touched, with the deadline that it had
};

}  // namespace kvorum::server
