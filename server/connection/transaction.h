// SPDX-License-Identifier: Apache-2.0
// A connection's transaction: what it watches, what it has queued, and, while EXEC runs, what of it
// is done (transaction_runner.h). EXEC brings the commands' operations together by key: several of
// one key are one edit (edit_batch.h), atomic at every replica; keys are independent of each other.
// Commands about a whole keyspace run between those before and those behind them. Owned by its
// ClientState; the reactor's thread only.
//
//   idle --MULTI--> queueing --EXEC--> running: stage by stage --> idle, and watches nothing
//   idle --WATCH--> watching: the keys are read --> idle
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "cluster/wire/request.h"
#include "protocol/resp_writer.h"
#include "server/commands/plan.h"
#include "server/connection/command_queue.h"

namespace kvorum::server {

// A key as it was read. A digest is that of watch_digest().
struct WatchedKey {
  std::string bytes;
  KeyRef key;  // without its bytes, which may move
  uint64_t digest = 0;

  KeyRef ref() const { return {bytes, key.position, key.keyspace}; }
};

// The reply of a queued command, as it comes together.
struct TransactionPart {
  Finish finish = nullptr;
  Gather gather = Gather::kSingle;
  Remembered remembered;
  protocol::RespVersion resp{};
  uint8_t keyspace = 0;
  uint16_t command = 0;  // the row's number
  int64_t sum = 0;
  std::string error;                 // of the first operation that failed, written
  std::vector<std::string> replies;  // of its operations, written
};

// An operation of a command.
struct TransactionStep {
  size_t part = 0, place = 0;  // the command, and which of its operations
  cluster::Request request;    // its views are of the queue or of what follows
  std::string key, argument, value;
  cluster::Context context;
};

// Steps of one key.
struct TransactionGroup {
  KeyRef key;
  std::vector<size_t> steps;
  bool is_batch = false;  // an edit of several steps, or of a watched key
  bool is_watched = false;
  uint64_t digest = 0;
};

struct Transaction {
  enum class State : uint8_t { kIdle, kQueueing, kWatching, kChecking, kRunning };
  State state = State::kIdle;
  bool must_abort = false;  // a command was refused when it was to be queued
  bool checked = false;     // watched keys were read again
  bool changed = false;     // one of them has
  CommandQueue queue;
  std::vector<WatchedKey> watched;
  std::vector<WatchedKey> reading;  // kWatching: those keys; kChecking: what was watched
  std::string error;                // of what could not be read, written
  size_t awaited = 0;               // operations

  // kRunning.
  size_t next_command = 0;  // the first that is in no stage yet
  std::vector<TransactionPart> parts;
  std::deque<TransactionStep> steps;         // of the stage; they stay where they are
  std::vector<TransactionGroup> groups;      // of the stage; watched ones first
  size_t next_group = 0;                     // the first that was not sent
  std::multimap<uint64_t, size_t> group_at;  // by the key's place on the ring
  bool wrote = false;                        // something of it
  size_t reply_bytes = 0;

  bool is_queueing() const { return state == State::kQueueing; }
  // As after EXEC or DISCARD.
  void end() {
    state = State::kIdle;
    must_abort = checked = changed = wrote = false;
    queue.clear();
    watched.clear();
    reading.clear();
    error.clear();
    parts.clear();
    steps.clear();
    groups.clear();
    group_at.clear();
    next_command = next_group = reply_bytes = 0;
  }
};

}  // namespace kvorum::server
