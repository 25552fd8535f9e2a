// SPDX-License-Identifier: Apache-2.0
// A cluster's file beside the cluster as it is: the file founds, and afterwards the history of
// changes rules. What differs is told line by line, and `kvorum cluster apply FILE` makes it as the
// file says (docs/OPERATING.md, "Members"). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster/history/change.h"
#include "cluster/ring/cluster_view.h"
#include "server/config/config.h"

namespace kvorum::server {

struct FileDifferences {
  // As a person reads it: `b: weight 1 -> 2`, `databases 0-15: n 3 -> 5, w 2 -> 3`.
  std::vector<std::string> lines;
  std::vector<std::string> joins, leaves;  // names
  std::vector<cluster::Change> changes;    // of weights, places and policies; without ids
  // What the cluster can never be: it was founded otherwise. Empty: nothing of that kind.
  std::string never;
};

// What would have to change for the cluster to be as the file says. Addresses are not among the
// changes: a node tells its own.
FileDifferences compare_file(const Config& file, const cluster::ClusterView& view);

// `what` cannot change: the sentence that says so. Empty where nothing differs.
struct FoundedShape {
  std::string cluster_name;
  uint32_t partitions = 0;
  Partitioner partitioner = Partitioner::kMd5;
};
std::string founded_otherwise(const FoundedShape& founded, const Config& file);
// The same of one thing, and as a data directory says it.
std::string founded_with(std::string_view what, std::string_view was, std::string_view is);
std::string directory_refusal(std::string_view directory, std::string_view founded);

}  // namespace kvorum::server
