// SPDX-License-Identifier: Apache-2.0
// The frontier of a cluster: the HLC below which every version is on the disk of every primary, so
// that what is missing there is dead, and a tombstone need not be kept to say so. No wall clocks
// are compared: each member vouches for its own copies (frontier_ledger.h), in rounds that gossip
// carries (frontier_rounds.h). A round in which all members agree on view, flush marks and runs
// moves the frontier of this node's copies to the least HLC that anybody reported.
//
//   clean exchanges --> ledger --least HLC not vouched for--> report --gossip--> all members
//   all reports of a round, equal hashes --> CopyFrontiers of the copies --> reaper, drop_dead()
//
// Once the frontier has passed all that ever happened here, everybody agrees and neither a
// tombstone nor a flush mark is left, this node begins no round of its own: where nothing changes
// rounds end, and gossip has nothing to carry. It goes on as soon as it changes something, or
// anybody else reports a later round.
//
// What keeps it from rising is always one of: a member that does not report, hashes that differ, a
// copy without a clean exchange in both present runs, a hint, versions not yet exchanged.
// Shared by the machines of a node; any thread.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "cluster/frontier/clean_exchanges.h"
#include "cluster/frontier/copy_frontiers.h"
#include "cluster/frontier/frontier_ledger.h"
#include "cluster/frontier/frontier_rounds.h"
#include "cluster/frontier/whole_replicas.h"
#include "cluster/ring/cluster_view.h"
#include "cluster/ring/former_placements.h"
#include "cluster/version/flush_marks.h"
#include "cluster/version/hybrid_clock.h"
#include "engine/table/object_table.h"

namespace kvorum::cluster {

// Nothing is owned; all outlive it.
struct FrontierParts {
  engine::ObjectTable* table = nullptr;
  engine::ObjectTable* hints = nullptr;
  HybridClock* clock = nullptr;
  FlushMarks* marks = nullptr;
  std::shared_ptr<const ClusterView> view;
  // Copies that still follow one may lack what others hold: it is not dead. Null: none does.
  const FormerPlacements* former = nullptr;
  // A copy that is not whole is not raised by rounds. Null: all are whole.
  const WholeReplicas* whole = nullptr;
};

struct FrontierStatus {
  uint64_t round = 0;
  Hlc frontier;                                  // of the latest round that all agreed on
  bool agreed = false;                           // in the latest round that ended
  std::vector<NodeId> awaited;                   // did not report in the present round
  std::optional<FrontierLedger::PeerCopy> open;  // has had no clean exchange with that peer
  bool hints_wait = false;
  bool rests = false;  // the frontier has passed everything here: nothing is waited for
};

class FrontierProtocol final : public ExchangeObserver {
 public:
  FrontierProtocol(FrontierParts parts, uint64_t run);

  const CopyFrontiers& copies() const { return copies_; }

  // A later view: rounds count its members and those that leave. What was reported under another
  // one raises nothing.
  void publish(std::shared_ptr<const ClusterView> later);
  // The node gave up its copy.
  void drop(uint8_t keyspace, uint32_t partition) { copies_.reset(keyspace, partition); }

  // Periodically, by one machine of the node: judges the present round and reports in the next.
  // True where the frontier of the copies rose. `run`: the node's, another one after a failure
  // of its store.
  bool tick(uint64_t run, Now now);
  // Of the latest round that all agreed on.
  Hlc reached() const;
  // The run that a member is in, as far as is known; 0: nothing is.
  uint64_t run_of(NodeId node) const {
    const MutexLock lock(mutex_);
    return rounds_.run_of(node);
  }
  void encode_gossip(std::string& out) const;
  // Two members with the same one have nothing to tell each other.
  uint64_t gossip_digest() const;
  // What this node knows and the other one, whose encode_gossip() that is, does not. False where
  // the bytes are malformed.
  bool encode_newer_gossip(std::string_view theirs, std::string& out) const;
  // Another member knows exactly what this one does, and so of this run.
  void note_equal_gossip() { heard_.store(true, std::memory_order_release); }
  // False where the bytes are malformed.
  bool merge_gossip(std::string_view bytes);
  // Another member has said in this run what it knows, also of the runs before it.
  bool heard() const { return heard_.load(std::memory_order_acquire); }

  void write_gossip(NodeId peer, std::string& out) override;
  void on_gossip(NodeId peer, std::string_view bytes) override;
  void on_clean_exchange(uint8_t keyspace, uint32_t partition,
                         const CleanExchange& exchange) override;

  // Copies lost something: their frontier is zero until a round that this node reported in a later
  // run than `over` has counted.
  void lose(uint8_t keyspace, uint32_t partition, uint64_t over);
  void lose_all(uint64_t over);
  FrontierStatus status() const;

 private:
  Hlc oldest_hint() KVORUM_REQUIRES(mutex_);
  bool judge(const FrontierRounds::Ended& ended) KVORUM_REQUIRES(mutex_);
  void report(uint64_t run, Hlc clock) KVORUM_REQUIRES(mutex_);
  uint64_t belief() const KVORUM_REQUIRES(mutex_);
  bool is_something_under_way(bool changed) const KVORUM_REQUIRES(mutex_);
  bool wants_round() const KVORUM_REQUIRES(mutex_);

  const FrontierParts parts_;
  CopyFrontiers copies_;
  std::atomic<bool> heard_{false};
  mutable Mutex mutex_;
  // Any reactor may publish the next one while another looks at it.
  std::shared_ptr<const ClusterView> view_ KVORUM_GUARDED_BY(mutex_);
  FrontierLedger ledger_ KVORUM_GUARDED_BY(mutex_);
  FrontierRounds rounds_ KVORUM_GUARDED_BY(mutex_);
  uint64_t first_round_of_run_ KVORUM_GUARDED_BY(mutex_) = 1;
  bool viewed_since_report_ KVORUM_GUARDED_BY(mutex_) = false;
  // The one in which copies were lost last.
  uint64_t losing_run_ KVORUM_GUARDED_BY(mutex_) = 0;
  Hlc clock_at_report_ KVORUM_GUARDED_BY(mutex_);
  Hlc least_since_report_ KVORUM_GUARDED_BY(mutex_) = kNoHlc;
  Hlc oldest_hint_ KVORUM_GUARDED_BY(mutex_) = kNoHlc;
  Hlc frontier_ KVORUM_GUARDED_BY(mutex_);
  // This node rests when the frontier has passed the latest reading at which anything was under
  // way here.
  bool stirred_ KVORUM_GUARDED_BY(mutex_) = true;  // since the last tick
  bool rests_ KVORUM_GUARDED_BY(mutex_) = false;
  Hlc busy_at_ KVORUM_GUARDED_BY(mutex_);
  uint64_t reported_belief_ KVORUM_GUARDED_BY(mutex_) = 0;
  bool agreed_ KVORUM_GUARDED_BY(mutex_) = false;
  std::optional<FrontierLedger::PeerCopy> open_ KVORUM_GUARDED_BY(mutex_);
};

}  // namespace kvorum::cluster
