// SPDX-License-Identifier: Apache-2.0
#include "server/settings/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "protocol/number_text.h"
#include "server/commands/node_report.h"
#include "server/config/config_kinds.h"
#include "server/logbook/logbook.h"
#include "server/settings/output_limits.h"

namespace kvorum::server {
namespace {

using Source = ParameterSource;

constexpr int64_t kAnyMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kIntMost = std::numeric_limits<int32_t>::max();
constexpr int64_t kUnsignedMost = std::numeric_limits<uint32_t>::max();

// Where it is one from least to most; else the problem.
std::string read_number(std::string_view text, int64_t least, int64_t most, int64_t* number) {
  const auto read = protocol::parse_int64(text);
  if (!read) return "argument couldn't be parsed into an integer";
  *number = *read;
  if (*number >= least && *number <= most) return {};
  return fmt::format("argument must be between {} and {} inclusive", least, most);
}

// ---- of the configuration

std::string clients_max(Source& source) { return std::to_string(source.status().clients_max); }
std::string change_clients_max(const Wish& wish, Config& draft) {
  int64_t clients = 0;
  std::string problem = read_number(wish.value, 1, kUnsignedMost, &clients);
  if (!problem.empty()) return problem;
  draft.limits.clients = static_cast<uint32_t>(clients);
  const uint32_t possible = wish.facts.clients_possible(draft.limits.clients);
  if (possible >= draft.limits.clients) return {};
  return fmt::format(
      "The operating system is not able to handle the specified number of clients, try with {}",
      possible);
}

std::string idle_seconds(Source& source) {
  return std::to_string(source.config().limits.client_idle_ms / 1000);
}
std::string change_idle_seconds(const Wish& wish, Config& draft) {
  int64_t seconds = 0;
  std::string problem = read_number(wish.value, 0, kIntMost, &seconds);
  if (problem.empty()) draft.limits.client_idle_ms = static_cast<uint64_t>(seconds) * 1000;
  return problem;
}

std::string keepalive_seconds(Source& source) {
  return std::to_string((source.config().limits.client_keepalive_ms + 999) / 1000);
}
std::string change_keepalive(const Wish& wish, Config& draft) {
  int64_t seconds = 0;
  std::string problem = read_number(wish.value, 0, kIntMost, &seconds);
  if (problem.empty()) draft.limits.client_keepalive_ms = static_cast<uint64_t>(seconds) * 1000;
  return problem;
}

constexpr IdleSetting kReplicaOutput{"client-output-buffer-limit slave", SettingKind::kText,
                                     kReplicaOutputUsual};
std::string output_limits(Source& source) {
  return output_limits_text(source.config().limits,
                            source.facts().logbook().idle.value(kReplicaOutput));
}
std::string change_output(const Wish& wish, Config& draft) {
  IdleSettings& idle = wish.facts.logbook().idle;
  std::string replica = idle.value(kReplicaOutput);
  std::string problem = change_output_limits(wish.value, &draft.limits, &replica);
  if (problem.empty() && wish.set) idle.set(kReplicaOutput, std::move(replica));
  return problem;
}

// As in Redis to clients that gave one.
std::string password_text(Source& source) {
  const auto passwords = source.facts().passwords();
  return passwords.empty() ? std::string() : passwords.front();
}
std::string change_password(const Wish& wish, Config& draft) {
  constexpr size_t kBytesMax = 16'384;  // who has to log in may say no longer word
  if (wish.value.size() > kBytesMax) return "nobody could log in with a password of that length";
  draft.passwords.clear();
  if (!wish.value.empty()) draft.passwords.emplace_back(wish.value);
  return {};
}

std::string memory_max(Source& source) { return std::to_string(source.status().memory_max_bytes); }
std::string change_memory_max(const Wish& wish, Config& draft) {
  const std::optional<int64_t> bytes = read_setting_bytes(wish.value);
  if (!bytes) return "argument must be a memory value";
  draft.engine.memory_bytes = static_cast<uint64_t>(*bytes);
  return {};
}

std::string eviction(Source& source) { return std::string(eviction_policy(source.status())); }
std::string change_eviction(const Wish& wish, Config& draft) {
  constexpr std::string_view kPolicies[] = {"volatile-lru",   "volatile-lfu", "volatile-random",
                                            "volatile-ttl",   "allkeys-lru",  "allkeys-lfu",
                                            "allkeys-random", "noeviction"};
  const std::string policy = lower_case(wish.value);
  const auto* const known = find_eviction(policy);
  if (known == nullptr ||
      std::find(std::begin(kPolicies), std::end(kPolicies), policy) == std::end(kPolicies)) {
    return fmt::format("argument(s) must be one of the following: {}", fmt::join(kPolicies, ", "));
  }
  if (!wish.facts.can_evict_by(policy)) {
    return "nothing may be evicted here until the node is started with engine.eviction";
  }
  draft.engine.eviction = known->value;
  return {};
}

// ---- of the logbook, and of messages

std::string key_events(Source& source) { return source.facts().pub_sub().key_events(); }
std::string set_key_events(const Wish& wish) {
  const std::string before = wish.facts.pub_sub().key_events();
  if (!wish.facts.pub_sub().set_key_events(wish.value)) {
    return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
  }
  if (!wish.set) wish.facts.pub_sub().set_key_events(before);
  return {};
}

std::string slow_log_bound(Source& source) {
  return std::to_string(source.facts().logbook().slow_log.slower_than_us());
}
std::string set_slow_log_bound(const Wish& wish) {
  int64_t us = 0;
  std::string problem = read_number(wish.value, -1, kAnyMost, &us);
  if (problem.empty() && wish.set) wish.facts.logbook().slow_log.set_slower_than_us(us);
  return problem;
}

std::string slow_log_length(Source& source) {
  return std::to_string(source.facts().logbook().slow_log.length_max());
}
std::string set_slow_log_length(const Wish& wish) {
  int64_t length = 0;
  std::string problem = read_number(wish.value, 0, kAnyMost, &length);
  if (problem.empty() && wish.set) {
    wish.facts.logbook().slow_log.set_length_max(static_cast<uint64_t>(length));
  }
  return problem;
}

std::string latency_bound(Source& source) {
  return std::to_string(source.facts().logbook().latency.threshold_ms());
}
std::string set_latency_bound(const Wish& wish) {
  int64_t ms = 0;
  std::string problem = read_number(wish.value, 0, kAnyMost, &ms);
  if (problem.empty() && wish.set) {
    wish.facts.logbook().latency.set_threshold_ms(static_cast<uint64_t>(ms));
  }
  return problem;
}

std::string yes_or_no(bool yes) { return yes ? "yes" : "no"; }
std::string latency_tracking(Source& source) {
  return yes_or_no(source.facts().logbook().percentiles.is_shown());
}
std::string set_latency_tracking(const Wish& wish) {
  const bool yes = equals_ignoring_case(wish.value, "yes");
  if (!yes && !equals_ignoring_case(wish.value, "no")) return "argument must be 'yes' or 'no'";
  if (wish.set) wish.facts.logbook().percentiles.show(yes);
  return {};
}

std::string percentiles(Source& source) {
  std::vector<std::string> texts;
  for (const double percent : source.facts().logbook().percentiles.get()) {
    texts.push_back(percent_text(percent));
  }
  return fmt::format("{}", fmt::join(texts, " "));
}
std::string set_percentiles(const Wish& wish) {
  std::vector<double> percents;
  std::string problem = read_percents(words_of_value(wish.value), &percents);
  if (problem.empty() && wish.set) wish.facts.logbook().percentiles.set(std::move(percents));
  return problem;
}

// Of the keys that clients with CLIENT TRACKING have read.
std::string tracked_keys_max(Source& source) {
  return std::to_string(source.facts().tracked_keys_max());
}
std::string set_tracked_keys_max(const Wish& wish) {
  int64_t keys = 0;
  std::string problem = read_number(wish.value, 0, kAnyMost, &keys);
  if (problem.empty() && wish.set) wish.facts.set_tracked_keys_max(static_cast<size_t>(keys));
  return problem;
}

// ---- of the file alone

std::string address_part(const std::string& address, bool port) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return port ? "0" : "";
  return port ? address.substr(colon + 1) : address.substr(0, colon);
}
std::string redis_port(Source& source) { return address_part(source.status().redis, true); }
// As Redis shows it: without the brackets of an IPv6 address.
std::string redis_host(Source& source) {
  std::string host = address_part(source.status().redis, false);
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return in_brackets ? host.substr(1, host.size() - 2) : host;
}
std::string databases(Source&) { return std::to_string(kKeyspacesMax); }
std::string longest_value(Source& source) {
  return std::to_string(source.facts().value_bytes_max());
}
std::string backlog(Source& source) { return std::to_string(source.status().client_rules.backlog); }
std::string socket_path(Source& source) { return source.status().client_rules.redis_socket; }
std::string socket_mode(Source& source) {
  return fmt::format("{:o}", source.status().client_rules.socket_mode);
}
// Unlike in Redis of all clients together: one who goes on beyond its part waits for room.
std::string query_limit(Source& source) { return std::to_string(source.status().in_flight.limit); }
// What appendfsync says is what our log does.
std::string sync_policy(Source& source) {
  const std::string sync = source.status().sync;
  if (sync == "interval" || sync == "buffered") return "everysec";
  return sync == "always" ? "always" : "no";
}
std::string durable(Source& source) { return yes_or_no(source.status().engine != "memory"); }
std::string debug_access(Source& source) {
  constexpr std::string_view kNames[] = {"no", "local", "yes"};
  return std::string(kNames[static_cast<size_t>(source.facts().logbook().debug)]);
}
std::string slots(Source& source) { return yes_or_no(source.status().has_slots); }
std::string reactors(Source& source) { return std::to_string(source.status().reactors); }
std::string no(Source&) { return "no"; }
std::string none(Source&) { return ""; }

constexpr Parameter kParameters[] = {
    {"appendfsync", sync_policy},
    {"appendonly", durable},
    {"bind", redis_host},
    {"client-output-buffer-limit", output_limits, change_output},
    {"client-query-buffer-limit", query_limit},
    {"cluster-enabled", slots},
    {"daemonize", no},
    {"databases", databases},
    {"enable-debug-command", debug_access},
    {"io-threads", reactors},
    {"latency-monitor-threshold", latency_bound, nullptr, set_latency_bound},
    {"latency-tracking", latency_tracking, nullptr, set_latency_tracking},
    {"latency-tracking-info-percentiles", percentiles, nullptr, set_percentiles},
    {"maxclients", clients_max, change_clients_max},
    {"maxmemory", memory_max, change_memory_max},
    {"maxmemory-policy", eviction, change_eviction},
    {"notify-keyspace-events", key_events, nullptr, set_key_events},
    {"port", redis_port},
    {"proto-max-bulk-len", longest_value},
    {"requirepass", password_text, change_password},
    {"replicaof", none},
    {"slaveof", none},
    {"slowlog-log-slower-than", slow_log_bound, nullptr, set_slow_log_bound},
    {"slowlog-max-len", slow_log_length, nullptr, set_slow_log_length},
    {"tcp-backlog", backlog},
    {"tcp-keepalive", keepalive_seconds, change_keepalive},
    {"supervised", no},
    {"timeout", idle_seconds, change_idle_seconds},
    {"tracking-table-max-keys", tracked_keys_max, nullptr, set_tracked_keys_max},
    {"unixsocket", socket_path},
    {"unixsocketperm", socket_mode},
};

}  // namespace

ParameterSource::ParameterSource(NodeFacts& facts) : facts_(facts), config_(facts.config()) {
  if (!config_) config_ = std::make_shared<const Config>();
}

std::span<const Parameter> parameters() { return kParameters; }

const Parameter* find_parameter(std::string_view name) {
  for (const Parameter& parameter : kParameters) {
    if (equals_ignoring_case(name, parameter.name)) return &parameter;
  }
  return nullptr;
}

}  // namespace kvorum::server
