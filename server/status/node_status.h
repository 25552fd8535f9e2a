// SPDX-License-Identifier: Apache-2.0
// One snapshot of a node, from which INFO, KV.CLUSTER STATUS, /metrics, /api/v1/status and
// `kvorum status` are all made, so that they never disagree. Made on demand by the node (server/),
// plain values, no lock held afterwards.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/position.h"
#include "cluster/coordinator/coordinator.h"
#include "cluster/health/admission_controller.h"
#include "cluster/health/peer_clock.h"
#include "engine/journal/journal_stats.h"
#include "server/flow/in_flight.h"
#include "server/membership/membership_desk.h"
#include "server/membership/moves_status.h"
#include "server/process/process_stats.h"
#include "server/status/problems.h"
#include "server/status/quorum_health.h"
#include "server/status/traffic_counts.h"

namespace kvorum::server {

struct Config;

struct MemberStatus {
  std::string name;
  cluster::NodeId id = 0;
  std::string peer, redis, memcached, admin;  // host:port, empty where unknown
  cluster::PeerState state = cluster::PeerState::kDown;
  bool self = false;
  cluster::Standing standing = cluster::Standing::kMember;
  bool joining = false;  // reads ask it nowhere yet
  uint32_t weight = 1;
  std::string rack, zone;
  uint32_t partitions = 0;     // of which it is the first owner
  uint64_t hints_pending = 0;  // kept here for it
  cluster::PeerReport seen;    // by the reactor that sees it worst; counts are of all reactors
  double state_seconds = 0;    // since its state changed
  std::optional<cluster::ClockReport> clock;  // nothing: not measured yet
  std::string reason;                         // why it is not up, and since when
  std::string link_trouble;   // what the last attempt to reach it met; empty while it is linked
  bool link_refused = false;  // it answers, and one of the two refuses the other
};

// The hints kept here for another member, or for a node that was one.
struct HintStatus {
  std::string target;  // the member's name; the id of a node that is none
  cluster::NodeId id = 0;
  uint64_t count = 0, bytes = 0;
  uint64_t oldest_ms = 0;  // age
  uint64_t delivered = 0;  // since this node started
  uint64_t bytes_per_second = 0;
  std::string reason;  // why they are still here

  // Seconds until the last one is delivered at this rate; 0: unknown.
  uint64_t seconds_left() const { return bytes_per_second == 0 ? 0 : bytes / bytes_per_second + 1; }
};

// Anti-entropy that was asked for, or that runs by itself.
struct RepairStatus {
  bool active = false;
  uint64_t partitions_done = 0, partitions_left = 0;
  uint64_t keys_repaired = 0;
  double seconds = 0;  // since it began
  std::string waits;   // why it does not go on; empty: it does
};

// Deletes on their way to being forgotten (cluster/frontier/frontier_protocol.h).
struct ReapingStatus {
  uint64_t tombstones = 0;   // records without a value, kept here
  uint64_t frontier_ms = 0;  // Unix; everything older is on every primary; 0: nothing is known yet
  uint64_t round = 0;
  uint64_t quarantined = 0;  // versions that came back from the dead
  std::string waits;         // why the frontier cannot follow; empty: it does
  uint64_t behind_ms = 0;    // the frontier, or this process where that is younger
};

// How long operations of this node's clients took.
struct LatencyStatus {
  LatencyCounts recent;  // of the last minute
  LatencyCounts ever;
  uint64_t sum_us = 0;

