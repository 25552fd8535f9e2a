// SPDX-License-Identifier: Apache-2.0
// put (paper 4.5, 4.6): runs an edit in the key's critical section under a new dot, sends the
// merged object to the other healthiest nodes of the preference list, succeeds at W. Private to
// cluster/; owned by the coordinator.
//
//   start --must read first--> kReading (quorum_read.h) --R--> write
//     |                            +--too few: -NOQUORUM (old-value commands), else write
//     v
//   write --object not resident--> kLoading --loaded--> start
//     |   --past the deadline--> -NOQUORUM, no version is made
//     |   --another node has claimed the key--> passed on to it, or kContended --soon--> start
//     |
//   kWriting --W acknowledged--> [a blind write that left versions uncovered: write once more]
//     |  ^ silence, refusal         |
//     |  | or a broken link:        v
//     |  +-fallback with a hint   answer --> kSettling --all answered, or the deadline--> release
//     +--the deadline--> -UNCERTAIN
//
// Where the partition's sets in play change, kReading starts anew, and kWriting asks the owners of
// those that are in play now.
#pragma once

#include "cluster/machine/machine.h"
#include "cluster/put/edit_claims.h"
#include "cluster/put/edit_runner.h"
#include "cluster/request/quorum_read.h"

namespace kvorum::cluster {

class PutMachine final : public RequestMachine {
 public:
  PutMachine(Core& core, QuorumRead& reads, EditRunner& edits)
      : core_(core), reads_(reads), edits_(edits), claims_(core) {}

  void start(SlotId id, Operation& operation, Now now);
  // The sets in play of its partition are others than when it was begun: what replicas said before
  // counts no more (docs/MEMBERSHIP.md). The operation gets another id, so that they are not heard.
  void begin_anew(SlotId id, Operation& operation, Now now);

  void on_read_reply(SlotId id, Operation& operation, const Answered<ReplicaReadReply>& answer,
                     Now now) override;
  void on_write_reply(SlotId id, Operation& operation, const Answered<ReplicaWriteReply>& answer,
                      Now now) override;
  void on_own_commit(SlotId id, Operation& operation, OwnCommit commit, Now now) override;
  void on_loaded(SlotId id, Operation& operation, bool ok, Now now) override;
  void on_timer(SlotId id, Operation& operation, Now now) override;
  void on_link_down(SlotId id, Operation& operation, MemberIndex peer, Now now) override;

 private:
  using Applied = EditRunner::Applied;
  struct Failure {
    Outcome outcome;
    std::string_view text = {};
  };

  // Before the edit, and what decides (put_machine.cc).
  bool must_read(const Operation& operation);
  bool plan(Operation& operation, Now now);
  bool choose_writers(Operation& operation, Now now);
  bool may_soften(const Operation& operation) const;
  void read(SlotId id, Operation& operation, Now now);
  void after_read(SlotId id, Operation& operation, TallyVerdict verdict, Now now);
  void on_reading_timer(SlotId id, Operation& operation, Now now);
  void contend(SlotId id, Operation& operation, Now now);
  void fail_unplanned(SlotId id, Operation& operation, Now now);
  void begin_again(SlotId id, Operation& operation, std::string_view reason, Now now);
  void try_again(SlotId id, Operation& operation, Now now);
  void write(SlotId id, Operation& operation, Now now);
  bool write_again(SlotId id, Operation& operation, Now now);
  static void hold_first_write(Operation& operation);
  engine::UpdateResult store_own(Operation& operation, Now now, Applied* applied);
  static Outcome refusal(const Operation& operation, Applied applied, engine::Access access);
  void advance(SlotId id, Operation& operation, Now now);
  void answer(Operation& operation, Outcome outcome, Now now);
  void fail(SlotId id, Operation& operation, Failure failure, Now now);

  // The copies (put_machine_replicas.cc).
  bool take_own_place(Operation& operation);
  void replicate(SlotId id, Operation& operation, engine::Ticket ticket, Now now);
  void await_own(SlotId id, Operation& operation, engine::Ticket ticket);
  engine::Ticket own_committed(const Operation& operation) const;
  void replicate_anew(SlotId id, Operation& operation, Now now);
  void note_late(Operation& operation);
  bool keep_own_place(Operation& operation, Target& own, engine::Ticket* ticket);
  void send_to_targets(SlotId id, Operation& operation);
  void send_to(SlotId id, Operation& operation, Target& target);
  void send_apart(SlotId id, Operation& operation);
  void leave_hint(Operation& operation, MemberIndex place);
  void replace(SlotId id, Operation& operation, size_t silent);
  void on_writing_timer(SlotId id, Operation& operation, Now now);

  Core& core_;
  QuorumRead& reads_;
  EditRunner& edits_;
  EditClaims claims_;
};

}  // namespace kvorum::cluster
