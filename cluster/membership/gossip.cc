// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership/gossip.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "cluster/frontier/frontier_protocol.h"
#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {

bool Gossip::active() const {
  return core_.parts.frontier != nullptr && core_.options.gossip_ms != 0 &&
         core_.view->is_member() && core_.view->members.size() > 1;
}

void Gossip::send(LinkIndex to, MessageType type, std::string_view reports, Form form) {
  KVORUM_CHECK(core_.parts.frontier != nullptr);
  KVORUM_CHECK(core_.parts.marks != nullptr);  // a frontier has flush marks beside it
  const bool digests = form == Form::kDigests;
  FrameWriter frame(core_.outbox.frames(to), {type, 0, digests ? kGossipDigests : uint16_t{0}, 0});
  put_u64(frame.out(), core_.parts.marks->digest());
  // Also what this node heard from others, who may have departed since: their marks are forgotten
  // here, and as long as they are not forgotten everywhere no round is agreed on.
  const Hlc reached = core_.parts.frontier->reached();
  put_u64(frame.out(), std::max(reached, core_.parts.marks->forgotten_below()).value);
  put_u64(frame.out(), core_.view->history_digest);
  if (digests) put_u64(frame.out(), core_.parts.frontier->gossip_digest());
  frame.out().append(reports);
  frame.finish();
}

void Gossip::ask(MemberIndex member) {
  if (core_.health.version(member) >= kGossipDigestsVersion) {
    return send(member, MessageType::kGossip, {}, Form::kDigests);
  }
  tell_all(member, MessageType::kGossip);
}

void Gossip::tell_all(LinkIndex to, MessageType type) {
  std::string reports;
  core_.parts.frontier->encode_gossip(reports);
  send(to, type, reports, Form::kAllReports);
}

void Gossip::send_marks(LinkIndex to) {
  KVORUM_CHECK(core_.parts.marks != nullptr);
  std::string marks;
  core_.parts.marks->encode(marks);
  if (!marks.empty()) put_flush_mark(core_.outbox.frames(to), 0, marks);
}

// Whoever told its reports has had those of this side.
void Gossip::answer(LinkIndex to, uint64_t rounds_digest, bool was_told) {
  FrontierProtocol& frontier = *core_.parts.frontier;
  std::string reports;
  if (rounds_digest == frontier.gossip_digest()) {
    frontier.note_equal_gossip();
  } else if (!was_told) {
    frontier.encode_gossip(reports);
  }
  send(to, MessageType::kGossipReply, reports, Form::kDigests);
}

void Gossip::on_link_up(MemberIndex peer, Now now) {
  if (!active()) return;
  if (due_us_ == 0) due_us_ = now.steady_us + core_.options.gossip_ms * 1000ULL;
  ask(peer);
}

bool Gossip::on_message(LinkIndex from, const Frame& frame) {
  if (core_.parts.frontier == nullptr) return true;
  ByteReader reader(frame.payload);
  const uint64_t marks_digest = reader.u64();
  const Hlc reached{reader.u64()};
  const uint64_t history_digest = reader.u64();
  if (frame.head.flags & kGossipDigests) {
    const uint64_t rounds_digest = reader.u64();
    if (!reader.ok() || !on_reports(from, frame, rounds_digest, reader.rest())) return false;
    const bool was_told = frame.head.type == MessageType::kGossip && !reader.rest().empty();
    if (was_told) return true;  // the rest was said before
  } else {
    if (!reader.ok() || !core_.parts.frontier->merge_gossip(reader.rest())) return false;
    if (frame.head.type == MessageType::kGossip) tell_all(from, MessageType::kGossipReply);
  }
  core_.parts.marks->forget_below(reached);
  histories_.on_digest(from, history_digest);
  if (marks_digest != core_.parts.marks->digest()) send_marks(from);
  return true;
}

bool Gossip::on_reports(LinkIndex from, const Frame& frame, uint64_t rounds_digest,
                        std::string_view reports) {
  FrontierProtocol& frontier = *core_.parts.frontier;
  std::string newer;  // than the reports: before they are merged
  if (!reports.empty()) {
    if (!frontier.encode_newer_gossip(reports, newer)) return false;
    if (!frontier.merge_gossip(reports)) return false;
  }
  if (frame.head.type == MessageType::kGossip) {
    answer(from, rounds_digest, !reports.empty());
  } else if (!newer.empty()) {
    send(from, MessageType::kGossip, newer, Form::kDigests);
  }
  return true;
}

void Gossip::on_time(Now now) {
  if (!active()) return;
  if (due_us_ == 0) due_us_ = now.steady_us + core_.options.gossip_ms * 1000ULL;
  if (now.steady_us >= due_us_) {
    due_us_ = now.steady_us + core_.options.gossip_ms * 1000ULL;
    if (core_.parts.frontier->tick(core_.parts.current_incarnation(), now)) reaper_.begin();
    InlineVector<MemberIndex, 4> linked;
    for (MemberIndex member = 0; member < core_.view->members.size(); ++member) {
      if (member != core_.self() && core_.health.linked(member)) linked.push_back(member);
    }
    if (!linked.empty()) ask(linked[core_.rng.below(linked.size())]);
  }
  reaper_.on_time(now);
}

uint64_t Gossip::next_deadline_us() const {
  if (!active()) return 0;
  return sooner_of(reaper_.next_deadline_us(), due_us_);
}

}  // namespace kvorum::cluster
