// SPDX-License-Identifier: Apache-2.0
// Repairs one key that two replicas hold differently: reads the peer's object, merges it into the
// own one, writes the result back to the peer, through the same paths as any other replica read and
// write. A difference so young that a write in flight may explain it is looked at once more after a
// while first. Private to cluster/; owned by the coordinator.
//
//   kWait --kRecheckUs--> kCheck --digests equal--> settled
//                            |
//                            v                       theirs is all of it
//   begin ----------------> kPull --> kMerge --commit---------------------> done
//     |                                  |
//     +--the peer lacks it-----------> kPush --acknowledged---------------> done
//
// Each step may wait for the own object to be loaded. Silence, refusal, a broken link: failed.
#pragma once

#include "cluster/machine/core.h"
#include "cluster/machine/machine.h"

namespace kvorum::cluster {

// Told when the repair of a key ended.
class KeyRepairSink {
 public:
  virtual ~KeyRepairSink() = default;
  virtual void on_key_repaired(SlotId exchange, bool ok, Now now) = 0;
};

class KeyRepair final : public Machine {
 public:
  static constexpr uint64_t kRecheckUs = 250'000;

  explicit KeyRepair(Core& core) : core_(core) {}
  void set_sink(KeyRepairSink* sink) { sink_ = sink; }

  struct Plan {
    std::string key;
    bool pull = false;  // the peer has something that this node lacks; else it lacks ours
    bool wait = false;  // may be a write in flight
  };
  struct Start {
    SlotId exchange = 0;
    MemberIndex peer = kNoMember;
    uint8_t keyspace = 0;
  };
  void begin(const Start& start, const Plan& plan, Now now);

  void on_read_reply(SlotId id, const Answered<ReplicaReadReply>& answer, Now now) override;
  void on_write_reply(SlotId id, const Answered<ReplicaWriteReply>& answer, Now now) override;
  void on_own_commit(SlotId id, OwnCommit commit, Now now) override;
  void on_loaded(SlotId id, bool ok, Now now) override;
  void on_timer(SlotId id, Now now) override;
  void on_flow(SlotId id, Now now) override;
  void on_link_down(MemberIndex peer, Now now) override;
  size_t open() const override { return repairs_.used(); }
  size_t unfinished() const override { return 0; }
  // Of the objects that were repaired lately.
  size_t average_bytes() const { return average_bytes_; }

 private:
  enum class Step : uint8_t { kWait, kCheck, kPull, kMerge, kPush };
  struct Repair : OperationHead {
    SlotId exchange = 0;
    MemberIndex peer = kNoMember;
    OwnedKey key;
    Step step = Step::kWait;
    bool loading = false;       // the step waits for the own object
    bool pushes = false;        // after the merge
    uint64_t their_digest = 0;  // of kCheck
    Hlc their_frontier;         // of kPull
  };

  void run(SlotId id, Repair& repair, Now now);
  void ask(SlotId id, const Repair& repair, bool full);
  void check(SlotId id, Repair& repair, Now now);
  void merge_own(SlotId id, Repair& repair, Now now);
  void push(SlotId id, Repair& repair, Now now);
  void merged(SlotId id, Repair& repair, Now now);
  void load(SlotId id, Repair& repair);
  void finish(SlotId id, Repair& repair, bool ok, Now now);

  Core& core_;
  SlotMap<Repair> repairs_{static_cast<uint8_t>(OperationPool::kKeyRepairs)};
  KeyRepairSink* sink_ = nullptr;
  size_t average_bytes_ = 256;
};

}  // namespace kvorum::cluster
