// SPDX-License-Identifier: Apache-2.0
// The moves that are under way, as this node knows them: which partitions, from whom to whom, who
// has stated what of each, and for what it waits (docs/MEMBERSHIP.md). Pure.
#pragma once

#include <string>
#include <vector>

#include "cluster/history/history.h"
#include "cluster/ring/cluster_view.h"

namespace kvorum::server {

struct MovesStatus {
  struct Row {
    uint32_t partition = 0;
    std::vector<std::string> from;       // owners of the oldest set in play
    std::vector<std::string> to;         // owners of the newest that are new
    std::vector<std::string> confirmed;  // of those: they have all
    std::vector<std::string> voted;      // owners that are for the newest set
    uint64_t keys = 0;                   // of this node's copy
    std::string waits;                   // for what
  };
  std::string newest_set;      // empty: the membership never changed
  std::vector<Row> rows;       // by partition
  std::vector<uint32_t> lost;  // partitions of which writes may be lost with removed nodes
};

// `reachable`, by member: it answers this node. Without keys.
MovesStatus moves_of(const cluster::ClusterView& view, const cluster::History& history,
                     const std::vector<bool>& reachable);

}  // namespace kvorum::server
