// SPDX-License-Identifier: Apache-2.0
#include "server/node/status_collector.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"
#include "server/config/config_kinds.h"
#include "server/net/hosts.h"
#include "server/process/process_stats.h"
#include "server/script/script_counts.h"
#include "server/status/hint_rows.h"

namespace kvorum::server {

// How this node's reactors see the others, by MemberIndex each.
struct StatusCollector::PeersSeen {
  std::vector<cluster::PeerReport> reports;
  std::vector<LinkTrouble> troubles;
  std::vector<std::optional<cluster::ClockReport>> clocks;
};

namespace {

using Reactors = std::vector<std::unique_ptr<Reactor>>;

ClientRules client_rules(const Config& config) {
  const LimitsConfig& limits = config.limits;
  const ListenConfig& listen = config.listen;
  return {.idle_seconds = limits.client_idle_ms / 1000,
          .keepalive_seconds = (limits.client_keepalive_ms + 999) / 1000,
          .subscriber_output_bytes = limits.subscriber_output_bytes,
          .subscriber_behind_bytes = limits.subscriber_behind_bytes,
          .subscriber_behind_seconds = limits.subscriber_behind_ms / 1000,
          .backlog = listen.backlog,
          .redis_socket = listen.redis_socket,
          .memcached_socket = listen.memcached_socket,
          .socket_mode = listen.socket_mode};
}

// Of several reactors, what the first met that met anything.
void join_troubles(const std::vector<LinkTrouble>& from, std::vector<LinkTrouble>* known) {
  known->resize(std::max(known->size(), from.size()));
  for (size_t i = 0; i < from.size(); ++i) {
    if ((*known)[i].text.empty() || from[i].refused) (*known)[i] = from[i];
  }
}

// Of several reactors, the first that knows.
void join_clocks(const std::vector<std::optional<cluster::ClockReport>>& from,
                 std::vector<std::optional<cluster::ClockReport>>* known) {
  known->resize(std::max(known->size(), from.size()));
  for (size_t i = 0; i < from.size(); ++i) {
    if (!(*known)[i]) (*known)[i] = from[i];
  }
}

std::shared_ptr<const TrafficTotals> traffic_of(const Reactors& reactors) {
  auto totals = std::make_shared<TrafficTotals>();
  const auto add = [&](const TrafficCounts& counts) { totals->add(counts); };
  for (const auto& reactor : reactors) add(reactor->traffic());
  ScriptCounts::each(add);
  return totals;
}

std::vector<CallTimes> times_of(const Reactors& reactors) {
  std::vector<CallTimes> times;
  const auto add = [&](const TrafficCounts& counts) { add_times(counts, &times); };
  for (const auto& reactor : reactors) add(reactor->traffic());
  ScriptCounts::each(add);
  return times;
}

void add_repair(const cluster::RepairProgress& progress, uint64_t now_us, NodeStatus* status) {
  RepairStatus* const repair = &status->repair;
  repair->active = progress.active;
  repair->partitions_done = progress.partitions_done;
  repair->partitions_left = progress.partitions_left;
  repair->keys_repaired = progress.keys_repaired;
  if (progress.began_us != 0 && now_us > progress.began_us) {
    repair->seconds = static_cast<double>(now_us - progress.began_us) / 1e6;
  }
  if (status->background) repair->waits = background_waits(*status->background);
  if (progress.peers_unreachable != 0) {
    repair->waits = "members that cannot be reached: " + std::to_string(progress.peers_unreachable);
  }
}

// Why the frontier does not follow the clocks; the first of the reasons that hold.
std::string frontier_waits(const cluster::FrontierStatus& frontier,
                           const cluster::ClusterView& view) {
  if (frontier.round == 0) return "the first round of reports";
  if (!frontier.awaited.empty()) {
    std::string names;
    for (const cluster::NodeId node : frontier.awaited) {
      const cluster::MemberIndex member = view.find_id(node);
      if (member == cluster::kNoMember) continue;
      names.append(names.empty() ? "" : ", ").append(view.members[member].name);
    }
    return "no report comes from " + names;
  }
  if (frontier.open && frontier.open->peer < view.members.size()) {
    return fmt::format("db {} partition {} has had no clean exchange with {}",
                       frontier.open->keyspace, frontier.open->partition,
                       view.members[frontier.open->peer].name);
  }
  if (!frontier.agreed) return "members disagree on their sessions or flush marks";
  return frontier.hints_wait ? "hints wait for their members" : "";
}

void add_latency(const Reactors& reactors, uint64_t now_us, NodeStatus* status) {
  for (const auto& reactor : reactors) {
    status->get_latency.add(reactor->latency().gets, now_us);
    status->put_latency.add(reactor->latency().puts, now_us);
  }
}

bool is_reachable(const MemberStatus& member) {
  return member.self || member.state <= cluster::PeerState::kSlow;
}

void add_quorums(const cluster::ClusterView& view, NodeStatus* status) {
  if (std::all_of(status->members.begin(), status->members.end(), is_reachable)) return;
  std::vector<bool> reachable(view.members.size());
  for (const MemberStatus& member : status->members) {
    const cluster::MemberIndex index = view.find_id(member.id);
    if (index != cluster::kNoMember) reachable[index] = is_reachable(member);
  }
  status->quorum = quorum_health(view, reachable);
}

bool is_open_to_others(const Config& config) {
  return config.cluster.secrets.empty() && !config.listen.peer.empty() &&
         !is_loopback_host(config.listen.peer.host);
}

}  // namespace

void join_reports(const std::vector<cluster::PeerReport>& from,
                  std::vector<cluster::PeerReport>* worst) {
  for (size_t i = 0; i < from.size(); ++i) {
    if (i >= worst->size()) {  // of the first reactor, or of the first that knows the newcomer
      worst->push_back(from[i]);
      continue;
    }
    cluster::PeerReport& known = (*worst)[i];
    cluster::PeerReport joined = from[i].state > known.state ? from[i] : known;
    joined.timeouts = from[i].timeouts + known.timeouts;
    joined.suspicions = from[i].suspicions + known.suspicions;
    joined.probes = from[i].probes + known.probes;
    joined.stopping = from[i].stopping || known.stopping;
    joined.one_way = from[i].one_way || known.one_way;
    known = joined;
  }
}

void StatusCollector::add_identity(const cluster::ClusterView& view, NodeStatus* status) const {
  const Config& config = from_.self.config;
  status->name = config.node.name;
  status->cluster_name = view.cluster_name;
  status->version = KVORUM_VERSION;
  status->run_id = from_.self.run_id;
  status->id = from_.self.id;
  status->cluster_id = view.cluster_id;
  status->incarnation = from_.stores.incarnation();
  status->pid = static_cast<uint32_t>(getpid());
  status->redis = config.listen.redis.to_text();
  status->memcached = config.listen.memcached.to_text();
  status->peer = config.listen.peer.to_text();
  status->admin = config.listen.admin.to_text();
  status->reactors = from_.self.reactors;
  status->partitions = view.ring.partitions();
  status->has_slots = view.partitioner == Partitioner::kSlots;
  status->waiting = !view.is_member();
  status->has_departed = view.is_member() && !view.takes_part();
  status->loading = !from_.phase.serving;
  status->stopping = from_.phase.stopping;
  status->data_directory = config.node.data_directory;
  status->peer_port_open = is_open_to_others(config);
  const bool durable = config.engine.type == EngineType::kLevelDb;
  status->engine = durable ? "leveldb" : "memory";
  status->sync = durable ? sync_text(config.engine.sync) : "";
}

void StatusCollector::add_limits(NodeStatus* status) const {
  status->disk_bytes = disk_bytes_;
  status->disk_free_bytes = disk_free_bytes_;
  status->clients_max = from_.reactors.clients().max;
  const auto live = from_.live.get();
  status->clients_configured = live->limits.clients;
  status->memory_max_bytes = live->engine.memory_bytes;
  status->eviction = name_of(kEvictions, live->engine.eviction);
  status->client_rules = client_rules(*live);
  status->pub_sub = from_.reactors.pub_sub().status();
  status->tracking = from_.reactors.tracking().status();
  status->in_flight = status_of(from_.reactors.in_flight());
  status->scripts = from_.reactors.scripts().count();
  status->script_bytes = from_.reactors.scripts().bytes();
  for (const FunctionLibraries::Shared& library : from_.reactors.scripts().functions().all()) {
    ++status->libraries;
    status->functions += library->functions.size();
  }
  status->long_scripts = from_.reactors.long_work().open();
  status->in_flight.client_output_bytes = live->limits.client_output_bytes;
  status->in_flight.client_output_wait_ms = live->limits.client_output_wait_ms;
  status->accept_failures = from_.reactors.accept_failures().count;
  status->accept_error = from_.reactors.accept_failures().last_error;
}

void StatusCollector::add_reactors(NodeStatus* status, PeersSeen* peers) const {
  for (const auto& reactor : from_.reactors.all()) {
    const ReactorSnapshot snapshot = reactor->snapshot();
    status->counters += snapshot.coordinator;
    status->commands_processed += snapshot.dispatcher.commands;
    status->keyspace_hits += snapshot.dispatcher.hits;
    status->clients_blocked += snapshot.dispatcher.postponed;
    status->keyspace_misses += snapshot.dispatcher.misses;
    status->net_input_bytes += snapshot.client_bytes_in;
    status->net_output_bytes += snapshot.client_bytes_out;
    status->expired_keys += snapshot.coordinator.expired;
    status->greetings_refused += snapshot.peers.refused_greetings;
    status->greetings_evicted += snapshot.peers.evicted_greetings;
    status->joining = status->joining || !snapshot.joined;
    status->in_flight.clients.add(snapshot.client_memory);
    status->peer_bytes_in += snapshot.peer_bytes_in;
    status->peer_bytes_out += snapshot.peer_bytes_out;
    join_reports(snapshot.peers_seen, &peers->reports);
    join_troubles(snapshot.link_troubles, &peers->troubles);
    join_clocks(snapshot.peer_clocks, &peers->clocks);
  }
}

void StatusCollector::add_tables(NodeStatus* status) const {
  const engine::ObjectTable& table = from_.stores.objects();
  status->memory_max_bytes = table.memory_limit();  // CONFIG SET may have changed it
  status->eviction = name_of(kEvictions, table.eviction());
  status->store_failed = table.store_health().failed();
  status->store_error = from_.stores.last_error();
  status->storage = from_.stores.faults();
  if (const engine::JournaledStore* const journal = from_.stores.journal()) {
    status->journals.push_back({"objects", journal->stats()});
    status->journals.push_back({"hints", from_.stores.hints().journal()->stats()});
  }
  status->damaged_records = table.store_reader().damaged_count();
  status->store_commits = from_.stores.commit_rounds();
  status->store_failures = from_.stores.commit_failures();
  add_keys(status);
}

void StatusCollector::add_keys(NodeStatus* status) const {
  const engine::ObjectTable& table = from_.stores.objects();
  const uint32_t partitions = 1u << table.partition_bits();
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < partitions; ++partition) {
      const uint64_t live = table.live_count(keyspace, partition);
      const uint64_t records = table.record_count(keyspace, partition);
      status->keys[keyspace] += live;
      status->expiring[keyspace] += table.expiring_count(keyspace, partition);
      status->reaping.tombstones += records > live ? records - live : 0;
    }
  }
}

