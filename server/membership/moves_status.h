// SPDX-License-Identifier: Apache-2.0
// The moves that are under way, as this node knows them: which partitions, from whom to whom, who
// has stated what of each, how much of it is copied, and for what it waits (docs/MEMBERSHIP.md).
// Pure. What changes with time, rates and totals, stands in moves_progress.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/copies/told_copies.h"
#include "cluster/history/history.h"
#include "cluster/ring/cluster_view.h"

namespace kvorum::server {

struct MovesStatus {
  // Keys are records, tombstones too; bytes are about what they take in memory.
  struct Amount {
    uint64_t keys = 0, bytes = 0;

    Amount& operator+=(const Amount& more) {
      keys += more.keys;
      bytes += more.bytes;
      return *this;
    }
  };
  struct Row {
    uint32_t partition = 0;
    std::vector<std::string> from;       // owners of the oldest set in play
    std::vector<std::string> to;         // owners of the newest that are new
    std::vector<std::string> confirmed;  // of those: they have all
    std::vector<std::string> voted;      // owners that are for the newest set
    uint64_t keys = 0;                   // of this node's copy
    std::string waits;                   // for what
    // What the new owners have, of what they are to have: the largest copy of those that have it
    // whole, for each. Known once a source and each new owner said what they hold.
    bool is_counted = false;
    Amount copied, of;
    Amount per_second;  // moves_progress.h

    // By keys; 0 where it is not counted.
    uint32_t percent() const;
  };
  // All moves since the last time that nothing moved, as far as this node saw them.
  struct Total {
    bool is_counted = true;  // each row is
    uint64_t partitions_moved = 0, partitions_left = 0;
    Amount copied, left;
    Amount per_second;
    std::optional<uint64_t> seconds_left;  // nothing: no key came in the last seconds

    // By keys; by partitions where they have none.
    uint32_t percent() const;
  };
  std::string newest_set;      // empty: the membership never changed
  std::vector<Row> rows;       // by partition
  std::vector<uint32_t> lost;  // partitions of which writes may be lost with removed nodes
  Total total;                 // moves_progress.h
};

// What this node knows of the members, by their index.
struct MembersSeen {
  std::vector<bool> reachable;                       // it answers this node
  std::vector<cluster::ToldCopies::Told> told = {};  // what each holds; this node's own, too
};

// Without rates and totals.
MovesStatus moves_of(const cluster::ClusterView& view, const cluster::History& history,
                     const MembersSeen& seen);

}  // namespace kvorum::server
