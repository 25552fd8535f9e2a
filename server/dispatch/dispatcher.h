// SPDX-License-Identifier: Apache-2.0
// The dispatcher of one reactor: takes parsed requests from conversations, finds their command row,
// runs the handler, turns its plan into operations of the coordinator, and hands the replies back
// to the conversation, in order. Pure as the coordinator is: no socket, clock or thread. It puts
// together those who do that, each of which knows only those before it:
//
//   ClientTable   who is connected, and what each holds
//   PubSub        who hears which messages
//   Tracking      who caches which keys; Monitors: who sees all commands
//   OpenCalls     what was asked of the coordinator
//   DueWork       what goes on without new input
//   Completions   outcome -> reply in its place
//   StageRunner   commands of several rounds of operations
//   CommandRunner request -> plan, which its PlanRunner carries out
//
// The reactor's thread only, but for traffic().
#pragma once

#include "cluster/coordinator/coordinator.h"
#include "server/connection/client_table.h"
#include "server/connection/dispatcher_counters.h"
#include "server/connection/open_calls.h"
#include "server/dispatch/command_runner.h"
#include "server/dispatch/completions.h"
#include "server/dispatch/dispatcher_options.h"
#include "server/dispatch/due_work.h"
#include "server/dispatch/reactor_facts.h"
#include "server/dispatch/stage_runner.h"
#include "server/status/node_status.h"
#include "server/tracking/monitors.h"
#include "server/tracking/tracking.h"
#include "server/tracking/watchers.h"

namespace kvorum::server {

class Dispatcher {
 public:
  // Becomes the coordinator's sink. All must outlive it.
  Dispatcher(cluster::Coordinator& coordinator, const cluster::NodeParts& parts,
             NodeServices& services, DispatcherOptions options);
  Dispatcher(const Dispatcher&) = delete;

  // For requests that come later; who is logged in stays so, and where no password is left,
  // everybody is.
  void set_limits(const DispatcherLimits& limits);
  DispatcherCounters counters() const {
    DispatcherCounters counted = counters_;
    counted.postponed = due_.postponed();
    return counted;
  }
  // For any thread.
  const TrafficCounts& traffic() const { return traffic_; }
  NodeFacts& facts() { return facts_; }
  // Requests that wait for the coordinator.
  size_t open_calls() const { return calls_.count(); }

  // At the end of a turn: what operations hold is in flight.
  void count_held() { clients_.count_operations(); }

  // What goes on without new input: KEYS over several scans, a stage, a delayed flush_all. Call
  // run_due() at the end of a turn while has_work(), and at next_deadline_us() (0: none). May
  // complete calls.
  void run_due(Now now) {
    due_.run(now);
    stages_.run(now);
    if (pub_sub_.has_due()) [[unlikely]]
      pub_sub_.publish_due(now.steady_us);
    if (monitors_.has_behind()) [[unlikely]]
      monitors_.show_all_behind(now.steady_us);
  }
  bool has_work() const { return due_.has_work() || pub_sub_.has_due() || monitors_.has_behind(); }
  uint64_t next_deadline_us() const { return due_.next_deadline_us(); }

  // Keys that expired or were evicted, to whoever wants to hear of that.
  void tell_gone();

  // For the conversations that it serves.
  ClientTable& clients() { return clients_; }
  CommandRunner& commands() { return commands_; }
  NodeServices& services() { return services_; }
  PubSub& pub_sub() { return pub_sub_; }
  Tracking& tracking() { return tracking_; }
  uint64_t value_bytes_max() const { return options_.value_bytes_max; }
  uint64_t item_bytes_max() const { return options_.item_bytes_max; }
  // Gives the session its id. `client` stays where it is until remove().
  void add(ClientState& client);
  // The client goes. Operations that still run are told that nobody waits.
  void remove(ClientState& client);
  // What other reactors of the node have for clients that track or monitor.
  void take_tracking_mail(uint64_t now_us);

 private:
  cluster::Coordinator& coordinator_;
  NodeServices& services_;
  const cluster::NodeParts parts_;
  DispatcherOptions options_;
  DispatcherCounters counters_;
  TrafficCounts traffic_;

  ClientTable clients_;
  PubSub pub_sub_;
  Tracking tracking_;
  Monitors monitors_;
  Watchers watchers_;
  ReactorFacts facts_;
  OpenCalls calls_;
  DueWork due_;
  Completions completions_;
  StageRunner stages_;
  CommandRunner commands_;
};

}  // namespace kvorum::server
