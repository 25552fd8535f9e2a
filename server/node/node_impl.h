// SPDX-License-Identifier: Apache-2.0
// The inside of Node: what a node consists of, in the order in which it is built (and destroyed in
// reverse). Included by the node*.cc files only.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cluster/copies/hints.h"
#include "cluster/copies/lost_copies.h"
#include "cluster/frontier/frontier_protocol.h"
#include "cluster/health/admission_controller.h"
#include "cluster/version/object_codec.h"
#include "engine/commit/committer.h"
#include "engine/store/large_files.h"
#include "engine/table/object_table.h"
#include "server/access/login_guard.h"
#include "server/admin/http.h"
#include "server/net/listener.h"
#include "server/node/node.h"
#include "server/node/node_identity.h"
#include "server/node/node_watch.h"
#include "server/node/reactor.h"
#include "server/node/serial_store.h"
#include "server/process/cpu_count.h"
#include "server/process/descriptors.h"
#include "server/process/directory_lock.h"
#include "server/process/large_values.h"
#include "server/process/logging.h"

namespace kvorum::server {

uint64_t random_number();  // never 0

using ReactorSockets = std::vector<std::vector<ListeningSocket>>;  // by reactor

struct Node::Impl {
  explicit Impl(const Config& node_config);

  Status bind_listeners();
  Status open_store();
  Status open_large_files();
  bool keeps_damaged_store() const;
  uint64_t compaction_wait_ms(size_t bytes);
  void set_compaction_budget(cluster::BackgroundBudget* budget);
  void start_admin(Node& node);
  Status claim_store();
  Status salvage_store(const Status& damage);
  void note_salvage_at_start(const std::string& report);
  void tell_of_salvage(const std::string& report);
  // Every key has a copy at another node.
  bool is_replicated() const;
  void listen_for_losses();
  void judge_copies();
  void judge_new_copies();
  void agree();
  void on_agreement();
  void start_commits();
  Status open_tables();
  Status read_tables();
  Status open_hint_store();
  Status open_hints(uint64_t hash_seed);
  Status read_hints(uint64_t hash_seed);
  void tell_of_hint_salvage(const std::string& report);
  void start_hint_commits();
  void start_reactors(Node& node);
  bool shut_down();

  // Divides up the descriptors of the process.
  Status plan_for_descriptors();
  void start_watch();
  NodeStatus status();
  std::shared_ptr<const Config> live_config() const;
  void add_identity(NodeStatus* status) const;
  void add_tables(NodeStatus* status);
  void add_hints(NodeStatus* status);
  void add_rate(uint64_t now_us, NodeStatus* status);
  void add_frontier(ReapingStatus* reaping) const;
  std::string eviction_waits(const ReapingStatus& reaping) const;

  void on_round(engine::Ticket ticket, const Status& status);
  void store_flush_marks();
  void note_store_trouble(const Status& status);
  std::string last_store_error();
  uint64_t wall_ms() const { return TurnClock(config.clock_offset_ms).read().wall_ms; }

  const Config config;  // as it was at the start; live_config() is what holds
  const std::shared_ptr<const cluster::ClusterView> view;
  const uint64_t started_us;
  const uint64_t started_wall_ms;
  const std::string run_id;
  uint32_t reactor_count = 1;
  std::atomic<bool> ready{false}, stopping{false};
  LargeValues large_values;
  std::mutex client_trouble_lock;
  LogGates client_troubles;  // under client_trouble_lock
  LoginGuard logins;

  ReactorSockets redis, memcached, peer;
  std::vector<ListeningSocket> admin;

  // For the stores' compaction, while reactors run.
  std::mutex budget_lock;
  cluster::BackgroundBudget* compaction_budget = nullptr;

  std::optional<DirectoryLock> directory_lock;
  std::unique_ptr<SerialStore> store;
  std::unique_ptr<engine::LargeFiles> large_files;  // of the store's objects
  SessionStart session;
  engine::StoreFaults faults_at_start;
  bool store_salvaged = false;           // at this start
  std::atomic<uint64_t> incarnation{0};  // of the session, until its store fails

  cluster::AuthorTable authors;
  cluster::HybridClock clock;
  cluster::FlushMarks marks;
  std::unique_ptr<cluster::WholeReplicas> whole;
  cluster::FormerPlacements former;
  std::unique_ptr<cluster::Agreement> agreement;  // of a member
  std::unique_ptr<cluster::CleanExchanges> exchanges;
  cluster::Claims claims;
  std::unique_ptr<cluster::StoredRecordCodec> codec;
  std::unique_ptr<engine::ObjectTable> table;
  std::unique_ptr<engine::Store> hint_store;  // the engine memory keeps hints in memory alone
  std::unique_ptr<engine::ObjectTable> hint_table;
  std::unique_ptr<cluster::Hints> hints;
  std::unique_ptr<cluster::FrontierProtocol> frontier;      // of a member of a cluster of several
  std::unique_ptr<cluster::AdmissionController> admission;  // null: limits.foreground_p99 is 0
  std::unique_ptr<cluster::LostCopies> losses;              // where there are other copies
  std::unique_ptr<Quarantine> quarantine;
  std::unique_ptr<SessionFacts> facts;

  PeerIdentity identity;
  ClientCount clients;
  std::unique_ptr<LinkBoard> board;
  InFlight in_flight{config.limits.in_flight_bytes};
  LargePace large_pace{usable_cpus()};
  ReactorParts parts;
  std::vector<std::unique_ptr<Reactor>> reactors;
  std::unique_ptr<engine::Committer> committer, hint_committer;
  std::unique_ptr<HttpServer> admin_server;

  std::mutex agreement_lock;
  std::vector<std::string> told_problems;  // of the agreement, in the log

  std::mutex trouble_lock;
  std::string store_error;

  mutable std::mutex live_lock;
  std::shared_ptr<const Config> now_in_force;  // under live_lock
  DescriptorPlan descriptors;
  AcceptFailures accept_failures;
  ProblemTimes problem_times;
  std::atomic<uint64_t> disk_bytes{0}, disk_free_bytes{0};
  std::unique_ptr<NodeWatch> watch;
  // Statistics as of the last reset.
  std::mutex reset_lock;
  std::shared_ptr<const NodeStatus> at_reset;

  // Commands per second, between two looks at the counter.
  std::mutex rate_lock;
  uint64_t rate_at_us = 0, rate_commands = 0, rate = 0;
};

}  // namespace kvorum::server
