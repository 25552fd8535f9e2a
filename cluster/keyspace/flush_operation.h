// SPDX-License-Identifier: Apache-2.0
// FLUSHDB and FLUSHALL: a mark, not a walk, and not one timestamp for all (a slow node's later
// writes would be eaten, a fast node's older ones survive).
//
//   submit -> clocks: each reachable member says its clock, above which it mints from then on, and
//             the highest HLC that it saw of every author, ended ones included
//          -> mark: the maxima; merged here, stored, sent to every reachable member
//          -> completion once all of them merged and stored it; UNCERTAIN at the deadline
//
// A member that was away gets all marks when its link comes up. Owned by the keyspace machine.
#pragma once

#include <string>
#include <vector>

#include "base/slot_map.h"
#include "cluster/keyspace/keyspace_core.h"
#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {

class FlushOperations {
 public:
  explicit FlushOperations(KeyspaceCore& core) : core_(core) {}

  void submit(const KeyspaceRequest& request, uint64_t tag, Now now);
  // The answering side.
  void on_clocks_question(LinkIndex from, SlotId operation, Now now);
  bool on_mark(LinkIndex from, SlotId operation, std::string_view marks, Now now);
  // Answers.
  void on_clocks(MemberIndex from, SlotId id, const FlushMark& clocks, Now now);
  void on_marked(MemberIndex from, SlotId id, Now now);

  void on_peer_up(MemberIndex peer);
  void on_peer_down(MemberIndex peer, Now now);
  void on_time(Now now);
  uint64_t next_deadline_us();
  size_t open() const { return flushes_.used() + unstored_.size(); }

 private:
  enum class Phase : uint8_t { kClocks, kMarking };
  struct Flush {
    uint64_t tag;
    KeyspaceMask keyspaces;
    Phase phase;
    bool unheard;  // a member did not say its clock: what it wrote may survive
    uint64_t deadline_us;
    uint64_t patient_until_us;
    uint64_t generation;  // of the marks that must be stored here
    std::vector<Asked> members;
    FlushMark clocks;  // as they came, joined when the mark is made
  };
  // A member's mark that was merged and must be stored before it is acknowledged.
  struct Unstored {
    LinkIndex from;
    SlotId operation;
    uint64_t generation;
  };

  FlushMark own_clocks(Now now);
  bool waiting(const Flush& flush) const;
  void step(SlotId id, Flush& flush, Now now);
  void begin_marking(SlotId id, Flush& flush, Now now);
  void complete(SlotId id, Flush& flush, Outcome outcome);
  void acknowledge_stored();

  KeyspaceCore& core_;
  SlotMap<Flush> flushes_{0, core_.options.reactor};
  std::vector<Unstored> unstored_;
  uint64_t look_at_us_ = 0;  // whether marks were stored
};

}  // namespace kvorum::cluster
