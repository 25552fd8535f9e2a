// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/cluster.h"

#include <fmt/format.h>

namespace kvorum::sim {
namespace {

constexpr uint64_t kRetryUs = 100'000;
constexpr uint64_t kLinkingUs = 60'000'000;
constexpr uint32_t kUsualClockEntries = 10;
constexpr int64_t kLeapMs = 24 * 3600 * 1000;

cluster::Founding found(const Swarm& swarm) {
  cluster::Founding founding;
  founding.cluster_name = "simulated";
  founding.partitions = swarm.partitions;
  founding.keyspaces = swarm.keyspaces;
  founding.placement = swarm.placement;
  for (size_t node = 0; node < swarm.founding_nodes(); ++node) {
    cluster::Member member;
    member.name = name_of_node(node);
    member.peer = {"127.0.0.1", static_cast<uint16_t>(7000 + node)};
    member.zone = swarm.zone_of(node);
    founding.members.push_back(member);
  }
  return founding;
}

std::string describe(const cluster::Object& object) {
  std::string text;
  for (const cluster::Version& version : object.versions) {
    text += fmt::format("{}@{:x} {} ", version.dot.actor.node % 1000, version.dot.hlc.value,
                        version.type == cluster::TypeTag::kTombstone ? "gone" : version.bytes);
  }
  return text;
}

}  // namespace

Cluster::Cluster(const Swarm& its_swarm, std::FILE* trace_out)
    : swarm(its_swarm),
      trace(trace_out),
      network(queue, trace, {its_swarm.nodes.size(), its_swarm.reactors}, its_swarm.seed + 17),
      founding(found(its_swarm)) {
  Rng rng(swarm.seed * 31 + 7);
  network.set_weather(swarm.network);
  const World world{queue, trace, network, swarm, founding, violations, [this](size_t asker) {
                      return known_to_others(asker);
                    }};
  if (swarm.moves()) {
    int64_t least = INT64_MAX;
    for (const uint8_t db : kDbs) least = std::min<int64_t>(least, swarm.least(db).w);
    damage.set_copies_max(least);
  }
  for (size_t node = 0; node < swarm.nodes.size(); ++node) {
    nodes.push_back(std::make_unique<SimNode>(world, node, rng.next()));
  }
}

Cluster::~Cluster() = default;

void Cluster::start() {
  for (size_t node = 0; node < founding.members.size(); ++node) start_node(node);
  const auto all_take_clients = [this] {
    return network.all_linked() && std::all_of(nodes.begin(), nodes.end(), [](const auto& node) {
             return !node->admitted() || node->takes_clients();
           });
  };
  if (!run_until(kLinkingUs, all_take_clients)) {
    violation("the nodes did not link up");
  }
}

bool Cluster::allows(size_t node, Death how) const {
  if (swarm.nodes[node].may_lose) return true;
  if (!swarm.durable) return false;
  if (how == Death::kPower) return swarm.sync == engine::SyncPolicy::kAlways;
  if (how == Death::kKill) return !swarm.options.buffers_writes;
  return how == Death::kClean;
}

void Cluster::kill(size_t node, Death how) {
  if (!nodes[node]->alive()) return;
  const bool power_loses = swarm.sync != engine::SyncPolicy::kAlways;
  const bool emptied = how == Death::kWipe || how == Death::kRestore;
  const bool damaged = nodes[node]->disk().journal_damaged();
  const bool lost = !swarm.durable || emptied || damaged || (how == Death::kPower && power_loses) ||
                    (how == Death::kKill && swarm.options.buffers_writes);
  damage.add(node, queue.now_us(), lost);
  nodes[node]->die(how);
}

void Cluster::damage_disk(size_t node, double chance) {
  bool any = nodes[node]->disk().damage_objects(chance) > 0;
  any |= nodes[node]->disk().damage_journal();
  if (!any) return;
  damage.add(node, queue.now_us(), true);
  trace.note(queue.now_us(), {"damage", node});
}

void Cluster::start_node(size_t node) {
  if (!is_member(node) || nodes[node]->alive() || nodes[node]->start()) return;
  queue.after(kRetryUs, [this, node] { start_node(node); });
}

void Cluster::cut(size_t a, size_t b, bool noticed) {
  network.cut(a, b, noticed);
  network.cut(b, a, noticed);
}

void Cluster::isolate(size_t node, bool noticed) {
  for (size_t other = 0; other < nodes.size(); ++other) {
    if (other != node) cut(node, other, noticed);
  }
}

void Cluster::heal() {
  network.set_weather({});
  network.heal();
  for (size_t node = 0; node < nodes.size(); ++node) {
    nodes[node]->disk().set_broken(false);
    nodes[node]->disk().set_full(false);
    nodes[node]->disk().set_error_chance(0);
    start_node(node);
    nodes[node]->scrub_disk();
  }
}

void Cluster::leap_clocks() {
  for (const auto& node : nodes) node->move_clock(kLeapMs);
}

std::optional<cluster::History> Cluster::known_to_others(size_t asker) const {
  for (size_t node = 0; node < nodes.size(); ++node) {
    const bool there = node != asker && nodes[node]->alive() && nodes[node]->is_member() &&
                       !network.is_cut(asker, node) && !network.is_cut(node, asker);
    if (there) return *nodes[node]->known_history();
  }
  return std::nullopt;
}

bool Cluster::join(size_t at, size_t newcomer) {
  return admit(at, newcomer, cluster::ChangeKind::kJoin, 0);
}

bool Cluster::replace(size_t at, size_t member, size_t newcomer) {
  return admit(at, newcomer, cluster::ChangeKind::kReplace, nodes[member]->id());
}

bool Cluster::admit(size_t at, size_t newcomer, cluster::ChangeKind kind,
                    cluster::NodeId instead_of) {
  SimNode& admits = *nodes[at];
  if (!admits.alive() || !admits.is_member() || nodes[newcomer]->admitted()) return false;
  cluster::Member member;
  member.name = node_name(newcomer);
  member.id = swarm.seed * 1000 + newcomer + 1;
  member.peer = {"127.0.0.1", static_cast<uint16_t>(7000 + newcomer)};
  member.zone = swarm.zone_of(newcomer);
  cluster::Change change;
  change.kind = kind;
  change.member = instead_of;
  change.described = member;
  admits.propose(std::move(change));
  nodes[newcomer]->admit(member.id, admits.wished_history());
  start_node(newcomer);
  ++changes;
  return true;
}

void Cluster::change(size_t at, cluster::ChangeKind kind, size_t member, uint32_t weight) {
  cluster::Change change;
  change.kind = kind;
  change.member = nodes[member]->id();
  change.described.weight = weight;
  nodes[at]->propose(std::move(change));
  trace.note(queue.now_us(), {"change", static_cast<uint64_t>(kind), member});
  ++changes;
}

void Cluster::change_policy(size_t at, const cluster::KeyspacePolicy& policy) {
  cluster::Change change;
  change.kind = cluster::ChangeKind::kPolicy;
  change.policy = policy;
  nodes[at]->propose(std::move(change));
  trace.note(queue.now_us(),
             {"policy", policy.db, uint64_t{policy.n} * 100 + policy.r * 10u + policy.w});
  ++changes;
}

void Cluster::raise_placement(size_t at) {
  cluster::Change change;
  change.kind = cluster::ChangeKind::kPlacement;
  change.placement = cluster::kPlacementMended;
  nodes[at]->propose(std::move(change));
  trace.note(queue.now_us(), {"placement", at});
  ++changes;
}

const SimNode& Cluster::best_informed() const {
  const SimNode* best = nodes[0].get();
  if (!swarm.moves()) return *best;
  size_t most = 0;
  for (const auto& node : nodes) {
    if (!node->alive()) continue;
    const size_t known = node->known_history()->changes().size() + 1;
    if (known <= most) continue;
    most = known;
    best = node.get();
  }
  return *best;
}

bool Cluster::is_member(size_t node) const {
  if (!nodes[node]->admitted()) return false;
  if (!swarm.moves()) return true;
  for (const auto& other : nodes) {
    if (!other->alive()) continue;
    const cluster::MemberIndex at = other->view().find_id(nodes[node]->id());
    if (at == cluster::kNoMember) continue;
    if (other->view().members[at].has_departed()) return false;
  }
  return true;
}

bool Cluster::leads_some(size_t node) const {
  const SimNode& informed = best_informed();
  const auto owners = informed.view().ring.owners();
  return std::any_of(owners.begin(), owners.end(),
                     [&](cluster::MemberIndex owner) { return informed.node_of(owner) == node; });
}

bool Cluster::all_know_of_departure(size_t node) const {
  return std::all_of(nodes.begin(), nodes.end(), [&](const auto& other) {
    if (!other->alive()) return true;
    const cluster::MemberIndex at = other->view().find_id(nodes[node]->id());
    return at == cluster::kNoMember || other->view().members[at].has_departed();
  });
}

bool Cluster::ring_settled() {
  if (!swarm.moves()) return true;
  bool settled = true;
  const uint64_t digest = best_informed().view().history_digest;
  for (size_t at = 0; at < nodes.size(); ++at) {
    SimNode& node = *nodes[at];
    if (!node.admitted()) continue;
    if (!is_member(at)) {
      if (!node.alive()) continue;
      if (!node.holds_anything() && all_know_of_departure(at)) {
        node.die(Death::kClean);
      } else {
        settled = false;
      }
      continue;
    }
    settled &= node.alive() && node.view().history_digest == digest && node.view().moving.empty() &&
               node.is_member() && node.view().members[node.view().self].is_placed();
  }
  return settled;
}

uint64_t Cluster::hints_pending() const {
  uint64_t sum = 0;
  for (const auto& node : nodes) sum += node->alive() ? node->hints_pending() : 0;
  return sum;
}

bool Cluster::truncated_clocks() const {
  for (const auto& node : nodes) {
    if (node->alive() && node->counters().clock_truncations > 0) return true;
  }
  return swarm.options.clock_entries_max < kUsualClockEntries;
}

std::string Cluster::describe_backlog() const {
  std::string text;
  for (const auto& node : nodes) text += node->alive() ? node->describe_backlog() : "";
  return text;
}

std::string Cluster::describe_frontiers() const {
  std::string text;
  for (const auto& node : nodes) {
    if (!node->alive() || node->frontier() == nullptr) continue;
    const cluster::FrontierStatus status = node->frontier()->status();
    size_t tombstones = 0, marks = 0;
    for (const uint8_t db : kDbs) {
      for (uint32_t partition = 0; partition < swarm.partitions; ++partition) {
        tombstones += node->tombstones(db, partition);
      }
      marks += node->marks().mark(db).size();
    }
    text += fmt::format("{}: {} tombstones, {} entries of marks, round {} {}, frontier {} ms back",
                        node->view().members[node->view().self].name, tombstones, marks,
                        status.round, status.agreed ? "agreed" : "not agreed",
                        static_cast<int64_t>(node->clock_ms() - status.frontier.ms()));
    for (const cluster::NodeId awaited : status.awaited) {
      text += fmt::format(", {} awaited", node->view().members[node->view().find_id(awaited)].name);
    }
    const cluster::FlushMarks& kept = node->marks();
    if (kept.stored() < kept.generation()) text += ", marks are not stored";
    text += fmt::format(", marks {:x}, view {:x}", kept.digest() & 0xffff,
                        node->view().hash() & 0xffff);
    if (status.hints_wait) text += ", hints wait";
    if (status.open)
      text += fmt::format(", no exchange with {}", node->view().members[status.open->peer].name);
    text += "; ";
  }
  return text;
}

std::string Cluster::describe_ring() const {
  if (!swarm.moves()) return {};
  constexpr const char* kStandings[] = {"member", "leaving", "gone", "removed"};
  std::string text;
  for (size_t at = 0; at < nodes.size(); ++at) {
    const SimNode& node = *nodes[at];
    if (!node.admitted()) continue;
    if (!node.alive()) {
      text += fmt::format("{} is not there; ", node_name(at));
      continue;
    }
    const cluster::ClusterView& view = node.view();
    for (const cluster::Member& member : view.members) {
      text += fmt::format("{} {}, ", member.name, kStandings[static_cast<int>(member.standing)]);
    }
    text += fmt::format(
        "{}: {}{}, {} of {} partitions move, history {:x} of {} changes; ", node_name(at),
        kStandings[static_cast<int>(view.members[view.self].standing)],
        node.holds_anything() ? " with objects" : "", view.moving.size(), swarm.partitions,
        view.history_digest & 0xffff, node.known_history()->changes().size());
  }
  return text;
}

size_t Cluster::suspicions() const {
  size_t sum = 0;
  for (const auto& node : nodes) sum += node->alive() ? node->suspicions() : 0;
  return sum;
}

uint32_t Cluster::partition_of_key(const std::string& key) const {
  return partition_of(position_of(key, view().partitioner), view().ring.partition_bits());
}

std::vector<size_t> Cluster::primaries_of_partition(uint8_t db, uint32_t partition) const {
  const SimNode& informed = best_informed();
  std::vector<size_t> places;
  for (const cluster::MemberIndex member : informed.view().primaries(db, partition)) {
    places.push_back(informed.node_of(member));
  }
  return places;
}

size_t Cluster::node_for(const std::string& key, size_t place) const {
  const SimNode& informed = best_informed();
  return informed.node_of(informed.view().ring.preference_list(partition_of_key(key))[place]);
}

bool Cluster::same_versions(uint8_t db, const std::string& key, std::string* trouble) const {
  const size_t first = node_for(key, 0);
  const uint64_t digest = cluster::versions_digest(nodes[first]->own_object(db, key));
  for (size_t place = 1; place < primaries_of(db); ++place) {
    const size_t node = node_for(key, place);
    if (cluster::versions_digest(nodes[node]->own_object(db, key)) == digest) continue;
    *trouble = fmt::format("{} of db {}: {} has [{}], {} has [{}]", key, db, node_name(first),
                           describe(nodes[first]->own_object(db, key)), node_name(node),
                           describe(nodes[node]->own_object(db, key)));
    return false;
  }
  return true;
}

bool Cluster::same_digests(uint8_t db, std::string* trouble) const {
  for (uint32_t partition = 0; partition < swarm.partitions; ++partition) {
    const std::vector<size_t> primaries = primaries_of_partition(db, partition);
    for (const size_t member : primaries) {
      const uint64_t first = nodes[primaries[0]]->digest(db, partition);
      const uint64_t digest = nodes[member]->digest(db, partition);
      if (digest == first) continue;
      *trouble = fmt::format("db {} partition {}: {} has digest {:016x}, {} has {:016x}", db,
                             partition, node_name(primaries[0]), first, node_name(member), digest);
      return false;
    }
  }
  return true;
}

std::vector<std::string> Cluster::own_values(size_t node, uint8_t db,
                                             const std::string& key) const {
  std::vector<std::string> values;
  const cluster::Object& object = nodes[node]->own_object(db, key);
  for (const cluster::Version& version :
       cluster::visible_versions(object, nodes[node]->clock_ms())) {
    values.emplace_back(version.bytes);
  }
  return values;
}

void Cluster::violation(std::string text) {
  trace.note(queue.now_us(), {"VIOLATION", 0, 0, text});
  if (violations.size() < kViolationsMax) violations.push_back(std::move(text));
}

}  // namespace kvorum::sim
