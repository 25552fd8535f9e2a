// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "protocol/glob.h"
#include "server/commands/help.h"
#include "server/commands/node_report.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

// INFO
void node_information(const CommandCall& call, Plan& plan) {
  const Words names = call.words.subspan(1);
  plan.answer(Reply::verbatim_owned(
      node_report(since_reset(call.facts.status()),
                  std::vector<std::string_view>(names.begin(), names.end()))));
}

std::string maximum_memory(NodeFacts& facts) {
  return std::to_string(facts.status().memory_max_bytes);
}
std::string maximum_clients(NodeFacts& facts) { return std::to_string(facts.status().clients_max); }
std::string address_part(const std::string& address, bool port) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return port ? "0" : "";
  return port ? address.substr(colon + 1) : address.substr(0, colon);
}
std::string redis_port(NodeFacts& facts) { return address_part(facts.status().redis, true); }
// As Redis shows it: without the brackets of an IPv6 address.
std::string redis_host(NodeFacts& facts) {
  std::string host = address_part(facts.status().redis, false);
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return in_brackets ? host.substr(1, host.size() - 2) : host;
}
// As in Redis to clients that gave one.
std::string password_text(NodeFacts& facts) {
  return facts.passwords().empty() ? std::string() : facts.passwords().front();
}
std::string databases(NodeFacts&) { return std::to_string(kKeyspacesMax); }
// Redis's three classes. Beyond the first figure no request of a normal client is run, the second
// and the third close it.
std::string output_limits(NodeFacts& facts) {
  const InFlightStatus limits = facts.status().in_flight;
  const ClientRules rules = facts.status().client_rules;
  return fmt::format("normal {} {} {} slave 0 0 0 pubsub {} {} {}", limits.client_part,
                     limits.client_output_bytes, limits.client_output_wait_ms / 1000,
                     rules.subscriber_output_bytes, rules.subscriber_behind_bytes,
                     rules.subscriber_behind_seconds);
}
std::string key_events(NodeFacts& facts) { return facts.pub_sub().key_events(); }
std::string longest_value(NodeFacts& facts) { return std::to_string(facts.value_bytes_max()); }
std::string none(NodeFacts&) { return ""; }
std::string idle_seconds(NodeFacts& facts) {
  return std::to_string(facts.status().client_rules.idle_seconds);
}
std::string keepalive_seconds(NodeFacts& facts) {
  return std::to_string(facts.status().client_rules.keepalive_seconds);
}
std::string backlog(NodeFacts& facts) {
  return std::to_string(facts.status().client_rules.backlog);
}
std::string socket_path(NodeFacts& facts) { return facts.status().client_rules.redis_socket; }
std::string socket_mode(NodeFacts& facts) {
  return fmt::format("{:o}", facts.status().client_rules.socket_mode);
}
// Unlike in Redis of all clients together: one who goes on beyond its part waits for room.
std::string query_limit(NodeFacts& facts) { return std::to_string(facts.status().in_flight.limit); }
std::string no(NodeFacts&) { return "no"; }
std::string eviction(NodeFacts& facts) { return std::string(eviction_policy(facts.status())); }
// What appendfsync says is what our log does.
std::string sync_policy(NodeFacts& facts) {
  const std::string sync = facts.status().sync;
  return sync == "interval" ? "everysec" : sync == "always" ? "always" : "no";
}
std::string durable(NodeFacts& facts) { return facts.status().engine == "memory" ? "no" : "yes"; }

// Redis's names of what Kvorum has; clients and benchmarks ask for some of them.
struct Parameter {
  std::string_view name;
  std::string (*value)(NodeFacts& facts);
  // Sets it, or returns why not; null: the YAML file decides.
  std::string_view (*set)(NodeFacts& facts, std::string_view value) = nullptr;
};

std::string_view set_key_events(NodeFacts& facts, std::string_view value) {
  if (facts.pub_sub().set_key_events(value)) return {};
  return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
}

