// SPDX-License-Identifier: Apache-2.0
// CONFIG: Redis's names of what a node has. The YAML file decides over most of it; what may change
// while the node runs is set here until it ends, and what has no meaning here is taken and shown
// (server/logbook/idle_settings.h).
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "protocol/glob.h"
#include "server/commands/help.h"
#include "server/commands/node_report.h"
#include "server/commands/words.h"
#include "server/logbook/logbook.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

// What values are made of. A status is looked up for all of them once.
class Node {
 public:
  explicit Node(NodeFacts& facts) : facts_(facts) {}
  NodeFacts& facts() const { return facts_; }
  const NodeStatus& status() {
    if (!status_) status_ = facts_.status();
    return *status_;
  }

 private:
  NodeFacts& facts_;
  std::optional<NodeStatus> status_;
};

std::string maximum_memory(Node& node) { return std::to_string(node.status().memory_max_bytes); }
std::string maximum_clients(Node& node) { return std::to_string(node.status().clients_max); }
std::string address_part(const std::string& address, bool port) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return port ? "0" : "";
  return port ? address.substr(colon + 1) : address.substr(0, colon);
}
std::string redis_port(Node& node) { return address_part(node.status().redis, true); }
// As Redis shows it: without the brackets of an IPv6 address.
std::string redis_host(Node& node) {
  std::string host = address_part(node.status().redis, false);
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return in_brackets ? host.substr(1, host.size() - 2) : host;
}
// As in Redis to clients that gave one.
std::string password_text(Node& node) {
  return node.facts().passwords().empty() ? std::string() : node.facts().passwords().front();
}
std::string databases(Node&) { return std::to_string(kKeyspacesMax); }
// Redis's three classes. Beyond the first figure no request of a normal client is run, the second
// and the third close it.
std::string output_limits(Node& node) {
  const InFlightStatus limits = node.status().in_flight;
  const ClientRules rules = node.status().client_rules;
  return fmt::format("normal {} {} {} slave 0 0 0 pubsub {} {} {}", limits.client_part,
                     limits.client_output_bytes, limits.client_output_wait_ms / 1000,
                     rules.subscriber_output_bytes, rules.subscriber_behind_bytes,
                     rules.subscriber_behind_seconds);
}
std::string key_events(Node& node) { return node.facts().pub_sub().key_events(); }
std::string longest_value(Node& node) { return std::to_string(node.facts().value_bytes_max()); }
std::string none(Node&) { return ""; }
std::string idle_seconds(Node& node) {
  return std::to_string(node.status().client_rules.idle_seconds);
}
std::string keepalive_seconds(Node& node) {
  return std::to_string(node.status().client_rules.keepalive_seconds);
}
std::string backlog(Node& node) { return std::to_string(node.status().client_rules.backlog); }
std::string socket_path(Node& node) { return node.status().client_rules.redis_socket; }
std::string socket_mode(Node& node) {
  return fmt::format("{:o}", node.status().client_rules.socket_mode);
}
// Unlike in Redis of all clients together: one who goes on beyond its part waits for room.
std::string query_limit(Node& node) { return std::to_string(node.status().in_flight.limit); }
std::string no(Node&) { return "no"; }
std::string eviction(Node& node) { return std::string(eviction_policy(node.status())); }
// What appendfsync says is what our log does.
std::string sync_policy(Node& node) {
  const std::string sync = node.status().sync;
  return sync == "interval" ? "everysec" : sync == "always" ? "always" : "no";
}
std::string durable(Node& node) { return node.status().engine == "memory" ? "no" : "yes"; }

std::string slow_log_bound(Node& node) {
  return std::to_string(node.facts().logbook().slow_log.slower_than_us());
}
std::string slow_log_length(Node& node) {
  return std::to_string(node.facts().logbook().slow_log.length_max());
}
std::string latency_bound(Node& node) {
  return std::to_string(node.facts().logbook().latency.threshold_ms());
}
std::string debug_access(Node& node) {
  constexpr std::string_view kNames[] = {"no", "local", "yes"};
  return std::string(kNames[static_cast<size_t>(node.facts().logbook().debug)]);
}

// A value for a parameter: looked at alone, or set too.
struct Wish {
  NodeFacts& facts;
  std::string_view value;
  bool set = false;
};

// Redis's names of what Kvorum has; clients and benchmarks ask for some of them.
struct Parameter {
  std::string_view name;
  std::string (*value)(Node& node);
  // Why it cannot be set to that; null: the YAML file decides.
  std::string (*set)(const Wish& wish) = nullptr;
};

std::string set_key_events(const Wish& wish) {
  const std::string before = wish.facts.pub_sub().key_events();
  if (!wish.facts.pub_sub().set_key_events(wish.value)) {
    return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
  }
  if (!wish.set) wish.facts.pub_sub().set_key_events(before);
  return {};
}

