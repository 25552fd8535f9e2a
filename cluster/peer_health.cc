// SPDX-License-Identifier: Apache-2.0
#include "cluster/peer_health.h"

namespace kvorum::cluster {

void PeerHealth::resize(size_t members, MemberIndex self) {
  peers_.resize(members);
  self_ = self;
}

bool PeerHealth::reachable(MemberIndex peer, uint64_t now_us, Rng& rng) {
  if (healthy(peer)) return true;
  Peer& state = peers_[peer];
  if (!state.linked || now_us < state.retry_at_us) return false;
  state.retry_at_us = now_us + kRetryUs / 2 + rng.below(kRetryUs);
  return true;
}

void PeerHealth::set_linked(MemberIndex peer, bool up) {
  Peer& state = peers_[peer];
  state.linked = up;
  state.timeouts = 0;
}

void PeerHealth::timed_out(MemberIndex peer, uint64_t now_us) {
  if (peer == self_) return;
  Peer& state = peers_[peer];
  if (++state.timeouts == kTimeoutsMax) state.retry_at_us = now_us + kRetryUs;
}

}  // namespace kvorum::cluster
