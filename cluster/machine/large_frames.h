// SPDX-License-Identifier: Apache-2.0
// Frames that may be large, on their way to the outbox: short ones are written into the member's
// batch; of a large one only the front, and its body is shared with the operation or the table, and
// by all members that get it. Without a shell that takes large frames (Outbox::takes_large) all go
// into the batch. Private to cluster/.
#pragma once

#include "cluster/machine/core.h"

namespace kvorum::cluster {

struct SentObject {
  SlotId id;
  OperationHead& operation;
};
// The object is the operation's.
void send_replica_write(Core& core, MemberIndex to, SentObject of, ReplicaWrite message);
struct SentRequest {
  SlotId id;
  Operation& operation;
};
// The payload is the operation's.
void send_forward(Core& core, MemberIndex to, SentRequest of, const ForwardEnvelope& envelope);
// The object is core.outgoing.
void send_replica_read_reply(Core& core, LinkIndex to, SlotId operation, ReplicaReadReply& message);
void send_forward_reply(Core& core, LinkIndex to, SlotId operation, const Completion& completion);

}  // namespace kvorum::cluster
