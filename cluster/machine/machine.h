// SPDX-License-Identifier: Apache-2.0
// The inputs of operations, as the machines of a coordinator take them. A Machine has a pool of its
// own (OperationPool) and finds its operation by id: one that it does not know any more is ignored.
// Client requests share a pool; a RequestMachine has those of one Operation::Kind, and is given
// what the coordinator found (request_table.h). Private to cluster/.
#pragma once

#include "cluster/machine/operation.h"

namespace kvorum::cluster {

// Inputs that a machine cannot be waiting for are ignored.
class Machine {
 public:
  virtual ~Machine() = default;
  virtual void on_read_reply(SlotId, const Answered<ReplicaReadReply>&, Now) {}
  virtual void on_write_reply(SlotId, const Answered<ReplicaWriteReply>&, Now) {}
  virtual void on_own_commit(SlotId, OwnCommit, Now) {}
  virtual void on_loaded(SlotId id, bool ok, Now now) = 0;
  virtual void on_timer(SlotId id, Now now) = 0;
  // Bytes of a large frame of the operation flow.
  virtual void on_flow(SlotId, Now) {}
  virtual void on_link_down(MemberIndex, Now) {}
  virtual size_t open() const = 0;
  // Of those, what a stop waits for: the rest is done again by the next run.
  virtual size_t unfinished() const { return open(); }
};

class RequestMachine {
 public:
  virtual ~RequestMachine() = default;
  virtual void on_read_reply(SlotId, Operation&, const Answered<ReplicaReadReply>&, Now) {}
  virtual void on_write_reply(SlotId, Operation&, const Answered<ReplicaWriteReply>&, Now) {}
  virtual void on_own_commit(SlotId, Operation&, OwnCommit, Now) {}
  virtual void on_loaded(SlotId, Operation&, bool /*ok*/, Now) {}
  virtual void on_timer(SlotId id, Operation& operation, Now now) = 0;
  virtual void on_link_down(SlotId, Operation&, MemberIndex, Now) {}
};

}  // namespace kvorum::cluster
