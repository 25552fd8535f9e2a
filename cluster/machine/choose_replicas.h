// SPDX-License-Identifier: Apache-2.0
// Which replicas an operation asks (paper 4.5, 4.6): a function of the view and of the peers'
// health, with no state of its own.
#pragma once

#include "base/inline_vector.h"
#include "cluster/health/peer_health.h"
#include "cluster/machine/tallies.h"
#include "cluster/ring/cluster_view.h"

namespace kvorum::cluster {

// While the partition moves, more nodes are written than read (sets_in_play.h).
enum class Purpose : uint8_t { kRead, kWrite };

struct Whereabouts {
  const ClusterView& view;
  const PeerHealth& health;
  uint64_t steady_us = 0;  // when those who are chosen are asked
  Purpose purpose = Purpose::kRead;
};

// The first n healthy nodes of the key's preference list: primaries in order, then for each dead
// one a fallback (sloppy keyspaces). Dead primaries without a fallback go to `uncovered`. While the
// partition moves, the owners of all sets in play are its primaries.
void choose_replicas(const Whereabouts& now, const KeyRef& key, Targets* targets,
                     InlineVector<MemberIndex, 4>* uncovered);
// Whether a quorum of owners lacks newcomers to which this node has no link yet. A fallback would
// stand in for them, and with n = 1 nobody else tells it what they hold, or them what it holds. Who
// is written, but not read yet, may not have begun: it is missed for a while only.
bool lacks_newcomers(const Whereabouts& now, const KeyRef& key);
// A fallback that is not among the targets yet, rather one that is not slow, or kNoMember. Never
// this node.
MemberIndex spare_fallback(const Whereabouts& now, const KeyRef& key, const Targets& targets);

}  // namespace kvorum::cluster
