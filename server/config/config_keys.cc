// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_keys.h"

#include <algorithm>

#include "server/config/config_keyspaces.h"
#include "server/config/config_kinds.h"
#include "server/config/config_members.h"

namespace kvorum::server {
namespace {

constexpr int64_t kSecondMs = 1000, kHourMs = 3600 * kSecondMs;
constexpr int64_t kClockOffsetMaxMs = 30 * 24 * kHourMs;
constexpr uint32_t kBacklogMax = 65'535, kReactorsMax = 256, kClientsMax = 1'000'000,
                   kSiblingsMax = 10'000;
constexpr uint32_t kPeerLinksMax = kReactorsMax * cluster::kMembersMax;
// A limit of values is one of all words of a request: keys have to fit.
constexpr uint64_t kValueLimitLeast = 128 << 10;
constexpr uint64_t kJournalLeast = 16 << 20;

constexpr ConfigRow<Config> kRows[] = {
    config_row<NameKind{}, &Config::node, &NodeConfig::name>("node.name"),
    config_row<TextKind{}, &Config::node, &NodeConfig::data_directory>("node.data"),
    config_row<OptionalKind<NameKind>{}, &Config::node, &NodeConfig::rack>("node.rack"),
    config_row<OptionalKind<NameKind>{}, &Config::node, &NodeConfig::zone>("node.zone"),
    config_row<NumberKind<uint32_t>{1, kWeightMax}, &Config::node, &NodeConfig::weight>(
        "node.weight"),
    config_row<AddressKind{}, &Config::listen, &ListenConfig::redis>("listen.redis"),
    config_row<AddressKind{}, &Config::listen, &ListenConfig::memcached>("listen.memcached"),
    config_row<AddressKind{}, &Config::listen, &ListenConfig::peer>("listen.peer"),
    config_row<AddressKind{}, &Config::listen, &ListenConfig::admin>("listen.admin"),
    config_row<OptionalKind<SocketPathKind>{}, &Config::listen, &ListenConfig::redis_socket>(
        "listen.redis_socket"),
    config_row<OptionalKind<SocketPathKind>{}, &Config::listen, &ListenConfig::memcached_socket>(
        "listen.memcached_socket"),
    config_row<FileModeKind{}, &Config::listen, &ListenConfig::socket_mode>("listen.socket_mode"),
    config_row<NumberKind<uint32_t>{1, kBacklogMax}, &Config::listen, &ListenConfig::backlog>(
        "listen.backlog"),
    config_row<NameKind{}, &Config::cluster, &ClusterConfig::name>("cluster.name"),
    config_row<SecretsKind{}, &Config::cluster, &ClusterConfig::secrets>("cluster.secret"),
    config_row<PartitionsKind{}, &Config::cluster, &ClusterConfig::partitions>(
        "cluster.partitions"),
    config_row<ChoiceKind<kPartitioners>{}, &Config::cluster, &ClusterConfig::partitioner>(
        "cluster.partitioner"),
    config_row<MembersKind{}, &Config::cluster, &ClusterConfig::founders>("cluster.members"),
    config_row<KeyspacesKind{}, &Config::keyspaces>("keyspaces"),
    config_row<EngineTypeKind{}, &Config::engine, &EngineConfig::type>("engine.type"),
    config_row<ChoiceKind<kSyncPolicies>{}, &Config::engine, &EngineConfig::sync>("engine.sync"),
    config_row<SizeKind{1ULL << 20, 1ULL << 50}, &Config::engine, &EngineConfig::memory_bytes>(
        "engine.memory", KeyChange::kLive),
    config_row<SizeKind{kJournalLeast, 1ULL << 40}, &Config::engine, &EngineConfig::journal_bytes>(
        "engine.journal"),
    config_row<ChoiceKind<kEvictions>{}, &Config::engine, &EngineConfig::eviction>(
        "engine.eviction", KeyChange::kLive),
    config_row<ReactorsKind{kReactorsMax}, &Config::reactors>("reactors"),
    config_row<NumberKind<uint32_t>{1, kClientsMax}, &Config::limits, &LimitsConfig::clients>(
        "limits.clients", KeyChange::kLive),
    config_row<DurationKind{1, kHourMs}, &Config::limits, &LimitsConfig::request_timeout_ms>(
        "limits.request_timeout", KeyChange::kLive),
    config_row<SizeKind{kValueLimitLeast, kValueBytesMax}, &Config::limits,
               &LimitsConfig::value_bytes>("limits.value"),
    config_row<SizeKind{1, kValueBytesMax}, &Config::limits, &LimitsConfig::value_warn_bytes>(
        "limits.value_warn", KeyChange::kLive),
    config_row<SizeKind{kItemLimitLeast, kValueBytesMax}, &Config::limits,
               &LimitsConfig::item_bytes>("limits.item"),
    config_row<SizeKind{64 << 10, 16ULL << 30}, &Config::limits, &LimitsConfig::pipeline_bytes>(
        "limits.pipeline_bytes", KeyChange::kLive),
    config_row<SizeKind{16 << 20, 1ULL << 40}, &Config::limits, &LimitsConfig::in_flight_bytes>(
        "limits.in_flight", KeyChange::kLive),
    config_row<SizeKind{0, 16ULL << 30}, &Config::limits, &LimitsConfig::client_output_max_bytes>(
        "limits.client_output_max", KeyChange::kLive),
    config_row<SizeKind{64 << 10, 16ULL << 30}, &Config::limits,
               &LimitsConfig::client_output_bytes>("limits.client_output", KeyChange::kLive),
    config_row<DurationKind{kSecondMs, kHourMs}, &Config::limits,
               &LimitsConfig::client_output_wait_ms>("limits.client_output_wait", KeyChange::kLive),
    config_row<SizeKind{64 << 10, 16ULL << 30}, &Config::limits,
               &LimitsConfig::subscriber_output_bytes>("limits.subscriber_output",
                                                       KeyChange::kLive),
    config_row<SizeKind{64 << 10, 16ULL << 30}, &Config::limits,
               &LimitsConfig::subscriber_behind_bytes>("limits.subscriber_behind",
                                                       KeyChange::kLive),
    config_row<DurationKind{kSecondMs, kHourMs}, &Config::limits,
               &LimitsConfig::subscriber_behind_ms>("limits.subscriber_behind_wait",
                                                    KeyChange::kLive),
    config_row<DurationKind{0, 365 * 24 * kHourMs}, &Config::limits, &LimitsConfig::client_idle_ms>(
        "limits.client_idle", KeyChange::kLive),
    config_row<DurationKind{0, 9 * kHourMs}, &Config::limits, &LimitsConfig::client_keepalive_ms>(
        "limits.client_keepalive", KeyChange::kLive),
    config_row<NumberKind<uint32_t>{1, kSiblingsMax}, &Config::limits, &LimitsConfig::siblings>(
        "limits.siblings", KeyChange::kLive),
    // Fewer entries than copies would drop the clock of a replica that is in use.
    config_row<NumberKind<uint32_t>{4, 1000}, &Config::limits, &LimitsConfig::clock_entries_max>(
        "limits.clock_entries_max", KeyChange::kLive),
    config_row<SizeKind{64 << 10, 1ULL << 50}, &Config::limits, &LimitsConfig::hints_bytes>(
        "limits.hints", KeyChange::kLive),
    config_row<NumberKind<uint32_t>{1, kPeerLinksMax}, &Config::limits, &LimitsConfig::peer_links>(
        "limits.peer_links"),
    config_row<DurationKind{0, 60 * kSecondMs}, &Config::limits, &LimitsConfig::foreground_p99_ms>(
        "limits.foreground_p99"),
    config_row<SecretsKind{}, &Config::passwords>("password", KeyChange::kLive),
    config_row<FlagKind{}, &Config::peer_insecure>("peer.insecure"),
    config_row<DurationKind{1, 24 * kHourMs}, &Config::timing, &TimingConfig::gossip_ms>(
        "timing.gossip"),
    config_row<DurationKind{1, 24 * kHourMs}, &Config::timing, &TimingConfig::hints_ms>(
        "timing.hints"),
    config_row<DurationKind{1, 24 * kHourMs}, &Config::timing, &TimingConfig::anti_entropy_ms>(
        "timing.anti_entropy"),
    config_row<DurationKind{0, 60 * kSecondMs}, &Config::timing,
               &TimingConfig::read_repair_wait_ms>("timing.read_repair_wait"),
    config_row<DurationKind{1, 365 * 24 * kHourMs}, &Config::timing, &TimingConfig::scrub_ms>(
        "timing.scrub"),
    config_row<DurationKind{-kClockOffsetMaxMs, kClockOffsetMaxMs}, &Config::clock_offset_ms>(
        "debug.clock_offset"),
    config_row<ChoiceKind<kDebugAccesses>{}, &Config::debug_commands>("debug.commands"),
    config_row<ChoiceKind<kLogLevels>{}, &Config::log, &LogConfig::level>("log.level",
                                                                          KeyChange::kLive),
    config_row<ChoiceKind<kLogFormats>{}, &Config::log, &LogConfig::format>("log.format"),
    config_row<OptionalKind<TextKind>{}, &Config::log, &LogConfig::file>("log.file"),
    config_row<HostsKind{}, &Config::admin, &AdminConfig::hosts>("admin.hosts", KeyChange::kLive),
};

}  // namespace

std::span<const ConfigRow<Config>> config_keys() { return kRows; }

std::span<const ConfigRow<Config>> keys_of_section(std::string_view section) {
  const auto is_of_it = [&](const ConfigRow<Config>& row) {
    return row.section() == section || (row.section().empty() && row.path == section);
  };
  const auto begin = std::find_if(std::begin(kRows), std::end(kRows), is_of_it);
  return {begin, std::find_if_not(begin, std::end(kRows), is_of_it)};
}

std::vector<std::string_view> top_names() {
  std::vector<std::string_view> names;
  for (const ConfigRow<Config>& row : kRows) {
    const std::string_view name = row.section().empty() ? row.path : row.section();
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
}

void read_keys(const ConfigSection& top, Config& config) {
  for (const std::string_view name : top_names()) {
    const auto rows = keys_of_section(name);
    if (rows.front().section().empty()) {
      rows.front().read(top, name, config);
    } else {
      read_rows<Config>(top.section(name, names_of<Config>(rows)), rows, config);
    }
  }
}

}  // namespace kvorum::server
