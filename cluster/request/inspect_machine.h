// SPDX-License-Identifier: Apache-2.0
// KV.INSPECT: what each primary of a key holds, side by side, for people. Asks all N for their
// whole object and answers when all did, or a quarter of the deadline later with what is there.
// Private to cluster/; owned by the coordinator.
#pragma once

#include "cluster/machine/core.h"
#include "cluster/machine/machine.h"

namespace kvorum::cluster {

class InspectMachine final : public RequestMachine {
 public:
  explicit InspectMachine(Core& core) : core_(core) {}

  void start(SlotId id, Operation& operation, Now now);
  void on_read_reply(SlotId id, Operation& operation, const Answered<ReplicaReadReply>& answer,
                     Now now) override;
  void on_loaded(SlotId id, Operation& operation, bool ok, Now now) override;
  void on_timer(SlotId id, Operation& operation, Now now) override { answer(id, operation, now); }

 private:
  void add(Operation& operation, size_t row, std::string_view object);
  void answer(SlotId id, Operation& operation, Now now);
  static bool complete(const Operation& operation);

  Core& core_;
};

}  // namespace kvorum::cluster
