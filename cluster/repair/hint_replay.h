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

namespace kvorum::cluster {

class HintReplay {
 public:
  // Of one target: past either nothing more is sent to it.
  static constexpr size_t kInFlightMax = ReplayPace::kWindowMax;
  static constexpr size_t kBytesInFlightMax = 4 * 1024 * 1024;
  static constexpr uint64_t kRetryUs = 500'000;  // after a silence or a refusal

  explicit HintReplay(Core& core) : core_(core) {}

  void on_link_up(MemberIndex peer, Now now);
  void on_link_down(SlotId id, const Operation& operation, MemberIndex peer);
  void on_time(Now now);
  void on_reply(SlotId id, Operation& operation, const ReplicaWriteReply& reply, Now now);
  void on_timer(SlotId id, Operation& operation, Now now);
  // Of a hint that is moved into the own copy.
  void on_loaded(SlotId id, Operation& operation, bool ok, Now now);
  void on_own_commit(SlotId id, Operation& operation, bool ok, Now now);
  uint64_t next_deadline_us() const { return due_us_; }

 private:
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
    // While the target is unreachable: the view under which no hint was to be moved.
    std::shared_ptr<const ClusterView> looked_through;
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
  bool may_begin(size_t bytes, Now now);
  void wait_for_budget(NodeId id, Now now);
  bool find_next(NodeId id, MemberIndex member, Target& target, Found* found);
  SlotId begin(NodeId id, Target& target, Found& found, Now now);
  void send(SlotId id, MemberIndex member);
  void move(SlotId id, Operation& operation, Now now);
  void moved(SlotId id, Operation& operation, Now now);
  void give_up(SlotId id, const Operation& operation, HintWait wait, Now now);
  Target& finish(SlotId id, const Operation& operation);
  void go_on(NodeId id, Target& target, Now now);
  void due_within(uint64_t delay_us, Now now);

  Core& core_;
  std::map<NodeId, Target> targets_;
  uint64_t due_us_ = 0;
  uint64_t scans_ = 0;
  uint64_t budget_at_us_ = 0;  // background work waits until then
  bool pumping_ = false;       // a hint that is moved at once must not pump again
};

}  // namespace kvorum::cluster
