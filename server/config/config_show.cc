// SPDX-License-Identifier: Apache-2.0
#include <yaml-cpp/yaml.h>

#include "server/config/config.h"
#include "server/config/config_values.h"

namespace kvorum::server {
namespace {

using cluster::ConflictPolicy;
using cluster::Endpoint;
using cluster::KeyspacePolicy;
using cluster::ReadsWhenShort;
using cluster::WritesWhenShort;

// Text of people, as against words of ours: it stands in quotes, so that it stays text. What is not
// UTF-8 cannot stand in YAML, and shows as U+FFFD.
struct Quoted {
  std::string text;
};

YAML::Emitter& operator<<(YAML::Emitter& out, const Quoted& quoted) {
  return out << YAML::DoubleQuoted << quoted.text;
}

// How many there are is no secret.
struct Masked {
  const std::vector<std::string>& secrets;
};

YAML::Emitter& operator<<(YAML::Emitter& out, const Masked& masked) {
  const std::string mask(masked.secrets.empty() ? "" : "********");
  if (masked.secrets.size() <= 1) return out << Quoted{mask};
  out << YAML::Flow << YAML::BeginSeq;
  for (size_t i = 0; i < masked.secrets.size(); ++i) out << Quoted{mask};
  return out << YAML::EndSeq;
}

template <class Value>
void add(YAML::Emitter& out, const char* key, const Value& value) {
  out << YAML::Key << key << YAML::Value << value;
}

void add_if_given(YAML::Emitter& out, const char* key, const std::string& text) {
  if (!text.empty()) add(out, key, Quoted{text});
}

const char* text_of(EngineType type) {
  switch (type) {
    case EngineType::kLevelDb:
      return "leveldb";
    case EngineType::kMemory:
      return "memory";
  }
  return "";
}

const char* text_of(Eviction eviction) {
  switch (eviction) {
    case Eviction::kNone:
      return "none";
    case Eviction::kLru:
      return "lru";
  }
  return "";
}

const char* text_of(LogLevel level) {
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

void add_policy(YAML::Emitter& out, const KeyspacePolicy& policy) {
  add(out, "n", unsigned{policy.n});
  add(out, "r", unsigned{policy.r});
  add(out, "w", unsigned{policy.w});
  add(out, "conflicts", policy.conflicts == ConflictPolicy::kSiblings ? "siblings" : "lww");
  add(out, "sloppy", policy.sloppy);
  add(out, "writes_when_short",
      policy.writes_when_short == WritesWhenShort::kHint ? "hint" : "reject");
  add(out, "reads_when_short", policy.reads_when_short == ReadsWhenShort::kFail ? "fail" : "serve");
}

void add_member(YAML::Emitter& out, const FounderConfig& founder) {
  const cluster::Member& member = founder.member;
  out << YAML::Flow << YAML::BeginMap;
  add(out, "name", Quoted{member.name});
  add(out, "peer", Quoted{member.peer.to_text()});
  add_if_given(out, "redis", member.redis.to_text());
  add_if_given(out, "memcached", member.memcached.to_text());
  add_if_given(out, "admin", member.admin.to_text());
  add_if_given(out, "data", founder.data_directory);
  add(out, "weight", member.weight);
  add_if_given(out, "rack", member.rack);
  add_if_given(out, "zone", member.zone);
  out << YAML::EndMap;
}

// Nothing while the name must still be chosen: addresses and data directory depend on it.
void add_node(YAML::Emitter& out, const Config& config) {
  const NodeConfig& node = config.node;
  if (node.name.empty()) return;
  out << YAML::Key << "node" << YAML::Value << YAML::BeginMap;
  add(out, "name", Quoted{node.name});
  add(out, "data", Quoted{node.data_directory});
  add(out, "weight", node.weight);
  add_if_given(out, "rack", node.rack);
  add_if_given(out, "zone", node.zone);
  out << YAML::EndMap << YAML::Key << "listen" << YAML::Value << YAML::BeginMap;
  add(out, "redis", Quoted{config.listen.redis.to_text()});
  add(out, "memcached", Quoted{config.listen.memcached.to_text()});
  add(out, "peer", Quoted{config.listen.peer.to_text()});
  add(out, "admin", Quoted{config.listen.admin.to_text()});
  out << YAML::EndMap;
}

void add_cluster(YAML::Emitter& out, const ClusterConfig& cluster) {
  out << YAML::Key << "cluster" << YAML::Value << YAML::BeginMap;
  add(out, "name", Quoted{cluster.name});
  add(out, "secret", Masked{cluster.secrets});
  add(out, "partitions", cluster.partitions);
  add(out, "partitioner", cluster.partitioner == Partitioner::kMd5 ? "md5" : "slots");
  out << YAML::Key << "members" << YAML::Value << YAML::BeginSeq;
  for (const FounderConfig& founder : cluster.founders) add_member(out, founder);
  out << YAML::EndSeq << YAML::EndMap;
}

void add_keyspaces(YAML::Emitter& out, const Config& config) {
  out << YAML::Key << "keyspaces" << YAML::Value << YAML::BeginMap;
  out << YAML::Key << "default" << YAML::Value << YAML::Flow << YAML::BeginMap;
  add_policy(out, config.keyspaces[0]);
  out << YAML::EndMap;
  for (const KeyspacePolicy& policy : config.keyspaces) {
    if (policy.name == config.keyspaces[0].name) continue;
    out << YAML::Key << Quoted{policy.name} << YAML::Value << YAML::Flow << YAML::BeginMap;
    add(out, "db", unsigned{policy.db});
    add_policy(out, policy);
    out << YAML::EndMap;
  }
  out << YAML::EndMap;
}

void add_ms(YAML::Emitter& out, const char* key, uint64_t ms) {
  add(out, key, duration_text(static_cast<int64_t>(ms)));
}

void add_engine(YAML::Emitter& out, const Config& config) {
  const EngineConfig& engine = config.engine;
  out << YAML::Key << "engine" << YAML::Value << YAML::BeginMap;
  add(out, "type", text_of(engine.type));
  add(out, "sync", sync_text(engine.sync).data());
  add(out, "memory", size_text(engine.memory_bytes));
  add(out, "eviction", text_of(engine.eviction));
  out << YAML::EndMap;
  add(out, "reactors", config.reactors == 0 ? "auto" : std::to_string(config.reactors));
}

void add_limits(YAML::Emitter& out, const LimitsConfig& limits) {
  out << YAML::Key << "limits" << YAML::Value << YAML::BeginMap;
  add(out, "clients", limits.clients);
  add_ms(out, "request_timeout", limits.request_timeout_ms);
  add(out, "value", size_text(limits.value_bytes));
  add(out, "value_warn", size_text(limits.value_warn_bytes));
  add(out, "pipeline_bytes", size_text(limits.pipeline_bytes));
  add(out, "in_flight", size_text(limits.in_flight_bytes));
  add(out, "client_output", size_text(limits.client_output_bytes));
  add_ms(out, "client_output_wait", limits.client_output_wait_ms);
  add(out, "siblings", limits.siblings);
  add(out, "clock_entries_max", limits.clock_entries_max);
  add(out, "hints", size_text(limits.hints_bytes));
  add_ms(out, "foreground_p99", limits.foreground_p99_ms);
  out << YAML::EndMap;
}

void add_timing(YAML::Emitter& out, const TimingConfig& timing) {
  out << YAML::Key << "timing" << YAML::Value << YAML::BeginMap;
  add_ms(out, "gossip", timing.gossip_ms);
  add_ms(out, "hints", timing.hints_ms);
  add_ms(out, "anti_entropy", timing.anti_entropy_ms);
  add_ms(out, "read_repair_wait", timing.read_repair_wait_ms);
  add_ms(out, "scrub", timing.scrub_ms);
  out << YAML::EndMap;
}

void add_process(YAML::Emitter& out, const Config& config) {
  out << YAML::Key << "debug" << YAML::Value << YAML::BeginMap;
  add(out, "clock_offset", duration_text(config.clock_offset_ms));
  out << YAML::EndMap << YAML::Key << "log" << YAML::Value << YAML::BeginMap;
  add(out, "level", text_of(config.log.level));
  add(out, "format", config.log.format == LogFormat::kText ? "text" : "json");
  add_if_given(out, "file", config.log.file);
  out << YAML::EndMap;
  if (config.admin.hosts.empty()) return;
  out << YAML::Key << "admin" << YAML::Value << YAML::BeginMap;
  out << YAML::Key << "hosts" << YAML::Value << YAML::BeginSeq;
  for (const std::string& name : config.admin.hosts) out << Quoted{name};
  out << YAML::EndSeq << YAML::EndMap;
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
  YAML::Emitter out;
  out << YAML::BeginMap;
  add_node(out, config);
  add_cluster(out, config.cluster);
  add_keyspaces(out, config);
  add_engine(out, config);
  add_limits(out, config.limits);
  add(out, "password", Masked{config.passwords});
  out << YAML::Key << "peer" << YAML::Value << YAML::BeginMap;
  add(out, "insecure", config.peer_insecure);
  out << YAML::EndMap;
  add_timing(out, config.timing);
  add_process(out, config);
  out << YAML::EndMap;
  return std::string(out.c_str(), out.size()) + "\n";
}

}  // namespace kvorum::server
