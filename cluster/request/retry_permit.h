// SPDX-License-Identifier: Apache-2.0
// A retried edit runs only with a permit of the node whose client waits for it. Nothing stops a
// coordinator that was silent from running the request when it wakes; what its client did since,
// in the belief that it knew the outcome, would not cover that version. So it asks first, and the
// asking node says for how long it will wait still, if it waits for this coordinator and has no
// answer of an earlier one. Private to cluster/; owned by the coordinator.
//
//   the coordinator                                the asking node (forwarding.h)
//   a retry arrives: kAwaitsPermit --kForwardAsk--> still waiting for it: notes its permit
//      |  | its time is over: dropped                 |
//      |  +--- none, or it came too late: dropped <---+ kForwardPermit: microseconds that remain
//      v
//   runs, until then at most: an edit past its deadline makes no version (put_machine.h)
//
// No clocks are compared: the time that remains is counted from the question, before it was read.
#pragma once

#include "cluster/request/forwarding.h"

namespace kvorum::cluster {

class RetryPermit final : public RequestMachine {
 public:
  RetryPermit(Core& core, const Forwarding& forwarding) : core_(core), forwarding_(forwarding) {}

  // The coordinator: keeps a retry that arrived until it may run.
  void ask(SlotId id, Operation& operation, Now now);
  bool on_permit(LinkIndex from, const Frame& frame, Now now);
  void on_timer(SlotId id, Operation& operation, Now now) override;

  // The asking node.
  bool on_ask(MemberIndex from, const Frame& frame, Now now);

 private:
  uint64_t grant(MemberIndex from, SlotId id, Now now);

  Core& core_;
  const Forwarding& forwarding_;
};

}  // namespace kvorum::cluster
