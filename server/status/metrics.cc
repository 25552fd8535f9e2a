// SPDX-License-Identifier: Apache-2.0
#include "server/status/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cstdlib>
#include <sstream>
#include <vector>

namespace kvorum::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr uint64_t kSlowestBucketUs = 64ULL << 17;  // 8.4 s

// Gathers families; one call per metric.
class Families {
 public:
  void counter(const char* name, const char* help, double value) {
    start(name, help, MetricType::Counter);
    add({}, value);
  }
  void gauge(const char* name, const char* help, double value) {
    start(name, help, MetricType::Gauge);
    add({}, value);
  }
  void start(const char* name, const char* help, MetricType type) {
    MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
  }
  // Seconds, in buckets by powers of two.
  void add_latency(Labels labels, const LatencyStatus& latency) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    metric.histogram.sample_count = latency.ever.total;
    metric.histogram.sample_sum = static_cast<double>(latency.sum_us) / 1e6;
    for (uint64_t ceiling_us = 64; ceiling_us <= kSlowestBucketUs; ceiling_us *= 2) {
      ClientMetric::Bucket& bucket = metric.histogram.bucket.emplace_back();
      bucket.cumulative_count = latency.ever.count_up_to(ceiling_us - 1);
      bucket.upper_bound = static_cast<double>(ceiling_us) / 1e6;
    }
  }
  void add(Labels labels, double value) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    if (families_.back().type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
  }
  std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  std::vector<MetricFamily> families_;
};

double number(uint64_t value) { return static_cast<double>(value); }

void add_clients(const NodeStatus& status, Families& out) {
  out.gauge("kvorum_clients_connected", "Client connections now.",
            number(status.clients_connected));
  out.counter("kvorum_connections_received_total", "Client connections accepted or rejected.",
              number(status.connections_received));
  out.counter("kvorum_connections_rejected_total", "Client connections over limits.clients.",
              number(status.connections_rejected));
  out.counter("kvorum_auth_failures_total", "Logins with a wrong password or user.",
              number(status.logins_failed));
  out.counter("kvorum_protected_mode_refusals_total",
              "Connections of other hosts refused because there is no password.",
              number(status.protected_refusals));
  const InFlightStatus& in_flight = status.in_flight;
  out.counter("kvorum_clients_output_closed_total", "Clients closed because they took no replies.",
              number(in_flight.clients.output_closed));
  out.counter("kvorum_clients_idle_closed_total",
              "Clients closed because they asked for nothing for limits.client_idle.",
              number(in_flight.clients.idle_closed));
  out.gauge("kvorum_client_output_bytes_max", "The largest output that waits for one client.",
            number(in_flight.clients.largest_output));
  out.start("kvorum_in_flight_bytes", "Bytes in flight, from the parse to the last byte sent.",
            MetricType::Gauge);
  for (size_t kind = 0; kind < kHeldKinds; ++kind) {
    out.add({{"kind", kHeldNames[kind]}}, number(in_flight.by_kind[kind]));
  }
  out.gauge("kvorum_in_flight_limit_bytes", "limits.in_flight.", number(in_flight.limit));
  out.gauge("kvorum_scripts", "Scripts known by their names.", number(status.scripts));
  out.gauge("kvorum_long_scripts", "Scripts on threads of their own.", number(status.long_scripts));
  const PubSubStatus& pub_sub = status.pub_sub;
  out.start("kvorum_messages_total",
            "Messages between clients: published here, taken from other "
            "nodes, delivered to clients, dropped for nodes that did not take them.",
            MetricType::Counter);
  out.add({{"what", "published"}}, number(pub_sub.published));
  out.add({{"what", "from_peers"}}, number(pub_sub.from_peers));
  out.add({{"what", "delivered"}}, number(pub_sub.delivered));
  out.add({{"what", "dropped"}}, number(pub_sub.dropped));
  out.gauge("kvorum_subscribers", "Clients that are subscribed to something.",
            number(pub_sub.clients));
  out.counter("kvorum_commands_total", "Commands of clients.", number(status.commands_processed));
  out.counter("kvorum_keyspace_hits_total", "Reads that found a value.",
              number(status.keyspace_hits));
  out.counter("kvorum_keyspace_misses_total", "Reads that found none.",
              number(status.keyspace_misses));
  out.start("kvorum_client_bytes_total", "Bytes from and to clients.", MetricType::Counter);
  out.add({{"direction", "in"}}, number(status.net_input_bytes));
  out.add({{"direction", "out"}}, number(status.net_output_bytes));
  out.start("kvorum_peer_bytes_total", "Bytes from and to other nodes.", MetricType::Counter);
  out.add({{"direction", "in"}}, number(status.peer_bytes_in));
  out.add({{"direction", "out"}}, number(status.peer_bytes_out));
}

