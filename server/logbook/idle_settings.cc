// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/idle_settings.h"

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "protocol/number_text.h"

namespace kvorum::server {
namespace {

constexpr SettingKind kSwitch = SettingKind::kSwitch, kInteger = SettingKind::kInteger,
                      kBytes = SettingKind::kBytes, kText = SettingKind::kText;
constexpr int64_t kIntMax = std::numeric_limits<int32_t>::max();

constexpr IdleSetting kSettings[] = {
    {"active-defrag-cycle-max", kInteger, "25", 1, 99},
    {"active-defrag-cycle-min", kInteger, "1", 1, 99},
    {"active-defrag-ignore-bytes", kBytes, "104857600", 1},
    {"active-defrag-max-scan-fields", kInteger, "1000", 1},
    {"active-defrag-threshold-lower", kInteger, "10", 0, 1000},
    {"active-defrag-threshold-upper", kInteger, "100", 0, 1000},
    {"active-expire-effort", kInteger, "1", 1, 10},
    {"activedefrag", kSwitch, "no"},
    {"activerehashing", kSwitch, "yes"},
    {"always-show-logo", kSwitch, "no"},
    {"auto-aof-rewrite-min-size", kBytes, "67108864"},
    {"auto-aof-rewrite-percentage", kInteger, "100", 0, kIntMax},
    {"busy-reply-threshold", kInteger, "5000"},
    {"cluster-allow-reads-when-down", kSwitch, "no"},
    {"cluster-node-timeout", kInteger, "15000"},
    {"cluster-require-full-coverage", kSwitch, "yes"},
    {"crash-log-enabled", kSwitch, "yes"},
    {"dynamic-hz", kSwitch, "yes"},
    {"hash-max-listpack-entries", kInteger, "512"},
    {"hash-max-listpack-value", kBytes, "64"},
    {"hll-sparse-max-bytes", kBytes, "3000"},
    {"hz", kInteger, "10", 0, kIntMax},
    {"jemalloc-bg-thread", kSwitch, "yes"},
    {"lazyfree-lazy-eviction", kSwitch, "no"},
    {"lazyfree-lazy-expire", kSwitch, "no"},
    {"lazyfree-lazy-server-del", kSwitch, "no"},
    {"lazyfree-lazy-user-del", kSwitch, "no"},
    {"lazyfree-lazy-user-flush", kSwitch, "no"},
    {"list-compress-depth", kInteger, "0", 0, kIntMax},
    {"list-max-listpack-size", kInteger, "-2", -kIntMax, kIntMax},
    {"maxmemory-eviction-tenacity", kInteger, "10", 0, 100},
    {"min-replicas-max-lag", kInteger, "10", 0, kIntMax},
    {"min-replicas-to-write", kInteger, "0", 0, kIntMax},
    {"no-appendfsync-on-rewrite", kSwitch, "no"},
    {"rdbchecksum", kSwitch, "yes"},
    {"rdbcompression", kSwitch, "yes"},
    {"repl-backlog-size", kBytes, "1048576", 1},
    {"repl-diskless-load", kText, "disabled"},
    {"repl-diskless-sync", kSwitch, "yes"},
    {"repl-diskless-sync-delay", kInteger, "5", 0, kIntMax},
    {"repl-ping-replica-period", kInteger, "10", 1, kIntMax},
    {"repl-timeout", kInteger, "60", 1, kIntMax},
    {"replica-lazy-flush", kSwitch, "no"},
    {"replica-read-only", kSwitch, "yes"},
    {"replica-serve-stale-data", kSwitch, "yes"},
    {"set-max-intset-entries", kInteger, "512"},
    {"set-max-listpack-entries", kInteger, "128"},
    {"set-max-listpack-value", kBytes, "64"},
    {"stop-writes-on-bgsave-error", kSwitch, "yes"},
    {"stream-node-max-bytes", kBytes, "4096"},
    {"stream-node-max-entries", kInteger, "100"},
    {"zset-max-listpack-entries", kInteger, "128"},
    {"zset-max-listpack-value", kBytes, "64"},
};

constexpr std::pair<std::string_view, std::string_view> kOlderNames[] = {
    {"hash-max-ziplist-entries", "hash-max-listpack-entries"},
    {"hash-max-ziplist-value", "hash-max-listpack-value"},
    {"list-max-ziplist-size", "list-max-listpack-size"},
    {"lua-time-limit", "busy-reply-threshold"},
    {"min-slaves-max-lag", "min-replicas-max-lag"},
    {"min-slaves-to-write", "min-replicas-to-write"},
    {"repl-ping-slave-period", "repl-ping-replica-period"},
    {"slave-lazy-flush", "replica-lazy-flush"},
    {"slave-read-only", "replica-read-only"},
    {"slave-serve-stale-data", "replica-serve-stale-data"},
    {"zset-max-ziplist-entries", "zset-max-listpack-entries"},
    {"zset-max-ziplist-value", "zset-max-listpack-value"},
};

}  // namespace

std::span<const IdleSetting> idle_settings() { return kSettings; }

const IdleSetting* find_idle_setting(std::string_view name) {
  for (const auto& [older, newer] : kOlderNames) {
    if (equals_ignoring_case(name, older)) name = newer;
  }
  for (const IdleSetting& setting : kSettings) {
    if (equals_ignoring_case(name, setting.name)) return &setting;
  }
  return nullptr;
}

std::optional<int64_t> read_setting_bytes(std::string_view text) {
  constexpr std::pair<std::string_view, int64_t> kUnits[] = {
      {"", 1},          {"b", 1},        {"k", 1000},          {"kb", 1 << 10},
      {"m", 1'000'000}, {"mb", 1 << 20}, {"g", 1'000'000'000}, {"gb", 1 << 30}};
  const size_t end = text.find_first_not_of("0123456789");
  const std::string_view digits = text.substr(0, end);
  const std::string_view unit = end == std::string_view::npos ? "" : text.substr(end);
  const std::optional<int64_t> number = protocol::parse_int64(digits);
  for (const auto& [name, size] : kUnits) {
    if (!number || !equals_ignoring_case(unit, name)) continue;
    if (*number <= std::numeric_limits<int64_t>::max() / size) return *number * size;
  }
  return std::nullopt;
}

std::string setting_problem(const IdleSetting& setting, std::string_view value,
                            std::string* shown) {
  *shown = value;
  if (setting.kind == SettingKind::kText) return {};
  if (setting.kind == SettingKind::kSwitch) {
    *shown = lower_case(value);
    return *shown == "yes" || *shown == "no" ? "" : "argument must be 'yes' or 'no'";
  }
  const bool is_size = setting.kind == SettingKind::kBytes;
  const std::optional<int64_t> number =
      is_size ? read_setting_bytes(value) : protocol::parse_int64(value);
  if (!number && is_size) return "argument must be a memory value";
  if (!number) return "argument couldn't be parsed into an integer";
  if (*number < setting.least || *number > setting.most) {
    return fmt::format("argument must be between {} and {} inclusive", setting.least, setting.most);
  }
  *shown = std::to_string(*number);
  return {};
}

std::string IdleSettings::value(const IdleSetting& setting) const {
  const MutexLock lock(mutex_);
  const auto found = changed_.find(setting.name);
  return found == changed_.end() ? std::string(setting.usual) : found->second;
}

void IdleSettings::set(const IdleSetting& setting, std::string shown) {
  const MutexLock lock(mutex_);
  changed_[setting.name] = std::move(shown);
}

}  // namespace kvorum::server
