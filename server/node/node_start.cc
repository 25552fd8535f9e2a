// SPDX-License-Identifier: Apache-2.0
// Building a node up and taking it down.
#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <chrono>

#include "cluster/copies/tree_roots.h"
#include "cluster/ring/founding.h"
#include "server/admin/admin_api.h"
#include "server/commands/edits.h"
#include "server/node/node_impl.h"
#include "server/process/cpu_count.h"
#include "server/process/logging.h"

namespace kvorum::server {
namespace {

// The highest reading that this node's own versions in the store carry.
Hlc highest_own(const cluster::AuthorTable& authors, cluster::NodeId node) {
  uint64_t highest = 0;
  for (uint32_t i = 0; i < authors.size(); ++i) {
    const cluster::Author& author = authors.at(static_cast<cluster::AuthorTable::Index>(i));
    if (author.node == node) highest = std::max(highest, author.highest_hlc.load());
  }
  return Hlc{highest};
}

// One bit each.
uint16_t last_write_keyspaces(const cluster::ClusterView& view) {
  uint16_t keyspaces = 0;
  for (size_t db = 0; db < view.keyspaces.size(); ++db) {
    const bool lww = view.keyspaces[db].conflicts == cluster::ConflictPolicy::kLww;
    keyspaces = static_cast<uint16_t>(keyspaces | (lww ? 1u << db : 0u));
  }
  return keyspaces;
}

}  // namespace

uint64_t random_number() {
  uint64_t number = 0;
  while (number == 0) {
    KVORUM_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number) == 1);
  }
  return number;
}

Node::Impl::Impl(const Config& node_config)
    : config(node_config),
      view(std::make_shared<cluster::ClusterView>(make_view(config))),
      started_us(TurnClock(0).read().steady_us),
      started_wall_ms(wall_ms()),
      run_id(fmt::format("{:016x}{:016x}{:08x}", random_number(), random_number(),
                         static_cast<uint32_t>(random_number()))),
      reactor_count(config.reactors == 0 ? usable_cpus() : config.reactors) {
  identity.cluster_id = view->cluster_id;
  identity.cluster_name = view->cluster_name;
  identity.node_name = config.node.name;
  identity.node_id = view->is_member() ? view->members[view->self].id
                                       : cluster::founder_id(view->cluster_id, config.node.name);
  identity.view_hash = view->hash();
  identity.keys = make_secret_keys(config.cluster.secrets, {view->cluster_name, view->cluster_id});
  now_in_force = std::make_shared<const Config>(config);
}

Status Node::Impl::bind_listeners() {
  struct Wanted {
    const char* name;
    const cluster::Endpoint* endpoint;
    ReactorSockets* sockets;
  };
  ReactorSockets admin_sockets;
  const Wanted all[] = {{"redis", &config.listen.redis, &redis},
                        {"memcached", &config.listen.memcached, &memcached},
                        {"peer", &config.listen.peer, &peer},
                        {"admin", &config.listen.admin, &admin_sockets}};
  for (const Wanted& wanted : all) {
    if (wanted.endpoint->empty()) continue;
    const size_t count = wanted.sockets == &admin_sockets ? 1 : reactor_count;
    auto sockets = listen_on(wanted.name, *wanted.endpoint, count);
    if (!sockets.ok()) return sockets.status();
    *wanted.sockets = std::move(sockets).value();
  }
  if (!admin_sockets.empty()) admin = std::move(admin_sockets[0]);
  return {};
}

void Node::Impl::start_admin(Node& node) {
  if (admin.empty()) return;
  admin_server = std::make_unique<HttpServer>(
      std::move(admin), [&node](const HttpRequest& wanted) { return admin_answer(node, wanted); },
      HttpLimits{.connections_max = descriptors.admin,
                 .of_one_address_max = std::min<size_t>(descriptors.admin, 32)});
}