void add_operations(const cluster::CoordinatorCounters& counters, Families& out) {
  out.start("kvorum_operations_total", "Operations that this node coordinated.",
            MetricType::Counter);
  out.add({{"kind", "get"}}, number(counters.gets));
  out.add({{"kind", "put"}}, number(counters.puts));
  out.add({{"kind", "forwarded"}}, number(counters.forwards));
  out.start("kvorum_operations_failed_total", "Operations that did not reach their quorum.",
            MetricType::Counter);
  out.add({{"outcome", "no_quorum"}}, number(counters.no_quorum));
  out.add({{"outcome", "uncertain"}}, number(counters.uncertain));
  out.gauge("kvorum_operations_in_flight", "Operations that have not ended.",
            number(counters.operations_in_flight));
  out.start("kvorum_replica_operations_total", "Served here for other coordinators.",
            MetricType::Counter);
  out.add({{"kind", "read"}}, number(counters.replica_reads));
  out.add({{"kind", "write"}}, number(counters.replica_writes));
  out.counter("kvorum_replica_timeouts_total", "Replicas that did not answer in time.",
              number(counters.timeouts));
  out.counter("kvorum_forward_retries_total", "Forwarded operations tried at another node.",
              number(counters.forward_retries));
  out.counter("kvorum_edits_contended_total",
              "Edits that waited for another coordinator's edit of their key.",
              number(counters.edits_contended));
  out.counter("kvorum_reads_contested_total",
              "Reads done once more since a write was about to cover what they found.",
              number(counters.reads_contested));
  out.counter("kvorum_forwards_too_late_total",
              "Writes of other nodes' clients that came too late to be run, and were dropped.",
              number(counters.forwards_too_late));
  out.counter("kvorum_hedged_reads_total", "Reads that asked one more node, because one was late.",
              number(counters.hedged_reads));
  out.counter("kvorum_read_repairs_total", "Stale replicas repaired after a read.",
              number(counters.read_repairs));
  out.counter("kvorum_read_repairs_skipped_total",
              "Stale replicas left to a later read: too many repairs, or bytes of them, at once.",
              number(counters.read_repairs_skipped));
  out.counter("kvorum_digest_mismatches_total", "Replicas whose digest differed in a read.",
              number(counters.digest_mismatches));
  out.counter("kvorum_second_writes_total", "Blind writes that had to cover what a replica kept.",
              number(counters.second_writes));
  out.counter("kvorum_siblings_seen_total", "Reads that returned more than one version.",
              number(counters.siblings_seen));
  out.counter("kvorum_concurrent_dropped_total", "Concurrent versions dropped by last write wins.",
              number(counters.concurrent_dropped));
  out.counter("kvorum_clock_truncations_total", "Entries cut from version vectors.",
              number(counters.clock_truncations));
  out.counter("kvorum_malformed_frames_total", "Frames of peers that could not be understood.",
              number(counters.malformed_frames));
}

void add_latency(const NodeStatus& status, Families& out) {
  out.start("kvorum_operation_duration_seconds", "Operations of this node's clients.",
            MetricType::Histogram);
  out.add_latency({{"kind", "get"}}, status.get_latency);
  out.add_latency({{"kind", "put"}}, status.put_latency);
  out.start("kvorum_operation_latency_seconds", "Quantiles of the last minute.", MetricType::Gauge);
  const auto add_quantiles = [&out](const char* kind, const LatencyStatus& latency) {
    for (const char* const quantile : {"0.5", "0.99", "0.999"}) {
      out.add({{"kind", kind}, {"quantile", quantile}},
              number(latency.recent.quantile_us(std::strtod(quantile, nullptr))) / 1e6);
    }
  };
  add_quantiles("get", status.get_latency);
  add_quantiles("put", status.put_latency);
}

