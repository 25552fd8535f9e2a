// SPDX-License-Identifier: Apache-2.0
// The frontier of each copy of a partition: an HLC below which the copy is complete. A version
// below it that the copy neither holds nor covers was deleted, and its tombstone forgotten: it is
// dead (object.h, drop_dead()). Zero: nothing is known. Raised by the frontier protocol alone
// (frontier_protocol.h); read by every machine of the node, without a lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/atomic_raise.h"
#include "base/check.h"
#include "base/position.h"
#include "base/time.h"

namespace kvorum::cluster {

class CopyFrontiers {
 public:
  explicit CopyFrontiers(int partition_bits)
      : partition_bits_(partition_bits),
        values_(
            std::make_unique<std::atomic<uint64_t>[]>(size_t{kKeyspacesMax} << partition_bits)) {}

  Hlc of(uint8_t keyspace, uint32_t partition) const {
    return Hlc{values_[index_of(keyspace, partition)].load(std::memory_order_acquire)};
  }
  Hlc of(const KeyRef& key) const {
    return of(key.keyspace, partition_of(key.position, partition_bits_));
  }
  void raise(uint8_t keyspace, uint32_t partition, Hlc frontier) {
    raise_to(values_[index_of(keyspace, partition)], frontier.value, std::memory_order_acq_rel);
  }
  // A copy that lost something knows nothing any more.
  void reset(uint8_t keyspace, uint32_t partition) {
    values_[index_of(keyspace, partition)].store(0, std::memory_order_release);
  }
  uint32_t partitions() const { return uint32_t{1} << partition_bits_; }

 private:
  size_t index_of(uint8_t keyspace, uint32_t partition) const {
    KVORUM_CHECK(keyspace < kKeyspacesMax && partition < partitions());
    return (size_t{keyspace} << partition_bits_) + partition;
  }

  const int partition_bits_;
  std::unique_ptr<std::atomic<uint64_t>[]> values_;
};

}  // namespace kvorum::cluster
