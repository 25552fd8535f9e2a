// SPDX-License-Identifier: Apache-2.0
// Local failure detection (paper 4.8.3): B is down for this coordinator when B does not answer it,
// and slow when it answers many times later than the others. Judged from the answers to own
// questions alone; traffic is the probe, a link without answers is probed by small questions of its
// own (kProbe). So is who is slow: reads go around it, and what it acknowledges tells nothing of
// how fast it reads. Nothing is told to other nodes and no outage changes the membership. Owned by
// Core.
//
//   down <--link--> up <--ten times the others' latency--> slow
//                    |  ^
//     3 in a row     |  | any answer, or a probe's: then one more silence is enough again
//     unanswered     v  |
//                  suspected: probed after a jittered pause that grows from one to the next
//
// A peer that says that it stops is asked nothing from then on, as if it were down, until its link
// comes up anew; what it was asked before it answers still.
//
// A silence counts only where nothing at all was heard since the question (a late peer is no dead
// one), and not for questions from before a stall of this process itself.
#pragma once

#include <cstdint>
#include <vector>

#include "base/function_ref.h"
#include "base/rng.h"
#include "cluster/health/peer_latency.h"
#include "cluster/ring/member.h"
#include "cluster/wire/frame.h"

namespace kvorum::cluster {

// From best to worst.
enum class PeerState : uint8_t { kUp, kSlow, kSuspected, kDown };
const char* peer_state_name(PeerState state);

// What a question wants, for its latency: forwarded ones wait for other nodes in turn.
enum class Ask : uint8_t { kRead, kWrite, kForward };

// A peer as one coordinator sees it. Times are steady microseconds.
struct PeerReport {
  PeerState state = PeerState::kDown;
  uint64_t since_us = 0;      // of this state; 0: from the start
  uint64_t heard_us = 0;      // its last answer; 0: none
  uint64_t timeouts = 0;      // questions that were not answered in time
  uint64_t suspicions = 0;    // times that it was suspected
  uint64_t probes = 0;        // sent to it
  uint64_t read_us = 0;       // mean of its answers to reads and probes
  uint64_t read_tail_us = 0;  // 97 in 100 of them are faster
  uint64_t write_us = 0;      // mean of its acknowledgements
  uint64_t usual_us = 0;      // the median of all peers' means
  uint32_t unanswered = 0;    // in a row
  uint16_t version = 0;       // of the peer protocol; 0: it is not linked
  bool stopping = false;      // it said so
  bool one_way = false;       // it may not have a link to this node yet
};

class PeerHealth {
 public:
  static constexpr uint32_t kTimeoutsMax = 3;
  static constexpr uint64_t kIdleUs = 1'000'000;  // without an answer, then it is probed
  static constexpr uint64_t kProbeTimeoutUs = 250'000;
  static constexpr uint64_t kRetryFirstUs = 250'000;
  static constexpr uint64_t kRetryMaxUs = 2'000'000;
  static constexpr uint64_t kSlowLeastUs = 10'000;
  static constexpr uint64_t kSlowTimes = 10;
  static constexpr uint64_t kLivelyUs = 100'000;
  static constexpr uint64_t kExpectedUs = 2'000'000;

  explicit PeerHealth(Rng& rng) : rng_(rng) {}

  // A new view: members keep their state by index, new ones start down. `self` is always healthy.
  // Who comes while this run lasts is expected until its first link: for a while after it was heard
  // of, and after each later view.
  void resize(size_t members, MemberIndex self, uint64_t now_us);

  // May be asked: its link is up, it is not suspected and does not stop.
  bool healthy(MemberIndex peer) const {
    return linked(peer) && (peer == self_ || peers_[peer].silences < kTimeoutsMax);
  }
  bool linked(MemberIndex peer) const {
    return peer == self_ || (peers_[peer].linked && !peers_[peer].stopping);
  }
  // Both can ask each other.
  bool linked_both_ways(MemberIndex peer) const {
    return peer == self_ || (linked(peer) && !peers_[peer].one_way);
  }
  // Healthy, and it answered a moment ago: it is no frozen one that nobody suspects yet.
  bool lively(MemberIndex peer, uint64_t now_us) const {
    return healthy(peer) && (peer == self_ || now_us < peers_[peer].heard_us + kLivelyUs);
  }
  // A newcomer that had no link yet: nothing says that it is down.
  bool expected(MemberIndex peer, uint64_t now_us) const {
    return now_us < expected_until_us_ && peers_[peer].newcomer;
  }
  bool expects_any(uint64_t now_us) const { return now_us < expected_until_us_; }
  // The same, and it was heard of only just now.
  bool brand_new(MemberIndex peer, uint64_t now_us) const {
    return expected(peer, now_us) && now_us < peers_[peer].heard_of_us + kExpectedUs;
  }
  bool slow(MemberIndex peer) const { return peer != self_ && peers_[peer].slow; }
  // Nearness by powers of two of the mean latency, this node nearest, those in its zone before all
  // others, slow ones last: for sorting.
  uint32_t distance(MemberIndex peer) const;
  // What 97 in 100 answers stay below; 0 where nothing is known.
  uint64_t tail_us(MemberIndex peer, Ask ask) const;
  PeerState state(MemberIndex peer) const;
  PeerReport report(MemberIndex peer) const;
  // Changes with each state.
  uint64_t generation() const { return generation_; }

