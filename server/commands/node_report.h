// SPDX-License-Identifier: Apache-2.0
// INFO's text, section by section, from a NodeStatus. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/status/node_status.h"

namespace kvorum::server {

// What the sections errorstats and latencystats tell: errors by their codes, and how long calls
// took. No percents: nothing is told of that.
struct CallReport {
  std::map<std::string, uint64_t, std::less<>> errors;
  std::vector<CallTimes> calls;
  std::vector<double> percents;
};

// Sections by name in any case; none and "default" mean those without commandstats and
// latencystats, "all" and "everything" every one. Unknown names are left out, as Redis does.
std::string node_report(const NodeStatus& status, const std::vector<std::string_view>& sections,
                        const CallReport& calls = {});
// Whether the names mean latencystats too.
bool wants_latency(const std::vector<std::string_view>& sections);

// What Redis calls it: maxmemory-policy.
std::string_view eviction_policy(const NodeStatus& status);

}  // namespace kvorum::server
