// SPDX-License-Identifier: Apache-2.0
// The dispatcher of one reactor: takes parsed requests from conversations, finds their command row,
// runs the handler, turns its plan into operations of the coordinator, and hands the replies back
// to the conversation, in order. Pure as the coordinator is: no socket, clock or thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/siphash.h"
#include "base/time.h"
#include "cluster/coordinator/coordinator.h"
#include "server/dispatch/other_reactors.h"
#include "server/flow/in_flight.h"
#include "server/status/node_status.h"

namespace kvorum::server {

class Conversation;

struct DispatcherOptions {
  std::vector<std::string> passwords;     // any of them; none: nobody is asked
  std::vector<MacKey> token_keys = {{}};  // of context tokens; the first mints
  uint64_t pipeline_bytes_max = 64ULL << 20;
  uint64_t value_bytes_max = kValueBytesMax;
  uint64_t value_warn_bytes = kValueBytesMax;  // larger ones are stored, and reported in the log
  uint64_t first_client_id = 1;                // ids of reactor i: first + k * step
  uint64_t client_id_step = 1;
  InFlightShare* in_flight = nullptr;  // outlives it; null: one of its own with the usual limit
  uint64_t (*steady_ns)() = nullptr;   // how long commands take is not measured without it
  OtherReactors* others = nullptr;     // of the same node; outlives the dispatcher
};

// What of them may change while it runs.
struct DispatcherLimits {
  std::vector<std::string> passwords;
  uint64_t pipeline_bytes_max = 64ULL << 20;
  uint64_t value_warn_bytes = kValueBytesMax;
};

// Since start; read for INFO and metrics by status().
struct DispatcherCounters {
  uint64_t commands = 0;
  uint64_t hits = 0, misses = 0;
};

class Dispatcher {
 public:
  // Becomes the coordinator's sink. All must outlive it.
  Dispatcher(cluster::Coordinator& coordinator, const cluster::NodeParts& parts,
             NodeServices& services, DispatcherOptions options);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;

  // For requests that come later; who is logged in stays so.
  void set_limits(const DispatcherLimits& limits);
  const DispatcherCounters& counters() const;
  // For any thread.
  const TrafficCounts& traffic() const;
  NodeFacts& facts();
  // Requests that wait for the coordinator.
  size_t open_calls() const;

  // At the end of a turn: what operations hold is in flight.
  void count_held();

  // What goes on without new input: KEYS over several scans, a delayed flush_all. Call run_due() at
  // the end of a turn while has_work(), and at next_deadline_us() (0: none). May complete calls.
  void run_due(Now now);
  bool has_work() const;
  uint64_t next_deadline_us() const;

  struct Impl;
  Impl& impl() { return *impl_; }  // for conversation.cc

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvorum::server
