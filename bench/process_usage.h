// SPDX-License-Identifier: Apache-2.0
// What server processes have cost so far: CPU time (user and system, all threads, ended ones
// included) to the nanosecond from the kernel's CPU clock of the process, and resident memory from
// /proc. Read before and after a phase; the difference over the operations is the figure that stays
// true on a machine where others run too. Plain functions, no state.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "base/status.h"

namespace kvorum::bench {

struct ProcessUsage {
  uint64_t cpu_ns = 0;
  uint64_t resident_bytes = 0;
};

// The sum over the processes; fails when one of them is gone.
Result<ProcessUsage> usage_of(const std::vector<pid_t>& processes);

uint64_t own_cpu_ns();

}  // namespace kvorum::bench