void StatusCollector::add_copies(NodeStatus* status) const {
  status->copies_not_whole = from_.copies.whole().missing();
  status->copies_follow = from_.copies.former().any();
  if (const cluster::Agreement* const agreement = from_.copies.agreement()) {
    status->differing_configurations = agreement->problems();
    status->configuration_refused = agreement->refused() != 0;
  }
  const bool others = from_.membership.view()->members.size() > 1;
  if (from_.copies.frontier() != nullptr && others) add_frontier(&status->reaping);
  status->eviction_waits = eviction_waits(*status);
  status->reaping.quarantined = from_.reactors.quarantine().count();
}

// Between two rounds something is always awaited: a reason is given once it takes longer than that.
void StatusCollector::add_frontier(ReapingStatus* reaping) const {
  const cluster::FrontierStatus now = from_.copies.frontier()->status();
  reaping->frontier_ms = now.frontier.ms();
  reaping->round = now.round;
  const auto& timing = from_.self.config.timing;
  const uint64_t usual_ms = 2 * timing.anti_entropy_ms + 10 * timing.gossip_ms;
  const uint64_t since_ms = std::max(reaping->frontier_ms, from_.self.started_wall_ms);
  const uint64_t now_ms = from_.self.wall_ms();
  if (now.rests || now_ms <= since_ms) return;  // it has passed everything here
  reaping->behind_ms = now_ms - since_ms;
  if (since_ms + usual_ms < now_ms) {
    reaping->waits = frontier_waits(now, *from_.membership.view());
  }
}