Status Node::Impl::read_tables() {
  engine::TableOptions options;
  options.partition_bits = view->ring.partition_bits();
  options.partitioner = view->partitioner;
  options.hash_seed = random_number();
  options.memory_bytes_max = config.engine.memory_bytes;
  if (config.engine.eviction == Eviction::kLru) {
    options.evicting_keyspaces = last_write_keyspaces(*view);
  }
  codec = std::make_unique<cluster::StoredRecordCodec>(&authors, view->cluster_id);
  options.store = store.get();
  options.codec = codec.get();
  options.large_files = large_files.get();
  options.keeps_unnamed_files = store_salvaged || keeps_damaged_store();
  options.keeps_trees = true;
  table = std::make_unique<engine::ObjectTable>(options);

  identity.incarnation = session.incarnation;
  if (!session.flush_marks.empty() && !marks.merge_encoded(session.flush_marks)) {
    return Status(Code::kInvalid, "the flush marks in the data directory cannot be read");
  }
  marks.set_stored(marks.generation());
  clock.raise(session.clock_least);
  clock.mint_above(marks.highest_of(identity.node_id, session.incarnation));
  if (Status status = open_hints(random_number()); !status.ok()) return status;
  if (!store) return {};
  const uint64_t began_us = TurnClock(0).read().steady_us;
  if (Status status = table->store_reader().warm(); !status.ok()) {
    return Status(status.code(), fmt::format("cannot read the store in {}: {}",
                                             config.node.data_directory, status.message()));
  }
  clock.mint_above(highest_own(authors, identity.node_id));
  log_info("data directory {} read in {} ms{}", config.node.data_directory,
           (TurnClock(0).read().steady_us - began_us) / 1000,
           session.was_clean ? "" : " (the last stop was not a clean one, or there was none)");
  if (table->store_reader().damaged_count() != 0) {
    log_error("{} damaged records were left out; they are read again from other replicas",
              table->store_reader().damaged_count());
  }
  facts = std::make_unique<SessionFacts>(store.get(), &clock, &marks,
                                         config.engine.sync == engine::SyncPolicy::kAlways);
  return facts->keep_clock(wall_ms());
}

// Which copies count from the first request on, and how far each is complete.
void Node::Impl::judge_copies() {
  // What an unclean stop, an empty directory or a lost table file cost is elsewhere.
  const bool intact = store && session.was_clean;
  const bool alone = view->members.size() == 1;
  whole = std::make_unique<cluster::WholeReplicas>(view->ring.partition_bits(), intact || alone);
  for (const engine::TreePlace& place : table->trees().differing()) {
    if (!alone) whole->set(place.keyspace, place.partition, false);
  }
  if (!table->trees().differing().empty()) {
    log_error("{} partitions do not hold what their hash trees say: objects were lost",
              table->trees().differing().size());
  }
  if (intact && !alone && session.former_cluster_id == 0) {
    const size_t lost = cluster::mark_differing_roots(*table, session.roots, *whole);
    if (lost != 0) {
      log_error("{} partitions are not what they were at the last stop; they are repaired", lost);
    }
  }
  agree();
  exchanges = std::make_unique<cluster::CleanExchanges>(view->ring.partitions());
  parts.node.whole = whole.get();
  parts.node.exchanges = exchanges.get();
  if (view->is_member() && view->members.size() > 1) {
    frontier = std::make_unique<cluster::FrontierProtocol>(
        cluster::FrontierParts{table.get(), hint_table.get(), &clock, &marks, view, &former},
        incarnation);
    exchanges->set_observer(frontier.get());
    parts.node.frontier = frontier.get();
  }
}

void Node::Impl::start_commits() {
  if (!store) return;
  engine::CommitterOptions options;
  options.sync = config.engine.sync;
  options.salvages = is_replicated();
  options.on_salvage = [this](const std::string& report) {
    tell_of_salvage(report);
    note_store_trouble(facts->write_again(wall_ms()));
  };
  options.on_round = [this](engine::Ticket ticket, const Status& status) {
    on_round(ticket, status);
  };
  committer = std::make_unique<engine::Committer>(table.get(), store.get(), std::move(options));
}

