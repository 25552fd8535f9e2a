// SPDX-License-Identifier: Apache-2.0
// The pool of client requests, as a Machine: finds the operation of an input, notes how its peer
// answered, and gives it to the machine of its kind. Private to cluster/; owned by the coordinator.
#pragma once

#include <array>

#include "base/check.h"
#include "cluster/machine/core.h"
#include "cluster/machine/machine.h"

namespace kvorum::cluster {

class RequestTable final : public Machine {
 public:
  // By Operation::Kind. All outlive it.
  using Machines = std::array<RequestMachine*, Operation::kKinds>;

  RequestTable(Core& core, const Machines& machines) : core_(core), machines_(machines) {}

  void on_read_reply(SlotId id, const Answered<ReplicaReadReply>& answer, Now now) override;
  void on_write_reply(SlotId id, const Answered<ReplicaWriteReply>& answer, Now now) override;
  void on_own_commit(SlotId id, OwnCommit commit, Now now) override;
  void on_loaded(SlotId id, bool ok, Now now) override;
  void on_timer(SlotId id, Now now) override;
  void on_flow(SlotId id, Now now) override;
  void on_link_down(MemberIndex peer, Now now) override;
  // Starts fetching the operation that a frame answers.
  void prefetch(const FrameHead& answer) const;
  size_t open() const override { return core_.open.requests.used(); }
  // A read that was answered is not awaited.
  size_t unfinished() const override;

 private:
  void note_answer(MemberIndex from, const Operation& operation, Ask ask, Now now);
  RequestMachine& machine_of(const Operation& operation) const {
    KVORUM_CHECK(operation.kind <= Operation::Kind::kAwaitsPermit);
    return *machines_[static_cast<size_t>(operation.kind)];
  }

  Core& core_;
  const Machines machines_;
};

}  // namespace kvorum::cluster
