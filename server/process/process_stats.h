// SPDX-License-Identifier: Apache-2.0
// What the operating system and the allocator say of this process, for the status. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvorum::server {

struct ProcessStats {
  double cpu_user_seconds = 0, cpu_system_seconds = 0;
  uint64_t allocated_bytes = 0;       // by the allocator
  uint64_t allocated_peak_bytes = 0;  // the most of all that process_stats() saw
  uint64_t resident_bytes = 0;        // by the kernel
};

ProcessStats process_stats();

// What does not change while the process runs.
struct HostFacts {
  std::string system;      // as `uname -srm`
  std::string executable;  // its path
  uint64_t memory_bytes = 0;
};
const HostFacts& host_facts();

// The allocator's pages; 0 where it does not say.
struct AllocatorStats {
  std::string_view name;
  uint64_t active_bytes = 0;    // pages in which something is allocated
  uint64_t resident_bytes = 0;  // that it has from the system
};
AllocatorStats allocator_stats();

// What the allocator holds beside what it gave out; 0 where it does not say.
struct AllocatorGaps {
  uint64_t between_bytes = 0;  // in pages that are in use and so cannot go back to the system
  uint64_t unused_bytes = 0;   // in whole pages, which go back after some seconds
};
AllocatorGaps allocator_gaps();
// Those go back now. Takes milliseconds.
void give_back_unused_pages();

}  // namespace kvorum::server
