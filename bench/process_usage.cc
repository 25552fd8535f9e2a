// SPDX-License-Identifier: Apache-2.0
#include "bench/process_usage.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace kvorum::bench {
namespace {

uint64_t to_ns(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

Result<uint64_t> cpu_ns_of(pid_t process) {
  clockid_t clock{};
  if (const int error = clock_getcpuclockid(process, &clock); error != 0)
    return Status(Code::kNotFound, fmt::format("cannot read the CPU time of process {}: {}",
                                               process, std::strerror(error)));
  timespec time{};
  if (clock_gettime(clock, &time) != 0)
    return Status(Code::kNotFound, fmt::format("cannot read the CPU time of process {}: {}",
                                               process, std::strerror(errno)));
  return to_ns(time);
}

// The second number of statm: resident pages.
Result<uint64_t> resident_bytes_of(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/statm", process));
  uint64_t size = 0;
  uint64_t resident = 0;
  if (!(file >> size >> resident))
    return Status(Code::kNotFound, fmt::format("cannot read /proc/{}/statm", process));
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

Result<ProcessUsage> usage_of(const std::vector<pid_t>& processes) {
  ProcessUsage sum;
  for (const pid_t process : processes) {
    const Result<uint64_t> cpu = cpu_ns_of(process);
    if (!cpu.ok()) return cpu.status();
    const Result<uint64_t> resident = resident_bytes_of(process);
    if (!resident.ok()) return resident.status();
    sum.cpu_ns += cpu.value();
    sum.resident_bytes += resident.value();
  }
  return sum;
}

uint64_t own_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return to_ns(time);
}

}  // namespace kvorum::bench
