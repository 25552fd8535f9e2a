// SPDX-License-Identifier: Apache-2.0
// What the operating system and the allocator say of this process, for the status. Any thread.
#pragma once

#include <cstdint>

namespace kvorum::server {

struct ProcessStats {
  double cpu_user_seconds = 0, cpu_system_seconds = 0;
  uint64_t allocated_bytes = 0;  // by the allocator
  uint64_t resident_bytes = 0;   // by the kernel
};

ProcessStats process_stats();

}  // namespace kvorum::server