constexpr Parameter kParameters[] = {
    {"appendfsync", sync_policy},
    {"appendonly", durable},
    {"bind", redis_host},
    {"client-output-buffer-limit", output_limits},
    {"client-query-buffer-limit", query_limit},
    {"cluster-enabled", no},
    {"databases", databases},
    {"maxclients", maximum_clients},
    {"maxmemory", maximum_memory},
    {"maxmemory-policy", eviction},
    {"notify-keyspace-events", key_events, set_key_events},
    {"port", redis_port},
    {"proto-max-bulk-len", longest_value},
    {"requirepass", password_text},
    {"save", none},
    {"tcp-backlog", backlog},
    {"tcp-keepalive", keepalive_seconds},
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

// A name that is no pattern is answered as it was written.
void config_get(const CommandCall& call, Plan& plan) {
  std::vector<Reply> fields;
  for (const Parameter& parameter : kParameters) {
    for (std::string_view pattern : call.words.subspan(2)) {
      if (!protocol::glob_matches(pattern, parameter.name, /*ignore_case=*/true)) continue;
      const bool is_name = pattern.find_first_of("[*?\\") == std::string_view::npos;
      fields.push_back(Reply::bulk(is_name ? pattern : parameter.name));
      fields.push_back(Reply::bulk_owned(parameter.value(call.facts)));
      break;
    }
  }
  plan.answer(Reply::map(std::move(fields)));
}

// The YAML file decides over most of them: they may only be set to what they are.
std::string_view set_parameter(const Parameter& parameter, std::string_view value,
                               NodeFacts& facts) {
  if (parameter.set != nullptr) return parameter.set(facts, value);
  return parameter.value(facts) == value ? std::string_view() : "can't set immutable config";
}

void config_set(const CommandCall& call, Plan& plan) {
  const Words words = call.words;
  if (words.size() % 2 != 0) {
    return plan.fail_owned(protocol::wrong_number_of_arguments(call.row.name));
  }
  for (size_t i = 2; i < words.size(); i += 2) {
    const Parameter* const parameter = find_parameter(words[i]);
    if (!parameter) {
      return plan.fail_owned(
          fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'", words[i]));
    }
    const std::string_view trouble = set_parameter(*parameter, words[i + 1], call.facts);
    if (!trouble.empty()) {
      return plan.fail_owned(fmt::format(
          "ERR CONFIG SET failed (possibly related to argument '{}') - {}", words[i], trouble));
    }
  }
  plan.answer(Reply::ok());
}

void config_resetstat(const CommandCall& call, Plan& plan) {
  call.facts.reset_statistics();
  plan.answer(Reply::ok());
}

void time(const CommandCall& call, Plan& plan) {
  std::vector<Reply> items;
  const uint64_t wall_us = call.facts.wall_us();
  items.push_back(Reply::bulk_owned(std::to_string(wall_us / 1'000'000)));
  items.push_back(Reply::bulk_owned(std::to_string(wall_us % 1'000'000)));
  plan.answer(Reply::array(std::move(items)));
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
    {"config|set", -4, kConfig, 0, 0, 0, Group::kServer, "2.0.0",
     "parameter value [parameter value ...]",
     "Sets notify-keyspace-events of this node until it ends; refuses other changes, since the "
     "YAML file decides. Setting what already holds succeeds.",
     "O(1)", config_set},
    {"info", -1, kPlain, 0, 0, 0, Group::kServer, "1.0.0", "[section [section ...]]",
     "Facts and counters of this node.", "O(1)", node_information},
    {"time", 1, kPlain | kFast, 0, 0, 0, Group::kServer, "2.6.0", "",
     "The node's Unix time in seconds, and microseconds.", "O(1)", time},
};

}  // namespace

std::span<const CommandRow> server_commands() { return kRows; }

}  // namespace kvorum::server
