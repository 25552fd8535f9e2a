// SPDX-License-Identifier: Apache-2.0
// The view that follows from a history: members, ring, policies, and the sets in play of each
// partition that moves. The same on every node but for the order of the members, whose indexes are
// each process's own, and for which of them the node is. Pure.
#pragma once

#include "cluster/history/history.h"
#include "cluster/history/set_placement.h"
#include "cluster/ring/cluster_view.h"

namespace kvorum::cluster {

// What a view comes after; nothing where it is the first.
struct EarlierView {
  // `its_history`, if not null, is that from which the view was made: of partitions about which
  // nothing new is known nothing is made anew then.
  EarlierView(const ClusterView* earlier, const History* its_history = nullptr)
      : view(earlier), history(its_history) {}

  const ClusterView* view;
  const History* history;
};

// Members of the earlier view keep their index; who is new comes behind them, in the order in which
// all number them. `self`: the node's id; the view of one that is no member's is that of a node
// which waits. The generation is the caller's to count.
ClusterView view_of(const History& history, SetPlacements& placements, EarlierView earlier,
                    NodeId self);

}  // namespace kvorum::cluster
