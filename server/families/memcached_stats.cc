// SPDX-License-Identifier: Apache-2.0
// memcached's `stats` and its groups: the names that mean something here. What memcached tells of
// its slabs, lists and threads' buffers has no counterpart.
#include <fmt/format.h>

#include <iterator>

#include "server/commands/versions.h"
#include "server/families/memcached_commands.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

constexpr std::string_view kDetailUsage = "CLIENT_ERROR usage: stats detail on|off|dump";

class StatLines {
 public:
  template <class Value>
  StatLines& add(std::string_view name, const Value& value) {
    fmt::format_to(std::back_inserter(text_), "STAT {} {}\r\n", name, value);
    return *this;
  }
  Reply end() {
    text_.append("END\r\n");
    return Reply::preformatted_owned(std::move(text_));
  }

 private:
  std::string text_;
};

void add_connections(const NodeStatus& status, StatLines& lines) {
  lines.add("max_connections", status.clients_max)
      .add("curr_connections", status.clients_connected)
      .add("total_connections", status.connections_received)
      .add("rejected_connections", status.connections_rejected)
      .add("connection_structures", status.clients_connected);
}

Reply general(const NodeStatus& status, uint64_t wall_us) {
  StatLines lines;
  lines.add("pid", status.pid)
      .add("uptime", status.uptime_seconds)
      .add("time", wall_us / 1'000'000)
      .add("version", kMemcachedVersion)
      .add("kvorum_version",
           status.version.empty() ? kKvorumVersion : std::string_view(status.version))
      .add("pointer_size", 8 * sizeof(void*))
      .add("rusage_user", fmt::format("{:.6f}", status.cpu_user_seconds))
      .add("rusage_system", fmt::format("{:.6f}", status.cpu_system_seconds));
  add_connections(status, lines);
  const TrafficTotals nothing;
  const TrafficTotals& traffic = status.traffic ? *status.traffic : nothing;
  for (size_t at = 0; at < kCacheCounts; ++at) {
    if (at == static_cast<size_t>(CacheCount::kTotalItems)) continue;  // stands below
    lines.add(kCacheCountNames[at], traffic.cache[at]);
  }
  lines.add("cmd_total", status.commands_processed)
      .add("bytes_read", status.net_input_bytes)
      .add("bytes_written", status.net_output_bytes)
      .add("limit_maxbytes", status.memory_max_bytes)
      .add("accepting_conns", 1)
      .add("listen_disabled_num", 0)
      .add("time_in_listen_disabled_us", 0)
      .add("threads", status.reactors)
      .add("bytes", status.memory_used_bytes)
      .add("curr_items", status.keys[0])
      .add("total_items", traffic.cache[static_cast<size_t>(CacheCount::kTotalItems)])
      .add("evictions", status.counters.evicted_keys);
  return lines.end();
}

std::string_view part_of(std::string_view address, bool port) {
  const size_t colon = address.rfind(':');
  if (colon == address.npos) return port ? "0" : address;
  return port ? address.substr(colon + 1) : address.substr(0, colon);
}

Reply settings(const NodeStatus& status, NodeFacts& facts) {
  StatLines lines;
  lines.add("maxbytes", status.memory_max_bytes)
      .add("maxconns", status.clients_max)
      .add("tcpport", part_of(status.memcached, true))
      .add("udpport", 0)
      .add("inter", part_of(status.memcached, false))
      .add("verbosity", 0)
      .add("evictions", status.evicts ? "on" : "off")
      .add("domain_socket", "NULL")
      .add("num_threads", status.reactors)
      .add("detail_enabled", "no")
      .add("cas_enabled", "yes")
      .add("binding_protocol", "ascii")
      .add("auth_enabled_sasl", "no")
      .add("auth_enabled_ascii", facts.passwords().empty() ? "no" : "yes")
      .add("item_size_max", facts.value_bytes_max())
      .add("flush_enabled", "yes")
      .add("dump_enabled", "no");
  return lines.end();
}

// All items are of one class.
Reply items(const NodeStatus& status) {
  StatLines lines;
  if (status.keys[0] == 0) return lines.end();
  lines.add("items:1:number", status.keys[0]).add("items:1:evicted", status.counters.evicted_keys);
  return lines.end();
}

Reply slabs(const NodeStatus& status) {
  StatLines lines;
  lines.add("active_slabs", 1).add("total_malloced", status.memory_used_bytes);
  return lines.end();
}

Reply detail(std::span<const std::string_view> words) {
  if (words.size() < 3) return Reply::error(kDetailUsage);
  if (words[2] == "on" || words[2] == "off") return Reply::line("OK");
  return words[2] == "dump" ? Reply::line("END") : Reply::error(kDetailUsage);
}

}  // namespace

protocol::Reply stats_reply(std::span<const std::string_view> words, NodeFacts& facts) {
  if (words.size() == 1) return general(since_reset(facts.status()), facts.wall_us());
  const std::string_view group = words[1];
  if (group == "reset") {
    facts.reset_statistics();
    return Reply::line("RESET");
  }
  if (group == "settings") return settings(facts.status(), facts);
  if (group == "items") return items(since_reset(facts.status()));
  if (group == "slabs") return slabs(facts.status());
  if (group == "detail") return detail(words);
  if (group == "sizes") return StatLines().add("sizes_status", "disabled").end();
  if (group == "cachedump") return Reply::error("CLIENT_ERROR stats cachedump not allowed");
  if (group == "conns" || group == "extstore") return Reply::line("END");
  return Reply::line("ERROR");
}

}  // namespace kvorum::server
