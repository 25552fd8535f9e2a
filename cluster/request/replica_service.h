// SPDX-License-Identifier: Apache-2.0
// This node as a replica: serves other coordinators' reads and writes of its own copies and of the
// hints that it keeps. A write is acknowledged once it is committed under the sync policy; where
// writes are buffered, at once. Private to cluster/; owned by the coordinator.
#pragma once

#include "cluster/machine/core.h"
#include "cluster/machine/machine.h"

namespace kvorum::cluster {

class ReplicaService final : public Machine {
 public:
  explicit ReplicaService(Core& core) : core_(core) {}

  // False where the frame is malformed.
  bool on_read(LinkIndex from, const Frame& frame, Now now);
  bool on_write(LinkIndex from, const Frame& frame, Now now);
  // Says no to a read or a write.
  void refuse(LinkIndex from, const FrameHead& head);
  bool on_unclaim(LinkIndex from, const Frame& frame, Now now);
  // Answers what waited in one of core's two queues for a commit. Own votes go to on_own_vote.
  struct Commit {
    engine::Ticket ticket;
    bool ok;
  };
  void on_committed(std::deque<AwaitedCommit>& waiting, Commit commit,
                    FunctionRef<void(SlotId operation)> on_own_vote);
  // The frame that waited for its object runs again, or is refused where loading failed.
  void on_loaded(SlotId id, bool ok, Now now) override;
  void on_timer(SlotId, Now) override {}  // the store answers always
  size_t open() const override { return frames_.used(); }

 private:
  // A claim that was refused: what ends it must not end another one.
  struct Refused {
    LinkIndex from;
    SlotId operation;
    uint8_t attempt;
    uint64_t time_us;
    bool apart = false;  // its history differed: it asks again by the same attempt

    bool is(const Refused& other) const {
      return from == other.from && operation == other.operation && attempt == other.attempt;
    }
  };
  // A frame that waits for its object.
  struct WaitingFrame : OperationHead {
    LinkIndex from;
    FrameHead head{};
    std::string payload;  // or, of a large one, the shared bytes
    SharedView payload_body;
  };
  // Fenced: it was sent under other sets in play than this node knows.
  bool is_apart(const KeyRef& key, uint64_t signature) const;
  // Both sides tell each other what they know of the history, then the request is sent again.
  void say_apart(LinkIndex from, const FrameHead& head, Now now);
  void say_no(LinkIndex from, const FrameHead& head, ReplicaVerdict verdict);
  bool serve_read(LinkIndex from, const Frame& frame, const ReplicaRead& message, Now now);
  bool serve_write(LinkIndex from, const Frame& frame, const ReplicaWrite& message, Now now);
  bool claim(LinkIndex from, const Frame& frame, const ReplicaRead& message, Now now);
  void note_refused(const Refused& refused);
  void end_claim(const Refused& claim, Position position, NodeId claimant);
  bool claimed_by_other(const KeyRef& key, const Object& incoming, Now now) const;
  void note_contest(const ReplicaWrite& message, const Object& merged, Now now);
  void read_hinted(LinkIndex from, SlotId operation, const ReplicaRead& message);
  // The verdict is kUncovered already where the key is claimed.
  bool merge_in(Record& record, const ReplicaWrite& message, Object& incoming,
                AwaitedCommit& answer);
  bool may_buffer(const ReplicaWrite& message) const;
  void write_hinted(LinkIndex from, SlotId operation, const ReplicaWrite& message,
                    const Object& incoming);
  void wait_for_object(LinkIndex from, const Frame& frame, const KeyRef& key, Now now);

  Core& core_;
  SlotMap<WaitingFrame> frames_{static_cast<uint8_t>(OperationPool::kReplicaFrames)};
  std::deque<Refused> refused_;
};

}  // namespace kvorum::cluster
