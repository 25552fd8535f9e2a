// SPDX-License-Identifier: Apache-2.0
// The reading half of a get, and of a put that must read before its edit (paper 4.5): asks the N
// healthiest nodes of the preference list, the object from the closest and digests of versions from
// the others, fetches what differs, merges what comes, until the tally says that it is enough. What
// is read stands in the operation: its object, and Operation::reading. Private to cluster/.
//
//   begin --own object not resident--> kLoading: the caller starts again
//     |
//   kReading --> the tally's verdict after each input
//     |  ^ later than the replicas usually are: one more is asked, if hedge_budget.h pays for it
//     |  ^ a quarter of the deadline: silent replicas get a stand-in
#pragma once

#include "cluster/machine/core.h"

namespace kvorum::cluster {

class QuorumRead {
 public:
  explicit QuorumRead(Core& core) : core_(core) {}

  TallyVerdict begin(SlotId id, Operation& operation, uint8_t r, Now now);
  TallyVerdict on_reply(SlotId id, Operation& operation, const Answered<ReplicaReadReply>& answer,
                        Now now);
  TallyVerdict on_silence(SlotId id, Operation& operation, Now now);
  TallyVerdict on_link_down(SlotId id, Operation& operation, MemberIndex peer);
  // A timer: those who knew another history are asked again.
  void ask_apart(SlotId id, Operation& operation);
  // A timer before a quarter of the deadline.
  void hedge(SlotId id, Operation& operation, Now now);

 private:
  TallyVerdict verdict(const Operation& operation) const;
  ReadRules rules_of(const Operation& operation) const;
  void ask_suspected(Operation& operation, Now now) const;
  engine::Access answer_own(Operation& operation, Target& target);
  bool answer_from_hints(Operation& operation, Target& target);
  bool absorb(Operation& operation, Target& target, const ReplicaReadReply& reply);
  void note_apart(SlotId id, Operation& operation, Target& target, Now now);
  void note_claimed(Operation& operation, Target& target, NodeId holder);
  static void forget_claim(Operation& operation, MemberIndex member);
  static bool known_digest(const Operation& operation, uint64_t digest);
  void ask(SlotId id, Operation& operation, const Target& target, bool full);
  void arm_hedge(SlotId id, Operation& operation, Now now);
  void add_former(Operation& operation, Now now);
  bool former_answered(const Operation& operation) const;
  MemberIndex nearest_other(const Targets& targets) const;
  MemberIndex unasked_primary(const Operation& operation) const;
  void ask_stand_in(SlotId id, Operation& operation, size_t silent);

  Core& core_;
};

}  // namespace kvorum::cluster
