// SPDX-License-Identifier: Apache-2.0
#include "cluster/copies/lost_copies.h"

#include "cluster/frontier/frontier_protocol.h"

namespace kvorum::cluster {

void LostCopies::on_loss(uint8_t keyspace, uint32_t partition) {
  const MutexLock lock(mutex_);
  if (!whole_->note_damage(keyspace, partition)) return;
  count_.fetch_add(1, std::memory_order_relaxed);
  const uint64_t over = renew_incarnation_();
  if (frontier_ != nullptr) frontier_->lose(keyspace, partition, over);
}

void LostCopies::on_loss_of_all() {
  const MutexLock lock(mutex_);
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < whole_->partitions(); ++partition) {
      whole_->note_damage(keyspace, partition);
    }
  }
  count_.fetch_add(1, std::memory_order_relaxed);
  const uint64_t over = renew_incarnation_();
  if (frontier_ != nullptr) frontier_->lose_all(over);
}

}  // namespace kvorum::cluster
