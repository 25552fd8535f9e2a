// SPDX-License-Identifier: Apache-2.0
#include "server/process/descriptors.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

namespace kvorum::server {
namespace {

// Standard streams, the log, locks, resolving, files of the moment.
constexpr uint64_t kMargin = 24;
// An epoll of Asio's, its timer and its wake-up, and one of our own.
constexpr uint64_t kOfReactor = 4;
// Each LevelDB: lock, manifest, two logs opened twice, what a compaction writes and reads.
constexpr uint64_t kOfStores = 2 * 12;
// Tables beyond those that LevelDB maps into memory: it opens a fifth of the limit at most.
constexpr uint64_t kTablesMax = 1000;
constexpr uint32_t kAdminMax = 256, kAdminMin = 8;
constexpr uint32_t kStrangersMax = 256, kStrangersMin = 4;
constexpr uint32_t kClientsMin = 8;

// Of the whole, for what can do with fewer.
uint32_t share(uint64_t limit, uint64_t divisor, uint32_t least, uint32_t most) {
  return static_cast<uint32_t>(std::clamp<uint64_t>(limit / divisor, least, most));
}

}  // namespace

Result<DescriptorPlan> plan_descriptors(uint64_t limit, const DescriptorNeeds& needs) {
  DescriptorPlan plan;
  plan.admin = share(limit, 16, kAdminMin, kAdminMax);
  plan.strangers = share(limit, 16ULL * needs.reactors, kStrangersMin, kStrangersMax);
  const uint64_t tables = needs.durable ? std::min(limit / 5, kTablesMax) : 0;
  const uint64_t links = 2 * needs.links + uint64_t{needs.reactors} * plan.strangers;
  plan.reserved = kMargin + needs.listeners + kOfReactor * (needs.reactors + 1) +
                  (needs.durable ? kOfStores : 0) + tables + links + plan.admin;
  const uint64_t left = limit - std::min(limit, plan.reserved);
  if (left < std::min(needs.clients, kClientsMin)) {
    return Status(Code::kInvalid,
                  fmt::format("the limit of open files is {}, and this node needs {} for its "
                              "store, its peers and a few clients: raise it (ulimit -n)",
                              limit, plan.reserved + kClientsMin));
  }
  plan.clients = static_cast<uint32_t>(std::min<uint64_t>(needs.clients, left));
  return plan;
}

uint64_t descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT32_MAX;
  return limit.rlim_cur;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace kvorum::server
