// SPDX-License-Identifier: Apache-2.0
// Requests whose coordinator is another node (paper 4.5: any node takes any request, one hop). The
// asking node keeps the request and gives it to the next candidate when the first does not answer,
// or says that its store takes no writes, or that it stops, as long as that cannot apply an edit
// twice: an edit that is not idempotent is only tried again where it certainly was not run, else
// its outcome is "uncertain". Private to cluster/.
//
//   start -> kWriting (waits for the answer) --answer--> completed, released
//                |  ^ link down, or silent for a quarter of the deadline: next candidate
//                |  ^ a read that is late: another primary too, if hedge_budget.h pays for it;
//                |      the first that can answer it does
//                +--the deadline--> -UNCERTAIN (edits) or -NOQUORUM (reads)
//
// A next candidate asks for a permit before it runs an edit (retry_permit.h). So the answer of the
// first one is the only one there can be, and is taken, as long as nobody has one. Else it is
// held until all who have one said that they stored nothing: a client that was answered before, and
// deletes what the first one made, would see the key again. Who was given a permit makes a version
// that is marked as retried, which covers its twins when it is replaced (object.h): its answer is
// taken at once.
#pragma once

#include <set>

#include "cluster/health/transit_time.h"
#include "cluster/machine/core.h"
#include "cluster/machine/machine.h"

namespace kvorum::cluster {

class Forwarding final : public RequestMachine {
 public:
  static constexpr uint8_t kHopsMax = 2;

  explicit Forwarding(Core& core) : core_(core) {}

  // The node to coordinate the request: for a read this one, if it holds a copy, or the nearest
  // healthy primary; for a put the preferred primary of its context, or the first healthy one; a
  // slow one only where there is no other; else the first healthy fallback. Skips those in `tried`,
  // and for a put this node while its store takes nothing.
  MemberIndex choose(const Request& request, const InlineVector<MemberIndex, 4>& tried) const;

  // Who runs a request that was forwarded to this node: a fallback that sees a healthy primary, and
  // for a put a later primary that heard an earlier one just now, passes it on, but not round in
  // circles.
  MemberIndex coordinator_of(const Operation& operation, Now now) const;

  // An origin for an edit that may be run by another node, never 0.
  uint64_t new_origin() { return core_.rng.next() | 1; }

  // For whom this node asks to coordinate the request.
  static uint64_t remaining_us(const Operation& operation, Now now);
  void send(SlotId id, Operation& operation, MemberIndex coordinator, Now now);
  // The store of the last of `tried` takes nothing: it ran nothing. False where nobody else can.
  bool refused(SlotId id, Operation& operation, Now now);
  bool on_reply(MemberIndex from, const Frame& frame, Now now);
  void on_timer(SlotId id, Operation& operation, Now now) override;
  void on_link_down(SlotId id, Operation& operation, MemberIndex peer, Now now) override;

  // Whether the frame lay in a network that broke for a moment, or in this process while it stood
  // still, for so long that its edit would come after others that its client knows of, or made. To
  // be asked about every frame, also of reads: each is a sample of how long the link takes.
  bool comes_too_late(LinkIndex from, const ForwardEnvelope& envelope, const Request& request,
                      Now now);

  // A forwarded edit that is not idempotent is run once, however often its frame arrives.
  bool seen_before(const ForwardedRequest& forwarded);
  // It was not run, and is handed back: it may come again.
  void forget_seen(const ForwardedRequest& forwarded) { seen_.erase(forwarded.origin); }

 private:
  static ForwardEnvelope envelope_of(const Operation& operation, Now now);
  void hedge(SlotId id, Operation& operation, Now now);
  void promote_hedge(SlotId id, Operation& operation, Now now);
  void note_answer(MemberIndex from, const Operation& operation, Now now);
  bool may_try_again(const Operation& operation) const;
  struct EditAnswer {
    MemberIndex from;
    const Frame& frame;
    Completion& completion;
  };
  void on_edit_answer(Operation& operation, const EditAnswer& answer, Now now);
  static bool twin_may_follow(const Operation& operation, const EditAnswer& answer);
  static void drop_permit(Operation& operation, MemberIndex member);
  void finish(SlotId id, Operation& operation, Completion& completion, Now now);
  void finish_held(SlotId id, Operation& operation, Now now);
  bool given_back(SlotId id, Operation& operation, Now now);
  void try_next(SlotId id, Operation& operation, Now now);
  bool run_elsewhere(SlotId id, Operation& operation, Now now);
  void give_up(SlotId id, Operation& operation, Now now);

  static constexpr size_t kSeenMax = 65536;
  static constexpr uint64_t kAnswerMargin = 32;  // a part of the time, on the way
  Core& core_;
  ByLink<TransitTime> transits_;
  std::deque<uint64_t> seen_order_;
  std::set<uint64_t> seen_;
};

}  // namespace kvorum::cluster
