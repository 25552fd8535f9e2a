// SPDX-License-Identifier: Apache-2.0
// The operations that a coordinator has under way: the pool of requests, what of all pools is timed
// or waits for a commit, and how many bytes all of them hold. Private to cluster/.
#pragma once

#include <deque>
#include <string>

#include "base/check.h"
#include "base/slot_map.h"
#include "cluster/health/timer_queue.h"
#include "cluster/machine/operation.h"

namespace kvorum::cluster {

// A replica's answer, or an own vote, that waits for its commit.
struct AwaitedCommit {
  engine::Ticket ticket = 0;
  SlotId operation = 0;  // own vote of this operation; else an answer:
  LinkIndex reply_to;
  SlotId reply_operation = 0;
  ReplicaWriteReply reply;  // its vector stands in vector_bytes
  std::string vector_bytes;
};

class OpenOperations {
 public:
  // Of that one of the node's coordinators.
  explicit OpenOperations(SlotPart reactor)
      : requests(static_cast<uint8_t>(OperationPool::kRequests), reactor) {}

  SlotMap<Operation> requests;
  TimerQueue timers;
  std::deque<AwaitedCommit> awaited_commits;       // of the objects' table
  std::deque<AwaitedCommit> awaited_hint_commits;  // of the hints' table
  size_t held_bytes = 0;                           // of values and requests, by all operations

  // The operation's own copy waits for this commit: of an object, or of a hint.
  void await_own_vote(engine::Ticket ticket, SlotId id);
  void await_own_hint(engine::Ticket ticket, SlotId id);

  // Gives the request another id: it finds what the one before found, and has its deadline.
  SlotId renew(SlotId id, Now now);

  // After a change of what the operation holds.
  void count_held(Operation& operation) { count_held(operation, operation.bytes()); }
  void count_held(OperationHead& operation, size_t bytes) {
    KVORUM_CHECK(held_bytes >= operation.held_bytes);
    held_bytes += bytes - operation.held_bytes;
    operation.held_bytes = bytes;
  }
  // Ends a request. Its place in the pool keeps little of its memory: more where it is one of the
  // first, which are used again and again.
  void release(SlotId id);
  // What the head of another operation holds, before its pool takes it back.
  void release_head(OperationHead& operation);

 private:
  void release_head(OperationHead& operation, size_t bytes_kept);

  static constexpr uint32_t kOperationsRoomy = 256;
  static constexpr size_t kRoomyBytesKept = 16 * 1024, kBytesKept = 1024;
};

}  // namespace kvorum::cluster
