// SPDX-License-Identifier: Apache-2.0
// A node: the process's tables, store, clock, reactors and admin server, put together in order and
// taken apart in the reverse one. Made by `kvorum serve`; one per process.
//
//   open(): membership, view -> listeners -> data directory -> tables, read once -> reactors,
//   commit thread stop(): no new clients, no edit begun -> those begun are done -> peers told, the
//   rest handed back -> answers out -> reactors end -> commit, sync -> clean-stop mark
//
// Who does what: NodeStores (disk, tables, commits), NodeCopies (which copies count),
// NodeMembership (the history, and who wishes what of it), ReactorGroup (threads and what they
// share), StatusCollector (snapshots), LiveConfig (what a reload changes).
#pragma once

#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/status.h"
#include "server/access/login_guard.h"
#include "server/admin/admin_api.h"
#include "server/config/config.h"
#include "server/node/live_config.h"
#include "server/node/node_copies.h"
#include "server/node/node_membership.h"
#include "server/node/node_self.h"
#include "server/node/node_sockets.h"
#include "server/node/node_watch.h"
#include "server/node/reactor_group.h"
#include "server/node/status_collector.h"
#include "server/process/descriptors.h"
#include "server/process/large_values.h"
#include "server/status/node_status.h"
#include "server/storage/library_file.h"
#include "server/storage/node_stores.h"

namespace kvorum::server {

class Node final : public NodeServices, public AdminServices {
 public:
  // A stop waits so long at most: for edits that are under way; for answers, clients and peers.
  static constexpr uint64_t kQuietMs = 500;
  static constexpr uint64_t kDrainMs = 2000;

  // Everything up to serving clients. The error is one sentence for the person who started it.
  // `kept`: of the node that this process was before (begins_anew()); else what is on disk counts.
  static Result<std::unique_ptr<Node>> open(const Config& config,
                                            std::optional<KeptMembership> kept = std::nullopt);
  ~Node() override { stop(); }
  Node(const Node&) = delete;

  // NodeServices and AdminServices: any thread.
  NodeStatus status() override { return status_.status(); }
  void reset_statistics() override { status_.reset_statistics(); }
  std::vector<CallTimes> call_times() override { return status_.call_times(); }
  void large_value(std::string_view key, uint64_t bytes) override;
  uint64_t login_delay_us(std::string_view peer_address) override;
  void login_failed(std::string_view peer_address) override;
  void refused_by_protected_mode(std::string_view peer_address) override;
  uint64_t wall_us() override;
  std::string stuck_reason() override;
  bool takes_password(std::string_view password) const override;
  void repair(const cluster::RepairWish& wish) override;
  std::shared_ptr<const Config> config() const override { return live_.get(); }
  std::shared_ptr<const cluster::ClusterView> view() const override { return membership_.view(); }
  MembershipDesk* membership() override { return &membership_; }

  void change_config(FunctionRef<void(Config& config)> edit) override;
  uint32_t clients_possible(uint32_t wanted) const override;

  // Puts in force what of a configuration can change while the node runs, and logs it; says what
  // cannot. Any thread, once the node serves.
  void reload(const Config& fresh);

  // This node waits to be admitted, or does not know for sure with which placement its cluster was
  // founded. begins_anew(): it was admitted, or learned of another one; stop it, and open another
  // node with kept(). Any thread.
  bool may_begin_anew() const { return !self_.view->is_member() || !membership_.founded().is_firm; }
  bool begins_anew() const { return membership_.begins_anew(); }
  KeptMembership kept() const { return membership_.kept(); }

  // Finishes what runs, commits, marks the stop as clean. False where something could not be saved.
  // The thread that opened the node; once more does nothing.
  bool stop();

 private:
  Node(const Config& config, std::optional<KeptMembership> kept);

  // The steps of open(), in this order.
  Status bind_listeners();
  Status plan_for_descriptors();
  Result<DescriptorPlan> descriptor_plan(uint32_t clients) const;
  void start_admin();
  void start_reactors();
  void start_watch();
  void save_functions();
  void log_start() const;
  PeerIdentity identity() const;
  bool is_reachable(cluster::MemberIndex member) const;
  uint16_t spoken_version(cluster::MemberIndex member) const;

  void put_in_force(const Config& fresh) KVORUM_REQUIRES(change_lock_);

  const NodeSelf self_;
  NodePhase phase_;
  Mutex change_lock_;  // one configuration after the other, in one order everywhere
  LiveConfig live_;
  LoginGuard logins_;
  LargeValues large_values_;

  NodeSockets sockets_;     // until the reactors and the admin server have them
  uint64_t listening_ = 0;  // how many there were
  std::vector<SocketFile> socket_files_;
  DescriptorPlan descriptors_;
  NodeStores stores_;
  NodeCopies copies_;
  NodeMembership membership_;
  ReactorGroup reactors_;
  LibraryFile functions_;
  std::string functions_problem_;  // that was told
  StatusCollector status_;
  std::unique_ptr<HttpServer> admin_server_;
  std::unique_ptr<NodeWatch> watch_;
};

}  // namespace kvorum::server
