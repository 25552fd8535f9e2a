// SPDX-License-Identifier: Apache-2.0
// Gossip (paper 4.8.1): once per interval this node tells one random linked member what it knows of
// the rounds of the frontier protocol, and is told in return. One coordinator of a node speaks, all
// answer. Private to cluster/; owned by the coordinator.
//
//   kGossip       what Frontier::encode_gossip() wrote --> merged, answered
//   kGossipReply  the same of the other side           --> merged
#pragma once

#include "cluster/core.h"
#include "cluster/reaper.h"

namespace kvorum::cluster {

class Gossip {
 public:
  explicit Gossip(Core& core) : core_(core), reaper_(core) {}

  void on_link_up(MemberIndex peer, Now now);
  // False where the frame is malformed.
  bool on_message(MemberIndex from, const Frame& frame);
  void on_time(Now now);
  uint64_t next_deadline_us() const;

 private:
  bool active() const;
  void send(MemberIndex peer, MessageType type);

  Core& core_;
  Reaper reaper_;
  uint64_t due_us_ = 0;
};

}  // namespace kvorum::cluster