// Where it is one between least and INT64_MAX; else the problem.
std::string read_number(std::string_view text, int64_t least, int64_t* number) {
  const auto read = protocol::parse_int64(text);
  if (!read) return "argument couldn't be parsed into an integer";
  *number = *read;
  if (*number >= least) return {};
  return fmt::format("argument must be between {} and {} inclusive", least, INT64_MAX);
}

std::string set_slow_log_bound(const Wish& wish) {
  int64_t us = 0;
  std::string problem = read_number(wish.value, -1, &us);
  if (problem.empty() && wish.set) wish.facts.logbook().slow_log.set_slower_than_us(us);
  return problem;
}
std::string set_slow_log_length(const Wish& wish) {
  int64_t length = 0;
  std::string problem = read_number(wish.value, 0, &length);
  if (problem.empty() && wish.set) {
    wish.facts.logbook().slow_log.set_length_max(static_cast<uint64_t>(length));
  }
  return problem;
}
std::string set_latency_bound(const Wish& wish) {
  int64_t ms = 0;
  std::string problem = read_number(wish.value, 0, &ms);
  if (problem.empty() && wish.set) {
    wish.facts.logbook().latency.set_threshold_ms(static_cast<uint64_t>(ms));
  }
  return problem;
}

std::string set_maximum_memory(const Wish& wish) {
  const std::optional<int64_t> bytes = read_setting_bytes(wish.value);
  if (!bytes) return "argument must be a memory value";
  if (wish.set) {
    wish.facts.set_memory(static_cast<uint64_t>(*bytes), wish.facts.status().eviction);
  }
  return {};
}

std::string set_eviction(const Wish& wish) {
  constexpr std::string_view kPolicies[] = {"volatile-lru",   "volatile-lfu", "volatile-random",
                                            "volatile-ttl",   "allkeys-lru",  "allkeys-lfu",
                                            "allkeys-random", "noeviction"};
  const std::string policy = lower_case(wish.value);
  if (std::find(std::begin(kPolicies), std::end(kPolicies), policy) == std::end(kPolicies)) {
    return fmt::format("argument(s) must be one of the following: {}", fmt::join(kPolicies, ", "));
  }
  if (!wish.facts.can_evict_by(policy)) {
    return "nothing may be evicted here until the node is started with engine.eviction";
  }
  if (wish.set) wish.facts.set_memory(wish.facts.status().memory_max_bytes, policy);
  return {};
}

constexpr Parameter kParameters[] = {
    {"appendfsync", sync_policy},
    {"appendonly", durable},
    {"bind", redis_host},
    {"client-output-buffer-limit", output_limits},
    {"client-query-buffer-limit", query_limit},
    {"cluster-enabled", no},
    {"daemonize", no},
    {"databases", databases},
    {"enable-debug-command", debug_access},
    {"latency-monitor-threshold", latency_bound, set_latency_bound},
    {"maxclients", maximum_clients},
    {"maxmemory", maximum_memory, set_maximum_memory},
    {"maxmemory-policy", eviction, set_eviction},
    {"notify-keyspace-events", key_events, set_key_events},
    {"port", redis_port},
    {"proto-max-bulk-len", longest_value},
    {"requirepass", password_text},
    {"replicaof", none},
    {"save", none},
    {"slaveof", none},
    {"slowlog-log-slower-than", slow_log_bound, set_slow_log_bound},
    {"slowlog-max-len", slow_log_length, set_slow_log_length},
    {"tcp-backlog", backlog},
    {"tcp-keepalive", keepalive_seconds},
    {"supervised", no},
    {"timeout", idle_seconds},
    {"unixsocket", socket_path},
    {"unixsocketperm", socket_mode},
};

const Parameter* find_parameter(std::string_view name) {
  for (const Parameter& parameter : kParameters) {
    if (equals_ignoring_case(name, parameter.name)) return &parameter;
  }
  return nullptr;
}

// Shows those that somebody asked for, each once. A name that is no pattern is answered as it was
// written.
class ParameterList {
 public:
  explicit ParameterList(Words patterns) : patterns_(patterns) {}

  template <typename Value>
  void show(std::string_view name, const Value& value) {
    for (const std::string_view pattern : patterns_) {
      if (!protocol::glob_matches(pattern, name, /*ignore_case=*/true)) continue;
      const bool is_name = pattern.find_first_of("[*?\\") == std::string_view::npos;
      add(is_name ? pattern : name, value());
      return;
    }
  }
  void add(std::string_view name, std::string value) {
    fields_.push_back(Reply::bulk(name));
    fields_.push_back(Reply::bulk_owned(std::move(value)));
  }
  Reply take() { return Reply::map(std::move(fields_)); }

 private:
  const Words patterns_;
  std::vector<Reply> fields_;
};

