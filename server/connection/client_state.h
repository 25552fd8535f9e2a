// SPDX-License-Identifier: Apache-2.0
// One connection as the dispatcher sees it: the session's state, the replies in order, the keys in
// use and the remembered contexts. Owned by its Conversation, found by the dispatcher through a
// generation-tagged id, so that a late completion for a dead connection is recognised. The
// reactor's thread only.
#pragma once

#include <algorithm>
#include <memory>

#include "base/slot_map.h"
#include "server/commands/plan.h"
#include "server/commands/session_state.h"
#include "server/connection/causal_memory.h"
#include "server/connection/pending_keys.h"
#include "server/connection/reply_queue.h"
#include "server/connection/subscriptions.h"
#include "server/connection/tracked_client.h"
#include "server/connection/transaction.h"
#include "server/flow/in_flight.h"

namespace kvorum::server {

// What the operations of one command have in common.
struct CallShape {
  SlotId client = 0;  // none for a scheduled flush
  ReplyQueue::Place place = 0;
  SlotId gathering = 0;  // of a command with several operations
  ReplyQueue::Place gathering_place = 0;
  Finish finish = nullptr;
  std::string_view trailer;
  uint16_t command = 0;  // its row's number; of RESP's alone
  uint8_t keyspace = 0;
  Dialect dialect{};
  protocol::RespVersion resp{};
  bool silent = false;
  // It is asked by the client's transaction, as its item of this number; 0: by none.
  uint32_t item = 0;
};

// A command whose operations were not all sent: those from `first` on follow.
struct Unsent : CallShape {
  size_t first = 0;
  size_t go_on_at = 0;  // once so few operations are open
};

struct ClientState {
  // A read is expected to answer as much as those before it did, at least this: what it needs is
  // only known when it is there.
  static constexpr size_t kExpectedFloor = 16 * 1024;

  explicit ClientState(InFlightShare& in_flight)
      : operations_held(in_flight, HeldFor::kOperations),
        replies_held(in_flight, HeldFor::kReplies) {}

  // What it holds, as against its part. Not the gathered and queued bytes: only going on gets rid
  // of them.
  size_t held_bytes() const { return reserved_bytes + replies.bytes() + unsent_bytes; }
  void update_buffers() {
    session.buffers = {.input_bytes = input_bytes,
                       .output_bytes = replies.bytes() + unsent_bytes,
                       .replies = replies.waiting(),
                       .queued_bytes = queued_bytes,
                       .all_bytes = input_bytes + held_bytes() + gathered_bytes + queued_bytes};
  }
  void forget_transaction() {
    transaction.reset();
    session.queued_commands = -1;
    session.watched_keys = queued_bytes = 0;
  }
  // One of its replies had so many bytes.
  void learn(size_t reply_bytes) {
    const size_t now = std::max(reply_bytes, kExpectedFloor);
    expected_bytes = now > expected_bytes ? now : expected_bytes - (expected_bytes - now) / 8;
  }

  SessionState session;
  SlotId slot = 0;  // in the dispatcher's registry
  ReplyQueue replies;
  PendingKeys pending;
  std::unique_ptr<CausalMemory> causal;          // with KV.CAUSAL ON
  std::unique_ptr<Transaction> transaction;      // after a first MULTI or WATCH
  std::unique_ptr<Subscriptions> subscriptions;  // after a first SUBSCRIBE
  std::unique_ptr<TrackedClient> tracked;        // while it tracks

  size_t operations_pending = 0;  // sent to the coordinator, not answered
  bool keyspace_pending = false;  // SCAN, FLUSHALL ...: nothing else with keys runs beside it
  Unsent unsent;                  // its gathering is 0 where there is none
  size_t reserved_bytes = 0;      // what operations hold, and what their replies may need
  size_t gathered_bytes = 0;      // replies of parts of commands
  size_t queued_bytes = 0;        // commands between MULTI and EXEC
  size_t input_bytes = 0;         // that arrived and were not taken
  size_t unsent_bytes = 0;        // replies that left and that the socket did not take
  size_t expected_bytes = kExpectedFloor;
  bool over = false;  // it holds more than its part: no request of it is run
  HeldBytes operations_held, replies_held;
  bool overrun = false;          // it does not take its messages: to be closed at once
  bool killed = false;           // by CLIENT KILL: to be closed at once
  uint64_t behind_since_us = 0;  // more of them wait than may for long; 0: that is not so
  bool stalled = false;          // the next request waits for one that is under way
  uint64_t again_at_us = 0;      // or for this time, which the dispatcher knows

  bool consuming = false;  // inside consume(): its caller looks at the output anyway
  bool woken = false;
  void (*wake)(void* owner) = nullptr;
  void* wake_owner = nullptr;
  SharedBytes (*share_input)(void* owner, std::string_view part) = nullptr;
  void* input_owner = nullptr;

  // A reply arrived, or what the next request waited for is over.
  void notify() {
    stalled = false;
    wake_up();
  }
  // Its owner is to look at the output.
  void wake_up() {
    if (consuming || woken || !wake) return;
    woken = true;
    wake(wake_owner);
  }
};

}  // namespace kvorum::server