  void set_linked(MemberIndex peer, bool up, uint64_t now_us);
  // Of the peer protocol, as its link speaks it (frame.h).
  void set_version(MemberIndex peer, uint16_t version) {
    if (Peer* const known = find(peer)) known->version = version;
  }
  // It stands in another zone than this node.
  void set_far(MemberIndex peer, bool far) {
    if (Peer* const known = find(peer)) known->far = far;
  }
  uint16_t version(MemberIndex peer) const { return peers_[peer].version; }
  // Until its link comes up anew.
  void set_stopping(MemberIndex peer, uint64_t now_us);
  void set_one_way(MemberIndex peer, bool one_way, uint64_t now_us);
  // An answer to what was asked at asked_us.
  struct Answer {
    Ask ask = Ask::kRead;
    uint64_t asked_us = 0;
  };
  void answered(MemberIndex peer, const Answer& answer, uint64_t now_us);
  // An answer to an operation that is over: late, but a sign of life.
  void heard(MemberIndex peer, uint64_t now_us);
  // The operation goes on without its answer.
  void still_waiting(MemberIndex peer, const Answer& answer, uint64_t now_us);
  void timed_out(MemberIndex peer, uint64_t asked_us, uint64_t now_us);
  // This process did not run for a while: what it asked before says nothing about the peers.
  void stalled(uint64_t now_us) { excused_until_us_ = now_us; }

  // Probes that are due. A probe is answered with the time at which it was sent.
  void on_time(uint64_t now_us, FunctionRef<void(MemberIndex peer)> probe);
  void probe_answered(MemberIndex peer, uint64_t asked_us, uint64_t now_us);
  uint64_t next_deadline_us() const { return due_us_; }

 private:
  static constexpr uint64_t kLookUs = 20'000;  // between two walks over the peers
  static constexpr uint64_t kBaselineUs = 50'000;
  static constexpr uint64_t kProbeAgeMaxUs = 10'000'000;

  struct Peer {
    bool linked = false;
    uint16_t version = kProtocolVersion;  // as long as no link says otherwise
    bool stopping = false;
    bool one_way = false;
    bool newcomer = false;  // had no link yet
    bool far = false;
    bool slow = false;
    bool half_open = false;  // cleared by a probe: no real answer yet
    uint32_t silences = 0;   // in a row
    uint64_t heard_us = 0;
    uint64_t due_us = 0;          // when to look at it again
    uint64_t probe_asked_us = 0;  // 0: none is awaited
    uint64_t retry_us = kRetryFirstUs;
    uint64_t since_us = 0;
    uint64_t heard_of_us = 0;  // a newcomer
    uint64_t timeouts = 0, suspicions = 0, probes = 0;
    PeerLatency latency[3];  // by Ask
  };

  Peer* find(MemberIndex peer) {
    return peer < peers_.size() && peer != self_ ? &peers_[peer] : nullptr;
  }
  bool suspected(const Peer& peer) const { return peer.silences >= kTimeoutsMax; }
  void changed(Peer& peer, uint64_t now_us);
  void forget_latency(Peer& peer);
  void suspect(Peer& peer, uint64_t now_us);
  void look_at(MemberIndex index, uint64_t now_us, FunctionRef<void(MemberIndex peer)> probe);
  void judge_latency(Peer& peer, uint64_t now_us);
  void note_due(Peer& peer, uint64_t due_us);
  void find_baseline(uint64_t now_us);
  uint64_t jittered(uint64_t pause_us) { return pause_us / 2 + rng_.below(pause_us); }

  Rng& rng_;
  std::vector<Peer> peers_;
  MemberIndex self_ = kNoMember;
  uint64_t due_us_ = 0;  // of the earliest look; 0: none
  uint64_t excused_until_us_ = 0;
  uint64_t expected_until_us_ = 0;  // newcomers
  uint64_t generation_ = 1;
  uint64_t baseline_us_ = 0, baseline_found_us_ = 0;  // the peers' usual latency
  std::vector<uint64_t> means_;                       // reused
};

}  // namespace kvorum::cluster
