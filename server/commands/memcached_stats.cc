// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iterator>
#include <numeric>

#include "server/commands/memcached_commands.h"
#include "server/commands/versions.h"

namespace kvorum::server {

std::string stats_text(const NodeStatus& status) {
  std::string text;
  const auto add = [&](std::string_view name, const auto& value) {
    fmt::format_to(std::back_inserter(text), "STAT {} {}\r\n", name, value);
  };
  add("pid", status.pid);
  add("uptime", status.uptime_seconds);
  add("version", kMemcachedVersion);
  add("kvorum_version", status.version.empty() ? std::string(kKvorumVersion) : status.version);
  add("pointer_size", 64);
  add("rusage_user", fmt::format("{:.6f}", status.cpu_user_seconds));
  add("rusage_system", fmt::format("{:.6f}", status.cpu_system_seconds));
  add("max_connections", status.clients_max);
  add("curr_connections", status.clients_connected);
  add("total_connections", status.connections_received);
  add("rejected_connections", status.connections_rejected);
  add("get_hits", status.keyspace_hits);
  add("get_misses", status.keyspace_misses);
  add("cmd_total", status.commands_processed);
  add("bytes_read", status.net_input_bytes);
  add("bytes_written", status.net_output_bytes);
  add("limit_maxbytes", status.memory_max_bytes);
  add("bytes", status.memory_used_bytes);
  add("curr_items", status.keys[0]);
  add("threads", status.reactors);
  add("evictions", status.counters.evicted_keys);
  text.append("END\r\n");
  return text;
}

}  // namespace kvorum::server
