// SPDX-License-Identifier: Apache-2.0
// get (paper 4.5): reads a quorum (quorum_read.h), answers at R, and afterwards repairs the
// primaries that turned out stale (read_repair.h). Private to cluster/; owned by the coordinator.
//
//   start --object not resident--> kLoading --loaded--> start
//     |
//     v                                       all answered, or the wait is over
//   kReading --R counted--> answer --> kSettling ------------------------------> repair, release
//     |  +--siblings, while an edit is half done--> kContended --soon--> start
//     +--too few left, or the deadline--> -NOQUORUM, release
#pragma once

#include "cluster/machine/machine.h"
#include "cluster/request/quorum_read.h"
#include "cluster/request/read_repair.h"

namespace kvorum::cluster {

class GetMachine final : public RequestMachine {
 public:
  GetMachine(Core& core, QuorumRead& reads, ReadRepair& repairs)
      : core_(core), reads_(reads), repairs_(repairs) {}

  // A lone replica's read: answered at once from the table, without an operation. False where the
  // request needs one.
  bool answer_at_once(const Request& request, uint64_t tag, Now now);
  // Answers from this node's copy, whatever the others have: kLocal.
  engine::Access answer_from_own(const Request& request, uint64_t tag, Now now);

  void start(SlotId id, Operation& operation, Now now);
  // As PutMachine::begin_anew().
  void begin_anew(SlotId id, Operation& operation, Now now);

  void on_read_reply(SlotId id, Operation& operation, const Answered<ReplicaReadReply>& answer,
                     Now now) override;
  void on_write_reply(SlotId id, Operation& operation, const Answered<ReplicaWriteReply>& answer,
                      Now now) override;
  void on_loaded(SlotId id, Operation& operation, bool ok, Now now) override;
  void on_timer(SlotId id, Operation& operation, Now now) override;
  void on_link_down(SlotId id, Operation& operation, MemberIndex peer, Now now) override;

 private:
  void advance(SlotId id, Operation& operation, TallyVerdict verdict, Now now);
  bool serves_short(const Operation& operation) const;
  bool reads_again(SlotId id, Operation& operation, Now now);
  void answer(Operation& operation, Now now);

  Core& core_;
  QuorumRead& reads_;
  ReadRepair& repairs_;
};

}  // namespace kvorum::cluster
