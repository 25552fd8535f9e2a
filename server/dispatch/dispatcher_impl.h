// SPDX-License-Identifier: Apache-2.0
// The inside of a Dispatcher, for dispatcher.cc, dispatch_*.cc and conversation.cc alone: the pool
// of calls (a request that waits for the coordinator), gatherings (a command of several keys), and
// the memory that parsing and planning use again for every batch.
#pragma once

#include <vector>

#include "base/rng.h"
#include "protocol/memcached_request.h"
#include "server/commands/command.h"
#include "server/dispatch/client_state.h"
#include "server/dispatch/dispatcher.h"

namespace kvorum::server {

// Operations that one connection may have open: the rest of a command with more keys waits.
inline constexpr size_t kOperationsMax = 8192;

// How an operation's outcome changes what a causal connection remembers.
enum class CausalNote : uint8_t { kNone, kRead, kWrite };

// One request of the coordinator, from submit() to its completion.
struct Call : CallShape {
  Remembered remembered;  // a gathering's calls use the gathering's
  std::string key;        // where finish or the causal memory needs it
  uint64_t ring_place = 0;
  size_t reserved_bytes = 0;  // of the client's part
  cluster::Request::Kind kind{};
  KeyUse use{};
  CausalNote causal{};
  bool registered = false;  // stands in the client's pending keys

  KeyspaceFinish keyspace_finish = nullptr;
  cluster::KeyspaceRequest keyspace_request;
  Join join = nullptr;  // of what all reactors say; remembered.number of them have not yet

  size_t strings_capacity() const {
    return key.capacity() + remembered.text.capacity() + remembered.gathered.capacity();
  }
};

// The replies of one command's operations, until the last is there.
struct Gathering {
  Gather how{};
  size_t size = 0, remaining = 0;
  int64_t sum = 0;
  bool failed = false;       // no reply is gathered any more
  std::string error;         // of the first failed operation, written
  size_t counted_bytes = 0;  // of the client's gathered bytes
  ReplyQueue replies;
  Remembered remembered;
};

struct ParsedRequest {
  size_t begin = 0;  // offset of its first byte
  size_t first_word = 0, word_count = 0;
  const CommandRow* row = nullptr;
  bool has_key = false;
  KeyRef key;  // the first one
};

struct Batch {
  std::vector<std::string_view> words;
  std::vector<ParsedRequest> requests;
  std::vector<protocol::MemcachedRequest> memcached;  // one per request of that dialect

