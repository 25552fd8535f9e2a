// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/idle_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "protocol/number_text.h"

namespace kvorum::server {
namespace {

constexpr SettingKind kSwitch = SettingKind::kSwitch, kInteger = SettingKind::kInteger,
                      kBytes = SettingKind::kBytes, kText = SettingKind::kText,
                      kShare = SettingKind::kShare, kSavePoints = SettingKind::kSavePoints;
constexpr bool kHidden = true;
constexpr int64_t kIntMax = std::numeric_limits<int32_t>::max();

constexpr IdleSetting kSettings[] = {
    {"acllog-max-len", kInteger, "128"},
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
    {"aof-disable-auto-gc", kSwitch, "no", 0, 0, kHidden},
    {"aof-load-truncated", kSwitch, "yes"},
    {"aof-rewrite-incremental-fsync", kSwitch, "yes"},
    {"aof-timestamp-enabled", kSwitch, "no"},
    {"aof-use-rdb-preamble", kSwitch, "yes"},
    {"auto-aof-rewrite-min-size", kBytes, "67108864"},
    {"auto-aof-rewrite-percentage", kInteger, "100", 0, kIntMax},
    {"busy-reply-threshold", kInteger, "5000"},
    {"cluster-allow-pubsubshard-when-down", kSwitch, "yes"},
    {"cluster-allow-reads-when-down", kSwitch, "no"},
    {"cluster-allow-replica-migration", kSwitch, "yes"},
    {"cluster-link-sendbuf-limit", kBytes, "0"},
    {"cluster-migration-barrier", kInteger, "1", 0, kIntMax},
    {"cluster-node-timeout", kInteger, "15000"},
    {"cluster-replica-no-failover", kSwitch, "no"},
    {"cluster-replica-validity-factor", kInteger, "10", 0, kIntMax},
    {"cluster-require-full-coverage", kSwitch, "yes"},
    {"crash-log-enabled", kSwitch, "yes"},
    {"crash-memcheck-enabled", kSwitch, "yes"},
    {"dynamic-hz", kSwitch, "yes"},
    {"hash-max-listpack-entries", kInteger, "512"},
    {"hash-max-listpack-value", kBytes, "64"},
    {"hll-sparse-max-bytes", kBytes, "3000"},
    {"hz", kInteger, "10", 0, kIntMax},
    {"jemalloc-bg-thread", kSwitch, "yes"},
    {"key-load-delay", kInteger, "0", -kIntMax, kIntMax, kHidden},
    {"lazyfree-lazy-eviction", kSwitch, "no"},
    {"lazyfree-lazy-expire", kSwitch, "no"},
    {"lazyfree-lazy-server-del", kSwitch, "no"},
    {"lazyfree-lazy-user-del", kSwitch, "no"},
    {"lazyfree-lazy-user-flush", kSwitch, "no"},
    {"lfu-decay-time", kInteger, "1", 0, kIntMax},
    {"lfu-log-factor", kInteger, "10", 0, kIntMax},
    {"list-compress-depth", kInteger, "0", 0, kIntMax},
    {"list-max-listpack-size", kInteger, "-2", -kIntMax, kIntMax},
    {"masterauth", kText, ""},
    {"masteruser", kText, ""},
    {"maxmemory-clients", kShare, "0"},
    {"maxmemory-eviction-tenacity", kInteger, "10", 0, 100},
    {"maxmemory-samples", kInteger, "5", 1, 64},
    {"min-replicas-max-lag", kInteger, "10", 0, kIntMax},
    {"min-replicas-to-write", kInteger, "0", 0, kIntMax},
    {"no-appendfsync-on-rewrite", kSwitch, "no"},
    {"rdb-del-sync-files", kSwitch, "no"},
    {"rdb-key-save-delay", kInteger, "0", -kIntMax, kIntMax, kHidden},
    {"rdb-save-incremental-fsync", kSwitch, "yes"},
    {"rdbchecksum", kSwitch, "yes"},
    {"rdbcompression", kSwitch, "yes"},
    {"repl-backlog-size", kBytes, "1048576", 1},
    {"repl-backlog-ttl", kInteger, "3600"},
    {"repl-disable-tcp-nodelay", kSwitch, "no"},
    {"repl-diskless-load", kText, "disabled"},
    {"repl-diskless-sync", kSwitch, "yes"},
    {"repl-diskless-sync-delay", kInteger, "5", 0, kIntMax},
    {"repl-diskless-sync-max-replicas", kInteger, "0", 0, kIntMax},
    {"repl-ping-replica-period", kInteger, "10", 1, kIntMax},
    {"repl-timeout", kInteger, "60", 1, kIntMax},
    {"replica-announced", kSwitch, "yes"},
    {"replica-ignore-maxmemory", kSwitch, "yes"},
    {"replica-lazy-flush", kSwitch, "no"},
    {"replica-priority", kInteger, "100", 0, kIntMax},
    {"replica-read-only", kSwitch, "yes"},
    {"replica-serve-stale-data", kSwitch, "yes"},
    {"save", kSavePoints, ""},
    {"set-max-intset-entries", kInteger, "512"},
    {"set-max-listpack-entries", kInteger, "128"},
    {"set-max-listpack-value", kBytes, "64"},
    {"shutdown-timeout", kInteger, "10", 0, kIntMax},
    {"stop-writes-on-bgsave-error", kSwitch, "yes"},
    {"stream-node-max-bytes", kBytes, "4096"},
    {"stream-node-max-entries", kInteger, "100"},
    {"zset-max-listpack-entries", kInteger, "128"},
    {"zset-max-listpack-value", kBytes, "64"},
};

constexpr std::pair<std::string_view, std::string_view> kOlderNames[] = {
    {"cluster-slave-no-failover", "cluster-replica-no-failover"},
    {"cluster-slave-validity-factor", "cluster-replica-validity-factor"},
    {"hash-max-ziplist-entries", "hash-max-listpack-entries"},
    {"hash-max-ziplist-value", "hash-max-listpack-value"},
    {"list-max-ziplist-size", "list-max-listpack-size"},
    {"lua-time-limit", "busy-reply-threshold"},
    {"min-slaves-max-lag", "min-replicas-max-lag"},
    {"min-slaves-to-write", "min-replicas-to-write"},
    {"repl-ping-slave-period", "repl-ping-replica-period"},
    {"slave-ignore-maxmemory", "replica-ignore-maxmemory"},
    {"slave-lazy-flush", "replica-lazy-flush"},
    {"slave-priority", "replica-priority"},
    {"slave-read-only", "replica-read-only"},
    {"slave-serve-stale-data", "replica-serve-stale-data"},
    {"zset-max-ziplist-entries", "zset-max-listpack-entries"},
    {"zset-max-ziplist-value", "zset-max-listpack-value"},
};

std::string share_problem(std::string_view value) {
  const auto percent = protocol::parse_int64(value.substr(0, value.size() - 1));
  if (!percent || *percent < 0) return "argument must be a memory or percent value";
  return *percent <= 100 ? "" : "percentage argument must be less or equal to 100";
}

// Seconds and changes in turn; none at all is valid too.
std::string save_problem(std::string_view value, std::string* shown) {
  shown->clear();
  size_t count = 0;
  while (!value.empty()) {
    const std::string_view word = value.substr(0, value.find(' '));
    value.remove_prefix(std::min(word.size() + 1, value.size()));
    if (word.empty()) continue;
    const auto number = protocol::parse_int64(word);
    const int64_t least = count++ % 2 == 0 ? 1 : 0;
    if (!number || *number < least || *number > kIntMax) return "Invalid save parameters";
    shown->append(shown->empty() ? "" : " ").append(word);
  }
  return count % 2 == 0 ? "" : "Invalid save parameters";
}

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
  if (setting.kind == SettingKind::kSavePoints) return save_problem(value, shown);
  if (setting.kind == SettingKind::kShare && value.ends_with('%')) return share_problem(value);
  if (setting.kind == SettingKind::kSwitch) {
    *shown = lower_case(value);
    return *shown == "yes" || *shown == "no" ? "" : "argument must be 'yes' or 'no'";
  }
  const bool is_share = setting.kind == SettingKind::kShare;
  const bool is_size = is_share || setting.kind == SettingKind::kBytes;
  const std::optional<int64_t> number =
      is_size ? read_setting_bytes(value) : protocol::parse_int64(value);
  if (!number && is_share) return "argument must be a memory or percent value";
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
