// SPDX-License-Identifier: Apache-2.0
// What this node holds of the partitions that move in a view: what it answers to kHeldCopies, and
// what it shows of itself. Any thread. Costs a short lock per keyspace of each such partition.
#pragma once

#include "cluster/ring/cluster_view.h"
#include "cluster/wire/held_copies.h"
#include "engine/table/object_table.h"

namespace kvorum::cluster {

HeldCopies own_held_copies(const ClusterView& view, const engine::ObjectTable& table);

}  // namespace kvorum::cluster
