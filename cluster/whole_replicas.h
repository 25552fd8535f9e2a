// SPDX-License-Identifier: Apache-2.0
// Which copies of partitions on this node are whole: hold, or cover, every write that the node
// acknowledged for them. A copy is not while the node may have forgotten some: its directory was
// wiped, its last stop was unclean, it keeps nothing on disk, a record was damaged, its hash tree
// does not agree with its objects. Such a copy takes writes, but does not count toward R, and is no
// context of a blind write; a clean exchange with all reachable primaries makes it whole. Shared by
// the machines of a node (NodeParts); any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/position.h"

namespace kvorum::cluster {

class WholeReplicas {
 public:
  // All copies are, or none is.
  WholeReplicas(int partition_bits, bool whole)
      : partitions_(uint32_t{1} << partition_bits),
        flags_(size_t{kKeyspacesMax} * partitions_),
        missing_(whole ? 0 : flags_.size()) {
    for (std::atomic<uint8_t>& flag : flags_) flag.store(whole, std::memory_order_relaxed);
  }

  bool is_whole(uint8_t keyspace, uint32_t partition) const {
    return missing_.load(std::memory_order_relaxed) == 0 ||
           flags_[at(keyspace, partition)].load(std::memory_order_acquire) != 0;
  }
  void set(uint8_t keyspace, uint32_t partition, bool whole) {
    const uint8_t now = whole ? 1 : 0;
    if (flags_[at(keyspace, partition)].exchange(now, std::memory_order_acq_rel) == now) return;
    missing_.fetch_add(whole ? ~size_t{0} : 1, std::memory_order_relaxed);
  }
  // How many are not.
  size_t missing() const { return missing_.load(std::memory_order_relaxed); }
  uint32_t partitions() const { return partitions_; }

 private:
  size_t at(uint8_t keyspace, uint32_t partition) const {
    return size_t{keyspace} * partitions_ + partition;
  }

  const uint32_t partitions_;
  std::vector<std::atomic<uint8_t>> flags_;
  std::atomic<size_t> missing_;
};

}  // namespace kvorum::cluster
