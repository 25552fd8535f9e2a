// SPDX-License-Identifier: Apache-2.0
// From a parsed request to its plan: finds the command's row and first key, checks what Redis
// checks, runs the handler, counts the call, and has the plan carried out. Owns the memory that
// parsing and planning use again for every batch. The reactor's thread only.
#pragma once

#include <vector>

#include "protocol/memcached_binary.h"
#include "protocol/memcached_request.h"
#include "server/commands/command.h"
#include "server/connection/dispatcher_counters.h"
#include "server/dispatch/plan_runner.h"

namespace kvorum::server {

struct ParsedRequest {
  size_t begin = 0;  // offset of its first byte
  size_t first_word = 0, word_count = 0;
  const CommandRow* row = nullptr;
  bool has_key = false;
  KeyRef key;  // the first one

  const KeyRef* first_key() const { return has_key ? &key : nullptr; }
};

// Requests that one read of a connection brought. Words are views of the input.
struct Batch {
  static constexpr size_t kRequestsMax = 64;

  std::vector<std::string_view> words;
  std::vector<ParsedRequest> requests;  // at most kRequestsMax
  // One per request of that dialect.
  std::vector<protocol::MemcachedRequest> memcached;
  std::vector<protocol::MemcachedBinaryRequest> binary;

  Words words_of(const ParsedRequest& request) const {
    return Words(words).subspan(request.first_word, request.word_count);
  }
};

class CommandRunner {
 public:
  // All outlive it.
  struct Parts {
    const cluster::NodeParts& node;
    const cluster::Coordinator& coordinator;
    const DispatcherOptions& options;
    DueWork& due;
    ClientTable& clients;
    NodeFacts& facts;
    TrafficCounts& traffic;
    DispatcherCounters& counters;
    Monitors& monitors;
  };
  CommandRunner(const Parts& parts, const PlanRunner::Parts& plan_parts);

  // One at a time is filled, looked up and run; views end with the input that was parsed.
  Batch& batch() { return batch_; }
  // Finds rows, keys and positions of the batch and prefetches what they need.
  void look_up(const ClientState& client);
  // Runs a request of the batch. False where it has to wait for one that is under way, or for a
  // time that the client's dispatcher knows: nothing was done then.
  bool execute(ClientState& client, size_t index, Now now);

 private:
  bool execute_resp(ClientState& client, const ParsedRequest& request, Now now);
  bool execute_memcached(ClientState& client, size_t index, Now now);
  void show_memcached(const ClientState& client, size_t index, Now now);
  bool plan_memcached_request(ClientState& client, size_t index, Now now);
  void find_key(const ClientState& client, size_t index);
  bool admit(ClientState& client, Words words, const CommandRow** row);
  bool queue_command(ClientState& client, const ParsedRequest& request, const CommandRow* row,
                     Now now);
  bool plan_command(ClientState& client, Words words, const CommandRow& row, Now now);
  uint64_t clock_ms(Now now) const { return node_.clock->reading(now.wall_ms).ms(); }
  bool plan_writes() const;
  bool is_paused(const ClientState& client, const CommandRow& row) const;
  bool postpone_while_paused(ClientState& client, Now now);
  uint64_t begin_timing(const CommandRow* row);
  void count_call(const CommandRow* row, bool admitted);
  void note_time(const ClientState& client, Words words, const CommandRow& row, uint64_t began_ns);

  const cluster::NodeParts& node_;
  const cluster::Coordinator& coordinator_;
  const DispatcherOptions& options_;
  DueWork& due_;
  ClientTable& clients_;
  NodeFacts& facts_;
  Logbook& logbook_;
  TrafficCounts& traffic_;
  DispatcherCounters& counters_;
  Monitors& monitors_;
  Plan plan_;
  Batch batch_;
  PlanRunner plans_;
  uint32_t until_timed_ = TrafficCounts::kTimedEvery;
};

}  // namespace kvorum::server