std::string StatusCollector::eviction_waits(const NodeStatus& status) const {
  const engine::ObjectTable& objects = from_.stores.objects();
  if (!objects.eviction_waits()) return {};
  uint64_t expiring = 0;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    if (objects.evicts(keyspace)) expiring += status.expiring[keyspace];
  }
  if (engine::takes_expiring_only(objects.eviction()) && expiring == 0) {
    return "no key may be evicted: none has a time to live, which engine.eviction asks for";
  }
  const std::string& waits = status.reaping.waits;
  return "eviction waits for the frontier: " +
         (waits.empty() ? "what could go was written moments ago" : waits);
}

MemberStatus StatusCollector::member_row(const cluster::ClusterView& view, size_t index,
                                         const PeersSeen& peers) const {
  const cluster::Member& member = view.members[index];
  const ListenConfig& listen = from_.self.config.listen;
  MemberStatus row;
  row.name = member.name;
  row.id = member.id;
  row.self = index == view.self;
  row.standing = member.standing;
  row.peer = member.peer.to_text();
  row.redis = (row.self ? listen.redis : member.redis).to_text();
  row.memcached = (row.self ? listen.memcached : member.memcached).to_text();
  row.admin = (row.self ? listen.admin : member.admin).to_text();
  row.weight = member.weight;
  row.rack = member.rack;
  row.zone = member.zone;
  if (index < peers.reports.size()) row.seen = peers.reports[index];
  if (index < peers.clocks.size()) row.clock = peers.clocks[index];
  row.state = row.self ? cluster::PeerState::kUp : row.seen.state;
  if (index < peers.troubles.size() && row.state == cluster::PeerState::kDown) {
    row.link_trouble = peers.troubles[index].text;
    row.link_refused = peers.troubles[index].refused;
  }
  const uint64_t now_us = TurnClock(0).read().steady_us;
  if (row.seen.since_us != 0 && now_us > row.seen.since_us) {
    row.state_seconds = static_cast<double>(now_us - row.seen.since_us) / 1e6;
  }
  row.reason = member_reason(row);
  return row;
}

