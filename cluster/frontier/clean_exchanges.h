// SPDX-License-Identifier: Apache-2.0
// The clean exchanges that this node had: for each partition and other primary, when the latest one
// began. An exchange of a partition between two nodes is clean when, at its end, each of them holds
// or covers all that the other one held when it began: their roots were equal, or all that differed
// was repaired and acknowledged. Both sides note it. Shared by the machines of a node (NodeParts):
// the side that answers is whichever reactor got the frame. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/spin_lock.h"
#include "base/time.h"
#include "cluster/ring/member.h"

namespace kvorum::cluster {

struct CleanExchange {
  NodeId peer = 0;
  // The incarnations of this node's run and of the peer's: it speaks for these two alone.
  uint64_t run = 0;
  uint64_t peer_run = 0;
  Hlc began;  // by this node's clock: what it stored before was part of the exchange
  // What both knew of the partition when it began: ClusterView::signature(); 0: perhaps not the
  // same. And whether the peer's copy was whole then.
  uint64_t signature = 0;
  bool peer_whole = false;
};

// Told of exchanges as they happen, on the thread of the reactor that took part. Of the frontier
// protocol, as of anybody else who wants to know. Must not call back into CleanExchanges.
class ExchangeObserver {
 public:
  virtual ~ExchangeObserver() = default;
  // Bytes that travel with the opening of an exchange, and with its answer; opaque to it.
  virtual void write_gossip(NodeId peer, std::string& out) = 0;
  virtual void on_gossip(NodeId peer, std::string_view bytes) = 0;
  virtual void on_clean_exchange(uint8_t keyspace, uint32_t partition,
                                 const CleanExchange& exchange) = 0;
};

class CleanExchanges {
 public:
  explicit CleanExchanges(uint32_t partitions) : partitions_(partitions) {}

  // Set while no machine runs. Not owned.
  void set_observer(ExchangeObserver* observer) { observer_ = observer; }
  ExchangeObserver* observer() const { return observer_; }

  void note(uint8_t keyspace, std::span<const uint32_t> partitions, const CleanExchange& exchange);
  std::optional<CleanExchange> latest(uint8_t keyspace, uint32_t partition, NodeId peer) const;
  // Grows with every note.
  uint64_t count() const;

 private:
  const uint32_t partitions_;
  ExchangeObserver* observer_ = nullptr;
  mutable SpinLock lock_;
  // By partition.
  std::map<std::pair<NodeId, uint8_t>, std::vector<CleanExchange>> latest_ KVORUM_GUARDED_BY(lock_);
  uint64_t count_ KVORUM_GUARDED_BY(lock_) = 0;
};

}  // namespace kvorum::cluster
