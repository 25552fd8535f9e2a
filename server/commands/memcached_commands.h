// SPDX-License-Identifier: Apache-2.0
// The memcached text protocol's commands: from a parsed request to a Plan, as the handlers of Redis
// commands do it. Pure.
#pragma once

#include "protocol/memcached_request.h"
#include "server/commands/command.h"

namespace kvorum::server {

struct MemcachedCall {
  const protocol::MemcachedRequest& request;
  SessionState& session;
  NodeFacts& facts;
  uint64_t now_ms;
};

void plan_memcached(const MemcachedCall& call, Plan& plan);

// memcached's exptime: 0 never, up to 30 days from now, else Unix seconds; negative: in the past.
uint64_t memcached_deadline_ms(int64_t exptime, uint64_t now_ms);

// XXH64 of the dots that a client sees: the cas unique.
uint64_t cas_unique(const InlineVector<cluster::Version, 1>& versions);

// memcached's `stats`.
std::string stats_text(const NodeStatus& status);

}  // namespace kvorum::server
