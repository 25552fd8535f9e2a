// SPDX-License-Identifier: Apache-2.0
#include "server/process/cpu_count.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace kvorum::server {
namespace {

uint32_t affinity_cpus() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 1;
  return static_cast<uint32_t>(std::max(1, CPU_COUNT(&mask)));
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The group of this process, then its parents: the tightest quota counts.
std::optional<uint32_t> group_cpus() {
  const std::string membership = first_line("/proc/self/cgroup");  // "0::/system.slice/x.service"
  std::string group = membership.starts_with("0::") ? membership.substr(3) : "";
  std::optional<uint32_t> least;
  for (;;) {
    const auto quota = cpus_of_quota(first_line("/sys/fs/cgroup" + group + "/cpu.max"));
    if (quota && (!least || *quota < *least)) least = quota;
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos) return least;
    group.resize(slash);
  }
}

}  // namespace

std::optional<uint32_t> cpus_of_quota(std::string_view cpu_max) {
  std::istringstream words{std::string(cpu_max)};
  uint64_t quota = 0, period = 0;
  if (!(words >> quota >> period) || quota == 0 || period == 0) return std::nullopt;
  return static_cast<uint32_t>(std::clamp<uint64_t>((quota + period - 1) / period, 1, 4096));
}

uint32_t usable_cpus() {
  const uint32_t cpus = affinity_cpus();
  return std::min(cpus, group_cpus().value_or(cpus));
}

}  // namespace kvorum::server
