// SPDX-License-Identifier: Apache-2.0
#include "cluster/health/peer_health.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

size_t kind(Ask ask) {
  KVORUM_CHECK(ask <= Ask::kForward);  // an index into a peer's latencies
  return static_cast<size_t>(ask);
}

// Of a peer without traffic, until it is probed. Where there are many each is probed less often, so
// that together they cost no more: traffic finds out by itself, and the links have pings of their
// own.
constexpr uint64_t kIdlePeers = 8;
uint64_t idle_us(size_t peers) {
  return PeerHealth::kIdleUs * std::max<uint64_t>(1, peers / kIdlePeers);
}

uint64_t since(uint64_t then_us, uint64_t now_us) {
  return now_us > then_us ? now_us - then_us : 0;
}

}  // namespace

const char* peer_state_name(PeerState state) {
  switch (state) {
    case PeerState::kUp:
      return "up";
    case PeerState::kSlow:
      return "slow";
    case PeerState::kSuspected:
      return "suspected";
    case PeerState::kDown:
      return "down";
  }
  return "unknown";
}

void PeerHealth::resize(size_t members, MemberIndex self, uint64_t now_us) {
  KVORUM_CHECK(members >= peers_.size());  // members keep their index
  KVORUM_CHECK(members <= kMembersMax);    // each index is a MemberIndex, none is kNoMember
  KVORUM_CHECK(self == kNoMember || self < members);
  const size_t known = peers_.size();
  peers_.resize(members);
  self_ = self;
  for (size_t at = known; known != 0 && at < members; ++at) {
    peers_[at].newcomer = at != self;
    peers_[at].heard_of_us = now_us;
  }
  const bool any =
      std::any_of(peers_.begin(), peers_.end(), [](const Peer& peer) { return peer.newcomer; });
  expected_until_us_ = any ? now_us + kExpectedUs : 0;
}

uint32_t PeerHealth::distance(MemberIndex peer) const {
  if (peer == self_) return 0;
  KVORUM_CHECK(peer < peers_.size());
  const Peer& state = peers_[peer];
  const uint64_t mean_us = state.latency[kind(Ask::kRead)].mean_us();
  constexpr uint32_t kLatencies = 64;  // a step that no latency makes up for
  return 1 + static_cast<uint32_t>(std::bit_width(mean_us / 1024)) + (state.far ? kLatencies : 0) +
         (state.slow ? 2 * kLatencies : 0);
}

uint64_t PeerHealth::tail_us(MemberIndex peer, Ask ask) const {
  if (peer == self_) return 0;
  KVORUM_CHECK(peer < peers_.size());
  return peers_[peer].latency[kind(ask)].tail_us();
}

PeerState PeerHealth::state(MemberIndex peer) const {
  if (peer == self_) return PeerState::kUp;
  KVORUM_CHECK(peer < peers_.size());
  const Peer& state = peers_[peer];
  if (!state.linked || state.stopping) return PeerState::kDown;
  if (suspected(state)) return PeerState::kSuspected;
  return state.slow ? PeerState::kSlow : PeerState::kUp;
}

PeerReport PeerHealth::report(MemberIndex peer) const {
  KVORUM_CHECK(peer < peers_.size());
  PeerReport report;
  report.state = state(peer);
  if (peer == self_) return report;
  const Peer& known = peers_[peer];
  report.since_us = known.since_us;
  report.heard_us = known.heard_us;
  report.timeouts = known.timeouts;
  report.suspicions = known.suspicions;
  report.probes = known.probes;
  report.read_us = known.latency[kind(Ask::kRead)].mean_us();
  report.read_tail_us = known.latency[kind(Ask::kRead)].tail_us();
  report.write_us = known.latency[kind(Ask::kWrite)].mean_us();
  report.usual_us = baseline_us_;
  report.unanswered = known.silences;
  report.stopping = known.stopping;
  report.one_way = known.one_way;
  report.version = known.linked ? known.version : uint16_t{0};
  return report;
}

void PeerHealth::changed(Peer& peer, uint64_t now_us) {
  peer.since_us = now_us;
  ++generation_;
}

