// SPDX-License-Identifier: Apache-2.0
// What the coordinator answered to a transaction: the digests of keys that were watched, or the
// replies of its commands, each in its place. Completions come with a partition locked: nothing
// here asks the table or the coordinator. The reactor's thread only.
#pragma once

#include "server/connection/client_table.h"
#include "server/connection/dispatcher_counters.h"
#include "server/connection/open_calls.h"
#include "server/pubsub/pub_sub.h"

namespace kvorum::server {

inline constexpr std::string_view kRepliesTooLarge =
    "ERR the replies of the transaction are larger than half of limits.in_flight";

class TransactionResults {
 public:
  // All outlive it.
  struct Parts {
    ClientTable& clients;
    NodeFacts& facts;
    TrafficCounts& traffic;
    DispatcherCounters& counters;
    PubSub& pub_sub;
  };
  explicit TransactionResults(const Parts& parts) : parts_(parts) {}

  // REQUIRES: the call is an item of the client's transaction.
  void on_complete(ClientState& client, const Call& call, const cluster::Completion& completion);
  // Of a command about a whole keyspace, or of what all reactors said.
  void on_reply(ClientState& client, const CallShape& call, const protocol::Reply& reply);

  // The reply of one of the command's operations, or its only one.
  void put(ClientState& client, size_t part, size_t place, const protocol::Reply& reply);
  // Of all commands, as EXEC answers them.
  static std::string take_replies(Transaction& transaction);

 private:
  void note_digest(Transaction& transaction, size_t item, const cluster::Completion& completion);
  void note_group(ClientState& client, const TransactionGroup& group,
                  const cluster::Completion& completion);
  void note_batch(ClientState& client, const TransactionGroup& group,
                  const cluster::Completion& completion);
  void note_change(const TransactionStep& step, const cluster::Completion& completion);
  void put_outcome(ClientState& client, const TransactionStep& step,
                   const cluster::Completion& completion);
  void note_answered(ClientState& client);

  const Parts parts_;
};

}  // namespace kvorum::server
