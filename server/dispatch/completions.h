// SPDX-License-Identifier: Apache-2.0
// From an outcome to the reply in its place: what an operation's completion, a keyspace's, or what
// all reactors said becomes for the connection that waits for it. The replies of one command with
// several operations are gathered here. The reactor's thread only; completions come with a
// partition locked, so that nothing here may ask the table: it formats and returns.
#pragma once

#include "protocol/reply.h"
#include "server/commands/command.h"
#include "server/connection/client_table.h"
#include "server/connection/dispatcher_counters.h"
#include "server/connection/open_calls.h"
#include "server/dispatch/dispatcher_options.h"
#include "server/dispatch/due_work.h"
#include "server/pubsub/pub_sub.h"
#include "server/tracking/tracking.h"
#include "server/transaction/transaction_results.h"

namespace kvorum::server {

class Completions final : public cluster::CompletionSink, public cluster::KeyspaceSink {
 public:
  // All outlive it.
  struct Parts {
    ClientTable& clients;
    OpenCalls& calls;
    DueWork& due;
    NodeFacts& facts;
    TrafficCounts& traffic;
    DispatcherCounters& counters;
    PubSub& pub_sub;
    Tracking& tracking;
  };
  explicit Completions(const Parts& parts)
      : clients_(parts.clients),
        calls_(parts.calls),
        due_(parts.due),
        facts_(parts.facts),
        traffic_(parts.traffic),
        counters_(parts.counters),
        pub_sub_(parts.pub_sub),
        tracking_(parts.tracking),
        transactions_({parts.clients, parts.facts, parts.traffic, parts.counters, parts.pub_sub}) {}

  // A reply that waits for nothing but those before it. A silent one only takes its turn.
  static void answer(ClientState& client, const protocol::Reply& reply, bool silent = false);

  void on_complete(uint64_t tag, const cluster::Completion& completion) override;
  void on_keyspace_complete(uint64_t tag, const cluster::KeyspaceCompletion& completion) override;
  // REQUIRES: `call` is that of `id`, and every reactor has said its part.
  void on_all_said(SlotId id, Call& call);
  // The reply of a command of several stages; to nobody where the client has gone.
  void answer_staged(const CallShape& shape, const protocol::Reply& reply) {
    if (ClientState* const client = clients_.find(shape.client)) {
      deliver_whole(*client, shape, reply);
    }
  }

  // A call that waited for stages is over.
  void settle_staged(SlotId id);

  TransactionResults& transactions() { return transactions_; }

 private:
  void settle(ClientState& client, const Call& call, const cluster::Completion& completion);
  // To nobody where the client has gone.
  void deliver(ClientState* client, const CallShape& call, const protocol::Reply& reply,
               const SharedBytes* owner = nullptr);
  void deliver_whole(ClientState& client, const CallShape& call, const protocol::Reply& reply);
  void count_failure(const CallShape& call, std::string_view error);
  void note_script_error(const CallShape& call, std::string_view written);

  void edit_after(SlotId id, Call& call, const protocol::Reply& reply);
  void note_failure(const Call& call, const cluster::Completion& completion);
  void complete_part(const Call& call, const cluster::Completion& completion);
  void take_result(const Call& call, const cluster::Completion& completion, StagedRun& run);
  void keep_bytes(std::string_view bytes, const SharedBytes* owner, StagedRun& run,
                  StageResult& result);
  void complete_keyspace_stage(const Call& call, const cluster::KeyspaceCompletion& completion);
  void gather(const CallShape& call, const protocol::Reply& reply);
  void gather_reply(const CallShape& call, const protocol::Reply& reply, Gathering& gathering);
  void drop_gathered(const CallShape& call, Gathering& gathering);
  void finish_gathering(const CallShape& call, Gathering& gathering);
  void deliver_gathered(const CallShape& call, Gathering& gathering);

  ClientTable& clients_;
  OpenCalls& calls_;
  DueWork& due_;
  NodeFacts& facts_;
  TrafficCounts& traffic_;
  DispatcherCounters& counters_;
  PubSub& pub_sub_;
  Tracking& tracking_;
  TransactionResults transactions_;
};

}  // namespace kvorum::server
