// SPDX-License-Identifier: Apache-2.0
#include "cluster/frontier/clean_exchanges.h"

#include "base/check.h"

namespace kvorum::cluster {

void CleanExchanges::note(uint8_t keyspace, std::span<const uint32_t> partitions,
                          const CleanExchange& exchange) {
  KVORUM_CHECK(exchange.peer != 0);  // latest() knows by it that there was one
  {
    const SpinLockGuard guard(lock_);
    std::vector<CleanExchange>& latest = latest_[{exchange.peer, keyspace}];
    latest.resize(partitions_);
    for (const uint32_t partition : partitions) {
      KVORUM_CHECK(partition < partitions_);
      if (latest[partition].began < exchange.began) latest[partition] = exchange;
    }
    count_ += partitions.size();
  }
  if (observer_ == nullptr) return;
  for (const uint32_t partition : partitions) {
    observer_->on_clean_exchange(keyspace, partition, exchange);
  }
}

std::optional<CleanExchange> CleanExchanges::latest(uint8_t keyspace, uint32_t partition,
                                                    NodeId peer) const {
  const SpinLockGuard guard(lock_);
  const auto found = latest_.find({peer, keyspace});
  KVORUM_CHECK(partition < partitions_);
  if (found == latest_.end() || found->second[partition].peer == 0) return std::nullopt;
  return found->second[partition];
}

uint64_t CleanExchanges::count() const {
  const SpinLockGuard guard(lock_);
  return count_;
}

}  // namespace kvorum::cluster
