// SPDX-License-Identifier: Apache-2.0
// put (paper 4.5, 4.6): runs an edit in the key's critical section under a new dot, sends the
// merged object to the other healthiest nodes of the preference list, succeeds at W. Private to
// cluster/; owned by the coordinator.
//
//   start --must read first--> kReading (get_machine.h) --R--> write
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
#pragma once

#include "cluster/request/get_machine.h"
#include "cluster/request/lone_commits.h"

namespace kvorum::cluster {

class PutMachine {
 public:
  PutMachine(Core& core, GetMachine& reads) : core_(core), reads_(reads) {}

  // A lone replica's edit with a ticket that is complete: done at once, without an operation. False
  // where the request needs one (nothing was done then).
  bool write_at_once(const Request& request, uint64_t tag, Now now);

  void start(SlotId id, Operation& operation, Now now);
  void after_read(SlotId id, Operation& operation, GetMachine::Progress progress, Now now);
  void on_reply(SlotId id, Operation& operation, const Answered<ReplicaWriteReply>& answer,
                Now now);
  // A round of commits ended: answers what write_at_once() left waiting.
  void on_committed(engine::Ticket ticket, bool ok, Now now);
  void on_time(Now now);
  uint64_t next_deadline_us() const;
  size_t waiting_for_commit() const { return lone_commits_.size(); }
  void on_own_commit(SlotId id, Operation& operation, OwnCommit commit, Now now);
  void on_timer(SlotId id, Operation& operation, Now now);
  void on_link_down(SlotId id, Operation& operation, MemberIndex peer, Now now);

 private:
  enum class Applied : uint8_t { kStored, kNothingToStore, kTooManySiblings };

  bool must_read(const Operation& operation);
  size_t wanted_claims(const Operation& operation, Now now) const;
  void read(SlotId id, Operation& operation, Now now);
  bool take_own_claim(Operation& operation, Now now);
  void release_claims(SlotId id, Operation& operation);
  void contend(SlotId id, Operation& operation, Now now);
  bool waited_for_half(const Operation& operation, Now now) const;
  bool comes_too_early(const Operation& operation, Now now) const;
  void begin_again(SlotId id, Operation& operation, Now now);
  bool passes_on(const Operation& operation, Now now) const;
  void try_again(SlotId id, Operation& operation, Now now);
  struct Failure {
    Outcome outcome;
    std::string_view text = {};
  };
  void fail(SlotId id, Operation& operation, Failure failure, Now now);
  bool plan(Operation& operation, Now now);
  bool take_own_place(Operation& operation);
  void await_commit(Now now, engine::Ticket ticket);
  void await_commit_as_operation(Now now, engine::Ticket ticket);
  void answer_lone(Outcome outcome, Now now);
  void write(SlotId id, Operation& operation, Now now);
  static Outcome refusal(const Operation& operation, Applied applied, engine::Access access);
  void await_own(SlotId id, Operation& operation, engine::Ticket ticket);
  engine::Ticket own_committed(const Operation& operation) const;
  engine::UpdateResult store_own(Operation& operation, Now now, Applied* applied);
  static Applied keep_replaced(Operation& operation, const SpentOrigin& spent);
  Applied apply_edit(Operation& operation, Record& record, Now now);
  EditOutput run_edit(Operation& operation, const Object& object, Now now);
  const SharedBytes* find_owner(std::string_view bytes, Operation& operation, const Object& object);
  Version make_version(Operation& operation, const EditOutput& edit, const Object& object,
                       uint64_t now_ms);
  void wait_for_contact(SlotId id, Operation& operation, Now now);
  void keep_reply(Operation& operation, const EditOutput& edit);
  void send_to_targets(SlotId id, Operation& operation);
  void leave_hint(Operation& operation, MemberIndex place);
  void replace(SlotId id, Operation& operation, size_t silent);
  void advance(SlotId id, Operation& operation, Now now);
  void answer(SlotId id, Operation& operation, Outcome outcome, Now now);

  Core& core_;
  GetMachine& reads_;
  Operation lone_;  // reused by write_at_once()
  LoneCommits lone_commits_;
};

}  // namespace kvorum::cluster