void StatusCollector::add_members(const cluster::ClusterView& view, const PeersSeen& peers,
                                  NodeStatus* status) const {
  std::vector<uint32_t> partitions(view.members.size()), read(view.members.size());
  for (uint32_t partition = 0; partition < view.ring.partitions(); ++partition) {
    ++partitions[view.ring.owners()[partition]];
    for (const cluster::MemberIndex reader : view.readers(0, partition)) ++read[reader];
  }
  for (size_t i = 0; i < view.members.size(); ++i) {
    if (view.members[i].has_departed()) {
      status->departed.push_back(view.members[i].name);
      continue;
    }
    MemberStatus& row = status->members.emplace_back(member_row(view, i, peers));
    row.partitions = partitions[i];
    row.joining = view.members[i].is_placed() && read[i] == 0;
  }
}

void StatusCollector::add_clients(NodeStatus* status) const {
  const ClientCount& clients = from_.reactors.clients();
  status->logins_failed = from_.logins.failed_count();
  status->protected_refusals = from_.logins.refused_count();
  status->clients_connected = clients.connected;
  status->connections_received = clients.received;
  status->connections_rejected = clients.rejected + status->protected_refusals;
}

void StatusCollector::add_rate(uint64_t now_us, NodeStatus* status) {
  const MutexLock lock(rate_lock_);
  constexpr uint64_t kWindowUs = 1'000'000;
  if (now_us >= rate_at_us_ + kWindowUs) {
    const Traffic seen{status->commands_processed, status->net_input_bytes,
                       status->net_output_bytes};
    const auto rate = [&](uint64_t now, uint64_t before) {
      return rate_at_us_ == 0 ? 0 : (now - before) * 1'000'000 / (now_us - rate_at_us_);
    };
    rate_ = {rate(seen.commands, rate_seen_.commands), rate(seen.bytes_in, rate_seen_.bytes_in),
             rate(seen.bytes_out, rate_seen_.bytes_out)};
    rate_at_us_ = now_us;
    rate_seen_ = seen;
  }
  status->commands_per_second = rate_.commands;
  status->net_input_per_second = rate_.bytes_in;
  status->net_output_per_second = rate_.bytes_out;
}

