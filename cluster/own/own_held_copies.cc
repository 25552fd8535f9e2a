// SPDX-License-Identifier: Apache-2.0
#include "cluster/own/own_held_copies.h"

namespace kvorum::cluster {

HeldCopies own_held_copies(const ClusterView& view, const engine::ObjectTable& table) {
  HeldCopies held;
  held.newest_set = view.newest_set;
  for (const MovingPartition& moving : view.moving) {
    HeldCopy copy{moving.partition};
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      copy.keys += table.record_count(keyspace, moving.partition);
      copy.bytes += table.object_bytes(keyspace, moving.partition);
    }
    if (copy.keys > 0) held.copies.push_back(copy);
  }
  return held;
}

}  // namespace kvorum::cluster
