// SPDX-License-Identifier: Apache-2.0
// Gossip (paper 4.8.1): once per interval this node tells one random linked member what it knows of
// the rounds of the frontier protocol, and is told in return; with it goes the digest of the flush
// marks, and where that differs the marks follow, both ways: a mark that a link lost, or that a
// member missed, still reaches everybody. One coordinator of a node speaks, all answer. Private to
// cluster/; owned by the coordinator.
//
//   kGossip       digests of marks and of the history (history_link.h), frontier,
//   FrontierProtocol::encode_gossip() --> merged, answered kGossipReply  the same of the other side
//   --> merged kFlushMark    all marks of a side whose digest differs             --> merged
//   (flush_operation)
#pragma once

#include "cluster/machine/core.h"
#include "cluster/membership/history_link.h"
#include "cluster/upkeep/reaper.h"

namespace kvorum::cluster {

class Gossip {
 public:
  Gossip(Core& core, HistoryLink& histories) : core_(core), histories_(histories), reaper_(core) {}

  void on_link_up(MemberIndex peer, Now now);
  // False where the frame is malformed.
  bool on_message(LinkIndex from, const Frame& frame);
  void on_time(Now now);
  uint64_t next_deadline_us() const;

 private:
  bool active() const;
  void send(LinkIndex to, MessageType type);
  void send_marks(LinkIndex to);

  Core& core_;
  HistoryLink& histories_;
  Reaper reaper_;
  uint64_t due_us_ = 0;
};

}  // namespace kvorum::cluster
