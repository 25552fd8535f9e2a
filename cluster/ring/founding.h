// SPDX-License-Identifier: Apache-2.0
// Founding a cluster from its description in the YAML file: cluster id, node ids, first ring. The
// ids are digests of what the file says, in an order-free form, so every founder that reads the
// same members comes to the same cluster, whatever order they stand in. Names make the identity:
// addresses, weights, racks and zones may change. The file says nothing of the placement: founders
// agree on it when they meet (docs/MEMBERSHIP.md). Called once at start-up by server/ (and by tests
// and the simulator); pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/position.h"
#include "cluster/ring/cluster_view.h"

namespace kvorum::cluster {

struct Founding {
  std::string cluster_name = "kvorum";
  uint32_t partitions = 256;
  Partitioner partitioner = Partitioner::kMd5;
  std::vector<Member> members;  // distinct names; their ids are not read
  std::array<KeyspacePolicy, kKeyspacesMax> keyspaces = default_keyspaces();
  // The version of placement with which the first ring is made; no part of the cluster's id.
  uint8_t placement = kPlacementNewest;

  // `default` (n 3, r 2, w 2, siblings) for every database.
  static std::array<KeyspacePolicy, kKeyspacesMax> default_keyspaces();
};

// Digest of name, partitions, partitioner and the founders' names; never 0.
uint64_t founding_cluster_id(const Founding& founding);

// The id that earlier versions gave it: the founders' peer addresses, weights, racks and zones were
// in it. To recognise their data directories.
uint64_t addressed_cluster_id(const Founding& founding);

// So many neighbours on the ring are distinct nodes: the largest n, and one more.
uint32_t neighbours_apart(const std::array<KeyspacePolicy, kKeyspacesMax>& keyspaces);

// Digest of the cluster id and the founder's name; never 0.
NodeId founder_id(uint64_t cluster_id, std::string_view name);

// Members are ordered by name in the view. A `self_name` that is no founder gives self = kNoMember.
ClusterView found_view(const Founding& founding, std::string_view self_name);

}  // namespace kvorum::cluster
