// SPDX-License-Identifier: Apache-2.0
// A node's status as Prometheus metrics. Pure; names are a contract (docs).
#pragma once

#include <string>

#include "server/status/node_status.h"

namespace kvorum::server {

// In the text format 0.0.4.
std::string metrics_text(const NodeStatus& status);

}  // namespace kvorum::server
