// SPDX-License-Identifier: Apache-2.0
// Runs MULTI, EXEC and what belongs to them (transaction.h). EXEC and WATCH wait for what they
// asked as a command with many keys does: they are run again until all is there. EXEC plans its
// commands in their order, stage by stage: operations of one key become one, those of a keyspace
// are a stage by themselves.
//
// Keys that are watched are read again before anything is done. One that EXEC writes is compared
// once more, inside its critical section; those are written first, so that nothing else was done
// where one gave way. All are of one partition. The reactor's thread only.
#pragma once

#include "server/commands/command.h"
#include "server/connection/client_table.h"
#include "server/connection/transaction.h"
#include "server/tracking/monitors.h"
#include "server/transaction/transaction_results.h"

namespace kvorum::server {

// Carries out what a transaction asks.
class TransactionOperations {
 public:
  virtual ~TransactionOperations() = default;
  // An operation; its outcome is that of the item.
  virtual void submit_item(ClientState& client, cluster::Request& request, uint32_t item,
                           Now now) = 0;
  // The plan, which is about a keyspace, of several stages, or for all reactors.
  virtual void submit_plan_as_item(ClientState& client, uint32_t item, Now now) = 0;
  // Where the key lies, as the connection is now. False where it is too long.
  virtual bool place(const ClientState& client, KeyRef& key) const = 0;
  virtual uint32_t partition_of(const Position& position) const = 0;
  virtual uint64_t clock_ms(Now now) const = 0;
  // The plan, as that of a command outside of a transaction. REQUIRES: nothing it could wait for is
  // under way, and it is a reply or operations.
  virtual void carry_out_now(ClientState& client, const KeyRef& known, bool silent, Now now) = 0;
};

inline constexpr std::string_view kNotInTransactions =
    "ERR this command is not allowed in a transaction";

// A command between MULTI and EXEC.
struct QueuedCommand {
  const CommandRow& row;
  Words words;
  const KeyRef* key = nullptr;  // the first one with its position, where it is known
};

class TransactionRunner {
 public:
  // Operations that are sent before the first of them is awaited.
  static constexpr size_t kOperationsAtOnce = 4096;

  // All outlive it.
  struct Parts {
    TransactionOperations& operations;
    ClientTable& clients;
    NodeFacts& facts;
    TrafficCounts& traffic;
    TransactionResults& results;
    Monitors& monitors;
    uint64_t (*steady_ns)();  // null: how long commands take is not measured
  };
  TransactionRunner(const Parts& parts, Plan& plan) : parts_(parts), plan_(plan) {}

  // What the plan wants. True: the plan is the reply now. False: it waits, and is run again.
  bool carry_out(ClientState& client, Now now);
  // The plan is the reply.
  void queue(ClientState& client, const QueuedCommand& command);
  // EXEC of few commands of one key each, of which no two are the same, where nothing is watched.
  bool is_pipeline(const ClientState& client);
  // Carries them out one behind the other, as if they had come without MULTI: that is what
  // independent keys are. Their replies follow the array's header. The plan is used.
  // REQUIRES: is_pipeline(), and nothing of the client is under way.
  void run_as_pipeline(ClientState& client, bool silent, Now now);
  // EXEC itself was not admitted, as the plan says: there is no transaction any more.
  void refuse_exec(ClientState& client);

 private:
  bool lacks_room(const ClientState& client, const CommandRow& row, Words words) const;
  bool queue_lacks_room(const ClientState& client);
  void plan_queued(ClientState& client, size_t at, Now now);
  void count_queued(const ClientState& client, const CommandRow& row, Now now);
  uint64_t begin_timing(const CommandRow& row);
  void end_timing(const CommandRow& row, uint64_t began_ns);
  void finish(ClientState& client);

  bool watch(ClientState& client, Now now);
  bool begin_watch(ClientState& client);
  bool exec(ClientState& client, Now now);
  bool run(ClientState& client, Now now);
  bool end_with(ClientState& client, protocol::Reply reply);
  void read_keys(ClientState& client, Now now);

  void plan_stage(ClientState& client, Now now);
  bool plan_command(ClientState& client, size_t at, Now now);
  void add_operations(ClientState& client, size_t at);
  void add_step(ClientState& client, size_t at, size_t place, cluster::Request& request);
  TransactionGroup& group_of(Transaction& transaction, const KeyRef& key);
  void mark_watched(Transaction& transaction);
  void send_groups(ClientState& client, Now now);
  void send_group(ClientState& client, size_t at, Now now);
  void send_batch(ClientState& client, size_t at, Now now);
  bool may_be_batched(const Transaction& transaction, const TransactionStep& step) const;
  void drop_unbatchable(ClientState& client);

  const Parts parts_;
  Plan& plan_;
  std::vector<std::string_view> words_;  // of the command that is planned
  CallSampler sampler_;
};

}  // namespace kvorum::server