  void add(const LatencyHistogram& histogram, uint64_t now_us);
};

// What the storage's faults are called wherever they are shown.
struct FaultKind {
  std::string_view name;
  uint64_t engine::StoreFaults::*count;
};
inline constexpr FaultKind kFaultKinds[] = {
    {"write", &engine::StoreFaults::writes_failed}, {"sync", &engine::StoreFaults::syncs_failed},
    {"disk_full", &engine::StoreFaults::disk_full}, {"read", &engine::StoreFaults::reads_failed},
    {"damage", &engine::StoreFaults::damage_met},   {"lost", &engine::StoreFaults::copies_lost},
};

// The journal before a store.
struct JournalStatus {
  std::string_view of;  // "objects" | "hints"
  engine::JournalStats stats;
};

// Messages between clients (server/pubsub), counted since the start.
struct PubSubStatus {
  uint64_t channels = 0, patterns = 0, shard_channels = 0;  // that somebody hears
  uint64_t clients = 0;                                     // that hear any
  uint64_t published = 0;                                   // by clients of this node
  uint64_t from_peers = 0, delivered = 0;
  uint64_t dropped = 0;   // for other nodes, or reactors of this one, that did not take them
  uint64_t overruns = 0;  // clients closed because they did not take theirs
};

// Clients that cache what they read, and those that see all commands (server/tracking).
struct TrackingStatus {
  uint64_t clients = 0, keys = 0, items = 0, prefixes = 0;
  uint64_t monitors = 0;
  // memcached's watchers, and the lines of what they watch: made, dropped on their way between
  // reactors, given to a watcher, not given because it did not take those before.
  uint64_t watchers = 0;
  uint64_t lines_made = 0, lines_dropped = 0, lines_sent = 0, lines_skipped = 0;
};

// How connections of clients are taken and kept, as the configuration says it.
struct ClientRules {
  uint64_t idle_seconds = 0, keepalive_seconds = 0;  // 0: never
  uint64_t subscriber_output_bytes = 0, subscriber_behind_bytes = 0, subscriber_behind_seconds = 0;
  uint32_t backlog = 0;
  std::string redis_socket, memcached_socket;  // paths
  uint32_t socket_mode = 0;
};

struct NodeStatus {
  std::string name, cluster_name, version, run_id;
  cluster::NodeId id = 0;
  uint64_t cluster_id = 0;
  uint64_t incarnation = 0;
  uint32_t pid = 0;
  uint64_t uptime_seconds = 0;
  uint64_t saved_at_s = 0;  // Unix time; set by who shows it
  uint64_t now_ms = 0;      // Unix, when this was made
  std::string redis, memcached, peer, admin;
  uint32_t reactors = 0;
  uint32_t partitions = 0;
  bool has_slots = false;  // of Redis Cluster: its clients may route by them

  ClientRules client_rules;
  // The most that there may be, and what limits.clients says: open files may allow fewer.
  uint64_t clients_connected = 0, clients_max = 0, clients_configured = 0;
  uint64_t clients_blocked = 0;  // their next request waits for its time
  uint64_t connections_received = 0, connections_rejected = 0;
  uint64_t accept_failures = 0;     // connections that could not be accepted
  int accept_error = 0;             // errno of the last one
  uint64_t logins_failed = 0;       // wrong passwords, of both protocols
  uint64_t protected_refusals = 0;  // connections of other hosts while there is no password
  uint64_t greetings_refused = 0, greetings_evicted = 0;  // of links that peers, or others, dialed
  uint64_t far_ahead = 0;  // clock readings of other nodes too far ahead to be followed
  uint64_t commands_processed = 0, commands_per_second = 0;
  uint64_t net_input_bytes = 0, net_output_bytes = 0;
  uint64_t net_input_per_second = 0, net_output_per_second = 0;
  uint64_t scripts = 0, script_bytes = 0;  // that are known by their names
  uint64_t functions = 0, libraries = 0;
  uint64_t long_scripts = 0;  // that run, or wait to run, on threads of their own
  uint64_t keyspace_hits = 0, keyspace_misses = 0, expired_keys = 0;
  uint64_t peer_bytes_in = 0, peer_bytes_out = 0;
  double cpu_user_seconds = 0, cpu_system_seconds = 0;

  PubSubStatus pub_sub;
  TrackingStatus tracking;
  InFlightStatus in_flight;
  uint64_t memory_used_bytes = 0, memory_resident_bytes = 0, memory_max_bytes = 0;
  uint64_t memory_peak_bytes = 0;  // the most that was in use, of what was looked at
  AllocatorStats allocator;
  HostFacts host;
  std::string_view eviction = "noeviction";  // engine.eviction, by Redis's names
  std::string eviction_waits;  // why there is no room, and nothing may go; empty: that is not so
  std::string engine, sync;    // "memory" | "leveldb"; "always" | "interval" | "never"
  bool store_failed = false;
  std::string store_error;  // of the last failed commit
  uint64_t store_commits = 0, store_failures = 0, damaged_records = 0;
  engine::StoreFaults storage;          // of objects and hints
  std::vector<JournalStatus> journals;  // none with the engine memory
  bool loading = false, stopping = false;
  bool joining = false;  // some reactor waits for its links before it takes clients
  std::string data_directory;
  uint64_t disk_bytes = 0, disk_free_bytes = 0;  // of its file system; 0: nothing is stored
  bool peer_port_open = false;                   // to other hosts, without a secret

