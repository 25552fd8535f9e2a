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
  kEvicted,
};

// Several, a bit for each.
using KeyEvents = uint64_t;

struct KeyChange {
  KeyEvent event = KeyEvent::kNone;
  bool sets_deadline = false;  // beside a value: another event
  bool in_reply = false;       // of a script: which ones, is known when it is done

  bool any() const { return event != KeyEvent::kNone || in_reply; }
  KeyEvents events() const {
    KeyEvents bits = event == KeyEvent::kNone ? 0 : bit(event);
    return sets_deadline ? bits | bit(KeyEvent::kExpire) : bits;
  }
  static constexpr KeyEvents bit(KeyEvent one) { return KeyEvents{1} << static_cast<int>(one); }
};

}  // namespace kvorum::server
