// SPDX-License-Identifier: Apache-2.0
// What a dispatcher counts of its reactor's clients, as INFO shows it. A plain value.
#pragma once

#include <cstdint>

#include "cluster/wire/request.h"

namespace kvorum::server {

struct DispatcherCounters {
  uint64_t commands = 0;
  uint64_t hits = 0, misses = 0;
  uint64_t postponed = 0;  // clients whose next request waits for its time, just now

  // A read that succeeded: whether there was something to see.
  void note_read(const cluster::Completion& completion) {
    for (const cluster::Version& version : completion.object->versions) {
      if (!cluster::visible(version, completion.now_ms)) continue;
      ++hits;
      return;
    }
    ++misses;
  }
};

}  // namespace kvorum::server
