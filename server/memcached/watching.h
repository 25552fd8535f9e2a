// SPDX-License-Identifier: Apache-2.0
// memcached's `watch`, and the lines about commands while somebody watches: then a command's finish
// function is one that calls the real one and tells what came of it. Pure.
#pragma once

#include <string>
#include <string_view>

#include "server/memcached/binary_commands.h"
#include "server/memcached/memcached_commands.h"
#include "server/memcached/watch_desk.h"

namespace kvorum::server {

inline bool is_watched(NodeFacts& facts) {
  const WatchDesk* const desk = facts.watchers();
  constexpr int kOfCommands = kWatchFetchers | kWatchMutations | kWatchDeletions;
  return desk != nullptr && (desk->watched() & kOfCommands) != 0;
}

// What the command's plan does is told.
void watch_command(const MemcachedCall& call, Plan& plan);
void watch_command(const MemcachedBinaryCall& call, Plan& plan);

void plan_watch(const MemcachedCall& call, Plan& plan);

// As memcached writes keys where a blank would end them.
void append_uri_encoded(std::string_view key, std::string& out);

}  // namespace kvorum::server
