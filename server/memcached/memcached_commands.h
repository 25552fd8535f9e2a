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
  Now now;
};

void plan_memcached(const MemcachedCall& call, Plan& plan);

// memcached's exptime: 0 never, up to 30 days from now, else Unix seconds; negative: in the past.
uint64_t memcached_deadline_ms(int64_t exptime, uint64_t now_ms);

// The cas unique of what a client sees: of each version XXH64 over its bytes, seeded by its origin
// and flags, added up, so that no order shows. The origin is the name of the request that made the
// bytes, so every write has another one, of the same bytes too. Who only moves the deadline keeps
// it: a touch changes no unique (but of a version that a retry made: its twin has to be told
// apart). The bytes are in it because a request that ran twice has one origin and may have made two
// values.
uint64_t cas_unique(const InlineVector<cluster::Version, 1>& versions);
// Of one version; where a client has named it, the name.
uint64_t version_unique(const cluster::Version& version);

// memcached's `stats`, with what follows the word.
void plan_stats(const MemcachedCall& call, Plan& plan);

}  // namespace kvorum::server
