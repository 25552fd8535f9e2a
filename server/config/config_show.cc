// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "server/config/config.h"
#include "server/config/config_values.h"

namespace kvorum::server {
namespace {

using cluster::ConflictPolicy;
using cluster::Endpoint;
using cluster::KeyspacePolicy;
using cluster::ReadsWhenShort;
using cluster::WritesWhenShort;

// Double quotes, in which YAML takes everything escaped as in C.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      out += '\\';
      out += letter;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += letter;
    }
  }
  return out + '"';
}

// How many there are is no secret.
std::string masked(const std::vector<std::string>& secrets) {
  if (secrets.empty()) return "\"\"";
  std::string text = "\"********\"";
  for (size_t i = 1; i < secrets.size(); ++i) text += ", \"********\"";
  return secrets.size() == 1 ? text : "[" + text + "]";
}

std::string_view text_of(EngineType type) {
  switch (type) {
    case EngineType::kLevelDb:
      return "leveldb";
    case EngineType::kMemory:
      return "memory";
  }
  return "";
}

std::string_view text_of(Eviction eviction) {
  switch (eviction) {
    case Eviction::kNone:
      return "none";
    case Eviction::kLru:
      return "lru";
  }
  return "";
}

std::string_view text_of(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return "trace";
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "";
}

std::string policy_text(const KeyspacePolicy& policy) {
  return fmt::format(
      "n: {}, r: {}, w: {}, conflicts: {}, sloppy: {}, writes_when_short: {}, reads_when_short: {}",
      policy.n, policy.r, policy.w,
      policy.conflicts == ConflictPolicy::kSiblings ? "siblings" : "lww", policy.sloppy,
      policy.writes_when_short == WritesWhenShort::kHint ? "hint" : "reject",
      policy.reads_when_short == ReadsWhenShort::kFail ? "fail" : "serve");
}

std::string member_text(const FounderConfig& founder) {
  const cluster::Member& member = founder.member;
  std::string text =
      fmt::format("name: {}, peer: {}", quoted(member.name), quoted(member.peer.to_text()));
  const auto add = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) text += fmt::format(", {}: {}", key, quoted(value));
  };
  add("redis", member.redis.to_text());
  add("memcached", member.memcached.to_text());
  add("admin", member.admin.to_text());
  add("data", founder.data_directory);
  text += fmt::format(", weight: {}", member.weight);
  add("rack", member.rack);
  add("zone", member.zone);
  return text;
}

// Nothing while the name must still be chosen: addresses and data directory depend on it.
std::string node_text(const Config& config) {
  const NodeConfig& node = config.node;
  if (node.name.empty()) return {};
  std::string text = fmt::format("node:\n  name: {}\n  data: {}\n  weight: {}\n", quoted(node.name),
                                 quoted(node.data_directory), node.weight);
  if (!node.rack.empty()) text += fmt::format("  rack: {}\n", quoted(node.rack));
  if (!node.zone.empty()) text += fmt::format("  zone: {}\n", quoted(node.zone));
  const ListenConfig& listen = config.listen;
  return text + fmt::format("listen:\n  redis: {}\n  memcached: {}\n  peer: {}\n  admin: {}\n",
                            quoted(listen.redis.to_text()), quoted(listen.memcached.to_text()),
                            quoted(listen.peer.to_text()), quoted(listen.admin.to_text()));
}

std::string cluster_text(const ClusterConfig& cluster) {
  std::string text = fmt::format(
      "cluster:\n  name: {}\n  secret: {}\n  partitions: {}\n  partitioner: {}\n  members:\n",
      quoted(cluster.name), masked(cluster.secrets), cluster.partitions,
      cluster.partitioner == Partitioner::kMd5 ? "md5" : "slots");
  for (const FounderConfig& founder : cluster.founders) {
    text += fmt::format("    - {{{}}}\n", member_text(founder));
  }
  return text;
}

std::string keyspaces_text(const Config& config) {
  std::string text =
      fmt::format("keyspaces:\n  default: {{{}}}\n", policy_text(config.keyspaces[0]));
  for (const KeyspacePolicy& policy : config.keyspaces) {
    if (policy.name == config.keyspaces[0].name) continue;
    text +=
        fmt::format("  {}: {{db: {}, {}}}\n", quoted(policy.name), policy.db, policy_text(policy));
  }
  return text;
}

}  // namespace

std::string_view sync_text(engine::SyncPolicy sync) {
  switch (sync) {
    case engine::SyncPolicy::kAlways:
      return "always";
    case engine::SyncPolicy::kInterval:
      return "interval";
    case engine::SyncPolicy::kNever:
      return "never";
  }
  return "";
}

std::string show_config(const Config& config) {
  const LimitsConfig& limits = config.limits;
  const TimingConfig& timing = config.timing;
  std::string text = node_text(config) + cluster_text(config.cluster) + keyspaces_text(config);
  text += fmt::format("engine:\n  type: {}\n  sync: {}\n  memory: {}\n  eviction: {}\n",
                      text_of(config.engine.type), sync_text(config.engine.sync),
                      size_text(config.engine.memory_bytes), text_of(config.engine.eviction));
  text += fmt::format("reactors: {}\n",
                      config.reactors == 0 ? "auto" : std::to_string(config.reactors));
  text += fmt::format(
      "limits:\n  clients: {}\n  request_timeout: {}\n  value: {}\n  value_warn: {}\n  "
      "pipeline_bytes: {}\n"
      "  in_flight: {}\n  client_output: {}\n  client_output_wait: {}\n"
      "  siblings: {}\n  clock_entries_max: {}\n  hints: {}\n  foreground_p99: {}\n",
      limits.clients, duration_text(static_cast<int64_t>(limits.request_timeout_ms)),
      size_text(limits.value_bytes), size_text(limits.value_warn_bytes),
      size_text(limits.pipeline_bytes), size_text(limits.in_flight_bytes),
      size_text(limits.client_output_bytes),
      duration_text(static_cast<int64_t>(limits.client_output_wait_ms)), limits.siblings,
      limits.clock_entries_max, size_text(limits.hints_bytes),
      duration_text(static_cast<int64_t>(limits.foreground_p99_ms)));
  text += fmt::format("password: {}\npeer:\n  insecure: {}\n", masked(config.passwords),
                      config.peer_insecure);
  text += fmt::format(
      "timing:\n  gossip: {}\n  hints: {}\n  anti_entropy: {}\n  read_repair_wait: {}\n"
      "  scrub: {}\n",
      duration_text(static_cast<int64_t>(timing.gossip_ms)),
      duration_text(static_cast<int64_t>(timing.hints_ms)),
      duration_text(static_cast<int64_t>(timing.anti_entropy_ms)),
      duration_text(static_cast<int64_t>(timing.read_repair_wait_ms)),
      duration_text(static_cast<int64_t>(timing.scrub_ms)));
  text += fmt::format("debug:\n  clock_offset: {}\n", duration_text(config.clock_offset_ms));
  text += fmt::format("log:\n  level: {}\n  format: {}\n", text_of(config.log.level),
                      config.log.format == LogFormat::kText ? "text" : "json");
  if (!config.log.file.empty()) text += fmt::format("  file: {}\n", quoted(config.log.file));
  if (!config.admin.hosts.empty()) text += "admin:\n  hosts:\n";
  for (const std::string& name : config.admin.hosts) {
    text += fmt::format("    - {}\n", quoted(name));
  }
  return text;
}

}  // namespace kvorum::server