void add_hints(const NodeStatus& status, Families& out) {
  out.start("kvorum_hints_total", "Writes kept for unreachable owners.", MetricType::Counter);
  out.add({{"event", "stored"}}, number(status.counters.hints_stored));
  out.add({{"event", "replayed"}}, number(status.counters.hints_replayed));
  out.add({{"event", "moved"}}, number(status.counters.hints_moved));
  out.add({{"event", "refused"}}, number(status.hints_refused));
  out.gauge("kvorum_hints_bytes", "What they take of limits.hints.", number(status.hints_bytes));
  out.gauge("kvorum_hints_bytes_max", "limits.hints.", number(status.hints_max_bytes));
  struct Column {
    const char* name;
    const char* help;
    uint64_t (*value)(const HintStatus&);
  };
  constexpr Column kColumns[] = {
      {"kvorum_hints_pending", "Hints kept here.", [](const HintStatus& row) { return row.count; }},
      {"kvorum_hints_target_bytes", "Bytes of the hints kept here.",
       [](const HintStatus& row) { return row.bytes; }},
      {"kvorum_hints_oldest_milliseconds", "Age of the oldest hint kept here.",
       [](const HintStatus& row) { return row.oldest_ms; }},
  };
  for (const Column& column : kColumns) {
    out.start(column.name, column.help, MetricType::Gauge);
    for (const HintStatus& row : status.hints) {
      out.add({{"target", row.target}}, number(column.value(row)));
    }
  }
  out.counter("kvorum_writes_softened_total",
              "Writes acknowledged by fewer than W nodes (writes_when_short: hint).",
              number(status.counters.writes_softened));
}

// As far as the members said what they hold.
void add_transfers(const NodeStatus& status, Families& out) {
  out.gauge("kvorum_transfers_active", "Partitions on the move.", number(status.transfers_active));
  const MovesStatus::Total& total = status.moves.total;
  out.gauge("kvorum_transfers_keys_copied",
            "Keys that new owners have, of this move of partitions.", number(total.copied.keys));
  out.gauge("kvorum_transfers_keys_left", "Keys that new owners do not have yet.",
            number(total.left.keys));
  out.gauge("kvorum_transfers_bytes_copied", "About the bytes of the keys copied, in memory.",
            number(total.copied.bytes));
  out.gauge("kvorum_transfers_bytes_left", "About the bytes of the keys left, in memory.",
            number(total.left.bytes));
  out.gauge("kvorum_transfers_keys_per_second", "Keys that come to new owners, lately.",
            number(total.per_second.keys));
  out.gauge("kvorum_transfers_bytes_per_second", "About the bytes of these keys, in memory.",
            number(total.per_second.bytes));
  if (total.seconds_left) {
    out.gauge("kvorum_transfers_seconds_left", "Until all keys have come, at this rate.",
              number(*total.seconds_left));
  }
}

void add_cluster(const NodeStatus& status, Families& out) {
  out.start("kvorum_member_up", "1: linked and not suspected, as this node sees it.",
            MetricType::Gauge);
  for (const MemberStatus& member : status.members) {
    out.add({{"member", member.name}}, member.state <= cluster::PeerState::kSlow ? 1 : 0);
  }
  out.start("kvorum_member_partitions", "Partitions of which it is the first owner.",
            MetricType::Gauge);
  for (const MemberStatus& member : status.members) {
    out.add({{"member", member.name}}, member.partitions);
  }
}

