// SPDX-License-Identifier: Apache-2.0
// The reactors of a node and what they share: counts, bytes in flight, paces, links, quarantine.
//
//   build() -> start() ... quiesce() -> leave() -> stop()
//
// Those by the thread that starts and stops the node; the rest says who may call it.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cluster/health/admission_controller.h"
#include "server/logbook/logbook.h"
#include "server/node/node_self.h"
#include "server/node/node_sockets.h"
#include "server/node/reactor.h"
#include "server/process/cpu_count.h"

namespace kvorum::server {

class ReactorGroup {
 public:
  // Outlives it.
  explicit ReactorGroup(const NodeSelf& self);
  ReactorGroup(const ReactorGroup&) = delete;

  struct Build {
    cluster::NodeParts node;  // without a budget
    PeerIdentity identity;
    NodeServices* services = nullptr;        // outlives the group
    AdmissionListener* admission = nullptr;  // the same
    uint32_t strangers_max = 0;
    std::string quarantine_file;  // empty: none
    NodeSockets sockets;
  };
  void build(Build from);
  // `store_marks` is called by a reactor whose turn raised a flush mark. The committer, or null,
  // lives until the reactors have stopped.
  void start(engine::Committer* committer, const std::function<void()>& store_marks);
  // No new clients, no edit begun; returns when those begun are done, or after so long.
  void quiesce(uint64_t wait_ms);
  // Peers are told, the rest is handed back; returns when answers are out, or after so long.
  void leave(uint64_t wait_ms);
  // Ends the threads. Once more does nothing.
  void stop();

  // Any thread, from build() on.
  void on_round(Reactor::Committed table, engine::Ticket ticket, bool ok);
  void look_at_time();
  // Something that reactors look at once a turn is another one: the node's history.
  void wake();
  void apply(const std::shared_ptr<const Config>& config);
  void repair(const cluster::RepairWish& wish) { reactors_[0]->repair(wish); }
  const std::vector<std::unique_ptr<Reactor>>& all() const { return reactors_; }
  const Quarantine& quarantine() const { return *quarantine_; }

  // Any thread.
  InFlight& in_flight() { return in_flight_; }
  const InFlight& in_flight() const { return in_flight_; }
  ClientCount& clients() { return clients_; }
  const ClientCount& clients() const { return clients_; }
  const PubSubHub& pub_sub() const { return pub_sub_; }
  const TrackingHub& tracking() const { return tracking_; }
  const AcceptFailures& accept_failures() const { return accept_failures_; }
  const ScriptLibrary& scripts() const { return scripts_; }
  FunctionLibraries& functions() { return scripts_.functions(); }
  const EndableWorkThreads& long_work() const { return long_work_; }
  // Null: limits.foreground_p99 is 0.
  cluster::AdmissionController* admission() const { return admission_.get(); }

 private:
  void add_listeners(uint32_t index, NodeSockets& sockets);

  const NodeSelf& self_;
  PeerIdentity identity_;
  ClientCount clients_;
  AcceptFailures accept_failures_;
  InFlight in_flight_;
  LargePace large_pace_{usable_cpus()};
  ScriptLibrary scripts_;
  Logbook logbook_;
  EndableWorkThreads long_work_;
  LinkBoard board_;
  PubSubHub pub_sub_;
  TrackingHub tracking_;
  std::unique_ptr<cluster::AdmissionController> admission_;
  std::unique_ptr<Quarantine> quarantine_;
  ReactorParts parts_;
  std::vector<std::unique_ptr<Reactor>> reactors_;
};

}  // namespace kvorum::server
