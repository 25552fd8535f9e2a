// SPDX-License-Identifier: Apache-2.0
// The documents of the admin API as JSON text. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/config/config.h"
#include "server/status/node_status.h"

namespace kvorum::server {

std::string status_json(const NodeStatus& status);
// What waits here for whom, since when, and why.
std::string hints_json(const NodeStatus& status);
// How far anti-entropy has come.
std::string repair_json(const RepairStatus& repair);
// Partitions per member, and the owner of each partition.
std::string ring_json(const cluster::ClusterView& view);
// Position, partition and preference list of one key.
std::string key_json(const cluster::ClusterView& view, std::string_view key, uint8_t database);
// The effective configuration; secrets masked.
std::string config_json(const Config& config);
// Why the node is not ready: a list of texts.
std::string reasons_json(const std::vector<NodeProblem>& problems);
std::string error_json(std::string_view text);

// The decoded value of `name` in a query string (a=1&b=%20); none where it is missing.
std::optional<std::string> query_value(std::string_view query, std::string_view name);
std::string query_escaped(std::string_view text);
std::optional<uint8_t> database_number(std::string_view text);

}  // namespace kvorum::server
