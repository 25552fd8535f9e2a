// SPDX-License-Identifier: Apache-2.0
// Hinted hand-off (paper 4.6): hints are scanned periodically and written, oldest first, to the
// primary they are for as soon as it can be reached, as fast as it answers (replay_pace.h). A hint
// goes only once its target acknowledged all of it; killed in between, it is delivered again, which
// changes nothing at the target. One whose target is no primary of its key any more is moved to the
// primaries there are. Bounded in flight; one coordinator of a node does it. Private to cluster/;
// owned by the coordinator.
//
//   waiting --scan, link up, room in the window--> in flight --acknowledged--> removed
//      ^   |                                           |
//      |   |                +--silence, refusal--------+  the target's others in flight are
//      awaited,
//      +--------------------+                             then its oldest hint is tried again
//          +--no primary--> hints for the primaries, own copy --committed--> removed
#pragma once

#include <map>
#include <optional>

#include "cluster/health/replay_pace.h"
#include "cluster/machine/core.h"
#include "cluster/machine/machine.h"

namespace kvorum::cluster {

class HintReplay final : public Machine {
 public:
  // Of one target: past it nothing more is sent.
  static constexpr size_t kBytesInFlightMax = 4 * 1024 * 1024;
  static constexpr uint64_t kRetryUs = 500'000;      // after a silence or a refusal
  static constexpr uint64_t kFollowUs = 10'000'000;  // for all reactors to have another view

  explicit HintReplay(Core& core) : core_(core) {}

  void on_link_up(MemberIndex peer, Now now);
  void on_time(Now now);
  void on_write_reply(SlotId id, const Answered<ReplicaWriteReply>& answer, Now now) override;
  void on_timer(SlotId id, Now now) override;
  void on_flow(SlotId id, Now now) override;
  void on_link_down(MemberIndex peer, Now now) override;
  // A hint that is moved into the own copy.
  void on_loaded(SlotId id, bool ok, Now now) override;
  void on_own_commit(SlotId id, OwnCommit commit, Now now) override;
  // This node stops: what can be delivered is, now.
  void flush(Now now) { due_us_ = now.steady_us; }
  // Hints for targets that would take them now.
  uint64_t in_reach(Now now) const;
  size_t open() const override { return deliveries_.used(); }
  size_t unfinished() const override { return 0; }
  uint64_t next_deadline_us() const { return due_us_; }

 private:
  // A hint on its way.
  struct Delivery : OperationHead {
    NodeId target = 0;
    OwnedKey key;
    bool moves = false;       // into the own copy and other hints, else it was sent
    size_t commits_open = 0;  // of a move
  };
  struct Target {
    std::optional<HintPlace> place;  // the last one of this pass that was looked at
    bool pass_ended = false;         // nothing more is sent until what is in flight has ended
    ReplayPace pace;
    size_t in_flight = 0;
    size_t bytes_in_flight = 0;  // of those that are not large
    // One at a time, beside the window and the budget: its chunks go between other frames, and
    // small hints do not wait for it.
    size_t large_in_flight = 0;
    uint64_t retry_at_us = 0;
    // While the target is unreachable: the view under which no hint was to be moved, and until when
    // hints of the view before may still come, from reactors that follow later.
    std::shared_ptr<const ClusterView> looked_through;
    uint64_t looks_until_us = 0;
  };
  struct Found {
    std::string key;
    Position position;
    uint8_t keyspace = 0;
    bool for_primary = false;  // the target is one of this key
    bool must_wait = false;    // a large one, and another is in flight: nothing was copied
    EncodedObject object;      // portable form
  };

  void scan(Now now);
  void pump(NodeId id, Target& target, Now now);
  void fill_window(NodeId id, Target& target, Now now);
  HintWait obstacle(MemberIndex member, const Target& target, Now now) const;
  bool none_moves(MemberIndex member, const Target& target, Now now) const;
  bool may_begin(size_t bytes, Now now);
  void wait_for_budget(NodeId id, Now now);
  bool find_next(NodeId id, MemberIndex member, Target& target, Found* found);
  SlotId begin(NodeId id, Target& target, Found& found, Now now);
  void send(SlotId id, MemberIndex member);
  void move(SlotId id, Delivery& delivery, Now now);
  void note_removed(const KeyRef& key);
  void moved(SlotId id, Delivery& delivery, Now now);
  void give_up(SlotId id, Delivery& delivery, HintWait wait, Now now);
  Target& finish(SlotId id, Delivery& delivery);
  void go_on(NodeId id, Target& target, Now now);
  void due_within(uint64_t delay_us, Now now);

  Core& core_;
  SlotMap<Delivery> deliveries_{static_cast<uint8_t>(OperationPool::kHintReplays)};
  std::map<NodeId, Target> targets_;
  uint64_t due_us_ = 0;
  uint64_t scans_ = 0;
  uint64_t budget_at_us_ = 0;  // background work waits until then
  bool pumping_ = false;       // a hint that is moved at once must not pump again
};

}  // namespace kvorum::cluster