void config_get(const CommandCall& call, Plan& plan) {
  const Words patterns = call.words.subspan(2);
  const IdleSettings& idle = call.facts.logbook().idle;
  ParameterList list(patterns);
  Node node(call.facts);
  for (const Parameter& parameter : kParameters) {
    list.show(parameter.name, [&] { return parameter.value(node); });
  }
  for (const IdleSetting& setting : idle_settings()) {
    list.show(setting.name, [&] { return idle.value(setting); });
  }
  for (const std::string_view name : patterns) {
    const IdleSetting* const setting = find_idle_setting(name);
    if (setting != nullptr && !equals_ignoring_case(name, setting->name)) {
      list.add(name, idle.value(*setting));  // asked for by an older name
    }
  }
  plan.answer(list.take());
}

// The YAML file decides over most of them: they may only be set to what they are.
std::string set_parameter(const Parameter& parameter, const Wish& wish) {
  if (parameter.set != nullptr) return parameter.set(wish);
  Node node(wish.facts);
  return parameter.value(node) == wish.value ? "" : "can't set immutable config";
}

std::string set_by_name(std::string_view name, const Wish& wish) {
  if (const Parameter* const parameter = find_parameter(name)) {
    return set_parameter(*parameter, wish);
  }
  const IdleSetting& setting = *find_idle_setting(name);
  std::string shown;
  std::string problem = setting_problem(setting, wish.value, &shown);
  if (problem.empty() && wish.set) wish.facts.logbook().idle.set(setting, std::move(shown));
  return problem;
}

std::string why_not(std::string_view name, std::string_view problem) {
  return fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", name,
                     problem);
}

// Why none of them is set, as an error; empty where all may be.
std::string check_wishes(Words pairs, NodeFacts& facts) {
  std::set<std::string> seen;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const std::string_view name = pairs[i];
    if (find_parameter(name) == nullptr && find_idle_setting(name) == nullptr) {
      return fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'", name);
    }
    if (!seen.insert(lower_case(name)).second) return why_not(name, "duplicate parameter");
    const std::string problem = set_by_name(name, {facts, pairs[i + 1]});
    if (!problem.empty()) return why_not(name, problem);
  }
  return {};
}

void config_set(const CommandCall& call, Plan& plan) {
  if (call.words.size() % 2 != 0) {
    return plan.fail_owned(protocol::wrong_number_of_arguments(call.row.name));
  }
  const Words pairs = call.words.subspan(2);
  std::string error = check_wishes(pairs, call.facts);
  if (!error.empty()) return plan.fail_owned(std::move(error));
  for (size_t i = 0; i < pairs.size(); i += 2) {
    set_by_name(pairs[i], {call.facts, pairs[i + 1], /*set=*/true});
  }
  plan.answer(Reply::ok());
}

void config_rewrite(const CommandCall&, Plan& plan) {
  plan.fail(
      "ERR the YAML file is not rewritten: what CONFIG SET changed holds until the node ends");
}

void config_resetstat(const CommandCall& call, Plan& plan) {
  call.facts.reset_statistics();
  do_everywhere([](NodeFacts& facts) { facts.traffic().reset_times(); }, plan);
}

constexpr uint32_t kPlain = kLoading | kStale;
constexpr uint32_t kConfig = kAdmin | kNoScript | kLoading | kStale;

constexpr CommandRow kRows[] = {
    {"config", -2, kContainer | kPlain, 0, 0, 0, Group::kServer, "2.0.0", "subcommand",
     "Commands about the configuration.", "O(1)", nullptr},
    {"config|get", -3, kConfig, 0, 0, 0, Group::kServer, "2.0.0", "parameter [parameter ...]",
     "The values of parameters whose names match.", "O(N) for N parameters", config_get},
    {"config|help", 2, kPlain, 0, 0, 0, Group::kServer, "5.0.0", "", "Lists the subcommands.",
     "O(1)", subcommand_help},
    {"config|resetstat", 2, kConfig, 0, 0, 0, Group::kServer, "2.0.0", "",
     "Lets INFO and memcached's stats count from now on; /metrics goes on.", "O(1)",
     config_resetstat},
    {"config|rewrite", 2, kConfig, 0, 0, 0, Group::kServer, "2.8.0", "",
     "Refused: the YAML file is its owner's.", "O(1)", config_rewrite},
    {"config|set", -4, kConfig, 0, 0, 0, Group::kServer, "2.0.0",
     "parameter value [parameter value ...]",
     "Sets parameters of this node until it ends, all or none: notify-keyspace-events, slowlog-*, "
     "latency-monitor-threshold, maxmemory, maxmemory-policy. Takes those of Redis that have no "
     "meaning here. Refuses what the "
     "YAML file decides, unless it is that already.",
     "O(N) for N parameters", config_set},
};

}  // namespace

std::span<const CommandRow> config_commands() { return kRows; }

}  // namespace kvorum::server
