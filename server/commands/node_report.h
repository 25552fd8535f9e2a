// SPDX-License-Identifier: Apache-2.0
// INFO's text, section by section, from a NodeStatus. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/status/node_status.h"

namespace kvorum::server {

// How long calls took, for the section latencystats. No percents: nothing is told of it.
struct LatencyReport {
  std::vector<CallTimes> calls;
  std::vector<double> percents;
};

// Sections by name in any case; none and "default" mean those without commandstats and
// latencystats, "all" and "everything" every one. Unknown names are left out, as Redis does.
std::string node_report(const NodeStatus& status, const std::vector<std::string_view>& sections,
                        const LatencyReport& latency = {});
// Whether the names mean latencystats too.
bool wants_latency(const std::vector<std::string_view>& sections);

// What Redis calls it: maxmemory-policy.
std::string_view eviction_policy(const NodeStatus& status);

}  // namespace kvorum::server
