// SPDX-License-Identifier: Apache-2.0
// What a dispatcher is told about its node, and what it counts. Values; those of a dispatcher
// belong to its reactor's thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/position.h"
#include "base/siphash.h"
#include "server/dispatch/long_work.h"
#include "server/dispatch/other_reactors.h"
#include "server/flow/in_flight.h"
#include "server/pubsub/pub_sub.h"
#include "server/tracking/tracking.h"

namespace kvorum::server {

class ScriptLibrary;
struct Logbook;

struct DispatcherOptions {
  std::vector<std::string> passwords;     // any of them; none: nobody is asked
  std::vector<MacKey> token_keys = {{}};  // of context tokens; the first mints
  uint64_t pipeline_bytes_max = 64ULL << 20;
  uint64_t value_bytes_max = kValueBytesMax;
  uint64_t item_bytes_max = UINT64_MAX;        // of memcached's clients, as they reckon it
  uint64_t value_warn_bytes = kValueBytesMax;  // larger ones are stored, and reported in the log
  uint64_t first_client_id = 1;                // ids of reactor i: first + k * step
  uint64_t client_id_step = 1;
  InFlightShare* in_flight = nullptr;  // outlives it; null: one of its own with the usual limit
  uint64_t (*steady_ns)() = nullptr;   // how long commands take is not measured without it
  OtherReactors* others = nullptr;     // of the same node; outlives the dispatcher
  LongWork* long_work = nullptr;       // likewise; null: work that takes long is done at once
  ScriptLibrary* scripts = nullptr;    // of the node; outlives it; null: one of its own
  Logbook* logbook = nullptr;          // likewise
  PubSub::Options pub_sub;
  Tracking::Options tracking;
};

// What of them may change while it runs.
struct DispatcherLimits {
  std::vector<std::string> passwords;
  uint64_t pipeline_bytes_max = 64ULL << 20;
  uint64_t value_warn_bytes = kValueBytesMax;
};

}  // namespace kvorum::server
