// SPDX-License-Identifier: Apache-2.0
// DBSIZE: every reachable member counts the live keys of its partitions, and of each partition the
// count of its first reachable primary is taken. A member whose keyspace was just flushed answers
// when its table was swept: what a mark covers is not counted, nor what has expired. Owned by the
// keyspace machine.
#pragma once

#include <vector>

#include "base/slot_map.h"
#include "cluster/keyspace/keyspace_core.h"
#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {

class CountOperations {
 public:
  explicit CountOperations(KeyspaceCore& core) : core_(core) {}

  void submit(const KeyspaceRequest& request, uint64_t tag, Now now);
  // The answering side.
  void on_question(LinkIndex from, SlotId operation, uint8_t keyspace, Now now);
  // False where the answer names partitions that there are not.
  bool on_answer(MemberIndex from, SlotId id, const PartitionCounts& counts, Now now);
  void on_peer_down(MemberIndex peer, Now now);
  void on_time(Now now);
  uint64_t next_deadline_us();
  size_t open() const { return counts_.used(); }

 private:
  struct Count {
    uint64_t tag;
    uint8_t keyspace;
    uint64_t deadline_us;
    uint64_t patient_until_us;
    bool impatient;
    std::vector<Asked> members;  // by member
    std::vector<uint64_t> live;  // by member, then partition
  };
  // A question that waits for a sweep.
  struct Deferred {
    LinkIndex from;
    SlotId operation;
    uint8_t keyspace;
    uint64_t deadline_us;
  };

  void step(SlotId id, Count& count);
  // The first primary that answered, or kNoMember; `waiting` where an earlier one still may.
  MemberIndex counted_by(const Count& count, uint32_t partition, bool* waiting) const;
  void answer(const Deferred& question, Now now);

  KeyspaceCore& core_;
  SlotMap<Count> counts_{0, core_.options.reactor};
  std::vector<Deferred> deferred_;
  uint64_t next_look_us_ = 0;
  Record record_;  // the last that was looked at; kept for its memory
};

}  // namespace kvorum::cluster