  Words words_of(const ParsedRequest& request) const {
    return Words(words).subspan(request.first_word, request.word_count);
  }
};

struct Dispatcher::Impl final : public cluster::CompletionSink,
                                public cluster::KeyspaceSink,
                                public NodeFacts {
  Impl(cluster::Coordinator& its_coordinator, const cluster::NodeParts& its_parts,
       NodeServices& its_services, DispatcherOptions its_options);

  // Connections. add() gives the session its id.
  void add(ClientState& client);
  void remove(ClientState& client);
  // Counts what it holds, and judges whether it may go on.
  void count(ClientState& client);
  // Counting can wait for the end of its turn.
  bool holds_little(const ClientState& client) const {
    return !client.over && client.held_bytes() + client.gathered_bytes <= little_bytes;
  }
  void set_pipeline_bytes_max(uint64_t bytes);

  // Finds rows, keys and positions of a parsed batch and prefetches what they need.
  void find_key(const ClientState& client, Batch& parsed, size_t index);
  void look_up(const ClientState& client, Batch& parsed);
  // Runs one request. False where it has to wait for one that is under way: nothing was done then.
  bool execute(ClientState& client, const ParsedRequest& request, Now now);
  bool execute_memcached(ClientState& client, size_t index, Now now);
  // A reply without a command: protocol errors.
  void answer(ClientState& client, const protocol::Reply& reply);

  // Scans that go on, and flushes whose time has come.
  void run_due(Now now);
  bool has_work() const { return !continued.empty(); }

  // CompletionSink, KeyspaceSink
  void on_complete(uint64_t tag, const cluster::Completion& completion) override;
  void on_keyspace_complete(uint64_t tag, const cluster::KeyspaceCompletion& completion) override;

  // NodeFacts
  const cluster::ClusterView& view() const override { return coordinator.view(); }
  NodeStatus status() override { return services.status(); }
  uint64_t wall_us() override { return services.wall_us(); }
  uint64_t partition_digest(uint8_t keyspace, uint32_t partition) const override;
  uint64_t partition_records(uint8_t keyspace, uint32_t partition) const override;
  void each_session(FunctionRef<void(const SessionState&)> fn) override;
  std::span<const MacKey> token_keys() const override { return options.token_keys; }
  std::span<const std::string> passwords() const override { return options.passwords; }
  uint64_t login_delay_us(std::string_view peer_address) override {
    return services.login_delay_us(peer_address);
  }
  void login_failed(std::string_view peer_address) override { services.login_failed(peer_address); }
  uint64_t value_bytes_max() const override { return options.value_bytes_max; }
  uint64_t random() override { return rng.next(); }
  TrafficCounts& traffic() override { return traffic_counts; }
  void reset_statistics() override { services.reset_statistics(); }

  cluster::Coordinator& coordinator;
  const cluster::NodeParts parts;
  NodeServices& services;
  DispatcherOptions options;
  Rng rng;
  DispatcherCounters counters;
  TrafficCounts traffic_counts;
  uint32_t until_timed = TrafficCounts::kTimedEvery;
  uint64_t next_client_id;

  // For those without a node around them: the simulator, tests.
  InFlight own_in_flight{InFlight::kLimitUsual};
  InFlightShare own_share{own_in_flight};
  InFlightShare& in_flight;
  HeldBytes coordinator_held;
  size_t little_bytes = 0;  // of which no client is over its part

  SlotMap<ClientState*> clients;
  SlotMap<Call> calls;
  SlotMap<Gathering> gatherings;
  Plan plan;
  Batch batch;

  struct Continued {
    SlotId call = 0;
    uint64_t cursor = 0;
  };
  std::vector<Continued> continued;
  std::vector<uint64_t> flushes_due_us;
  struct Postponed {
    uint64_t due_us = 0;
    SlotId client = 0;
  };
  std::vector<Postponed> postponed;  // one for each connection that waits to log in

 private:
  bool admit(ClientState& client, Words words, const CommandRow** row);
  void postpone(ClientState& client);
  void wake_postponed(Now now);
  uint64_t clock_ms(Now now) const;
  uint64_t begin_timing(const CommandRow* row);
  void count_call(const CommandRow* row, bool admitted, uint64_t began_ns);
  void count_failure(const CallShape& call);
  bool carry_out(ClientState& client, const KeyRef* known, bool silent, Now now);
  bool place_keys(ClientState& client, const KeyRef* known);
  bool must_wait(const ClientState& client) const;
  void place_key(const ClientState& client, const KeyRef* known, KeyRef& key);
  bool submit_all(ClientState& client, bool silent, Now now);
  bool submit_rest(ClientState& client, Now now);
  bool submit_from(ClientState& client, CallShape shape, size_t first, Now now);
  void submit_one(ClientState& client, cluster::Request& request, const CallShape& shape, Now now);
  CallShape shape_for(ClientState& client, bool silent);
  void submit_keyspace(ClientState& client, bool silent, Now now);
  void ask_everywhere(ClientState& client, bool silent);
  void finish_everywhere(SlotId id, Call& call);
  void reserve(ClientState& client, const cluster::Request& request, Call& call, size_t held);
  void note_causal_use(ClientState& client, cluster::Request& request, Call& call,
                       cluster::Context& context);

  ClientState* client_of(const CallShape& call) {
    ClientState** const found = clients.find(call.client);
    return found ? *found : nullptr;
  }
  void settle(ClientState& client, const Call& call, const cluster::Completion& completion);
  // To nobody where the client has gone.
  void deliver(ClientState* client, const CallShape& call, const protocol::Reply& reply,
               const SharedBytes* owner = nullptr);
  void gather(const CallShape& call, const protocol::Reply& reply);
  void gather_reply(const CallShape& call, const protocol::Reply& reply, Gathering& gathering);
  void drop_gathered(const CallShape& call, Gathering& gathering);
  void finish_gathering(const CallShape& call, Gathering& gathering);
  void release_gathering(SlotId id, Gathering& gathering);
  void release_call(SlotId id, Call& call);
  void answer_silently(ClientState& client, const protocol::Reply& reply, bool silent);
};

KeyUse use_of(const cluster::Request& request);
void write_reply(const protocol::Reply& reply, const SessionState& session, std::string& out);

}  // namespace kvorum::server
