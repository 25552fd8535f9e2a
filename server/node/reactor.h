// SPDX-License-Identifier: Apache-2.0
// A reactor: one thread with its event loop, its coordinator and dispatcher, its share of the
// clients and its own links to the peers. It works in turns, so that a turn costs one send per
// client and peer, however many requests it served:
//
//   inputs that are ready (client bytes, frames, commits, loads, the timer) --> machines
//   end of turn: outbox to the links and the store threads, replies to the clients, one timer
//
// Created and ended by ReactorGroup. Before start() one thread has it; then each declaration says
// who may call it, and what is private is the reactor's own.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/endable_work.h"
#include "base/mutex.h"
#include "cluster/coordinator/coordinator.h"
#include "engine/commit/committer.h"
#include "server/clients/sessions.h"
#include "server/connection/dispatcher_counters.h"
#include "server/dispatch/long_work.h"
#include "server/dispatch/other_reactors.h"
#include "server/net/acceptor.h"
#include "server/net/event_loop.h"
#include "server/peers/peer_links.h"
#include "server/process/quarantine.h"
#include "server/script/script_library.h"

namespace kvorum::server {

// What all reactors of a node share. Nothing is owned; all of it outlives them.
struct ReactorParts {
  const Config* config = nullptr;
  std::shared_ptr<const cluster::ClusterView> view;  // the first; the coordinators have that of now
  cluster::NodeParts node;
  Quarantine* quarantine = nullptr;
  const PeerIdentity* identity = nullptr;
  NodeServices* services = nullptr;
  AdmissionListener* admission = nullptr;
  ClientCount* clients = nullptr;
  AcceptFailures* accept_failures = nullptr;
  uint32_t strangers_max = 256;  // connections to a peer port that did not prove themselves yet
  LinkBoard* board = nullptr;
  InFlight* in_flight = nullptr;
  LargePace* large_pace = nullptr;
  EndableWorkThreads* long_work = nullptr;
  ScriptLibrary* scripts = nullptr;
  Logbook* logbook = nullptr;
  PubSubHub* pub_sub = nullptr;
  TrackingHub* tracking = nullptr;
  uint32_t reactors = 1;
};

// Of one reactor since its start, as of its last turn.
struct ReactorSnapshot {
  cluster::CoordinatorCounters coordinator;
  DispatcherCounters dispatcher;
  PeerCounters peers;
  uint64_t client_bytes_in = 0, client_bytes_out = 0;
  uint64_t peer_bytes_in = 0, peer_bytes_out = 0;
  uint64_t turns = 0;
  size_t sessions = 0;
  ClientMemory client_memory;
  std::vector<cluster::PeerReport> peers_seen;  // by MemberIndex
  std::vector<LinkTrouble> link_troubles;       // the same; empty where there was none
  std::vector<std::optional<cluster::ClockReport>> peer_clocks;  // where it has a link of its own
  cluster::RepairProgress repair;                                // of the first reactor
  bool joined = false;  // takes clients (reactor.cc, look_at_joining)
};

class Reactor final : private OtherReactors, private LongWork {
 public:
  Reactor(const ReactorParts& parts, uint32_t index, uint64_t rng_seed);
  ~Reactor() override;
  Reactor(const Reactor&) = delete;

  // Before start().
  void add_listener(Dialect dialect, ListeningSocket socket);
  void add_peer_listener(ListeningSocket socket);
  void set_others(std::vector<Reactor*> others) { others_ = std::move(others); }
  void set_committer(engine::Committer* committer) { committer_ = committer; }
  // Called at the end of a turn that raised a flush mark: it has to be stored.
  void set_store_marks(std::function<void()> store_marks) { store_marks_ = std::move(store_marks); }
  void start();

