// SPDX-License-Identifier: Apache-2.0
// This node as a replica: serves other coordinators' reads and writes of its own copies and of the
// hints that it keeps. A write is acknowledged once it is committed under the sync policy. Private
// to cluster/; owned by the coordinator.
#pragma once

#include "cluster/core.h"

namespace kvorum::cluster {

class ReplicaService {
 public:
  explicit ReplicaService(Core& core) : core_(core) {}

  // False where the frame is malformed.
  bool on_read(MemberIndex from, const Frame& frame);
  bool on_write(MemberIndex from, const Frame& frame, Now now);
  // Says no to a read or a write.
  void refuse(MemberIndex from, const FrameHead& head);
  // Answers what waited in one of core's two queues for a commit. Own votes go to on_own_vote.
  struct Commit {
    engine::Ticket ticket;
    bool ok;
  };
  void on_committed(std::deque<AwaitedCommit>& waiting, Commit commit,
                    FunctionRef<void(SlotId operation)> on_own_vote);
  // The frame that waited for its object runs again, or is refused where loading failed.
  void on_loaded(SlotId id, Operation& operation, bool ok, Now now);

 private:
  void read_hinted(MemberIndex from, SlotId operation, const ReplicaRead& message);
  bool merge_in(Record& record, const ReplicaWrite& message, Object& incoming,
                AwaitedCommit& answer);
  void write_hinted(MemberIndex from, SlotId operation, const ReplicaWrite& message,
                    const Object& incoming);
  void wait_for_object(MemberIndex from, const Frame& frame, const KeyRef& key, Now now);

  Core& core_;
};

}  // namespace kvorum::cluster