// Of a dead peer's silence nothing is to be learned about the living one.
void PeerHealth::forget_latency(Peer& peer) {
  for (PeerLatency& latency : peer.latency) latency = {};
  peer.slow = false;
}

void PeerHealth::note_due(Peer& peer, uint64_t due_us) {
  KVORUM_CHECK(due_us != 0);  // which means that nobody is looked at any more
  peer.due_us = due_us;
  if (due_us_ == 0 || due_us < due_us_) due_us_ = due_us;
}

void PeerHealth::set_linked(MemberIndex index, bool up, uint64_t now_us) {
  Peer* const peer = find(index);
  if (!peer) return;
  peer->linked = up;
  peer->newcomer = false;
  peer->stopping = false;
  peer->silences = 0;
  peer->half_open = false;
  peer->probe_asked_us = 0;
  peer->retry_us = kRetryFirstUs;
  if (up) forget_latency(*peer);
  changed(*peer, now_us);
  // Soon, for a first latency.
  if (up) note_due(*peer, now_us + rng_.below(kIdleUs / 8));
}

void PeerHealth::set_stopping(MemberIndex index, uint64_t now_us) {
  Peer* const peer = find(index);
  if (!peer || !peer->linked || peer->stopping) return;
  peer->stopping = true;
  changed(*peer, now_us);
}

void PeerHealth::set_one_way(MemberIndex index, bool one_way, uint64_t now_us) {
  Peer* const peer = find(index);
  if (!peer || peer->one_way == one_way) return;
  peer->one_way = one_way;
  changed(*peer, now_us);
}

void PeerHealth::heard(MemberIndex index, uint64_t now_us) {
  Peer* const peer = find(index);
  if (!peer) return;
  peer->heard_us = now_us;
  if (peer->silences == 0) return;
  const bool was_suspected = suspected(*peer);
  peer->silences = 0;
  peer->half_open = false;
  peer->retry_us = kRetryFirstUs;
  if (!was_suspected || !peer->linked) return;
  forget_latency(*peer);
  changed(*peer, now_us);
}

void PeerHealth::answered(MemberIndex index, const Answer& answer, uint64_t now_us) {
  heard(index, now_us);
  Peer* const peer = find(index);
  if (!peer) return;
  if (peer->latency[kind(answer.ask)].add(since(answer.asked_us, now_us), now_us)) {
    judge_latency(*peer, now_us);
  }
}

void PeerHealth::still_waiting(MemberIndex index, const Answer& answer, uint64_t now_us) {
  Peer* const peer = find(index);
  if (!peer) return;
  const uint64_t waited_us = since(answer.asked_us, now_us);
  if (peer->latency[kind(answer.ask)].still_waiting(waited_us, now_us)) {
    judge_latency(*peer, now_us);
  }
}

void PeerHealth::timed_out(MemberIndex index, uint64_t asked_us, uint64_t now_us) {
  Peer* const peer = find(index);
  if (!peer) return;
  ++peer->timeouts;
  if (!peer->linked || peer->heard_us > asked_us || asked_us < excused_until_us_) return;
  if (++peer->silences == kTimeoutsMax) suspect(*peer, now_us);
}

void PeerHealth::suspect(Peer& peer, uint64_t now_us) {
  KVORUM_CHECK(suspected(peer));
  KVORUM_CHECK(peer.linked);  // a silence counts on a link alone, and a probe needs one
  ++peer.suspicions;
  // Cleared by a probe only to fall silent again: the pauses go on growing.
  if (!peer.half_open) peer.retry_us = kRetryFirstUs;
  peer.half_open = false;
  peer.probe_asked_us = 0;
  note_due(peer, now_us + jittered(peer.retry_us));
  changed(peer, now_us);
}