void Node::Impl::start_reactors(Node& node) {
  parts.config = &config;
  parts.view = view;
  parts.node = {table.get(), hints.get(),         &authors,        &clock, &marks,
                all_edits(), session.incarnation, view->cluster_id};
  incarnation = session.incarnation;
  parts.node.renewed_incarnation = &incarnation;
  parts.node.claims = &claims;
  judge_copies();
  if (config.limits.foreground_p99_ms != 0) {
    admission =
        std::make_unique<cluster::AdmissionController>(config.limits.foreground_p99_ms * 1000);
    parts.node.budget = admission.get();
  }
  if (is_replicated()) listen_for_losses();
  quarantine = std::make_unique<Quarantine>(store ? config.node.data_directory + "/quarantine.jsonl"
                                                  : std::string());
  parts.quarantine = quarantine.get();
  parts.identity = &identity;
  parts.services = &node;
  parts.clients = &clients;
  parts.accept_failures = &accept_failures;
  parts.strangers_max = descriptors.strangers;
  parts.in_flight = &in_flight;
  parts.large_pace = &large_pace;
  parts.reactors = reactor_count;
  board = std::make_unique<LinkBoard>(reactor_count);
  board->on_greeted = [this](cluster::MemberIndex member) {
    for (const auto& reactor : reactors) reactor->on_greeted(member);
  };
  parts.board = board.get();
  for (uint32_t i = 0; i < reactor_count; ++i) {
    reactors.push_back(std::make_unique<Reactor>(parts, i, random_number()));
    Reactor& reactor = *reactors.back();
    if (admission) admission->watch(&reactor.latency());
    const auto give = [&](ReactorSockets& sockets, auto add) {
      if (sockets.empty()) return;
      for (ListeningSocket& socket : sockets[i]) add(std::move(socket));
    };
    give(redis, [&](ListeningSocket s) { reactor.add_listener(Dialect::kResp, std::move(s)); });
    give(memcached,
         [&](ListeningSocket s) { reactor.add_listener(Dialect::kMemcached, std::move(s)); });
    give(peer, [&](ListeningSocket s) { reactor.add_peer_listener(std::move(s)); });
  }
  set_compaction_budget(admission.get());
  start_commits();
  start_hint_commits();
  for (const auto& reactor : reactors) {
    std::vector<Reactor*> others;
    for (const auto& other : reactors) {
      if (other != reactor) others.push_back(other.get());
    }
    reactor->set_others(std::move(others));
  }
  for (const auto& reactor : reactors) {
    reactor->set_committer(committer.get());
    reactor->set_store_marks([this] { store_flush_marks(); });
    reactor->start();
  }
}

void Node::Impl::on_round(engine::Ticket ticket, const Status& status) {
  for (const auto& reactor : reactors)
    reactor->on_round(Reactor::Committed::kObjects, ticket, status.ok());
  if (status.ok()) {
    note_store_trouble(facts->keep_clock(wall_ms()));
    note_store_trouble(facts->keep_marks());  // which an earlier failure may have left behind
  }
  // What a failed store forgets may have been counted under this incarnation: it is not used again.
  if (!status.ok()) incarnation = random_number();
  note_store_trouble(status);
}

// A memory node forgets its objects with its marks; a durable one must remember both.
void Node::Impl::store_flush_marks() {
  const auto tell = [this] {
    for (const auto& reactor : reactors) reactor->look_at_time();
  };
  if (!committer) {
    marks.set_stored(marks.generation());
    return tell();
  }
  committer->run_on_store_thread([this, tell] {
    note_store_trouble(facts->keep_marks());
    tell();
  });
}

void Node::Impl::note_store_trouble(const Status& status) {
  if (status.ok()) return;
  const std::lock_guard lock(trouble_lock);
  if (store_error != status.message()) log_error("the store failed: {}", status.message());
  store_error = status.message();
}

std::string Node::Impl::last_store_error() {
  const std::lock_guard lock(trouble_lock);
  return store_error;
}

bool Node::Impl::shut_down() {
  set_compaction_budget(nullptr);
  for (const auto& reactor : reactors) reactor->stop();
  admin_server.reset();
  watch.reset();
  committer.reset();  // commits and syncs
  hint_committer.reset();
  if (!store || !facts) return true;
  const bool unwritten = table->commits().has_dirty() || hint_table->commits().has_dirty();
  if (unwritten || table->store_health().failed() || hint_table->store_health().failed()) {
    log_error("not everything could be written before the stop: {}", last_store_error());
    return false;
  }
  note_store_trouble(facts->keep_marks());
  std::string roots;
  cluster::encode_roots(*table, roots);
  const Status status = end_session(*store, incarnation, clock.reading(wall_ms()), roots);
  note_store_trouble(status);
  return status.ok();
}

}  // namespace kvorum::server
