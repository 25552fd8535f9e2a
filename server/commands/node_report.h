// SPDX-License-Identifier: Apache-2.0
// INFO's text, section by section, from a NodeStatus. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/status/node_status.h"

namespace kvorum::server {

// Sections by name in any case; none, "default", "all" and "everything" mean every section. Unknown
// names are left out, as Redis does.
std::string node_report(const NodeStatus& status, const std::vector<std::string_view>& sections);

// What Redis calls it: maxmemory-policy.
std::string_view eviction_policy(const NodeStatus& status);

}  // namespace kvorum::server
