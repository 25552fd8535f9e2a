// SPDX-License-Identifier: Apache-2.0
// What a dispatcher counts of its reactor's clients, as INFO shows it. A plain value.
#pragma once

#include <cstdint>

namespace kvorum::server {

struct DispatcherCounters {
  uint64_t commands = 0;
  uint64_t hits = 0, misses = 0;
};

}  // namespace kvorum::server