  std::array<uint64_t, kKeyspacesMax> keys{};      // live, held by this node
  std::array<uint64_t, kKeyspacesMax> expiring{};  // of them, those with a deadline
  std::vector<MemberStatus> members;               // who has not departed
  std::vector<std::string> departed;               // those who have, by name
  std::vector<cluster::Member> waiting_nodes;      // asked this one to be let in
  MovesStatus moves;
  bool waiting = false;       // not admitted: answers keyed commands -CLUSTERDOWN
  bool has_departed = false;  // left, or was removed: the same
  uint64_t hints_pending = 0;
  uint64_t hints_bytes = 0, hints_max_bytes = 0, hints_refused = 0;
  std::vector<HintStatus> hints;  // a row per other member
  uint64_t transfers_active = 0;
  uint64_t copies_not_whole = 0;  // partitions that do not count toward R yet
  // The configuration changed, and some copies of the cluster do not follow it yet.
  bool copies_follow = false;
  std::vector<std::string>
      differing_configurations;        // a sentence each (cluster/copies/agreement.h)
  bool configuration_refused = false;  // by this node: then the first is about it
  RepairStatus repair;
  ReapingStatus reaping;
  std::optional<cluster::BackgroundReport> background;  // nothing: it is not bounded by latency
  cluster::CoordinatorCounters counters;
  LatencyStatus get_latency, put_latency;
  QuorumHealth quorum;
  std::vector<NodeProblem> problems;             // the worst first
  std::shared_ptr<const TrafficTotals> traffic;  // null: nothing was counted
  // What it was when a client reset the statistics; null: none did.
  std::shared_ptr<const NodeStatus> at_reset;

  // settled: every member linked, no hints, no transfers, one configuration; else moving
  // (transfers, copies that follow a change) or degraded.
  const char* state() const;
};

// As INFO and memcached's `stats` show it: counts since a client reset them. Metrics go on.
NodeStatus since_reset(NodeStatus status);

// Why the member is in its state, for a person; empty where it is up.
std::string member_reason(const MemberStatus& member);
// "its clock is 600.0 s ahead of this node's (give or take 1 ms)".
std::string clock_text(const cluster::ClockReport& clock);
// The same of a member whose clock is off; empty where it is not, or nobody knows.
std::string clock_problem(const MemberStatus& member);
// Between this node's clock and that of any member that was measured; 0: none was.
uint64_t largest_clock_offset_us(const NodeStatus& status);
// Why background work is slowed down; empty where it is not.
std::string background_waits(const cluster::BackgroundReport& report);

// The lines of KV.CLUSTER STATUS, `name:value` each, ended by CRLF like INFO's.
std::string cluster_status_text(const NodeStatus& status);

// What the commands ask of the process they run in; any thread. server/node/node.h and the
// simulator implement it.
class NodeServices {
 public:
  virtual ~NodeServices() = default;
  virtual NodeStatus status() = 0;
  // Null where the membership never changes.
  virtual MembershipDesk* membership() { return nullptr; }
  // The configuration that is in force; null where nothing was configured.
  virtual std::shared_ptr<const Config> config() const { return nullptr; }
  // Puts in force what `edit` makes of it, as a file that is read again does, until that happens.
  // The calling thread's reactor has it when this returns, the others in a later turn.
  virtual void change_config(FunctionRef<void(Config& config)> /*edit*/) {}
  // Of so many clients, for how many there are descriptors.
  virtual uint32_t clients_possible(uint32_t wanted) const { return wanted; }
  // A client wants counts from now on.
  virtual void reset_statistics() {}
  // How long calls took since then, by the number of the command.
  virtual std::vector<CallTimes> call_times() { return {}; }
  // A client writes a value of so many bytes, more than limits.value_warn.
  virtual void large_value(std::string_view /*key*/, uint64_t /*bytes*/) {}
  // Unix time of this moment. A turn's Now is from its beginning, and in milliseconds.
  virtual uint64_t wall_us() = 0;
  // Clients that log in, by their address with or without a port (login_throttle.h).
  virtual uint64_t login_delay_us(std::string_view /*peer_address*/) { return 0; }
  virtual void login_failed(std::string_view /*peer_address*/) {}
  // One of another host was turned away because there is no password.
  virtual void refused_by_protected_mode(std::string_view /*peer_address*/) {}
};

}  // namespace kvorum::server