void StatusCollector::add_moves(const cluster::ClusterView& view, uint64_t now_us,
                                NodeStatus* status) {
  cluster::AdmissionController* const admission = from_.reactors.admission();
  const uint8_t percent =
      admission == nullptr ? uint8_t{100}
                           : admission->percent(cluster::BackgroundWork::kAntiEntropy, {now_us, 0});
  status->moves = from_.membership.moves(view, percent);
  const MutexLock lock(rate_lock_);
  progress_.look(now_us, &status->moves);
}

void StatusCollector::add_serving(uint64_t now_us, NodeStatus* status, PeersSeen* peers) const {
  const Reactors& reactors = from_.reactors.all();
  KVORUM_CHECK(!reactors.empty());
  add_tables(status);
  add_reactors(status, peers);
  status->traffic = traffic_of(reactors);
  cluster::AdmissionController* const admission = from_.reactors.admission();
  if (admission != nullptr) status->background = admission->report({now_us, 0});
  add_latency(reactors, now_us, status);
  add_repair(reactors[0]->snapshot().repair, now_us, status);
  add_copies(status);
}

NodeStatus StatusCollector::status() {
  NodeStatus status;
  const std::shared_ptr<const cluster::ClusterView> view = from_.membership.view();
  const uint64_t now_us = TurnClock(0).read().steady_us;
  const bool serving = from_.phase.serving;
  add_identity(*view, &status);
  add_limits(&status);
  status.uptime_seconds = (now_us - from_.self.started_us) / 1'000'000;
  PeersSeen peers;
  if (serving) add_serving(now_us, &status, &peers);
  add_members(*view, peers, &status);
  status.transfers_active = view->moving.size();
  if (serving && view->is_changed()) add_moves(*view, now_us, &status);
  status.waiting_nodes = from_.membership.waiting_nodes();
  status.far_ahead = from_.stores.clock().far_ahead_count();
  status.now_ms = from_.self.wall_ms();
  if (serving)
    add_hint_rows(from_.stores.hints().hints().ledger(), {now_us, status.now_ms}, &status);
  add_quorums(*view, &status);
  add_clients(&status);
  add_rate(now_us, &status);
  const ProcessStats process = process_stats();
  status.cpu_user_seconds = process.cpu_user_seconds;
  status.cpu_system_seconds = process.cpu_system_seconds;
  status.memory_used_bytes = process.allocated_bytes;
  status.memory_resident_bytes = process.resident_bytes;
  status.memory_peak_bytes = process.allocated_peak_bytes;
  status.allocator = allocator_stats();
  status.host = host_facts();
  status.problems = node_problems(status);
  problem_times_.date(&status.problems, status.now_ms);
  const MutexLock lock(reset_lock_);
  status.at_reset = at_reset_;
  return status;
}

void StatusCollector::reset_statistics() {
  auto now = std::make_shared<NodeStatus>(status());
  now->at_reset = nullptr;
  const MutexLock lock(reset_lock_);
  at_reset_ = std::move(now);
  times_at_reset_ = times_of(from_.reactors.all());
}

std::vector<CallTimes> StatusCollector::call_times() {
  std::vector<CallTimes> times = times_of(from_.reactors.all());
  const MutexLock lock(reset_lock_);
  subtract_times(times_at_reset_, &times);
  return times;
}

void StatusCollector::measure_disk() {
  struct statvfs disk {};
  const Config& config = from_.self.config;
  if (config.engine.type != EngineType::kLevelDb) return;
  if (statvfs(config.node.data_directory.c_str(), &disk) != 0) return;
  const uint64_t used = disk.f_blocks - disk.f_bfree;  // what root alone may fill counts as full
  disk_bytes_ = (used + disk.f_bavail) * disk.f_frsize;
  disk_free_bytes_ = disk.f_bavail * disk.f_frsize;
}

}  // namespace kvorum::server