void PeerHealth::on_time(uint64_t now_us, FunctionRef<void(MemberIndex peer)> probe) {
  if (due_us_ == 0 || now_us < due_us_) return;
  due_us_ = 0;
  for (size_t index = 0; index < peers_.size(); ++index) {
    Peer& peer = peers_[index];
    if (!linked(static_cast<MemberIndex>(index)) || index == self_) continue;
    if (peer.due_us <= now_us) look_at(static_cast<MemberIndex>(index), now_us, probe);
    note_due(peer, peer.due_us);
  }
  if (due_us_ != 0) due_us_ = std::max(due_us_, now_us + kLookUs);
}

void PeerHealth::look_at(MemberIndex index, uint64_t now_us,
                         FunctionRef<void(MemberIndex peer)> probe) {
  Peer& peer = peers_[index];
  KVORUM_CHECK(peer.linked && index != self_);
  if (!suspected(peer) && peer.probe_asked_us != 0) {
    const uint64_t asked_us = peer.probe_asked_us;
    peer.probe_asked_us = 0;
    still_waiting(index, {Ask::kRead, asked_us}, now_us);
    timed_out(index, asked_us, now_us);
  }
  if (suspected(peer)) {
    if (peer.due_us > now_us) return;  // since just now
    peer.retry_us = std::min(2 * peer.retry_us, kRetryMaxUs);
    peer.due_us = now_us + jittered(peer.retry_us);
  } else if (!peer.slow && since(peer.heard_us, now_us) < idle_us(peers_.size())) {
    peer.due_us = peer.heard_us + idle_us(peers_.size()) + rng_.below(idle_us(peers_.size()) / 8);
    return;
  } else {
    peer.due_us = now_us + kProbeTimeoutUs;
  }
  peer.probe_asked_us = now_us;
  ++peer.probes;
  probe(index);
}

void PeerHealth::probe_answered(MemberIndex index, uint64_t asked_us, uint64_t now_us) {
  Peer* const peer = find(index);
  if (!peer || !peer->linked || asked_us > now_us || now_us - asked_us > kProbeAgeMaxUs) return;
  peer->heard_us = now_us;
  peer->probe_asked_us = 0;
  if (suspected(*peer)) {
    peer->silences = kTimeoutsMax - 1;
    peer->half_open = true;
    forget_latency(*peer);
    changed(*peer, now_us);
  } else if (!peer->half_open || since(peer->since_us, now_us) > 2 * kRetryMaxUs) {
    peer->silences = 0;
    peer->half_open = false;
    peer->retry_us = kRetryFirstUs;
  }
  if (peer->latency[kind(Ask::kRead)].add(now_us - asked_us, now_us)) {
    judge_latency(*peer, now_us);
  }
  note_due(*peer, now_us + idle_us(peers_.size()) + rng_.below(idle_us(peers_.size()) / 8));
}

// Slow is who answers many times later than the other peers usually do, and not in a time that
// nobody would mind. Fast again is not at the same place: the state must not flutter.
void PeerHealth::judge_latency(Peer& peer, uint64_t now_us) {
  find_baseline(now_us);
  const uint64_t limit_us = std::max(kSlowLeastUs, kSlowTimes * baseline_us_);
  const uint64_t mean_us = peer.latency[kind(Ask::kRead)].mean_us();
  const bool slow = peer.slow ? mean_us > limit_us / 2 : mean_us > limit_us;
  if (slow == peer.slow) return;
  peer.slow = slow;
  if (peer.linked && !suspected(peer)) changed(peer, now_us);
}

void PeerHealth::find_baseline(uint64_t now_us) {
  if (baseline_found_us_ != 0 && now_us < baseline_found_us_ + kBaselineUs) return;
  baseline_found_us_ = now_us;
  means_.clear();
  for (size_t index = 0; index < peers_.size(); ++index) {
    const PeerLatency& latency = peers_[index].latency[kind(Ask::kRead)];
    if (peers_[index].linked && index != self_ && latency.known()) {
      means_.push_back(latency.mean_us());
    }
  }
  if (means_.empty()) return;
  const auto middle = means_.begin() + static_cast<std::ptrdiff_t>((means_.size() - 1) / 2);
  std::nth_element(means_.begin(), middle, means_.end());
  baseline_us_ = *middle;
}

}  // namespace kvorum::cluster
