// SPDX-License-Identifier: Apache-2.0
// How nodes come to know the same history (docs/MEMBERSHIP.md): its digest travels with gossip, and
// where two differ they exchange what differs at once; so they do when a request meets a node that
// knows something else, when a link comes up, and after each change here. Private to cluster/;
// owned by the coordinator.
//
//   kHistoryBuckets     the table of one side's hashes --> answered where it differs
//   kHistoryDifference  [table] all of the differing buckets --> merged; with a table: answered
#pragma once

#include <functional>

#include "cluster/machine/core.h"

namespace kvorum::cluster {

class HistoryLink final : public ApartListener {
 public:
  // `on_merged` is called after this node's history may have changed: a later view may be there.
  HistoryLink(Core& core, std::function<void(Now now)> on_merged)
      : core_(core), on_merged_(std::move(on_merged)) {}

  void on_link_up(MemberIndex peer);
  // False where the frame is malformed.
  bool on_message(LinkIndex from, const Frame& frame, Now now);
  void on_apart(LinkIndex peer, Now now) override;
  // What a peer has, as its gossip says.
  void on_digest(LinkIndex from, uint64_t digest);
  // The view of this node is another one: all others are told, soon, or
  // CoordinatorOptions::tells_max of them. Of the coordinator that has the control.
  void tell_all(Now now);
  void on_time(Now now);
  uint64_t next_deadline_us() const { return tell_at_us_; }

 private:
  static constexpr uint64_t kTellUs = 2'000;   // facts come in bunches
  static constexpr uint64_t kApartUs = 1'000;  // to one link at most so often

  void send_buckets(LinkIndex to);
  bool on_buckets(LinkIndex from, const Frame& frame);
  bool on_difference(LinkIndex from, const Frame& frame, Now now);

  Core& core_;
  const std::function<void(Now now)> on_merged_;
  ByLink<uint64_t> told_us_;  // when a link was told last, for requests apart
  uint64_t tell_at_us_ = 0;   // 0: nothing to tell
};

}  // namespace kvorum::cluster
