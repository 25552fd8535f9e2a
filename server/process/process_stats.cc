// SPDX-License-Identifier: Apache-2.0
#include "server/process/process_stats.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
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

#define KVORUM_TEXT_OF_WORD(word) #word
#define KVORUM_TEXT_OF(word) KVORUM_TEXT_OF_WORD(word)

namespace kvorum::server {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

#ifdef KVORUM_WITH_JEMALLOC
// The figures that said() tells are those of now.
void look_again() {
  uint64_t epoch = 1;
  size_t size = sizeof epoch;
  mallctl("epoch", &epoch, &size, &epoch, size);
}
constexpr std::string_view kAllocator = "jemalloc";
uint64_t said(const char* name) {
  size_t bytes = 0;
  size_t size = sizeof bytes;
  return mallctl(name, &bytes, &size, nullptr, 0) == 0 ? bytes : 0;
}
#else  // a sanitizer's allocator does not say
void look_again() {}
constexpr std::string_view kAllocator = "libc";
uint64_t said(const char*) { return 0; }
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
  look_again();
  stats.allocated_bytes = said("stats.allocated");
  stats.resident_bytes = resident_now();
  static std::atomic<uint64_t> peak{0};
  uint64_t seen = peak.load(std::memory_order_relaxed);
  while (seen < stats.allocated_bytes && !peak.compare_exchange_weak(seen, stats.allocated_bytes)) {
  }
  stats.allocated_peak_bytes = std::max(seen, stats.allocated_bytes);
  return stats;
}

const HostFacts& host_facts() {
  static const HostFacts facts = [] {
    HostFacts found;
    utsname name{};
    uname(&name);
    found.system = std::string(name.sysname) + " " + name.release + " " + name.machine;
    std::error_code error;
    found.executable = std::filesystem::read_symlink("/proc/self/exe", error).string();
    found.memory_bytes = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                         static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    return found;
  }();
  return facts;
}

AllocatorStats allocator_stats() {
  look_again();
  return {kAllocator, said("stats.active"), said("stats.resident")};
}

AllocatorGaps allocator_gaps() {
  look_again();
  const uint64_t allocated = said("stats.allocated");
  const uint64_t active = std::max(said("stats.active"), allocated);
  return {active - allocated, std::max(said("stats.resident"), active) - active};
}

void give_back_unused_pages() {
#ifdef KVORUM_WITH_JEMALLOC
  mallctl("arena." KVORUM_TEXT_OF(MALLCTL_ARENAS_ALL) ".purge", nullptr, nullptr, nullptr, 0);
#endif
}

}  // namespace kvorum::server
