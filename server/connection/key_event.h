// SPDX-License-Identifier: Apache-2.0
// What an operation does to its key, as subscribers of keyspace events are told (server/pubsub has
// the names). A plain value.
#pragma once

#include <cstdint>

namespace kvorum::server {

enum class KeyEvent : uint8_t {
  kNone,
  kSet,
  kAppend,
  kSetRange,
  kIncrementBy,
  kIncrementByFloat,
  kSetBit,
  kDelete,
  kExpire,
  kPersist,
  kRenameFrom,
  kRenameTo,
  kMoveFrom,
  kMoveTo,
  kCopyTo,
  kRestore,
  kExpired,
};

struct KeyChange {
  KeyEvent event = KeyEvent::kNone;
  bool sets_deadline = false;  // beside a value: another event

  bool any() const { return event != KeyEvent::kNone; }
};

}  // namespace kvorum::server
