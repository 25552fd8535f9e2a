// SPDX-License-Identifier: Apache-2.0
// Gossip (paper 4.8.1): once per interval this node tells one random linked member what it knows of
// the rounds of the frontier protocol, of the flush marks and of the history, as digests, and is
// told in return. Where digests are equal nothing else passes, however many members there are; what
// differs follows, both ways: so a mark that a link lost, or that a member missed, still reaches
// everybody. One coordinator of a node speaks, all answer. Private to cluster/; owned by the
// coordinator.
//
//   kGossip       digests of marks, history and rounds, frontier     --> answered
//   kGossipReply  the same; where the rounds differ all reports      --> merged
//   kGossip       with the reports that the other side lacks         --> merged, answered without
//   kFlushMark    all marks of a side whose digest differs (flush_operation)     --> merged
//   kHistoryBuckets  where the history differs (history_link.h)
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
  // What a frame says of the rounds: a digest, with reports or without; or, as members of the
  // release before know it, all reports and nothing else.
  enum class Form : uint8_t { kDigests, kAllReports };
  void send(LinkIndex to, MessageType type, std::string_view reports, Form form);
  void ask(MemberIndex member);
  void tell_all(LinkIndex to, MessageType type);
  bool on_reports(LinkIndex from, const Frame& frame, uint64_t rounds_digest,
                  std::string_view reports);
  void answer(LinkIndex to, uint64_t rounds_digest, bool was_told);
  void send_marks(LinkIndex to);

  Core& core_;
  HistoryLink& histories_;
  Reaper reaper_;
  uint64_t due_us_ = 0;
};

}  // namespace kvorum::cluster
