// SPDX-License-Identifier: Apache-2.0
// The commands of memcached's binary protocol: from a parsed request to a Plan. What the answer
// repeats of the request (MemcachedEcho) is remembered in Plan::remembered.text. Pure.
#pragma once

#include "protocol/memcached_binary.h"
#include "server/commands/command.h"

namespace kvorum::server {

struct MemcachedBinaryCall {
  const protocol::MemcachedBinaryRequest& request;
  SessionState& session;
  NodeFacts& facts;
  uint64_t now_ms;
  Now now;
};

void plan_memcached_binary(const MemcachedBinaryCall& call, Plan& plan);

// `stat`: frames; the key of the request stands for the words of `stats`.
void plan_binary_stats(const MemcachedBinaryCall& call, Plan& plan);

}  // namespace kvorum::server
