// SPDX-License-Identifier: Apache-2.0
// One snapshot of a node: what its reactors published, its tables, its copies, its process; and
// what such snapshots have in common: the rate of commands, since when a problem holds, the last
// reset. Any thread.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "server/access/login_guard.h"
#include "server/membership/moves_progress.h"
#include "server/node/live_config.h"
#include "server/node/node_copies.h"
#include "server/node/node_membership.h"
#include "server/node/node_self.h"
#include "server/node/reactor_group.h"
#include "server/status/node_status.h"
#include "server/status/problems.h"
#include "server/storage/node_stores.h"

namespace kvorum::server {

// By MemberIndex, of several reactors: a peer is as healthy as the one that sees it worst says, and
// what was counted adds up. One that knows a newcomer has more of them than one that does not yet.
void join_reports(const std::vector<cluster::PeerReport>& from,
                  std::vector<cluster::PeerReport>* worst);

class StatusCollector {
 public:
  // All outlive it. Copies, tables and reactors are looked at while the phase says serving.
  struct Sources {
    const NodeSelf& self;
    const NodePhase& phase;
    const LiveConfig& live;
    const NodeStores& stores;
    const NodeCopies& copies;
    NodeMembership& membership;
    const ReactorGroup& reactors;
    const LoginGuard& logins;
  };
  explicit StatusCollector(const Sources& sources) : from_(sources) {}
  StatusCollector(const StatusCollector&) = delete;

  NodeStatus status();
  // Counts are shown from now on.
  void reset_statistics();
  std::vector<CallTimes> call_times();
  // The file system of the data directory, for the snapshots that follow.
  void measure_disk();

 private:
  struct PeersSeen;
  // Counts since the start, or their growth per second.
  struct Traffic {
    uint64_t commands = 0, bytes_in = 0, bytes_out = 0;
  };

  void add_identity(const cluster::ClusterView& view, NodeStatus* status) const;
  void add_limits(NodeStatus* status) const;
  void add_serving(uint64_t now_us, NodeStatus* status, PeersSeen* peers) const;
  void add_reactors(NodeStatus* status, PeersSeen* peers) const;
  void add_tables(NodeStatus* status) const;
  void add_keys(NodeStatus* status) const;
  void add_copies(NodeStatus* status) const;
  void add_frontier(ReapingStatus* reaping) const;
  void add_members(const cluster::ClusterView& view, const PeersSeen& peers,
                   NodeStatus* status) const;
  MemberStatus member_row(const cluster::ClusterView& view, size_t index,
                          const PeersSeen& peers) const;
  void add_clients(NodeStatus* status) const;
  void add_rate(uint64_t now_us, NodeStatus* status);
  void add_moves(const cluster::ClusterView& view, uint64_t now_us, NodeStatus* status);
  std::string eviction_waits(const NodeStatus& status) const;

  const Sources from_;
  std::atomic<uint64_t> disk_bytes_{0}, disk_free_bytes_{0};
  ProblemTimes problem_times_;

  // Growth per second, between two looks at the counts.
  Mutex rate_lock_;
  uint64_t rate_at_us_ KVORUM_GUARDED_BY(rate_lock_) = 0;
  Traffic rate_seen_ KVORUM_GUARDED_BY(rate_lock_);
  Traffic rate_ KVORUM_GUARDED_BY(rate_lock_);  // per second
  MovesProgress progress_ KVORUM_GUARDED_BY(rate_lock_);

  Mutex reset_lock_;
  std::shared_ptr<const NodeStatus> at_reset_ KVORUM_GUARDED_BY(reset_lock_);
  std::vector<CallTimes> times_at_reset_ KVORUM_GUARDED_BY(reset_lock_);
};

}  // namespace kvorum::server
