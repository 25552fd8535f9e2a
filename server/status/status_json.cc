// SPDX-License-Identifier: Apache-2.0
#include "server/status/status_json.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>

#include "base/ascii.h"

namespace kvorum::server {
namespace {

namespace json = boost::json;

std::string hex64(uint64_t number) { return fmt::format("{:016x}", number); }

std::string document(const json::value& value) { return json::serialize(value) + "\n"; }

json::object member_json(const MemberStatus& member) {
  return {{"name", member.name},
          {"id", hex64(member.id)},
          {"self", member.self},
          {"state", cluster::peer_state_name(member.state)},
          {"peer", member.peer},
          {"redis", member.redis},
          {"memcached", member.memcached},
          {"admin", member.admin},
          {"weight", member.weight},
          {"rack", member.rack},
          {"zone", member.zone},
          {"partitions", member.partitions},
          {"hints_pending", member.hints_pending},
          {"reason", member.reason},
          {"link_trouble", member.link_trouble},
          {"clock_offset_ms",
           member.clock ? json::value(member.clock->offset_us / 1000) : json::value(nullptr)},
          {"clock_problem", clock_problem(member)},
          {"state_seconds", member.state_seconds},
          {"timeouts", member.seen.timeouts},
          {"suspicions", member.seen.suspicions},
          {"read_us", member.seen.read_us},
          {"read_tail_us", member.seen.read_tail_us},
          {"write_us", member.seen.write_us}};
}

json::object counters_json(const cluster::CoordinatorCounters& counters) {
  return {{"gets", counters.gets},
          {"puts", counters.puts},
          {"forwards", counters.forwards},
          {"forward_retries", counters.forward_retries},
          {"forwards_too_late", counters.forwards_too_late},
          {"edits_contended", counters.edits_contended},
          {"reads_contested", counters.reads_contested},
          {"hedged_reads", counters.hedged_reads},
          {"replica_reads", counters.replica_reads},
          {"replica_writes", counters.replica_writes},
          {"read_repairs", counters.read_repairs},
          {"read_repairs_skipped", counters.read_repairs_skipped},
          {"digest_mismatches", counters.digest_mismatches},
          {"second_writes", counters.second_writes},
          {"hints_stored", counters.hints_stored},
          {"hints_replayed", counters.hints_replayed},
          {"hints_moved", counters.hints_moved},
          {"writes_softened", counters.writes_softened},
          {"no_quorum", counters.no_quorum},
          {"uncertain", counters.uncertain},
          {"timeouts", counters.timeouts},
          {"siblings_seen", counters.siblings_seen},
          {"concurrent_dropped", counters.concurrent_dropped},
          {"clock_truncations", counters.clock_truncations},
          {"malformed_frames", counters.malformed_frames},
          {"tombstones_reaped", counters.tombstones_reaped},
          {"dead_versions", counters.dead_versions},
          {"evicted_keys", counters.evicted_keys},
          {"operations_in_flight", counters.operations_in_flight}};
}

json::object reaping_json(const ReapingStatus& reaping) {
  return {{"tombstones", reaping.tombstones},
          {"frontier_ms", reaping.frontier_ms},
          {"round", reaping.round},
          {"quarantined", reaping.quarantined},
          {"waits", reaping.waits}};
}

json::object background_json(const NodeStatus& status) {
  if (!status.background) return {};
  const cluster::BackgroundReport& report = *status.background;
  return {{"percent", report.percent()},
          {"p99_us", report.p99_us},
          {"target_us", report.target_us},
          {"waits", background_waits(report)}};
}

json::object in_flight_json(const InFlightStatus& in_flight) {
  json::object kinds;
  for (size_t kind = 0; kind < kHeldKinds; ++kind) {
    kinds[kHeldNames[kind]] = in_flight.by_kind[kind];
  }
  json::array largest;
  for (const Holder& holder : in_flight.clients.largest) {
    largest.push_back({{"who", holder.who}, {"bytes", holder.bytes}});
  }
  return {{"bytes", in_flight.used},
          {"max", in_flight.limit},
          {"kinds", kinds},
          {"largest", largest},
          {"clients_bytes", in_flight.clients.held_bytes},
          {"clients_output_closed", in_flight.clients.output_closed},
          {"clients_idle_closed", in_flight.clients.idle_closed}};
}

json::object clients_json(const NodeStatus& status) {
  return {{"connected", status.clients_connected},
          {"max", status.clients_max},
          {"configured", status.clients_configured},
          {"received", status.connections_received},
          {"rejected", status.connections_rejected},
          {"commands", status.commands_processed},
          {"commands_per_second", status.commands_per_second},
          {"hits", status.keyspace_hits},
          {"misses", status.keyspace_misses},
          {"bytes_in", status.net_input_bytes},
          {"bytes_out", status.net_output_bytes}};
}

double seconds_of(uint64_t count, uint64_t per_second) {
  return static_cast<double>(count) / static_cast<double>(per_second);
}

json::object faults_json(const engine::StoreFaults& storage) {
  json::object faults;
  for (const FaultKind& kind : kFaultKinds) faults[kind.name] = storage.*kind.count;
  faults["total"] = storage.total();
  faults["salvages"] = storage.salvages;
  return faults;
}

json::object journals_json(const std::vector<JournalStatus>& journals) {
  json::object all;
  for (const JournalStatus& journal : journals) {
    const engine::JournalStats& stats = journal.stats;
    all[journal.of] = {{"used_bytes", stats.used_bytes},
                       {"capacity_bytes", stats.capacity_bytes},
                       {"allocated_bytes", stats.allocated_bytes},
                       {"appended_bytes", stats.appended_bytes},
                       {"changes", stats.changes},
                       {"checkpoints", stats.checkpoints},
                       {"checkpoint_runs", stats.checkpoint_runs},
                       {"last_checkpoint_seconds", seconds_of(stats.last_checkpoint_ms, 1000)},
                       {"slowed_seconds", seconds_of(stats.slowed_us, 1'000'000)},
                       {"stalled_seconds", seconds_of(stats.stalled_us, 1'000'000)},
                       {"error", stats.store_error}};
  }
  return all;
}

json::object store_json(const NodeStatus& status) {
  return {{"engine", status.engine},
          {"sync", status.sync},
          {"failed", status.store_failed},
          {"error", status.store_error},
          {"disk_bytes", status.disk_bytes},
          {"disk_free_bytes", status.disk_free_bytes},
          {"commits", status.store_commits},
          {"failures", status.store_failures},
          {"damaged_records", status.damaged_records},
          {"faults", faults_json(status.storage)},
          {"journals", journals_json(status.journals)},
          {"copies_not_whole", status.copies_not_whole}};
}

json::object process_json(const NodeStatus& status) {
  return {{"pid", status.pid},
          {"uptime_seconds", status.uptime_seconds},
          {"reactors", status.reactors},
          {"cpu_user_seconds", status.cpu_user_seconds},
          {"cpu_system_seconds", status.cpu_system_seconds},
          {"memory_used_bytes", status.memory_used_bytes},
          {"memory_resident_bytes", status.memory_resident_bytes},
          {"memory_max_bytes", status.memory_max_bytes},
          {"eviction_waits", status.eviction_waits}};
}

json::array problems_json(const std::vector<NodeProblem>& problems) {
  json::array rows;
  for (const NodeProblem& problem : problems) {
    rows.push_back(json::object{{"code", problem.code},
                                {"subject", problem.subject},
                                {"what", problem.what},
                                {"since_ms", problem.since_ms},
                                {"consequence", problem.consequence},
                                {"next", problem.next},
                                {"unready", problem.unready}});
  }
  return rows;
}

json::array names_json(const cluster::ClusterView& view,
                       std::span<const cluster::MemberIndex> members) {
  json::array names;
  for (const cluster::MemberIndex member : members) names.emplace_back(view.members[member].name);
  return names;
}

std::string query_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool whole = text[i] == '%' && i + 2 < text.size();
    const int high = whole ? hex_digit(text[i + 1]) : -1;
    const int low = whole ? hex_digit(text[i + 2]) : -1;
    if (high >= 0 && low >= 0) {
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

}  // namespace

std::string status_json(const NodeStatus& status) {
  json::array members;
  for (const MemberStatus& member : status.members) members.push_back(member_json(member));
  json::array keys;
  for (const uint64_t count : status.keys) keys.push_back(count);
  return document(json::object{{"name", status.name},
                               {"id", hex64(status.id)},
                               {"cluster", status.cluster_name},
                               {"cluster_id", hex64(status.cluster_id)},
                               {"version", status.version},
                               {"incarnation", hex64(status.incarnation)},
                               {"now_ms", status.now_ms},
                               {"state", status.state()},
                               {"ready", !any_unready(status.problems)},
                               {"problems", problems_json(status.problems)},
                               {"waiting", status.waiting},
                               {"loading", status.loading},
                               {"redis", status.redis},
                               {"memcached", status.memcached},
                               {"peer", status.peer},
                               {"admin", status.admin},
                               {"partitions", status.partitions},
                               {"keys", std::move(keys)},
                               {"hints_pending", status.hints_pending},
                               {"transfers_active", status.transfers_active},
                               {"copies_follow", status.copies_follow},
                               {"reaping", reaping_json(status.reaping)},
                               {"background", background_json(status)},
                               {"members", std::move(members)},
                               {"clients", clients_json(status)},
                               {"clocks_far_ahead", status.far_ahead},
                               {"greetings_refused", status.greetings_refused},
                               {"greetings_evicted", status.greetings_evicted},
                               {"in_flight", in_flight_json(status.in_flight)},
                               {"peer_bytes_in", status.peer_bytes_in},
                               {"peer_bytes_out", status.peer_bytes_out},
                               {"store", store_json(status)},
                               {"process", process_json(status)},
                               {"counters", counters_json(status.counters)}});
}

std::string hints_json(const NodeStatus& status) {
  json::array targets;
  for (const HintStatus& row : status.hints) {
    json::object target = {{"target", row.target},       {"count", row.count},
                           {"bytes", row.bytes},         {"oldest_ms", row.oldest_ms},
                           {"delivered", row.delivered}, {"bytes_per_second", row.bytes_per_second},
                           {"reason", row.reason}};
    if (row.bytes_per_second != 0) target["seconds_left"] = row.seconds_left();
    targets.push_back(std::move(target));
  }
  return document(json::object{{"node", status.name},
                               {"count", status.hints_pending},
                               {"bytes", status.hints_bytes},
                               {"bytes_max", status.hints_max_bytes},
                               {"refused", status.hints_refused},
                               {"targets", std::move(targets)}});
}

std::string ring_json(const cluster::ClusterView& view) {
  std::vector<uint32_t> owned(view.members.size());
  for (const cluster::MemberIndex owner : view.ring.owners()) ++owned[owner];
  json::array members;
  for (size_t i = 0; i < view.members.size(); ++i) {
    const cluster::Member& member = view.members[i];
    members.push_back(json::object{{"name", member.name},
                                   {"id", hex64(member.id)},
                                   {"weight", member.weight},
                                   {"rack", member.rack},
                                   {"zone", member.zone},
                                   {"partitions", owned[i]}});
  }
  return document(json::object{{"cluster", view.cluster_name},
                               {"cluster_id", hex64(view.cluster_id)},
                               {"partitioner", partitioner_text(view.partitioner)},
                               {"partitions", view.ring.partitions()},
                               {"placement", view.ring.shape().placement},
                               {"members", std::move(members)},
                               {"owners", names_json(view, view.ring.owners())}});
}

std::string key_json(const cluster::ClusterView& view, std::string_view key, uint8_t database) {
  const Position position = position_of(key, view.partitioner);
  const uint32_t partition = view.ring.partition_of(position);
  const auto list = view.ring.preference_list(partition);
  const size_t n = std::min<size_t>(view.quorum(database).n, list.size());
  return document(json::object{{"position", hex64(position.high) + hex64(position.low)},
                               {"partition", partition},
                               {"db", database},
                               {"primaries", names_json(view, list.first(n))},
                               {"fallbacks", names_json(view, list.subspan(n))}});
}

std::string config_json(const Config& config) {
  return document(json::object{{"yaml", show_config(config)}});
}

std::string repair_json(const RepairStatus& repair) {
  const auto done = static_cast<double>(repair.partitions_done);
  const auto left = static_cast<double>(repair.partitions_left);
  const double percent = done + left == 0 ? (repair.active ? 0 : 100) : 100 * done / (done + left);
  const double keys_per_second =
      repair.seconds == 0 ? 0 : static_cast<double>(repair.keys_repaired) / repair.seconds;
  const double seconds_left = done == 0 ? 0 : repair.seconds * left / done;
  return document(json::object{{"active", repair.active},
                               {"percent", percent},
                               {"partitions_done", repair.partitions_done},
                               {"partitions_left", repair.partitions_left},
                               {"keys_repaired", repair.keys_repaired},
                               {"keys_per_second", keys_per_second},
                               {"seconds", repair.seconds},
                               {"seconds_left", seconds_left},
                               {"waits", repair.waits}});
}

std::string reasons_json(const std::vector<NodeProblem>& problems) {
  json::array reasons;
  for (const NodeProblem& problem : problems) {
    if (problem.unready) reasons.emplace_back(problem.code + ": " + problem.what);
  }
  return document(reasons);
}

std::string error_json(std::string_view text) {
  return document(json::object{{"error", json::string_view(text.data(), text.size())}});
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name && equals != std::string_view::npos) {
      return query_decoded(pair.substr(equals + 1));
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return std::nullopt;
}

std::string query_escaped(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
    if (plain) {
      out.push_back(byte);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
    }
  }
  return out;
}

std::optional<uint8_t> database_number(std::string_view text) {
  uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || number >= kKeyspacesMax) return std::nullopt;
  return static_cast<uint8_t>(number);
}

}  // namespace kvorum::server
