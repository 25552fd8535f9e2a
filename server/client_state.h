// SPDX-License-Identifier: Apache-2.0
// One connection as the dispatcher sees it: the session's state, the replies in order, the keys in
// use and the remembered contexts. Owned by its Conversation, found by the dispatcher through a
// generation-tagged id, so that a late completion for a dead connection is recognised.
#pragma once

#include <memory>

#include "base/slot_map.h"
#include "server/causal_memory.h"
#include "server/pending_keys.h"
#include "server/reply_queue.h"
#include "server/session_state.h"

namespace kvorum::server {

struct ClientState {
  SessionState session;
  SlotId slot = 0;  // in the dispatcher's registry
  ReplyQueue replies;
  PendingKeys pending;
  std::unique_ptr<CausalMemory> causal;  // with KV.CAUSAL ON

  size_t operations_pending = 0;  // sent to the coordinator, not answered
  bool keyspace_pending = false;  // SCAN, FLUSHALL ...: nothing else with keys runs beside it
  bool stalled = false;           // the next request waits for one that is under way

  bool consuming = false;  // inside consume(): its caller looks at the output anyway
  bool woken = false;
  void (*wake)(void* owner) = nullptr;
  void* wake_owner = nullptr;

  // A reply arrived, or what the next request waited for is over.
  void notify() {
    stalled = false;
    if (consuming || woken || !wake) return;
    woken = true;
    wake(wake_owner);
  }
};

}  // namespace kvorum::server