// How this node sees each other member: only what it asked it itself.
void add_peers(const NodeStatus& status, Families& out) {
  struct Column {
    const char* name;
    const char* help;
    MetricType type;
    double (*value)(const MemberStatus&);
  };
  constexpr Column kColumns[] = {
      {"kvorum_peer_timeouts_total", "Questions that it did not answer in time.",
       MetricType::Counter, [](const MemberStatus& row) { return number(row.seen.timeouts); }},
      {"kvorum_peer_suspicions_total", "Times that it was suspected.", MetricType::Counter,
       [](const MemberStatus& row) { return number(row.seen.suspicions); }},
      {"kvorum_peer_probes_total", "Small questions sent to see whether it answers.",
       MetricType::Counter, [](const MemberStatus& row) { return number(row.seen.probes); }},
      {"kvorum_peer_write_seconds", "Mean time of its acknowledgements, of late.",
       MetricType::Gauge, [](const MemberStatus& row) { return number(row.seen.write_us) / 1e6; }},
      {"kvorum_peer_read_mean_seconds", "Mean time of its answers to reads, of late.",
       MetricType::Gauge, [](const MemberStatus& row) { return number(row.seen.read_us) / 1e6; }},
  };
  for (const Column& column : kColumns) {
    out.start(column.name, column.help, column.type);
    for (const MemberStatus& row : status.members) {
      if (!row.self) out.add({{"member", row.name}}, column.value(row));
    }
  }
  out.start("kvorum_peer_read_seconds", "What 97 of 100 of its answers to reads stay below.",
            MetricType::Gauge);
  for (const MemberStatus& row : status.members) {
    if (row.self) continue;
    out.add({{"member", row.name}, {"quantile", "0.97"}}, number(row.seen.read_tail_us) / 1e6);
  }
  out.start("kvorum_peer_clock_offset_seconds",
            "Its wall clock minus this node's, measured over the link.", MetricType::Gauge);
  for (const MemberStatus& row : status.members) {
    if (!row.clock) continue;
    out.add({{"member", row.name}}, static_cast<double>(row.clock->offset_us) / 1e6);
  }
  out.counter("kvorum_clocks_far_ahead_total",
              "Clock readings of other nodes too far ahead to be followed.",
              number(status.far_ahead));
  out.counter("kvorum_greetings_refused_total", "Links that were not let in.",
              number(status.greetings_refused));
  out.counter("kvorum_greetings_evicted_total",
              "Links closed before they proved who they are, for want of room.",
              number(status.greetings_evicted));
  out.start("kvorum_peer_state_seconds", "For how long it has been up, slow, suspected or down.",
            MetricType::Gauge);
  for (const MemberStatus& row : status.members) {
    if (row.self) continue;
    out.add({{"member", row.name}, {"state", cluster::peer_state_name(row.state)}},
            row.state_seconds);
  }
}

void add_background(const cluster::BackgroundReport& report, Families& out) {
  out.gauge("kvorum_background_share", "Of its full speed, that background work may have now.",
            report.percent() / 100);
  out.gauge("kvorum_foreground_p99_seconds", "Of all operations of the last minute.",
            number(report.p99_us) / 1e6);
  out.gauge("kvorum_foreground_p99_target_seconds", "limits.foreground_p99.",
            number(report.target_us) / 1e6);
  out.start("kvorum_background_work_seconds_total", "Estimated thread time of background work.",
            MetricType::Counter);
  const auto name_of = [](size_t at) {
    return cluster::background_work_name(static_cast<cluster::BackgroundWork>(at));
  };
  for (size_t at = 0; at < cluster::kBackgroundWorks; ++at) {
    out.add({{"work", name_of(at)}}, number(report.works[at].done_us) / 1e6);
  }
  out.start("kvorum_background_waits_total", "Times that it was put off for clients.",
            MetricType::Counter);
  for (size_t at = 0; at < cluster::kBackgroundWorks; ++at) {
    out.add({{"work", name_of(at)}}, number(report.works[at].waits));
  }
}

void add_eviction(const NodeStatus& status, Families& out) {
  out.counter("kvorum_evicted_keys_total", "Keys that this node forgot for want of memory.",
              number(status.counters.evicted_keys));
  out.gauge("kvorum_eviction_waits", "1: memory is full, and nothing may be evicted.",
            status.eviction_waits.empty() ? 0 : 1);
}

