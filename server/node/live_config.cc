// SPDX-License-Identifier: Apache-2.0
#include "server/node/live_config.h"

#include <fmt/format.h>

#include <map>

#include "server/config/config_keys.h"
#include "server/process/logging.h"

namespace kvorum::server {
namespace {

constexpr const char* kMask = "********";

// Of a key that changes live: a secret is there or not, hosts are a list.
std::string text_of(const ConfigRow<Config>& row, const Config& config) {
  const ShownValue value = row.shown(config);
  if (row.is_secret) return value.values.empty() && value.letters.empty() ? "none" : kMask;
  if (value.kind == ShownValue::Kind::kWord) return value.letters;
  std::vector<std::string> entries;
  for (const ShownValue& entry : value.values) entries.push_back(entry.letters);
  return fmt::format("[{}]", fmt::join(entries, ", "));
}

// What needs a restart, of members and keyspaces each.
std::map<std::string, std::string> texts_by_path(const Config& config) {
  std::map<std::string, std::string> texts;
  for (const ConfigRow<Config>& row : config_keys()) {
    const bool is_told_otherwise = row.change == KeyChange::kLive || row.is_secret;
    if (!is_told_otherwise) add_texts_by_path(std::string(row.path), row.shown(config), &texts);
  }
  return texts;
}

std::string value_of(const std::map<std::string, std::string>& values, const std::string& key) {
  const auto found = values.find(key);
  return found == values.end() ? "nothing" : found->second;
}

bool is_live(const ConfigRow<Config>& row, bool may_evict) {
  return row.change == KeyChange::kLive && (may_evict || row.path != "engine.eviction");
}

// What the history of the membership rules.
bool is_of_cluster(std::string_view key) {
  return key.starts_with("keyspaces") || key.starts_with("cluster.members");
}

}  // namespace

bool could_evict(const Config& at_start) {
  return at_start.engine.eviction != engine::EvictionPolicy::kNone;
}

Config with_live_part(const Config& running, const Config& fresh, bool may_evict) {
  Config joined = running;
  for (const ConfigRow<Config>& row : config_keys()) {
    if (is_live(row, may_evict)) row.copy(fresh, joined);
  }
  return joined;
}

std::vector<ConfigChange> config_changes(const Config& running, const Config& fresh,
                                         bool may_evict) {
  std::vector<ConfigChange> changes, waiting;
  for (const ConfigRow<Config>& row : config_keys()) {
    if ((row.change != KeyChange::kLive && !row.is_secret) || row.same(running, fresh)) continue;
    const bool live = is_live(row, may_evict);
    (live ? changes : waiting)
        .push_back({std::string(row.path), text_of(row, running), text_of(row, fresh), live});
  }
  changes.insert(changes.end(), waiting.begin(), waiting.end());
  const auto before = texts_by_path(running), after = texts_by_path(fresh);
  auto all = before;
  all.insert(after.begin(), after.end());
  for (const auto& [key, ignored] : all) {
    const std::string from = value_of(before, key), to = value_of(after, key);
    if (from != to) changes.push_back({key, from, to, false});
  }
  return changes;
}

std::shared_ptr<const Config> LiveConfig::joined(const Config& fresh) const {
  const std::shared_ptr<const Config> running = get();
  const std::vector<ConfigChange> changes = config_changes(*running, fresh, may_evict_);
  for (const ConfigChange& change : changes) {
    if (change.live) {
      log_info("configuration: {} is {} now, it was {}", change.key, change.to, change.from);
    } else {
      log_warning("configuration: {} changed from {} to {}: that needs {}", change.key, change.from,
                  change.to, is_of_cluster(change.key) ? "`kvorum cluster apply`" : "a restart");
    }
  }
  if (changes.empty()) log_info("configuration: nothing changed");
  return std::make_shared<const Config>(with_live_part(*running, fresh, may_evict_));
}

}  // namespace kvorum::server
