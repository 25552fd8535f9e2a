// SPDX-License-Identifier: Apache-2.0
#include "server/node/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/commands/password.h"
#include "server/process/directory_lock.h"
#include "server/process/logging.h"

namespace kvorum::server {
namespace {

std::string self_name(const NodeSelf& self) {
  const cluster::ClusterView& view = *self.view;
  return view.is_member() ? view.members[view.self].name : self.config.node.name;
}

uint64_t steady_us() { return TurnClock(0).read().steady_us; }

}  // namespace

Node::Node(const Config& config, std::optional<KeptMembership> kept)
    : self_(config, std::move(kept)),
      live_(config),
      stores_({self_.config, *self_.view, self_.history.founding(), self_.id, self_.is_alone(),
               self_.founded.is_firm}),
      copies_(self_, stores_),
      membership_(self_, stores_, copies_),
      reactors_(self_),
      functions_(config.engine.type == EngineType::kLevelDb ? config.node.data_directory : "",
                 reactors_.functions()),
      status_({self_, phase_, live_, stores_, copies_, membership_, reactors_, logins_}) {}

Result<std::unique_ptr<Node>> Node::open(const Config& config, std::optional<KeptMembership> kept) {
  if (!kept && config.engine.type == EngineType::kLevelDb) {
    auto on_disk = read_membership(config.node.data_directory);
    if (!on_disk.ok()) return on_disk.status();
    kept = std::move(on_disk).value();
  }
  const std::string refusal = kept ? membership_refusal(config, *kept) : std::string();
  if (!refusal.empty()) {
    // Where another process runs in the directory, that is what is wrong.
    const auto lock = DirectoryLock::take(config.node.data_directory);
    return lock.ok() ? Status(Code::kExists, refusal) : lock.status();
  }
  std::unique_ptr<Node> node(new Node(config, std::move(kept)));
  if (Status status = node->bind_listeners(); !status.ok()) return status;
  if (Status status = node->plan_for_descriptors(); !status.ok()) return status;
  if (Status status = node->stores_.open(); !status.ok()) return status;
  if (Status status = node->membership_.keep_waiting(); !status.ok()) return status;
  node->start_admin();
  if (Status status = node->stores_.read(); !status.ok()) return status;
  if (Status status = node->functions_.read(); !status.ok()) return status;
  node->start_reactors();
  node->start_watch();
  node->phase_.serving = true;
  node->log_start();
  return node;
}

Status Node::bind_listeners() {
  auto bound = NodeSockets::bind(self_.config.listen, self_.reactors);
  if (!bound.ok()) return bound.status();
  sockets_ = std::move(bound).value();
  socket_files_ = std::move(sockets_.files);
  listening_ = sockets_.count();
  return {};
}

Result<DescriptorPlan> Node::descriptor_plan(uint32_t clients) const {
  DescriptorNeeds needs;
  needs.durable = self_.config.engine.type == EngineType::kLevelDb;
  needs.reactors = self_.reactors;
  const size_t peers = self_.view->members.size() - (self_.view->is_member() ? 1 : 0);
  const LinkPlan links{self_.reactors, self_.config.limits.peer_links};
  needs.links = peers * links.dialers(peers);
  needs.listeners = listening_;
  needs.clients = clients;
  return plan_descriptors(descriptor_limit(), needs);
}

// Divides up the descriptors of the process.
Status Node::plan_for_descriptors() {
  const uint32_t clients = live_.get()->limits.clients;
  const auto plan = descriptor_plan(clients);
  if (!plan.ok()) return plan.status();
  descriptors_ = plan.value();
  if (descriptors_.clients < clients) {
    log_warning(
        "limits.clients {} needs {} open files and the limit is {}: maxclients has been reduced to "
        "{} to compensate for low ulimit; raise it (ulimit -n) for more",
        clients, clients + descriptors_.reserved, descriptor_limit(), descriptors_.clients);
  }
  reactors_.clients().max = descriptors_.clients;
  return {};
}

void Node::start_admin() {
  if (sockets_.admin.empty()) return;
  admin_server_ = std::make_unique<HttpServer>(
      std::move(sockets_.admin),
      [this](const HttpRequest& wanted) { return admin_answer(*this, wanted); },
      HttpLimits{.connections_max = descriptors_.admin,
                 .of_one_address_max = std::min<size_t>(descriptors_.admin, 32)});
}

void Node::start_reactors() {
  copies_.judge();
  membership_.begin({[this] { reactors_.wake(); },
                     [this](cluster::MemberIndex member) { return is_reachable(member); },
                     [this](cluster::MemberIndex member) { return spoken_version(member); }});
  ReactorGroup::Build build;
  build.node = stores_.parts();
  copies_.add_to(&build.node);
  membership_.add_to(&build.node);
  build.identity = identity();
  build.services = this;
  build.admission = &membership_;
  build.strangers_max = descriptors_.strangers;
  if (stores_.is_durable()) {
    build.quarantine_file = self_.config.node.data_directory + "/quarantine.jsonl";
  }
  build.sockets = std::move(sockets_);
  reactors_.build(std::move(build));
  stores_.pace().set_budget(reactors_.admission());
  stores_.start_commits({[this](engine::Ticket ticket, bool ok) {
                           reactors_.on_round(Reactor::Committed::kObjects, ticket, ok);
                         },
                         [this](engine::Ticket ticket, bool ok) {
                           reactors_.on_round(Reactor::Committed::kHints, ticket, ok);
                         }});
  reactors_.start(stores_.committer(),
                  [this] { stores_.store_marks([this] { reactors_.look_at_time(); }); });
}

// Of the founding view: what the file says of weights, places and policies rules nothing once the
// membership has changed.
PeerIdentity Node::identity() const {
  const cluster::ClusterView& view = *self_.view;
  PeerIdentity identity;
  identity.cluster_id = view.cluster_id;
  identity.cluster_name = view.cluster_name;
  identity.node_id = self_.id;
  identity.node_name = self_.config.node.name;
  identity.incarnation = stores_.session().incarnation;
  identity.view_hash = view.is_changed() || !view.is_member() ? 0 : view.hash();
  identity.keys =
      make_secret_keys(self_.config.cluster.secrets, {view.cluster_name, view.cluster_id});
  identity.waits = !view.is_member();
  if (identity.waits) identity.offered = self_.described();
  identity.founded = [this] { return membership_.founded(); };
  return identity;
}

// By any reactor.
bool Node::is_reachable(cluster::MemberIndex member) const {
  if (member == self_.view->self) return true;
  return std::any_of(reactors_.all().begin(), reactors_.all().end(), [&](const auto& reactor) {
    const ReactorSnapshot snapshot = reactor->snapshot();
    return member < snapshot.peers_seen.size() &&
           snapshot.peers_seen[member].state <= cluster::PeerState::kSlow;
  });
}

// By all reactors.
uint16_t Node::spoken_version(cluster::MemberIndex member) const {
  if (member == self_.view->self) return cluster::kProtocolVersion;
  uint16_t least = cluster::kProtocolVersion;
  for (const auto& reactor : reactors_.all()) {
    const ReactorSnapshot snapshot = reactor->snapshot();
    const bool is_known = member < snapshot.peers_seen.size();
    least = std::min(least, is_known ? snapshot.peers_seen[member].version : uint16_t{0});
  }
  return least;
}

void Node::start_watch() {
  NodeWatch::Sources sources;
  sources.status = [this] { return status(); };
  sources.wall_ms = [this] { return self_.wall_ms(); };
  sources.turns = [this] {
    std::vector<uint64_t> turns;
    for (const auto& reactor : reactors_.all()) turns.push_back(reactor->snapshot().turns);
    return turns;
  };
  sources.measure_disk = [this] {
    status_.measure_disk();
    membership_.look();
    save_functions();
  };
  sources.measure_memory = [this] { stores_.measure_memory(); };
  watch_ = std::make_unique<NodeWatch>(std::move(sources));
}

// Tried again at the next look.
void Node::save_functions() {
  const Status saved = functions_.save();
  const std::string problem = saved.ok() ? std::string() : saved.message();
  if (!problem.empty() && problem != functions_problem_) {
    log_error("functions are not saved: {}", problem);
  }
  functions_problem_ = problem;
}

void Node::log_start() const {
  const ListenConfig& listen = self_.config.listen;
  const cluster::ClusterView& view = *self_.view;
  log_info("node {} of cluster {} takes clients: redis {}, memcached {}, peers {}, admin {}",
           self_name(self_), view.cluster_name, listen.redis.to_text(), listen.memcached.to_text(),
           listen.peer.to_text(), listen.admin.to_text());
  if (view.is_member()) return;
  std::string names;
  for (const cluster::Member& member : view.members) {
    if (member.has_departed()) continue;
    names.append(names.empty() ? "" : ", ").append(member.name);
  }
  log_warning(
      "node {} is not among the members of cluster {} ({}): it waits to be admitted and takes "
      "no keys; `kvorum join {}` at one of them admits it; if the name is a mistake, stop it and "
      "start it with --name",
      self_.config.node.name, view.cluster_name, names, self_.config.node.name);
}

bool Node::stop() {
  if (phase_.stopping.exchange(true)) return true;
  reactors_.quiesce(kQuietMs);
  reactors_.leave(kDrainMs);
  stores_.pace().set_budget(nullptr);
  reactors_.stop();
  admin_server_.reset();
  watch_.reset();
  save_functions();
  const bool clean = stores_.close(copies_.is_judged() ? &copies_.whole() : nullptr);
  membership_.fold();
  return clean;
}

uint32_t Node::clients_possible(uint32_t wanted) const {
  const auto plan = descriptor_plan(wanted);
  return plan.ok() ? plan.value().clients : 0;
}

void Node::reload(const Config& fresh) {
  KVORUM_CHECK(phase_.serving);
  const MutexLock lock(change_lock_);
  put_in_force(fresh);
}

void Node::change_config(FunctionRef<void(Config& config)> edit) {
  const MutexLock lock(change_lock_);
  Config fresh = *live_.get();
  edit(fresh);
  put_in_force(fresh);
}

void Node::put_in_force(const Config& fresh) {
  const uint32_t clients = live_.get()->limits.clients;
  const std::shared_ptr<const Config> now = live_.joined(fresh);
  set_log_level(now->log.level);
  stores_.hints().hints().ledger().set_bytes_max(now->limits.hints_bytes);
  stores_.objects().set_limit(now->engine.memory_bytes, now->engine.eviction);
  reactors_.in_flight().set_limit(now->limits.in_flight_bytes);
  reactors_.apply(now);
  live_.show(now);
  if (now->limits.clients == clients) return;
  if (Status status = plan_for_descriptors(); !status.ok()) log_error("{}", status.message());
}

void Node::repair(const cluster::RepairWish& wish) {
  if (!phase_.serving) return;
  log_info("repair begun: {} compared with all other primaries",
           wish.partition < 0 ? std::string("all partitions are")
                              : fmt::format("partition {} is", wish.partition));
  watch_->expect_repair();
  reactors_.repair(wish);
}

std::string Node::stuck_reason() {
  const int stuck = phase_.serving ? watch_->stuck_reactor() : NodeWatch::kNobody;
  return stuck == NodeWatch::kNobody ? "" : fmt::format("reactor {} does not run", stuck);
}

bool Node::takes_password(std::string_view password) const {
  return is_password(password, live_.get()->passwords);
}

void Node::large_value(std::string_view key, uint64_t bytes) {
  large_values_.tell(key, bytes, steady_us());
}

uint64_t Node::wall_us() { return TurnClock(self_.config.clock_offset_ms).read_wall_us(); }

uint64_t Node::login_delay_us(std::string_view peer_address) {
  return logins_.delay_us(peer_address, steady_us());
}

void Node::login_failed(std::string_view peer_address) {
  logins_.failed(peer_address, steady_us());
}

void Node::refused_by_protected_mode(std::string_view peer_address) {
  logins_.refused(peer_address, steady_us());
}

}  // namespace kvorum::server
