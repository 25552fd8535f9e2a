// SPDX-License-Identifier: Apache-2.0
#include "server/node/live_config.h"

#include <fmt/format.h>

#include <map>

#include "server/config/config_values.h"

namespace kvorum::server {
namespace {

struct LiveKey {
  const char* key;
  bool (*equal)(const Config& a, const Config& b);
  std::string (*text)(const Config& config);
  void (*copy)(const Config& from, Config* to);
};

// A plain member of Config, shown by a function of its value.
#define KVORUM_LIVE_KEY(name, field, shown)                                    \
  {                                                                            \
    name, [](const Config& a, const Config& b) { return a.field == b.field; }, \
        [](const Config& config) -> std::string {                              \
          const auto& value = config.field;                                    \
          return shown;                                                        \
        },                                                                     \
        [](const Config& from, Config* to) { to->field = from.field; }         \
  }

std::string milliseconds(uint64_t value) { return duration_text(static_cast<int64_t>(value)); }

std::string level_text(LogLevel level) {
  constexpr const char* kNames[] = {"trace", "debug", "info", "warn", "error"};
  return kNames[static_cast<size_t>(level)];
}

const LiveKey kLiveKeys[] = {
    KVORUM_LIVE_KEY("log.level", log.level, level_text(value)),
    KVORUM_LIVE_KEY("limits.clients", limits.clients, std::to_string(value)),
    KVORUM_LIVE_KEY("limits.request_timeout", limits.request_timeout_ms, milliseconds(value)),
    KVORUM_LIVE_KEY("limits.value_warn", limits.value_warn_bytes, size_text(value)),
    KVORUM_LIVE_KEY("limits.pipeline_bytes", limits.pipeline_bytes, size_text(value)),
    KVORUM_LIVE_KEY("limits.in_flight", limits.in_flight_bytes, size_text(value)),
    KVORUM_LIVE_KEY("limits.client_output", limits.client_output_bytes, size_text(value)),
    KVORUM_LIVE_KEY("limits.client_output_wait", limits.client_output_wait_ms, milliseconds(value)),
    KVORUM_LIVE_KEY("limits.siblings", limits.siblings, std::to_string(value)),
    KVORUM_LIVE_KEY("limits.clock_entries_max", limits.clock_entries_max, std::to_string(value)),
    KVORUM_LIVE_KEY("limits.hints", limits.hints_bytes, size_text(value)),
    KVORUM_LIVE_KEY("password", passwords, value.empty() ? "none" : "********"),
    KVORUM_LIVE_KEY("admin.hosts", admin.hosts, fmt::format("[{}]", fmt::join(value, ", "))),
};
#undef KVORUM_LIVE_KEY

// The lines of show_config() by the path of their key; entries of lists are numbered.
std::map<std::string, std::string> by_path(const Config& config) {
  std::map<std::string, std::string> values;
  std::vector<std::string> path;
  const std::string text = show_config(config);
  size_t entries = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    const size_t indent = std::min(line.find_first_not_of(' '), line.size());
    path.resize(std::min(path.size(), indent / 2));
    std::string_view key = line.substr(indent);
    std::string value;
    if (key.starts_with("- ")) {
      value = std::string(key.substr(2));
      path.push_back(std::to_string(entries++));
    } else {
      const size_t colon = std::min(key.find(':'), key.size());
      value = std::string(key.substr(std::min(colon + 2, key.size())));
      path.emplace_back(key.substr(0, colon));
      entries = 0;
    }
    if (!value.empty()) values[fmt::format("{}", fmt::join(path, "."))] = value;
  }
  return values;
}

std::string value_of(const std::map<std::string, std::string>& values, const std::string& key) {
  const auto found = values.find(key);
  return found == values.end() ? "nothing" : found->second;
}

}  // namespace

Config with_live_part(const Config& running, const Config& fresh) {
  Config joined = running;
  for (const LiveKey& key : kLiveKeys) key.copy(fresh, &joined);
  return joined;
}

std::vector<ConfigChange> config_changes(const Config& running, const Config& fresh) {
  std::vector<ConfigChange> changes;
  for (const LiveKey& key : kLiveKeys) {
    if (key.equal(running, fresh)) continue;
    changes.push_back({key.key, key.text(running), key.text(fresh), true});
  }
  if (running.cluster.secrets != fresh.cluster.secrets) {
    changes.push_back({"cluster.secret", "********", "********", false});
  }
  const auto before = by_path(with_live_part(running, fresh)), after = by_path(fresh);
  auto all = before;
  all.insert(after.begin(), after.end());
  for (const auto& [key, ignored] : all) {
    const std::string from = value_of(before, key), to = value_of(after, key);
    if (from != to && key != "cluster.secret") changes.push_back({key, from, to, false});
  }
  return changes;
}

}  // namespace kvorum::server
