// SPDX-License-Identifier: Apache-2.0
#include "server/process/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#ifdef KVORUM_WITH_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

#ifdef KVORUM_WITH_JEMALLOC
// Freed memory goes back to the system on a thread of its own, not inside somebody's request.
// jemalloc looks for this name.
extern "C" {
const char* malloc_conf = "background_thread:true,dirty_decay_ms:3000,muzzy_decay_ms:0";
}
#endif

namespace kvorum::server {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

#ifdef KVORUM_WITH_JEMALLOC
uint64_t allocated_now() {
  uint64_t epoch = 1;
  size_t size = sizeof epoch;
  mallctl("epoch", &epoch, &size, &epoch, size);
  size_t allocated = 0;
  size = sizeof allocated;
  return mallctl("stats.allocated", &allocated, &size, nullptr, 0) == 0 ? allocated : 0;
}
#else
uint64_t allocated_now() { return 0; }  // a sanitizer's allocator does not say
#endif

uint64_t resident_now() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

ProcessStats process_stats() {
  ProcessStats stats;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  stats.cpu_user_seconds = seconds_of(usage.ru_utime);
  stats.cpu_system_seconds = seconds_of(usage.ru_stime);
  stats.allocated_bytes = allocated_now();
  stats.resident_bytes = resident_now();
  return stats;
}

}  // namespace kvorum::server
