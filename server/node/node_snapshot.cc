// SPDX-License-Identifier: Apache-2.0
// One snapshot of a node: what its reactors published, its tables, its process.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "server/net/hosts.h"
#include "server/node/node_impl.h"
#include "server/process/process_stats.h"

namespace kvorum::server {
namespace {

// A peer is as healthy as the reactor that sees it worst says; what was counted adds up.
void join_reports(const std::vector<cluster::PeerReport>& from,
                  std::vector<cluster::PeerReport>* worst) {
  if (worst->empty()) {
    *worst = from;
    return;
  }
  for (size_t i = 0; i < from.size(); ++i) {
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

// Of several reactors, what the first met that met anything.
void join_troubles(const std::vector<LinkTrouble>& from, std::vector<LinkTrouble>* known) {
  known->resize(std::max(known->size(), from.size()));
  for (size_t i = 0; i < from.size(); ++i) {
    if ((*known)[i].text.empty() || from[i].refused) (*known)[i] = from[i];
  }
}

// How this node's reactors see the others.
struct PeersSeen {
  std::vector<cluster::PeerReport> reports;  // by MemberIndex, as the next one
  std::vector<LinkTrouble> troubles;
};

void add_reactors(const std::vector<std::unique_ptr<Reactor>>& reactors, NodeStatus* status,
                  PeersSeen* peers) {
  for (const auto& reactor : reactors) {
    const ReactorSnapshot snapshot = reactor->snapshot();
    status->counters += snapshot.coordinator;
    status->commands_processed += snapshot.dispatcher.commands;
    status->keyspace_hits += snapshot.dispatcher.hits;
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
  }
}

std::shared_ptr<const TrafficTotals> traffic_of(
    const std::vector<std::unique_ptr<Reactor>>& reactors) {
  auto totals = std::make_shared<TrafficTotals>();
  for (const auto& reactor : reactors) totals->add(reactor->traffic());
  return totals;
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
  if (frontier.open) {
    return fmt::format("db {} partition {} has had no clean exchange with {}",
                       frontier.open->keyspace, frontier.open->partition,
                       view.members[frontier.open->peer].name);
  }
  if (!frontier.agreed) return "members disagree on their sessions or flush marks";
  return frontier.hints_wait ? "hints wait for their members" : "";
}

void add_latency(const std::vector<std::unique_ptr<Reactor>>& reactors, uint64_t now_us,
                 NodeStatus* status) {
  for (const auto& reactor : reactors) {
    status->get_latency.add(reactor->latency().gets, now_us);
    status->put_latency.add(reactor->latency().puts, now_us);
  }
}

void add_members(const cluster::ClusterView& view, const PeersSeen& peers, uint64_t now_us,
                 NodeStatus* status) {
  for (size_t i = 0; i < view.members.size(); ++i) {
    const cluster::Member& member = view.members[i];
    MemberStatus& row = status->members.emplace_back();
    row.name = member.name;
    row.id = member.id;
    row.peer = member.peer.to_text();
    row.redis = member.redis.to_text();
    row.memcached = member.memcached.to_text();
    row.admin = member.admin.to_text();
    row.self = i == view.self;
    row.weight = member.weight;
    row.rack = member.rack;
    row.zone = member.zone;
    if (i < peers.reports.size()) row.seen = peers.reports[i];
    row.state = row.self ? cluster::PeerState::kUp : row.seen.state;
    if (i < peers.troubles.size() && row.state == cluster::PeerState::kDown) {
      row.link_trouble = peers.troubles[i].text;
      row.link_refused = peers.troubles[i].refused;
    }
    if (row.seen.since_us != 0 && now_us > row.seen.since_us) {
      row.state_seconds = static_cast<double>(now_us - row.seen.since_us) / 1e6;
    }
    row.reason = member_reason(row);
  }
  for (const cluster::MemberIndex owner : view.ring.owners()) ++status->members[owner].partitions;
}

void add_quorums(const cluster::ClusterView& view, NodeStatus* status) {
  std::vector<bool> reachable;
  for (const MemberStatus& member : status->members) {
    reachable.push_back(member.self || member.state <= cluster::PeerState::kSlow);
  }
  const bool all = std::all_of(reachable.begin(), reachable.end(), [](bool one) { return one; });
  if (!all) status->quorum = quorum_health(view, reachable);
}

bool is_open_to_others(const Config& config) {
  return config.cluster.secrets.empty() && !config.listen.peer.empty() &&
         !is_loopback_host(config.listen.peer.host);
}

}  // namespace

void Node::Impl::add_identity(NodeStatus* status) const {
  status->name = config.node.name;
  status->cluster_name = view->cluster_name;
  status->version = KVORUM_VERSION;
  status->run_id = run_id;
  status->id = identity.node_id;
  status->cluster_id = view->cluster_id;
  status->incarnation = incarnation;
  status->pid = static_cast<uint32_t>(getpid());
  status->redis = config.listen.redis.to_text();
  status->memcached = config.listen.memcached.to_text();
  status->peer = config.listen.peer.to_text();
  status->admin = config.listen.admin.to_text();
  status->reactors = reactor_count;
  status->partitions = view->ring.partitions();
  status->clients_max = clients.max;
  status->clients_configured = live_config()->limits.clients;
  status->accept_failures = accept_failures.count;
  status->accept_error = accept_failures.last_error;
  status->waiting = !view->is_member();
  status->loading = !ready;
  status->stopping = stopping;
  status->data_directory = config.node.data_directory;
  status->disk_bytes = disk_bytes;
  status->disk_free_bytes = disk_free_bytes;
  status->peer_port_open = is_open_to_others(config);
  status->engine = config.engine.type == EngineType::kLevelDb ? "leveldb" : "memory";
  status->sync = store ? sync_text(config.engine.sync) : "";
}

void Node::Impl::add_tables(NodeStatus* status) {
  status->memory_max_bytes = config.engine.memory_bytes;
  status->evicts = config.engine.eviction != Eviction::kNone;
  if (!ready) return;
  status->store_failed = table->store_health().failed();
  status->store_error = last_store_error();
  status->storage = faults_at_start;
  for (const engine::ObjectTable* each : {table.get(), hint_table.get()}) {
    if (each != nullptr) status->storage += each->store_health().faults();
  }
  status->damaged_records = table->store_reader().damaged_count();
  if (committer) {
    status->store_commits = committer->rounds();
    status->store_failures = committer->failures();
  }
  const uint32_t partitions = 1u << table->partition_bits();
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < partitions; ++partition) {
      const uint64_t live = table->live_count(keyspace, partition);
      const uint64_t records = table->record_count(keyspace, partition);
      status->keys[keyspace] += live;
      status->expiring[keyspace] += table->expiring_count(keyspace, partition);
      status->reaping.tombstones += records > live ? records - live : 0;
    }
  }
}

// Between two rounds something is always awaited: a reason is given once it takes longer than that.
void Node::Impl::add_frontier(ReapingStatus* reaping) const {
  const cluster::FrontierStatus now = frontier->status();
  reaping->frontier_ms = now.frontier.ms();
  reaping->round = now.round;
  const uint64_t usual_ms = 2 * config.timing.anti_entropy_ms + 10 * config.timing.gossip_ms;
  const uint64_t since_ms = std::max(reaping->frontier_ms, started_wall_ms);
  const uint64_t now_ms = wall_ms();
  reaping->behind_ms = now_ms > since_ms ? now_ms - since_ms : 0;
  if (since_ms + usual_ms < now_ms) reaping->waits = frontier_waits(now, *view);
}

std::string Node::Impl::eviction_waits(const ReapingStatus& reaping) const {
  if (!table->eviction_waits()) return {};
  return "eviction waits for the frontier: " +
         (reaping.waits.empty() ? "what could go was written moments ago" : reaping.waits);
}

void Node::Impl::add_rate(uint64_t now_us, NodeStatus* status) {
  const std::lock_guard lock(rate_lock);
  constexpr uint64_t kWindowUs = 1'000'000;
  if (now_us >= rate_at_us + kWindowUs) {
    const uint64_t commands = status->commands_processed - rate_commands;
    rate = rate_at_us == 0 ? 0 : commands * 1'000'000 / (now_us - rate_at_us);
    rate_at_us = now_us;
    rate_commands = status->commands_processed;
  }
  status->commands_per_second = rate;
}

NodeStatus Node::status() { return impl_->status(); }

NodeStatus Node::Impl::status() {
  Impl& impl = *this;
  NodeStatus status;
  const uint64_t now_us = TurnClock(0).read().steady_us;
  impl.add_identity(&status);
  status.in_flight = status_of(impl.in_flight);
  const auto live = impl.live_config();
  status.in_flight.client_output_bytes = live->limits.client_output_bytes;
  status.in_flight.client_output_wait_ms = live->limits.client_output_wait_ms;
  status.uptime_seconds = (now_us - impl.started_us) / 1'000'000;
  impl.add_tables(&status);
  PeersSeen peers;
  ReactorSnapshot first;
  if (impl.ready) {
    add_reactors(impl.reactors, &status, &peers);
    status.traffic = traffic_of(impl.reactors);
    if (impl.admission) status.background = impl.admission->report({now_us, 0});
    add_latency(impl.reactors, now_us, &status);
    first = impl.reactors[0]->snapshot();
    add_repair(first.repair, now_us, &status);
    status.copies_not_whole = impl.whole->missing();
    status.copies_follow = impl.former.any();
    if (impl.agreement) {
      status.differing_configurations = impl.agreement->problems();
      status.configuration_refused = impl.agreement->refused() != 0;
    }
    if (impl.frontier) impl.add_frontier(&status.reaping);
    status.eviction_waits = impl.eviction_waits(status.reaping);
    status.reaping.quarantined = impl.quarantine->count();
  }
  add_members(*impl.view, peers, now_us, &status);
  for (size_t i = 0; i < first.peer_clocks.size(); ++i) {
    status.members[i].clock = first.peer_clocks[i];
  }
  status.far_ahead = impl.clock.far_ahead_count();
  status.logins_failed = impl.logins.failed_count();
  status.protected_refusals = impl.logins.refused_count();
  if (impl.ready) impl.add_hints(&status);
  add_quorums(*impl.view, &status);
  status.clients_connected = impl.clients.connected;
  status.connections_received = impl.clients.received;
  status.connections_rejected = impl.clients.rejected + status.protected_refusals;
  impl.add_rate(now_us, &status);
  const ProcessStats process = process_stats();
  status.cpu_user_seconds = process.cpu_user_seconds;
  status.cpu_system_seconds = process.cpu_system_seconds;
  status.memory_used_bytes = process.allocated_bytes;
  status.memory_resident_bytes = process.resident_bytes;
  status.now_ms = wall_ms();
  status.problems = node_problems(status);
  impl.problem_times.date(&status.problems, status.now_ms);
  const std::lock_guard lock(impl.reset_lock);
  status.at_reset = impl.at_reset;
  return status;
}

void Node::reset_statistics() {
  auto now = std::make_shared<NodeStatus>(status());
  now->at_reset = nullptr;
  const std::lock_guard lock(impl_->reset_lock);
  impl_->at_reset = std::move(now);
}

}  // namespace kvorum::server
