// SPDX-License-Identifier: Apache-2.0
// get (paper 4.5): asks the N healthiest nodes of the preference list, the object from the closest
// and digests of versions from the others, fetches what differs, merges, answers at R, and
// afterwards repairs the primaries that turned out stale. Private to cluster/; owned by the
// coordinator.
//
//   start --object not resident--> kLoading --loaded--> start
//     |
//     v                                       all answered, or the wait is over
//   kReading --R counted--> answer --> kSettling ------------------------------> repair, release
//     |  ^ later than the replicas usually are: one more is asked, if hedge_budget.h pays for it
//     |  ^ a quarter of the deadline: silent replicas get a stand-in
//     +--too few left, or the deadline--> -NOQUORUM, release
//
// The reading half also serves a put that must read first (put_machine.h).
#pragma once

#include "cluster/request/read_repair.h"

namespace kvorum::cluster {

class GetMachine {
 public:
  enum class Progress : uint8_t {
    kWaiting,
    kDone,
    kFailed,
    kContended,  // another node has claimed the key
  };

  GetMachine(Core& core, ReadRepair& repairs) : core_(core), repairs_(repairs) {}

  // A lone replica's read: answered at once from the table, without an operation. False where the
  // request needs one.
  bool answer_at_once(const Request& request, uint64_t tag, Now now);

  void start(SlotId id, Operation& operation, Now now);
  // After each change of the targets: answers and settles when it is time.
  void advance(SlotId id, Operation& operation, Progress progress, Now now);
  void on_timer(SlotId id, Operation& operation, Now now);

  // The reading half.
  Progress begin_reading(SlotId id, Operation& operation, uint8_t r, Now now);
  Progress on_reply(SlotId id, Operation& operation, MemberIndex from,
                    const ReplicaReadReply& reply);
  Progress on_silence(SlotId id, Operation& operation, Now now);
  Progress on_link_down(SlotId id, Operation& operation, MemberIndex peer);
  Progress progress(const Operation& operation) const;

 private:
  Progress votes(const Operation& operation) const;
  Progress votes_in_need(const Operation& operation) const;
  Progress with_claims(const Operation& operation, Progress by_votes) const;
  void ask_suspected(Operation& operation, Now now) const;
  bool reads_again(SlotId id, Operation& operation, Now now);
  engine::Access answer_own(Operation& operation, Target& target);
  bool absorb(Operation& operation, Target& target, const ReplicaReadReply& reply);
  bool known_digest(const Operation& operation, uint64_t digest) const;
  void ask(SlotId id, Operation& operation, const Target& target, bool full);
  void arm_hedge(SlotId id, Operation& operation, Now now);
  void hedge(SlotId id, Operation& operation, Now now);
  void add_former(Operation& operation, Now now);
  bool former_answered(const Operation& operation) const;
  MemberIndex unasked_primary(const Operation& operation) const;
  void ask_stand_in(SlotId id, Operation& operation, size_t silent);
  void answer(Operation& operation, Now now);

  Core& core_;
  ReadRepair& repairs_;
};

}  // namespace kvorum::cluster
