// SPDX-License-Identifier: Apache-2.0
// Local failure detection (paper 4.8.3): B is down for this coordinator when B does not answer it.
// A peer is reachable while its link is up and it has not missed kTimeoutsMax answers in a row; a
// suspected one gets a request again every now and then (half-open, jittered), and one answer
// clears it. Nothing is told to other nodes and no outage changes the membership.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "cluster/member.h"

namespace kvorum::cluster {

class PeerHealth {
 public:
  static constexpr uint32_t kTimeoutsMax = 3;
  static constexpr uint64_t kRetryUs = 500'000;

  // A new view: members keep their state by index, new ones start down. `self` is always reachable.
  void resize(size_t members, MemberIndex self);

  // May be asked now. For a suspected peer true once per retry interval: the caller's request is
  // the probe.
  bool reachable(MemberIndex peer, uint64_t now_us, Rng& rng);
  // The same without spending the probe.
  bool healthy(MemberIndex peer) const {
    return peer == self_ || (peers_[peer].linked && peers_[peer].timeouts < kTimeoutsMax);
  }
  bool linked(MemberIndex peer) const { return peer == self_ || peers_[peer].linked; }

  void set_linked(MemberIndex peer, bool up);
  void answered(MemberIndex peer) { peers_[peer].timeouts = 0; }
  void timed_out(MemberIndex peer, uint64_t now_us);

 private:
  struct Peer {
    bool linked = false;
    uint32_t timeouts = 0;
    uint64_t retry_at_us = 0;
  };
  std::vector<Peer> peers_;
  MemberIndex self_ = kNoMember;
};

}  // namespace kvorum::cluster
