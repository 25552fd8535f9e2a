// SPDX-License-Identifier: Apache-2.0
// What a dispatcher asked the coordinator and has no outcome of yet: calls, found by the tag that
// their completion brings, and gatherings, which the calls of a command with several keys share.
// Slots keep their memory for the next request, up to a limit. The reactor's thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/slot_map.h"
#include "cluster/wire/keyspace_operation.h"
#include "cluster/wire/request.h"
#include "server/commands/plan.h"
#include "server/connection/client_state.h"
#include "server/connection/key_event.h"

namespace kvorum::server {

// How an operation's outcome changes what a causal connection remembers.
enum class CausalNote : uint8_t { kNone, kRead, kWrite };

// One request of the coordinator, from submit() to its completion.
struct Call : CallShape {
  Remembered remembered;  // a gathering's calls use the gathering's
  std::string key;        // where finish or the causal memory needs it
  uint64_t ring_place = 0;
  size_t reserved_bytes = 0;  // of the client's part
  cluster::Request::Kind kind{};
  KeyUse use{};
  CausalNote causal{};
  bool registered = false;  // stands in the client's pending keys
  KeyChange change;         // with the key, where somebody is to be told of it
  // Of a client that tracks, with the key: its read is noted under this (0: it is not), and it is
  // not told of this edit.
  uint64_t read_ticket = 0;
  bool own_write = false;

  KeyspaceFinish keyspace_finish = nullptr;
  cluster::KeyspaceRequest keyspace_request;
  Join join = nullptr;  // of what all reactors say; remembered.number of them have not yet

  size_t strings_capacity() const {
    return key.capacity() + remembered.text.capacity() + remembered.gathered.capacity();
  }
};

// A command of several stages (server/commands/stages.h) that is under way.
struct StagedRun {
  CallShape shape;
  NextStage next = nullptr;
  std::vector<std::string> words;
  std::unique_ptr<StageState> state;
  Plan plan;                                   // of the present stage
  SlotId of_call = 0;                          // it answers this call, which waits; 0: a command
  size_t sent = 0, open = 0;                   // operations of the stage
  size_t go_on_at = 0;                         // with so many open, more of them are sent
  bool is_running = false;                     // its operations are being sent
  std::vector<StageResult> results;            // of the stage
  std::vector<std::vector<StageResult>> done;  // of those before it
  size_t held_bytes = 0;                       // of all of them; they count as the client's
  std::string error;                           // of the first operation that failed, written
  uint8_t r = 0, w = 0;                        // of the session
};

// The replies of one command's operations, until the last is there.
struct Gathering {
  Gather how{};
  size_t size = 0, remaining = 0;
  int64_t sum = 0;
  bool failed = false;       // no reply is gathered any more
  std::string error;         // of the first failed operation, written
  size_t counted_bytes = 0;  // of the client's gathered bytes
  ReplyQueue replies;
  Remembered remembered;
  std::unique_ptr<StagedRun> staged;  // then it has nothing else

  // Its replies are kept until the last of them.
  bool concatenates() const { return how == Gather::kArray || how == Gather::kConcatenate; }
};

class OpenCalls {
 public:
  // Strings of the call are as its last tenant left them: the caller sets those that are read.
  Call& open(const CallShape& shape, SlotId* id);
  // Null where the call has ended: its tag comes too late.
  Call* find(SlotId id) { return calls_.find(id); }
  // REQUIRES: `call` is that of `id`.
  void release(SlotId id, Call& call);

  // For the plan's operations. Takes over what the plan remembers.
  Gathering& open_gathering(Plan& plan, SlotId* id);
  // For a command of several stages.
  StagedRun& open_staged(SlotId* id);
  // Null where it has ended, and for 0.
  Gathering* find_gathering(SlotId id) { return gatherings_.find(id); }
  // REQUIRES: `gathering` is that of `id`, and none of its calls is open.
  void release_gathering(SlotId id, Gathering& gathering);
  void release_staged(SlotId id, Gathering& gathering);
  // Its client has gone, with operations of a command that were not sent.
  void drop_unsent(const Unsent& unsent);

  // Requests that wait for the coordinator.
  size_t count() const { return calls_.used() + gatherings_.used(); }

 private:
  SlotMap<Call> calls_;
  SlotMap<Gathering> gatherings_;
};

}  // namespace kvorum::server
