// SPDX-License-Identifier: Apache-2.0
// Carries out the plan of one command: answers at once, or places its keys, keeps the order of each
// key within the connection, and submits operations to the coordinator, in pieces where they are
// many. The reactor's thread only.
#pragma once

#include "cluster/coordinator/coordinator.h"
#include "server/commands/command.h"
#include "server/connection/client_table.h"
#include "server/connection/open_calls.h"
#include "server/dispatch/completions.h"
#include "server/dispatch/dispatcher_options.h"
#include "server/dispatch/due_work.h"
#include "server/dispatch/stage_runner.h"
#include "server/pubsub/pub_sub.h"
#include "server/tracking/monitors.h"
#include "server/tracking/tracking.h"
#include "server/transaction/transaction_runner.h"

namespace kvorum::server {

class PlanRunner final : private TransactionOperations {
 public:
  // Operations that one connection may have open: the rest of a command with more keys waits.
  static constexpr size_t kOperationsMax = 8192;
  // Of a command of many keys so many are placed and fetched into the caches at a time.
  static constexpr size_t kGroup = 32;

  // All outlive it.
  struct Parts {
    cluster::Coordinator& coordinator;
    NodeServices& services;
    const DispatcherOptions& options;
    ClientTable& clients;
    OpenCalls& calls;
    DueWork& due;
    NodeFacts& facts;
    Completions& completions;
    TrafficCounts& traffic;
    const cluster::HybridClock& clock;
    StageRunner& stages;
    PubSub& pub_sub;
    Tracking& tracking;
    Monitors& monitors;
    const engine::ObjectTable& table;
  };
  PlanRunner(const Parts& parts, Plan& plan);

  // Whose plan, and what is known of it.
  struct Task {
    ClientState& client;
    const KeyRef* known = nullptr;  // the request's first key with its position; null: none
    bool silent = false;
    Now now;
  };
  // False where it has to wait for a request that is under way: it is planned again then.
  bool carry_out(const Task& task);
  // To be called before a command is planned: of one that has very many keys, which are kept.
  void begin(const ClientState& client) { plan_.window = {client.unsent.first, kOperationsMax}; }

  TransactionRunner& transactions() { return transactions_; }

 private:
  // TransactionOperations
  void submit_item(ClientState& client, cluster::Request& request, uint32_t item, Now now) override;
  void submit_plan_as_item(ClientState& client, uint32_t item, Now now) override;
  void carry_out_now(ClientState& client, const KeyRef& known, bool silent, Now now) override;
  bool place(const ClientState& client, KeyRef& key) const override;
  uint32_t partition_of(const Position& position) const override;
  uint64_t clock_ms(Now now) const override;

  void answer(const Task& task);
  bool check_keys(const Task& task);
  void place_key(const ClientState& client, const KeyRef* known, KeyRef& key) const;
  void place_up_to(const ClientState& client, size_t count);
  void prefetch(size_t first) const;
  bool must_wait(const ClientState& client);
  CallShape shape_for(const Task& task) const;
  CallShape shape_without_place(const ClientState& client) const;
  bool submit_all(const Task& task);
  bool submit_rest(const Task& task);
  bool submit_from(const Task& task, CallShape shape);
  void submit_one(const Task& task, cluster::Request& request, const CallShape& shape);
  void note_use(ClientState& client, cluster::Request& request, Call& call);
  void note_change(const cluster::Request& request, Call& call, Now now) const;
  void submit(ClientState& client, cluster::Request& request, SlotId id, Now now);
  void submit_large(ClientState& client, cluster::Request& request, SlotId id, Now now);
  void submit_keyspace(const Task& task, const CallShape& shape);
  void ask_everywhere(const Task& task, const CallShape& shape);
  static void reserve(ClientState& client, const cluster::Request& request, Call& call,
                      size_t held);

  cluster::Coordinator& coordinator_;
  NodeServices& services_;
  const DispatcherOptions& options_;
  ClientTable& clients_;
  OpenCalls& calls_;
  DueWork& due_;
  NodeFacts& facts_;
  Completions& completions_;
  StageRunner& stages_;
  Plan& plan_;
  const cluster::HybridClock& clock_;
  PubSub& pub_sub_;
  Tracking& tracking_;
  Monitors& monitors_;
  const engine::ObjectTable& table_;
  size_t placed_ = 0;  // so many of the plan's requests have positions
  TransactionRunner transactions_;
};

}  // namespace kvorum::server
