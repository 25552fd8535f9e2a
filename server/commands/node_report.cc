// SPDX-License-Identifier: Apache-2.0
#include "server/commands/node_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "server/commands/command_table.h"
#include "server/commands/versions.h"
#include "server/logbook/latency_percentiles.h"

namespace kvorum::server {
namespace {

using Out = std::back_insert_iterator<std::string>;

// Redis's fields of what is not here, section by section, so that dashboards find them: there are
// no forks, no snapshots, no replication log, no defragmentation, no threads for sockets alone.
constexpr std::string_view kNothingOfClients = "clients_in_timeout_table:0\r\n";
constexpr std::string_view kNothingOfMemory =
    "used_memory_lua:0\r\nused_memory_vm_eval:0\r\nused_memory_lua_human:0B\r\n"
    "used_memory_vm_functions:0\r\n"
    "used_memory_vm_total:0\r\nused_memory_vm_total_human:0B\r\nused_memory_functions:0\r\n"
    "mem_not_counted_for_evict:0\r\nmem_replication_backlog:0\r\n"
    "mem_total_replication_buffers:0\r\nmem_clients_slaves:0\r\nmem_cluster_links:0\r\n"
    "mem_aof_buffer:0\r\nactive_defrag_running:0\r\nlazyfree_pending_objects:0\r\n"
    "lazyfreed_objects:0\r\n";
constexpr std::string_view kNothingOfPersistence =
    "async_loading:0\r\ncurrent_cow_peak:0\r\ncurrent_cow_size:0\r\ncurrent_cow_size_age:0\r\n"
    "current_fork_perc:0.00\r\ncurrent_save_keys_processed:0\r\ncurrent_save_keys_total:0\r\n"
    "rdb_changes_since_last_save:0\r\nrdb_bgsave_in_progress:0\r\n"
    "rdb_last_bgsave_status:ok\r\nrdb_last_bgsave_time_sec:-1\r\n"
    "rdb_current_bgsave_time_sec:-1\r\nrdb_saves:0\r\nrdb_last_cow_size:0\r\n"
    "rdb_last_load_keys_expired:0\r\nrdb_last_load_keys_loaded:0\r\n"
    "aof_rewrite_scheduled:0\r\naof_rewrites_consecutive_failures:0\r\naof_last_cow_size:0\r\n"
    "module_fork_in_progress:0\r\nmodule_fork_last_cow_size:0\r\n";
constexpr std::string_view kNothingOfStats =
    "total_net_repl_input_bytes:0\r\ntotal_net_repl_output_bytes:0\r\n"
    "instantaneous_input_repl_kbps:0.00\r\ninstantaneous_output_repl_kbps:0.00\r\n"
    "sync_full:0\r\nsync_partial_ok:0\r\nsync_partial_err:0\r\nexpired_stale_perc:0.00\r\n"
    "expired_time_cap_reached_count:0\r\nexpire_cycle_cpu_milliseconds:0\r\n"
    "evicted_clients:0\r\ntotal_eviction_exceeded_time:0\r\ncurrent_eviction_exceeded_time:0\r\n"
    "latest_fork_usec:0\r\ntotal_forks:0\r\nmigrate_cached_sockets:0\r\n"
    "slave_expires_tracked_keys:0\r\nactive_defrag_hits:0\r\nactive_defrag_misses:0\r\n"
    "active_defrag_key_hits:0\r\nactive_defrag_key_misses:0\r\ntotal_active_defrag_time:0\r\n"
    "current_active_defrag_time:0\r\nunexpected_error_replies:0\r\n"
    "dump_payload_sanitizations:0\r\ntotal_reads_processed:0\r\ntotal_writes_processed:0\r\n"
    "io_threaded_reads_processed:0\r\nio_threaded_writes_processed:0\r\n"
    "reply_buffer_shrinks:0\r\nreply_buffer_expands:0\r\n";
constexpr std::string_view kNothingOfReplication =
    "repl_backlog_active:0\r\nrepl_backlog_size:0\r\nrepl_backlog_first_byte_offset:0\r\n"
    "repl_backlog_histlen:0\r\n";
constexpr std::string_view kNothingOfCpu =
    "used_cpu_sys_children:0.000000\r\nused_cpu_user_children:0.000000\r\n"
    "used_cpu_sys_main_thread:0.000000\r\nused_cpu_user_main_thread:0.000000\r\n";

double ratio_of(uint64_t part, uint64_t whole) {
  return static_cast<double>(part) / static_cast<double>(std::max<uint64_t>(whole, 1));
}
int64_t difference_of(uint64_t large, uint64_t small) {
  return static_cast<int64_t>(large) - static_cast<int64_t>(small);
}

std::string human_bytes(uint64_t bytes) {
  const double number = static_cast<double>(bytes);
  if (bytes < 1024) return fmt::format("{}B", bytes);
  if (bytes < 1024 * 1024) return fmt::format("{:.2f}K", number / 1024);
  if (bytes < 1024ULL * 1024 * 1024) return fmt::format("{:.2f}M", number / (1024 * 1024));
  return fmt::format("{:.2f}G", number / (1024.0 * 1024 * 1024));
}

uint64_t port_of(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return 0;
  uint64_t port = 0;
  for (char digit : address.substr(colon + 1)) {
    if (digit < '0' || digit > '9') return 0;
    port = port * 10 + static_cast<uint64_t>(digit - '0');
  }
  return port;
}

void server_section(const NodeStatus& status, Out out) {
  fmt::format_to(out, "# Server\r\nredis_version:{}\r\nkvorum_version:{}\r\nredis_mode:{}\r\n",
                 kRedisVersion, status.version.empty() ? kKvorumVersion : status.version,
                 status.has_slots ? "cluster" : "standalone");
  fmt::format_to(out, "redis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:{}\r\n",
                 kKvorumVersion);
  fmt::format_to(out,
                 "os:{}\r\narch_bits:64\r\nmonotonic_clock:POSIX clock_gettime\r\n"
                 "multiplexing_api:epoll\r\natomicvar_api:c11-builtin\r\ngcc_version:{}.{}.{}\r\n"
                 "process_id:{}\r\nprocess_supervised:no\r\nrun_id:{}\r\ntcp_port:{}\r\n",
                 status.host.system, __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__, status.pid,
                 status.run_id, port_of(status.redis));
  constexpr uint64_t kClockBits = 24;
  fmt::format_to(out, "server_time_usec:{}\r\nhz:10\r\nconfigured_hz:10\r\nlru_clock:{}\r\n",
                 status.now_ms * 1000, status.now_ms / 1000 % (uint64_t{1} << kClockBits));
  fmt::format_to(out, "executable:{}\r\nconfig_file:\r\n", status.host.executable);
  fmt::format_to(out, "uptime_in_seconds:{}\r\nuptime_in_days:{}\r\nio_threads_active:{}\r\n",
                 status.uptime_seconds, status.uptime_seconds / 86400, status.reactors);
  fmt::format_to(out, "node_name:{}\r\ncluster_name:{}\r\n", status.name, status.cluster_name);
}

void clients_section(const NodeStatus& status, Out out) {
  fmt::format_to(out,
                 "# Clients\r\nconnected_clients:{}\r\nmaxclients:{}\r\nblocked_clients:{}\r\n",
                 status.clients_connected, status.clients_max, status.clients_blocked);
  fmt::format_to(out, "cluster_connections:0\r\ntracking_clients:{}\r\npubsub_clients:{}\r\n",
                 status.tracking.clients, status.pub_sub.clients);
  const ClientMemory& clients = status.in_flight.clients;
  fmt::format_to(out,
                 "client_recent_max_input_buffer:{}\r\nclient_recent_max_output_buffer:{}\r\n"
                 "client_output_closed:{}\r\nclient_idle_closed:{}\r\n",
                 clients.largest_input, clients.largest_output, clients.output_closed,
                 clients.idle_closed);
  fmt::format_to(out, "{}", kNothingOfClients);
}

void allocator_lines(const NodeStatus& status, Out out) {
  const uint64_t allocated = status.memory_used_bytes, active = status.allocator.active_bytes,
                 resident = status.allocator.resident_bytes, rss = status.memory_resident_bytes;
  fmt::format_to(out,
                 "allocator_allocated:{}\r\nallocator_active:{}\r\nallocator_resident:{}\r\n"
                 "allocator_frag_ratio:{:.2f}\r\nallocator_frag_bytes:{}\r\n"
                 "allocator_rss_ratio:{:.2f}\r\nallocator_rss_bytes:{}\r\n",
                 allocated, active, resident, ratio_of(active, allocated),
                 difference_of(active, allocated), ratio_of(resident, active),
                 difference_of(resident, active));
  fmt::format_to(out,
                 "rss_overhead_ratio:{:.2f}\r\nrss_overhead_bytes:{}\r\n"
                 "mem_fragmentation_ratio:{:.2f}\r\nmem_fragmentation_bytes:{}\r\n"
                 "mem_allocator:{}\r\ntotal_system_memory:{}\r\n"
                 "total_system_memory_human:{}\r\n",
                 ratio_of(rss, resident), difference_of(rss, resident), ratio_of(rss, allocated),
                 difference_of(rss, allocated), status.allocator.name, status.host.memory_bytes,
                 human_bytes(status.host.memory_bytes));
}

void memory_section(const NodeStatus& status, Out out) {
  fmt::format_to(out, "# Memory\r\nused_memory:{}\r\nused_memory_human:{}\r\n",
                 status.memory_used_bytes, human_bytes(status.memory_used_bytes));
  fmt::format_to(out, "used_memory_rss:{}\r\nused_memory_rss_human:{}\r\n",
                 status.memory_resident_bytes, human_bytes(status.memory_resident_bytes));
  fmt::format_to(out,
                 "used_memory_peak:{}\r\nused_memory_peak_human:{}\r\n"
                 "used_memory_peak_perc:{:.2f}%\r\nused_memory_overhead:0\r\n"
                 "used_memory_startup:0\r\nused_memory_dataset:{}\r\n"
                 "used_memory_dataset_perc:100.00%\r\n",
                 status.memory_peak_bytes, human_bytes(status.memory_peak_bytes),
                 100 * ratio_of(status.memory_used_bytes, status.memory_peak_bytes),
                 status.memory_used_bytes);
  fmt::format_to(out,
                 "number_of_cached_scripts:{}\r\nused_memory_scripts_eval:{}\r\n"
                 "used_memory_scripts:{}\r\nused_memory_scripts_human:{}\r\n"
                 "number_of_functions:{}\r\nnumber_of_libraries:{}\r\n",
                 status.scripts, status.script_bytes, status.script_bytes,
                 human_bytes(status.script_bytes), status.functions, status.libraries);
  allocator_lines(status, out);
  fmt::format_to(out, "{}", kNothingOfMemory);
  fmt::format_to(out, "maxmemory:{}\r\nmaxmemory_human:{}\r\nmaxmemory_policy:{}\r\n",
                 status.memory_max_bytes, human_bytes(status.memory_max_bytes),
                 eviction_policy(status));
  fmt::format_to(out, "eviction_waits:{}\r\n", status.eviction_waits);
  const InFlightStatus& in_flight = status.in_flight;
  fmt::format_to(out, "mem_clients_normal:{}\r\nin_flight_bytes:{}\r\nin_flight_bytes_max:{}\r\n",
                 in_flight.clients.held_bytes, in_flight.used, in_flight.limit);
  for (size_t kind = 0; kind < kHeldKinds; ++kind) {
    fmt::format_to(out, "in_flight_{}:{}\r\n", kHeldNames[kind], in_flight.by_kind[kind]);
  }
  for (const Holder& holder : in_flight.clients.largest) {
    fmt::format_to(out, "in_flight_holder:{} bytes={}\r\n", holder.who, holder.bytes);
  }
}

// A checkpoint is what comes nearest to the rewriting of Redis's log: both give up its beginning.
void log_lines(const NodeStatus& status, Out out) {
  const engine::JournalStats none;
  const engine::JournalStats& stats = status.journals.empty() ? none : status.journals[0].stats;
  constexpr int64_t kMs = 1000;
  const auto seconds = [](uint64_t ms) { return static_cast<int64_t>(ms) / kMs; };
  fmt::format_to(out,
                 "aof_rewrite_in_progress:{}\r\naof_rewrites:{}\r\n"
                 "aof_last_rewrite_time_sec:{}\r\naof_current_rewrite_time_sec:{}\r\n"
                 "aof_last_bgrewrite_status:{}\r\n",
                 stats.checkpoint_runs ? 1 : 0, stats.checkpoints,
                 stats.checkpoints == 0 ? -1 : seconds(stats.last_checkpoint_ms),
                 stats.checkpoint_runs ? seconds(stats.checkpoint_ms) : -1,
                 stats.store_error.empty() ? "ok" : "err");
  if (status.journals.empty()) return;
  fmt::format_to(out,
                 "aof_current_size:{}\r\naof_base_size:0\r\naof_pending_rewrite:0\r\n"
                 "aof_buffer_length:0\r\naof_pending_bio_fsync:0\r\naof_delayed_fsync:0\r\n",
                 stats.used_bytes);
}

void journal_lines(const JournalStatus& journal, Out out) {
  const engine::JournalStats& stats = journal.stats;
  const std::string name =
      journal.of == "objects" ? "journal" : fmt::format("{}_journal", journal.of);
  fmt::format_to(out, "{0}_used_bytes:{1}\r\n{0}_capacity_bytes:{2}\r\n{0}_allocated_bytes:{3}\r\n",
                 name, stats.used_bytes, stats.capacity_bytes, stats.allocated_bytes);
  fmt::format_to(out, "{0}_appended_bytes:{1}\r\n{0}_changes:{2}\r\n{0}_checkpoints:{3}\r\n", name,
                 stats.appended_bytes, stats.changes, stats.checkpoints);
  fmt::format_to(out, "{0}_checkpoint_runs:{1}\r\n{0}_slowed_ms:{2}\r\n{0}_stalled_ms:{3}\r\n",
                 name, stats.checkpoint_runs ? 1 : 0, stats.slowed_us / 1000,
                 stats.stalled_us / 1000);
  fmt::format_to(out, "{}_error:{}\r\n", name, stats.store_error);
}

void persistence_section(const NodeStatus& status, Out out) {
  fmt::format_to(out, "# Persistence\r\nloading:{}\r\nengine:{}\r\nsync:{}\r\n",
                 status.loading ? 1 : 0, status.engine, status.sync);
  // As of a Redis without snapshots, whose log takes each write.
  fmt::format_to(out, "rdb_last_save_time:{}\r\naof_enabled:{}\r\naof_last_write_status:{}\r\n{}",
                 status.saved_at_s, status.engine == "memory" ? 0 : 1,
                 status.store_failed ? "err" : "ok", kNothingOfPersistence);
  log_lines(status, out);
  fmt::format_to(out, "store_status:{}\r\nstore_error:{}\r\n", status.store_failed ? "err" : "ok",
                 status.store_error);
  fmt::format_to(out, "store_commits:{}\r\nstore_failures:{}\r\ndamaged_records:{}\r\n",
                 status.store_commits, status.store_failures, status.damaged_records);
  const engine::StoreFaults& storage = status.storage;
  fmt::format_to(out, "storage_faults:{}\r\n", storage.total());
  for (const FaultKind& kind : kFaultKinds) {
    fmt::format_to(out, "storage_faults_{}:{}\r\n", kind.name, storage.*kind.count);
  }
  fmt::format_to(out, "storage_salvages:{}\r\n", storage.salvages);
  for (const JournalStatus& journal : status.journals) journal_lines(journal, out);
}

void stats_section(const NodeStatus& status, Out out) {
  fmt::format_to(out, "# Stats\r\ntotal_connections_received:{}\r\ntotal_commands_processed:{}\r\n",
                 status.connections_received, status.commands_processed);
  fmt::format_to(out, "instantaneous_ops_per_sec:{}\r\ntotal_net_input_bytes:{}\r\n",
                 status.commands_per_second, status.net_input_bytes);
  fmt::format_to(out, "instantaneous_input_kbps:{:.2f}\r\ninstantaneous_output_kbps:{:.2f}\r\n",
                 static_cast<double>(status.net_input_per_second) / 1024,
                 static_cast<double>(status.net_output_per_second) / 1024);
  fmt::format_to(out, "total_net_output_bytes:{}\r\nrejected_connections:{}\r\nexpired_keys:{}\r\n",
                 status.net_output_bytes, status.connections_rejected, status.expired_keys);
  fmt::format_to(out, "rejected_protected_mode:{}\r\nacl_access_denied_auth:{}\r\n",
                 status.protected_refusals, status.logins_failed);
  fmt::format_to(out, "evicted_keys:{}\r\nkeyspace_hits:{}\r\nkeyspace_misses:{}\r\n",
                 status.counters.evicted_keys, status.keyspace_hits, status.keyspace_misses);
  fmt::format_to(out, "{}", kNothingOfStats);
  const PubSubStatus& pub_sub = status.pub_sub;
  fmt::format_to(out, "pubsub_channels:{}\r\npubsub_patterns:{}\r\npubsubshard_channels:{}\r\n",
                 pub_sub.channels, pub_sub.patterns, pub_sub.shard_channels);
  fmt::format_to(
      out, "tracking_total_keys:{}\r\ntracking_total_items:{}\r\ntracking_total_prefixes:{}\r\n",
      status.tracking.keys, status.tracking.items, status.tracking.prefixes);
  fmt::format_to(out,
                 "pubsub_published:{}\r\npubsub_from_peers:{}\r\npubsub_delivered:{}\r\n"
                 "pubsub_dropped:{}\r\npubsub_clients_closed:{}\r\n",
                 pub_sub.published, pub_sub.from_peers, pub_sub.delivered, pub_sub.dropped,
                 pub_sub.overruns);
}

// Every node takes writes: to Redis's clients each is a master without replicas.
void replication_section(const NodeStatus& status, Out out) {
  fmt::format_to(out,
                 "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n"
                 "master_failover_state:no-failover\r\nmaster_replid:{}\r\n"
                 "master_replid2:0000000000000000000000000000000000000000\r\n"
                 "master_repl_offset:0\r\nsecond_repl_offset:-1\r\n{}",
                 status.run_id, kNothingOfReplication);
}

void cpu_section(const NodeStatus& status, Out out) {
  fmt::format_to(out, "# CPU\r\nused_cpu_sys:{:.6f}\r\nused_cpu_user:{:.6f}\r\n",
                 status.cpu_system_seconds, status.cpu_user_seconds);
  fmt::format_to(out, "{}", kNothingOfCpu);
}

// To clients of Redis Cluster each node is a lone server where the ring has none of their slots.
void cluster_section(const NodeStatus& status, Out out) {
  fmt::format_to(out, "# Cluster\r\ncluster_enabled:{}\r\n", status.has_slots ? 1 : 0);
}

void keyspace_section(const NodeStatus& status, Out out) {
  fmt::format_to(out, "# Keyspace\r\n");
  for (size_t db = 0; db < status.keys.size(); ++db) {
    if (status.keys[db] == 0) continue;
    fmt::format_to(out, "db{}:keys={},expires={},avg_ttl=0\r\n", db, status.keys[db],
                   status.expiring[db]);
  }
}

void latency_lines(const char* kind, const LatencyStatus& latency, Out out) {
  fmt::format_to(out, "{0}_p50_us:{1}\r\n{0}_p99_us:{2}\r\n{0}_p999_us:{3}\r\n", kind,
                 latency.recent.quantile_us(0.5), latency.recent.quantile_us(0.99),
                 latency.recent.quantile_us(0.999));
}

void background_lines(const cluster::BackgroundReport& report, Out out) {
  fmt::format_to(out, "background_percent:{:.1f}\r\nbackground_waits:{}\r\n", report.percent(),
                 background_waits(report));
  fmt::format_to(out, "foreground_p99_us:{}\r\nforeground_p99_target_us:{}\r\n", report.p99_us,
                 report.target_us);
}

// Clients take `name=value,...` for fields of their own: no equals sign may stand in the text.
void problem_lines(const std::vector<NodeProblem>& problems, Out out) {
  fmt::format_to(out, "problems:{}\r\n", problems.size());
  for (size_t i = 0; i < problems.size(); ++i) {
    std::string text = problem_text(problems[i]);
    std::replace(text.begin(), text.end(), '=', ' ');
    fmt::format_to(out, "problem_{}:{}: {}\r\n", i + 1, problems[i].code, text);
  }
}

void dynamo_section(const NodeStatus& status, Out out) {
  const cluster::CoordinatorCounters& counters = status.counters;
  fmt::format_to(out, "# Dynamo\r\nstate:{}\r\nmembers:{}\r\npartitions:{}\r\nhints_pending:{}\r\n",
                 status.state(), status.members.size(), status.partitions, status.hints_pending);
  fmt::format_to(out, "transfers_active:{}\r\ncoordinated_gets:{}\r\ncoordinated_puts:{}\r\n",
                 status.transfers_active, counters.gets, counters.puts);
  fmt::format_to(
      out, "forwards:{}\r\nforward_retries:{}\r\nreplica_reads:{}\r\nreplica_writes:{}\r\n",
      counters.forwards, counters.forward_retries, counters.replica_reads, counters.replica_writes);
  fmt::format_to(out, "long_scripts:{}\r\n", status.long_scripts);
  fmt::format_to(out, "hedged_reads:{}\r\nforwards_too_late:{}\r\n", counters.hedged_reads,
                 counters.forwards_too_late);
  fmt::format_to(out, "edits_contended:{}\r\nreads_contested:{}\r\n", counters.edits_contended,
                 counters.reads_contested);
  fmt::format_to(out, "read_repairs:{}\r\ndigest_mismatches:{}\r\nsecond_writes:{}\r\n",
                 counters.read_repairs, counters.digest_mismatches, counters.second_writes);
  fmt::format_to(out, "hints_stored:{}\r\nhints_replayed:{}\r\nno_quorum:{}\r\nuncertain:{}\r\n",
                 counters.hints_stored, counters.hints_replayed, counters.no_quorum,
                 counters.uncertain);
  fmt::format_to(out, "hints_bytes:{}\r\nhints_bytes_max:{}\r\nhints_refused:{}\r\n",
                 status.hints_bytes, status.hints_max_bytes, status.hints_refused);
  fmt::format_to(out, "read_repairs_skipped:{}\r\n", counters.read_repairs_skipped);
  fmt::format_to(out, "hints_moved:{}\r\nwrites_softened:{}\r\n", counters.hints_moved,
                 counters.writes_softened);
  fmt::format_to(out, "timeouts:{}\r\nsiblings_seen:{}\r\nconcurrent_dropped:{}\r\n",
                 counters.timeouts, counters.siblings_seen, counters.concurrent_dropped);
  fmt::format_to(out, "clock_truncations:{}\r\nmalformed_frames:{}\r\noperations_in_flight:{}\r\n",
                 counters.clock_truncations, counters.malformed_frames,
                 counters.operations_in_flight);
  fmt::format_to(out, "copies_not_whole:{}\r\nexchange_rounds:{}\r\nexchanges_started:{}\r\n",
                 status.copies_not_whole, counters.exchange_rounds, counters.exchanges_started);
  fmt::format_to(out, "exchanges_clean:{}\r\nexchanges_failed:{}\r\nexchange_bytes:{}\r\n",
                 counters.exchanges_clean, counters.exchanges_failed, counters.exchange_bytes);
  fmt::format_to(out, "keys_compared:{}\r\nkeys_pulled:{}\r\nkeys_pushed:{}\r\n",
                 counters.keys_compared, counters.keys_pulled, counters.keys_pushed);
  fmt::format_to(out, "keys_filled:{}\r\nfilled_bytes:{}\r\n", counters.keys_filled,
                 counters.filled_bytes);
  fmt::format_to(out, "keys_settled:{}\r\ntrees_built:{}\r\ntree_mismatches:{}\r\n",
                 counters.keys_settled, counters.trees_built, counters.tree_mismatches);
  fmt::format_to(out, "tombstones:{}\r\ntombstones_reaped:{}\r\nfrontier_ms:{}\r\n",
                 status.reaping.tombstones, counters.tombstones_reaped, status.reaping.frontier_ms);
  fmt::format_to(out, "frontier_waits:{}\r\ndead_versions:{}\r\nquarantined:{}\r\n",
                 status.reaping.waits, counters.dead_versions, status.reaping.quarantined);
  problem_lines(status.problems, out);
  const uint64_t clock_us = largest_clock_offset_us(status);
  fmt::format_to(out, "clock_offset_ms_max:{}\r\nclocks_far_ahead:{}\r\n", clock_us / 1000,
                 status.far_ahead);
  fmt::format_to(out, "greetings_refused:{}\r\ngreetings_evicted:{}\r\n", status.greetings_refused,
                 status.greetings_evicted);
  fmt::format_to(out, "copies_follow:{}\r\n", status.copies_follow ? 1 : 0);
  latency_lines("get", status.get_latency, out);
  latency_lines("put", status.put_latency, out);
  if (status.background) background_lines(*status.background, out);
}

// Times are the reactor's own: of parsing, and of all that is done before anybody is waited for.
void commandstats_section(const NodeStatus& status, Out out) {
  fmt::format_to(out, "# Commandstats\r\n");
  if (!status.traffic) return;
  for (const CommandRow* row : all_commands()) {
    const CommandTotals& totals = status.traffic->commands[row->number];
    if (totals.calls == 0 && totals.rejected == 0) continue;
    const uint64_t usec = totals.usec();
    const double each =
        totals.calls == 0 ? 0 : static_cast<double>(usec) / static_cast<double>(totals.calls);
    fmt::format_to(
        out,
        "cmdstat_{}:calls={},usec={},usec_per_call={:.2f},rejected_calls={},failed_calls={}\r\n",
        row->name, totals.calls, usec, each, totals.rejected, totals.failed);
  }
}

// No modules are loaded here.
void modules_section(const NodeStatus&, Out out) { fmt::format_to(out, "# Modules\r\n"); }

void error_total(const CallReport& report, Out out) {
  uint64_t errors = 0;
  for (const auto& [code, count] : report.errors) errors += count;
  fmt::format_to(out, "total_error_replies:{}\r\n", errors);
}

void errorstats_section(const CallReport& report, Out out) {
  fmt::format_to(out, "# Errorstats\r\n");
  for (const auto& [code, count] : report.errors) {
    fmt::format_to(out, "errorstat_{}:count={}\r\n", code, count);
  }
}

void latencystats_section(const CallReport& report, Out out) {
  fmt::format_to(out, "# Latencystats\r\n");
  if (report.percents.empty()) return;
  for (const CommandRow* row : all_commands()) {
    if (row->number >= report.calls.size() || report.calls[row->number].calls == 0) continue;
    const CallTimes& times = report.calls[row->number];
    std::vector<std::string> parts;
    for (const double percent : report.percents) {
      parts.push_back(
          fmt::format("p{}={:.3f}", percent_text(percent), times.percentile_us(percent)));
    }
    fmt::format_to(out, "latency_percentiles_usec_{}:{}\r\n", row->name, fmt::join(parts, ","));
  }
}

struct Section {
  std::string_view name;
  void (*write)(const NodeStatus& status, Out out);  // null: the other one writes all of it
  bool by_default = true;
  void (*write_calls)(const CallReport& report, Out out) = nullptr;
};
// In Redis's order, ours last.
constexpr Section kSections[] = {
    {"server", server_section},
    {"clients", clients_section},
    {"memory", memory_section},
    {"persistence", persistence_section},
    {"stats", stats_section, true, error_total},
    {"replication", replication_section},
    {"cpu", cpu_section},
    {"modules", modules_section},
    {"commandstats", commandstats_section, false},
    {"errorstats", nullptr, true, errorstats_section},
    {"latencystats", nullptr, false, latencystats_section},
    {"cluster", cluster_section},
    {"keyspace", keyspace_section},
    {"dynamo", dynamo_section},
};

bool wanted(const Section& section, const std::vector<std::string_view>& names) {
  if (names.empty()) return section.by_default;
  for (std::string_view name : names) {
    if (equals_ignoring_case(name, section.name) || equals_ignoring_case(name, "all") ||
        equals_ignoring_case(name, "everything")) {
      return true;
    }
    if (section.by_default && equals_ignoring_case(name, "default")) return true;
  }
  return false;
}

}  // namespace

std::string_view eviction_policy(const NodeStatus& status) { return status.eviction; }

bool wants_latency(const std::vector<std::string_view>& sections) {
  return std::any_of(std::begin(kSections), std::end(kSections), [&](const Section& section) {
    return section.write_calls == latencystats_section && wanted(section, sections);
  });
}

std::string node_report(const NodeStatus& status, const std::vector<std::string_view>& sections,
                        const CallReport& calls) {
  std::string text;
  for (const Section& section : kSections) {
    if (!wanted(section, sections)) continue;
    if (!text.empty()) text.append("\r\n");
    const Out out = std::back_inserter(text);
    if (section.write != nullptr) section.write(status, out);
    if (section.write_calls != nullptr) section.write_calls(calls, out);
  }
  return text;
}

}  // namespace kvorum::server