void add_reaping(const NodeStatus& status, Families& out) {
  out.gauge("kvorum_tombstones", "Records without a value, kept here.",
            number(status.reaping.tombstones));
  out.gauge("kvorum_frontier_seconds",
            "Unix time up to which every version is on every primary; 0: unknown.",
            static_cast<double>(status.reaping.frontier_ms) / 1000);
  out.gauge("kvorum_frontier_waits", "1: something keeps the frontier from following.",
            status.reaping.waits.empty() ? 0 : 1);
  out.counter("kvorum_tombstones_reaped_total", "Tombstones that were forgotten.",
              number(status.counters.tombstones_reaped));
  out.counter("kvorum_dead_versions_total", "Deleted versions that came back and were refused.",
              number(status.counters.dead_versions));
  out.counter("kvorum_quarantined_total", "Of them, those that were put aside here.",
              number(status.reaping.quarantined));
}

void add_anti_entropy(const NodeStatus& status, Families& out) {
  const cluster::CoordinatorCounters& counters = status.counters;
  out.counter("kvorum_exchange_rounds_total", "Rounds of anti-entropy with one peer.",
              number(counters.exchange_rounds));
  out.start("kvorum_exchanges_total", "Exchanges of a partition that differed.",
            MetricType::Counter);
  out.add({{"event", "started"}}, number(counters.exchanges_started));
  out.add({{"event", "clean"}}, number(counters.exchanges_clean));
  out.add({{"event", "failed"}}, number(counters.exchanges_failed));
  out.counter("kvorum_exchange_bytes_total", "Bytes sent to compare copies.",
              number(counters.exchange_bytes));
  out.start("kvorum_exchange_keys_total", "Keys, by what an exchange did with them.",
            MetricType::Counter);
  out.add({{"event", "compared"}}, number(counters.keys_compared));
  out.add({{"event", "settled"}}, number(counters.keys_settled));
  out.add({{"event", "pulled"}}, number(counters.keys_pulled));
  out.add({{"event", "filled"}}, number(counters.keys_filled));
  out.add({{"event", "pushed"}}, number(counters.keys_pushed));
  out.counter("kvorum_filled_bytes_total", "Bytes of objects that came as whole pages.",
              number(counters.filled_bytes));
  out.counter("kvorum_trees_built_total", "Hash trees built from their objects.",
              number(counters.trees_built));
  out.counter("kvorum_tree_mismatches_total", "Hash trees that did not agree with their objects.",
              number(counters.tree_mismatches));
  out.gauge("kvorum_copies_not_whole", "Copies of partitions that may lack writes.",
            number(status.copies_not_whole));
}

void add_store(const NodeStatus& status, Families& out) {
  out.start("kvorum_keys", "Live keys held by this node.", MetricType::Gauge);
  for (size_t db = 0; db < status.keys.size(); ++db) {
    if (db != 0 && status.keys[db] == 0) continue;
    out.add({{"db", std::to_string(db)}}, number(status.keys[db]));
  }
  out.gauge("kvorum_store_failed", "1: the store refuses writes.", status.store_failed ? 1 : 0);
  out.counter("kvorum_store_commits_total", "Rounds of group commit.",
              number(status.store_commits));
  out.counter("kvorum_store_failures_total", "Rounds that failed.", number(status.store_failures));
  out.start("kvorum_storage_faults_total", "What went wrong with the disk, by kind.",
            MetricType::Counter);
  const engine::StoreFaults& storage = status.storage;
  for (const FaultKind& kind : kFaultKinds) {
    out.add({{"kind", std::string(kind.name)}}, number(storage.*kind.count));
  }
  out.counter("kvorum_storage_salvages_total",
              "How often what could be read of a damaged store was saved.",
              number(storage.salvages));
  out.gauge("kvorum_damaged_records", "Records whose checksum did not hold.",
            number(status.damaged_records));
}

