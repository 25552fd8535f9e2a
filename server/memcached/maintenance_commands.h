// SPDX-License-Identifier: Apache-2.0
// What operators ask of memcached: its keys (`stats cachedump`, `lru_crawler metadump` and
// `mgdump`), and how it keeps them. Keys come from the whole cluster. Of them the keys alone are
// told: sizes and times in the answers are 0. Settings of memcached's lists and slabs are accepted
// and mean nothing; what would have an effect there is refused by name. Pure.
#pragma once

#include "server/memcached/memcached_commands.h"

namespace kvorum::server {

void plan_cachedump(const MemcachedCall& call, Plan& plan);
// slabs, lru, lru_crawler, watch, cache_memlimit, shutdown.
void plan_maintenance(const MemcachedCall& call, Plan& plan);

}  // namespace kvorum::server