  // Any thread, from here on.
  // A round of group commit of one of the two tables ended. Many rounds before the next turn cost
  // one wake-up.
  enum class Committed : uint8_t { kObjects, kHints };
  void on_round(Committed table, engine::Ticket ticket, bool ok);
  // The limits and the passwords of a configuration that changed: at once on its own thread, else
  // in a later turn.
  void apply(std::shared_ptr<const Config> config);
  // Of the first reactor: begins exchanges with all peers.
  void repair(const cluster::RepairWish& wish);
  // Something that the coordinator waits for, and is not told of, has happened.
  void look_at_time();
  // Has a turn soon.
  void wake();
  // A peer greeted some reactor of this node.
  void on_greeted(cluster::MemberIndex member);
  // Another reactor put something into this one's LinkMailbox.
  void on_link_mail();
  // The same of messages between clients, and of what clients that track or monitor are told.
  void on_messages();
  void on_tracking_mail();
  // The steps of a stop. quiesce(): takes no more connections or requests of clients, begins no
  // edit; quiet() once those that it coordinates have their outcome. leave(): hands the others
  // back, tells the peers; drained() once all that was asked of this node is answered.
  void quiesce();
  bool quiet() const { return quiet_.load(std::memory_order_acquire); }
  void leave();
  bool drained() const { return drained_.load(std::memory_order_acquire); }
  // Ends the thread and waits for it. By the thread that called start(); once more does nothing.
  void stop();
  ReactorSnapshot snapshot() const;
  const cluster::OperationLatency& latency() const { return coordinator_.latency(); }
  const TrafficCounts& traffic() const { return dispatcher_.traffic(); }

 private:
  static constexpr size_t kInputsPerTurnMax = 256;
  // Large values come in pieces: between these others have their answers.
  static constexpr uint64_t kBytesPerTurnMax = 512 * 1024;
  static constexpr size_t kInputsAfterPauseMax = 16 * 1024;
  static constexpr size_t kAsioStepsAfterPauseMax = 1024;
  static constexpr uint64_t kPauseToldUs = 1'000'000;
  static constexpr size_t kRoundsPerTurnMax = 16;
  static constexpr uint32_t kLoneTurnsMax = 8;  // then look for company only now and then
  static constexpr uint64_t kLookEveryTurns = 8;
  static constexpr uint64_t kPublishPeersUs = 100'000;
  static constexpr uint64_t kJoinUs = 1'000'000;

  // OtherReactors
  size_t count() const override { return others_.size(); }
  void ask_each(const Ask& ask, const Tell& tell) override;
  // LongWork
  bool do_elsewhere(std::shared_ptr<EndableWork> work, std::function<void()> done) override;
  size_t end_all() override { return parts_.long_work->end_all(); }

  DispatcherOptions dispatcher_options();
  void take(const Config& config);
  void run();
  void run_turn();
  void gather_inputs(uint64_t seen_before);
  void gather_after_pause();
  void end_turn();
  bool has_effects();
  void tell_pace();
  uint64_t bytes_moved() const {
    return client_share_.bytes_in + client_share_.bytes_out + peer_share_.bytes_in +
           peer_share_.bytes_out;
  }
  void start_loads();
  void start_load(cluster::Load load);
  void start_range_load(const cluster::RangeLoad& load);
  void deliver_rounds();
  void run_due();
  void look_at_history();
  void look_at_joining();
  void look_at_stopping();
  void request_marks();
  void arm_timer();
  void publish();
  void publish_peers() KVORUM_REQUIRES(published_lock_);
  void close_everything();

  const ReactorParts& parts_;
  const uint32_t index_;
  EventLoop loop_;
  TurnClock clock_;
  InFlightShare in_flight_;
  Pacer pacer_;
  StreamShare client_share_, peer_share_;
  cluster::Coordinator coordinator_;
  Dispatcher dispatcher_;
  Sessions sessions_;
  PeerLinks links_;
  std::vector<std::unique_ptr<Acceptor>> client_acceptors_, peer_acceptors_;
  std::vector<Reactor*> others_;
  engine::Committer* committer_ = nullptr;
  std::function<void()> store_marks_;
  uint64_t marks_requested_ = 0;

  uint64_t turns_ = 0;
  uint64_t served_ = 0;  // operations, as the pace was told
  uint32_t lone_turns_ = 0;
  bool joined_ = false;
  uint64_t join_until_us_ = 0;
  bool quiescing_ = false, leaving_ = false, stopping_ = false;
  std::atomic<bool> quiet_{false}, drained_{false};
  std::thread thread_;

  struct Round {
    engine::Ticket ticket = 0;
    bool failed = false, ended = false;
  };
  Mutex round_lock_;
  std::array<Round, 2> rounds_ KVORUM_GUARDED_BY(round_lock_);  // by Committed
  bool rounds_posted_ KVORUM_GUARDED_BY(round_lock_) = false;

  mutable Mutex published_lock_;
  ReactorSnapshot published_ KVORUM_GUARDED_BY(published_lock_);
  // The reactor's own.
  uint64_t peers_published_ = 0, troubles_published_ = 0;  // their generations
  uint64_t publish_peers_at_us_ = 0;
};

}  // namespace kvorum::server