void add_journals(const NodeStatus& status, Families& out) {
  using Stats = engine::JournalStats;
  if (status.journals.empty()) return;
  const auto family = [&](const char* name, const char* help, MetricType type, auto value_of) {
    out.start(name, help, type);
    for (const JournalStatus& journal : status.journals) {
      out.add({{"store", std::string(journal.of)}}, value_of(journal.stats));
    }
  };
  constexpr double kMicro = 1e6;
  family("kvorum_journal_used_bytes", "Of the journal, what a start would have to read.",
         MetricType::Gauge, [](const Stats& stats) { return number(stats.used_bytes); });
  family("kvorum_journal_capacity_bytes", "How much of it there may be (engine.journal).",
         MetricType::Gauge, [](const Stats& stats) { return number(stats.capacity_bytes); });
  family("kvorum_journal_allocated_bytes", "Its files on the disk, used or not.", MetricType::Gauge,
         [](const Stats& stats) { return number(stats.allocated_bytes); });
  family("kvorum_journal_appended_bytes_total", "What was written to it.", MetricType::Counter,
         [](const Stats& stats) { return number(stats.appended_bytes); });
  family("kvorum_journal_changes", "Changes that are in the journal and not yet in LevelDB.",
         MetricType::Gauge, [](const Stats& stats) { return number(stats.changes); });
  family("kvorum_journal_checkpoints_total", "Checkpoints that ended.", MetricType::Counter,
         [](const Stats& stats) { return number(stats.checkpoints); });
  family("kvorum_journal_checkpoint_running", "1: a checkpoint is under way.", MetricType::Gauge,
         [](const Stats& stats) { return stats.checkpoint_runs ? 1.0 : 0.0; });
  family("kvorum_journal_checkpoint_failed", "1: no checkpoint ends, because LevelDB fails.",
         MetricType::Gauge,
         [](const Stats& stats) { return stats.store_error.empty() ? 0.0 : 1.0; });
  family("kvorum_journal_slowed_seconds_total",
         "How long rounds of commits waited because the journal is nearly full.",
         MetricType::Counter, [](const Stats& stats) { return number(stats.slowed_us) / kMicro; });
  family("kvorum_journal_stalled_seconds_total",
         "How long they waited for the end of a checkpoint, because it was full.",
         MetricType::Counter, [](const Stats& stats) { return number(stats.stalled_us) / kMicro; });
}

// A row a problem that there is, so that an alert needs no list of them.
void add_problems(const NodeStatus& status, Families& out) {
  out.gauge("kvorum_ready", "1: takes requests, as /readyz says.",
            any_unready(status.problems) ? 0 : 1);
  out.gauge("kvorum_problems", "What is wrong now, as kvorum status lists it.",
            number(status.problems.size()));
  if (status.problems.empty()) return;
  out.start("kvorum_problem", "1: of this code and subject.", MetricType::Gauge);
  for (const NodeProblem& problem : status.problems) {
    out.add({{"code", problem.code}, {"subject", problem.subject}}, 1);
  }
}

void add_process(const NodeStatus& status, Families& out) {
  out.start("kvorum_build", "1, with the version as a label.", MetricType::Gauge);
  out.add({{"version", status.version}}, 1);
  out.gauge("kvorum_uptime_seconds", "Since the process started.", number(status.uptime_seconds));
  out.gauge("kvorum_memory_allocated_bytes", "Of the allocator.", number(status.memory_used_bytes));
  out.gauge("process_resident_memory_bytes", "Resident memory.",
            number(status.memory_resident_bytes));
  out.counter("process_cpu_seconds_total", "User and system time.",
              status.cpu_user_seconds + status.cpu_system_seconds);
}

}  // namespace

std::string metrics_text(const NodeStatus& status) {
  Families families;
  add_process(status, families);
  add_problems(status, families);
  add_clients(status, families);
  add_operations(status.counters, families);
  add_hints(status, families);
  add_latency(status, families);
  add_transfers(status, families);
  add_cluster(status, families);
  add_peers(status, families);
  if (status.background) add_background(*status.background, families);
  add_anti_entropy(status, families);
  add_reaping(status, families);
  add_eviction(status, families);
  add_store(status, families);
  add_journals(status, families);
  return families.text();
}

}  // namespace kvorum::server
