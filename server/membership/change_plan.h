// SPDX-License-Identifier: Apache-2.0
// What a change of the membership would move, before anybody makes it: copies of partitions by
// member, roughly how many keys and bytes, and what would then be worse than it could be. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cluster/history/history.h"
#include "cluster/history/set_placement.h"

namespace kvorum::server {

// Of the copies that a node holds now, on the average of its partitions.
struct CopySize {
  double keys = 0, bytes = 0;
};

struct ChangePlan {
  struct Row {
    std::string name;
    uint32_t copies_before = 0, copies_after = 0;  // of partitions, of the largest n
    uint32_t takes = 0, gives = 0;
  };

  std::string wish;      // `join f`
  std::string based_on;  // the newest set: another one, and the plan is stale
  uint32_t partitions = 0, partitions_moving = 0, copies_moving = 0;
  uint64_t keys = 0, bytes = 0;  // to be copied, about
  // Where nothing else is done meanwhile: of who takes most, by the rates that BACKGROUND.md has.
  double seconds = 0;
  std::vector<Row> members;  // those who own something before or after
  std::vector<std::string> violations;
  std::vector<std::string> lines;  // of a file: what is different
  bool is_empty = false;           // nothing is: the cluster is as the file says
};

// Changes of one wish, in their order.
ChangePlan plan_changes(const cluster::History& history, std::span<const cluster::Change> changes,
                        const CopySize& size);

// Racks, zones and members that do not suffice for n copies apart, of a placement.
std::vector<std::string> placement_violations(const cluster::SetPlacement& placement);

std::string set_text(cluster::SetId set);

}  // namespace kvorum::server
