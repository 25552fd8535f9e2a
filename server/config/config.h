// SPDX-License-Identifier: Apache-2.0
// The configuration of a node: one YAML file (and a few options of the command line) read into
// plain data, with every mistake in it reported at once, each with its place and a suggestion.
// Called at start-up and by `kvorum config check|show`; nothing here opens a socket or a directory.
// The keys are described in docs/CONFIGURATION.md and, with comments, in conf/.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/ring/cluster_view.h"
#include "cluster/ring/founding.h"
#include "engine/commit/committer.h"
#include "engine/partition/table_options.h"

namespace kvorum::server {

inline constexpr uint16_t kRedisPort = 6379;
inline constexpr uint16_t kMemcachedPort = 11211;
inline constexpr uint16_t kPeerPort = 7379;
inline constexpr uint16_t kAdminPort = 8379;

enum class EngineType : uint8_t { kLevelDb, kMemory };
enum class LogLevel : uint8_t { kTrace, kDebug, kInfo, kWarn, kError };
enum class LogFormat : uint8_t { kText, kJson };
// Who may use DEBUG: as enable-debug-command of Redis.
enum class DebugAccess : uint8_t { kNobody, kLocal, kEverybody };

// This process. `name` is empty only while it must still be chosen (ConfigReport::choices).
struct NodeConfig {
  std::string name;
  std::string data_directory;
  std::string rack, zone;
  uint32_t weight = 1;
};

struct ListenConfig {
  cluster::Endpoint redis, memcached, peer, admin;
  std::string redis_socket, memcached_socket;  // paths of Unix sockets; empty: none
  uint32_t socket_mode = 0;                    // of those files; 0: what the umask leaves
  uint32_t backlog = 1024;                     // connections that wait to be accepted
};

struct FounderConfig {
  cluster::Member member;  // its id is given by make_view
  std::string data_directory;
};

struct ClusterConfig {
  std::string name = "kvorum";
  std::vector<std::string> secrets;  // this node proves with the first, and accepts all
  uint32_t partitions = 256;
  Partitioner partitioner = Partitioner::kMd5;
  std::vector<FounderConfig> founders;
  // Of the founding. No key of the file: Node::open() says it (founded_placement.h).
  uint8_t placement = cluster::kPlacementNewest;
  // Null where none has that name.
  const FounderConfig* find_founder(std::string_view its_name) const;
  bool names_members = false;  // false: this node alone, for the file names nobody
};

struct EngineConfig {
  EngineType type = EngineType::kLevelDb;
  engine::SyncPolicy sync = engine::SyncPolicy::kInterval;
  uint64_t memory_bytes = 1ULL << 30;
  uint64_t journal_bytes = 256ULL << 20;
  engine::EvictionPolicy eviction = engine::EvictionPolicy::kNone;
};

inline constexpr uint64_t kItemLimitLeast = 1024;

struct LimitsConfig {
  uint32_t clients = 10000;
  uint64_t request_timeout_ms = 1000;
  uint64_t value_bytes = kValueBytesMax;
  uint64_t value_warn_bytes = 1ULL << 20;
  uint64_t item_bytes = 1ULL << 20;  // of memcached's clients: value, key and about 60 more
  uint64_t pipeline_bytes = 64ULL << 20;
  uint64_t in_flight_bytes = 256ULL << 20;
  uint64_t client_output_max_bytes = 0;  // more replies than this wait: closed at once; 0: never
  // More than this, not taken for so long: closed; 0 bytes: nobody is.
  uint64_t client_output_bytes = 1ULL << 20;
  uint64_t client_output_wait_ms = 60'000;
  // More messages than this wait: closed at once; more than that for so long: closed. 0: nobody is.
  uint64_t subscriber_output_bytes = 32ULL << 20;
  uint64_t subscriber_behind_bytes = 8ULL << 20;
  uint64_t subscriber_behind_ms = 60'000;
  uint64_t client_idle_ms = 0;             // says nothing for so long: closed; 0: never
  uint64_t client_keepalive_ms = 300'000;  // TCP asks whether a silent client is there; 0: never
  uint32_t siblings = 100;
  uint32_t clock_entries_max = 10;
  uint64_t hints_bytes = 1ULL << 30;
  uint32_t peer_links = 256;        // that a node dials, or as many as there are other members
  uint64_t foreground_p99_ms = 10;  // 0: background work is not slowed down for clients
};

struct TimingConfig {
  uint64_t gossip_ms = 1000;
  uint64_t hints_ms = 5000;
  uint64_t anti_entropy_ms = 30000;
  uint64_t read_repair_wait_ms = 100;
  uint64_t scrub_ms = 3'600'000;
};

struct LogConfig {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  std::string file;  // empty: standard error
};

struct AdminConfig {
  std::vector<std::string> hosts;  // further names in the Host header of requests
};

struct Config {
  NodeConfig node;
  ListenConfig listen;
  ClusterConfig cluster;
  std::array<cluster::KeyspacePolicy, kKeyspacesMax> keyspaces;
  EngineConfig engine;
  uint32_t reactors = 0;  // 0 = auto: as many as the process may use CPUs
  LimitsConfig limits;
  std::vector<std::string> passwords;  // any of them; none: nobody is asked
  bool peer_insecure = false;          // a peer port may be open to others without a secret
  TimingConfig timing;
  int64_t clock_offset_ms = 0;
  DebugAccess debug_commands = DebugAccess::kNobody;
  LogConfig log;
  AdminConfig admin;

  // Whether this node is among the founders; if not it waits to be admitted.
  bool is_founder() const;
};

// Options of the command line; each wins over the file.
struct Overrides {
  std::optional<std::string> name, redis, memcached, peer, admin, data, engine, item;
};

struct Problem {
  std::string file;  // empty for an option of the command line
  int line = 0, column = 0;
  std::string text;

  std::string to_text() const;  // file:line:column: text
};

struct ConfigReport {
  Config config;  // usable only if ok()
  std::vector<Problem> problems;
  // What is allowed and probably not meant; only of a file without problems.
  std::vector<Problem> warnings;
  // The members of a file with several of them, when no name was given: `serve` must then refuse
  // (choose_name_text, exit 2), `config check` need not.
  std::vector<std::string> choices;

  bool ok() const { return problems.empty(); }
  std::string to_text() const;  // one problem a line
  std::string warnings_text() const;
  std::string choose_name_text(std::string_view file_name) const;
};

// An empty `text` is the configuration without a file: one durable node on the usual ports.
ConfigReport load_config(std::string_view text, std::string_view file_name,
                         const Overrides& overrides = {});
ConfigReport load_config(std::string_view text, std::string_view file_name, std::string_view name);
// Reads the file first; one that cannot be read is a problem like any other.
ConfigReport load_config_file(const std::string& path, const Overrides& overrides = {});

// The effective configuration as YAML that load_config reads again; secret and password are masked.
std::string show_config(const Config& config);
std::string_view sync_text(engine::SyncPolicy sync);  // of it
std::string_view partitioner_text(Partitioner partitioner);

cluster::Founding founding_of(const Config& config);
cluster::ClusterView make_view(const Config& config);

}  // namespace kvorum::server
