// SPDX-License-Identifier: Apache-2.0
// Sessions of a node: start, death and commit rounds.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/copies/tree_roots.h"
#include "cluster/version/object_codec.h"
#include "server/commands/edits.h"
#include "tests/sim/planted.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_node_parts.h"

namespace kvorum::sim {

using engine::SyncPolicy;

namespace {

constexpr uint64_t kEpochMs = 1'700'000'000'000;
constexpr uint64_t kSyncIntervalUs = 1'000'000;
constexpr size_t kTreeBytesPerTurn = 200;
constexpr uint64_t kCommitsPerTreeTurn = 8;
constexpr uint64_t kReopenUs = 200'000;
constexpr uint64_t kResetUs = 1000;
constexpr uint64_t kLookUs = 200;  // until a reactor has seen another view
constexpr uint64_t kSteadyOffsetMaxUs = 1'000'000'000;

// The highest reading that this node's own versions in the store carry.
Hlc highest_own(const cluster::AuthorTable& authors, cluster::NodeId node) {
  Hlc highest;
  for (uint32_t i = 0; i < authors.size(); ++i) {
    const cluster::Author& author = authors.at(static_cast<cluster::AuthorTable::Index>(i));
    if (author.node == node) highest = std::max(highest, Hlc{author.highest_hlc.load()});
  }
  return highest;
}

}  // namespace

SimNode::SimNode(const World& world, size_t index, uint64_t seed)
    : world_(world),
      index_(index),
      rng_(seed),
      disk_(rng_.next()),
      hint_disk_(rng_.next(), &disk_),
      options_(world.swarm.options),
      view_(std::make_shared<const cluster::ClusterView>(cluster::found_view(
          world.founding, index < world.founding.members.size() ? world.founding.members[index].name
                                                                : std::string()))),
      skew_ms_(world.swarm.nodes[index].skew_ms) {
  disk_.set_error_chance(world.swarm.disk.error);
  if (view_->is_member()) id_ = view_->members[view_->self].id;
}

SimNode::~SimNode() = default;

Now SimNode::now() const {
  const uint64_t now_us = world_.queue.now_us();
  const auto drifted_us =
      static_cast<int64_t>(now_us) / 1'000'000 * world_.swarm.nodes[index_].drift_ppm;
  const int64_t wall_ms =
      static_cast<int64_t>(kEpochMs + now_us / 1000) + drifted_us / 1000 + skew_ms_;
  return Now{now_us + steady_offset_us_, static_cast<uint64_t>(wall_ms)};
}

bool SimNode::begin_session() {
  uint64_t fresh = rng_.next() | 1;
  const bool planted_keep =
      planted_bug() == PlantedBug::kKeepIncarnation || planted_bug() == PlantedBug::kReuseCounter;
  if (planted_keep && incarnation_ != 0) fresh = incarnation_;
  server::SessionStart session;
  session.incarnation = fresh;
  bool salvaged = disk_.damaged();
  if (salvaged) disk_.salvage();
  if (world_.swarm.durable) {
    if (!open_stores(&salvaged)) return false;
    const cluster::Member& member = view_->members[view_->self];
    server::StoreClaim claim;
    claim.directory = "simulated";
    claim.node_name = member.name;
    claim.cluster_name = view_->cluster_name;
    claim.node_id = member.id;
    claim.cluster_id = view_->cluster_id;
    claim.partitions = view_->ring.partitions();
    for (const cluster::Member& each : world_.founding.members) {
      claim.member_names.push_back(each.name);
    }
    const auto is_there = [](const cluster::Member& one) { return !one.has_departed(); };
    claim.alone = std::count_if(view_->members.begin(), view_->members.end(), is_there) == 1;
    claim.configuration = cluster::configuration_of(cluster::found_view(world_.founding, {}));
    auto begun = server::begin_session(*object_line_.store, claim, fresh);
    if (!begun.ok()) return false;
    session = std::move(begun).value();
    if (salvaged) session.was_clean = false;
  }
  incarnation_ = session.incarnation;
  clock_ = std::make_unique<cluster::HybridClock>(session.clock_least);
  marks_ = std::make_unique<cluster::FlushMarks>();
  KVORUM_CHECK(session.flush_marks.empty() || marks_->merge_encoded(session.flush_marks));
  marks_->set_stored(marks_->generation());
  marks_requested_ = marks_->generation();
  const int partition_bits = view_->ring.partition_bits();
  const bool whole = session.was_clean || options_.anti_entropy_ms == 0;
  whole_ = std::make_unique<cluster::WholeReplicas>(partition_bits, whole);
  exchanges_ = std::make_unique<cluster::CleanExchanges>(view_->ring.partitions());
  last_roots_ = session.was_clean ? session.roots : std::string();
  return true;
}

void SimNode::open_tables() {
  engine::TableOptions options;
  options.hash_seed = rng_.next();
  options.partition_bits = view_->ring.partition_bits();
  options.memory_bytes_max = world_.swarm.memory_bytes;
  if (world_.swarm.evicts) options.evicting_keyspaces = 1u << kLwwDb;
  constexpr engine::EvictionPolicy kPolicies[] = {engine::EvictionPolicy::kAllLru,
                                                  engine::EvictionPolicy::kAllLfu,
                                                  engine::EvictionPolicy::kAllRandom};
  options.eviction = kPolicies[world_.swarm.seed % std::size(kPolicies)];
  codec_ = std::make_unique<cluster::StoredRecordCodec>(authors_.get(), view_->cluster_id);
  options.codec = codec_.get();
  options.store = object_line_.store.get();
  options.journal = object_line_.journal;
  options.keeps_trees = true;
  table_ = std::make_unique<engine::ObjectTable>(options);
  engine::TableOptions hint_options = cluster::Hints::table_options(rng_.next());
  hint_options.codec = codec_.get();
  hint_options.store = hint_line_.store.get();
  hint_options.journal = hint_line_.journal;
  hint_table_ = std::make_unique<engine::ObjectTable>(hint_options);
  for (CommitLine* line : {&object_line_, &hint_line_}) {
    if (line->journal) line->checkpoint = std::make_unique<engine::Checkpoint>(line->table());
  }
  hints_ = std::make_unique<cluster::Hints>(
      hint_table_.get(), authors_.get(),
      cluster::HintOptions{view_->partitioner, world_.swarm.hint_bytes_max});
}

void SimNode::start_reactors() {
  parts_ = {table_.get(), hints_.get(),      authors_.get(),
            clock_.get(), marks_.get(),      server::all_edits(),
            incarnation_, view_->cluster_id, &renewed_incarnation_};
  parts_.whole = whole_.get();
  parts_.exchanges = exchanges_.get();
  claims_ = std::make_unique<cluster::Claims>();
  parts_.claims = claims_.get();
  renewed_incarnation_ = incarnation_;
  parts_.history = history_.get();
  history_->set_whole(whole_.get());
  history_->set_keeper(
      [this](uint64_t number, const std::shared_ptr<const cluster::History>& history) {
        std::string encoded;
        history->encode(encoded);
        keep_history(number, encoded);
      });
  history_->set_on_view([this] {
    for (size_t reactor = 0; reactor < world_.swarm.reactors; ++reactor) {
      later(rng_.below(kLookUs), [this, reactor] { look_at_history(reactor); });
    }
  });
  if (view_->members.size() > 1 || world_.swarm.moves()) {
    frontier_ = std::make_unique<cluster::FrontierProtocol>(
        cluster::FrontierParts{table_.get(), hint_table_.get(), clock_.get(), marks_.get(), view_,
                               nullptr, whole_.get()},
        incarnation_);
    parts_.frontier = frontier_.get();
  }
  exchanges_->set_observer(frontier_.get());
  losses_ = std::make_unique<cluster::LostCopies>(whole_.get(), frontier_.get(), [this] {
    const uint64_t over = renewed_incarnation_;
    renew_incarnation();
    return over;
  });
  parts_.losses = losses_.get();
  scripts_ = std::make_unique<server::ScriptLibrary>();
  parts_.texts = scripts_.get();
  if (world_.swarm.is_replicated()) table_->store_health().set_loss_listener(losses_.get());
  for (size_t reactor = 0; reactor < world_.swarm.reactors; ++reactor) {
    cluster::CoordinatorOptions options = options_;
    options.has_control = reactor == 0;
    options.reactor = {static_cast<uint32_t>(reactor),
                       static_cast<uint32_t>(world_.swarm.reactors)};
    reactors_.push_back(std::make_unique<ReactorState>(parts_, view_, options, rng_.next()));
    reactors_.back()->linked.assign(world_.swarm.nodes.size(), false);
    reactors_.back()->members_met = view_->members.size();
    server::DispatcherOptions dispatching;
    dispatching.token_keys = {kTokenKey};
    dispatching.pipeline_bytes_max = world_.swarm.pipeline_bytes_max;
    dispatching.first_client_id = reactor + 1;
    dispatching.client_id_step = world_.swarm.reactors;
    dispatching.scripts = scripts_.get();
    reactors_.back()->dispatcher = std::make_unique<server::Dispatcher>(
        reactors_.back()->coordinator, parts_, *this, dispatching);
  }
}

bool SimNode::start() {
  KVORUM_CHECK(!alive());
  ++session_;
  steady_offset_us_ = rng_.below(kSteadyOffsetMaxUs);
  authors_ = std::make_unique<cluster::AuthorTable>();
  if (!find_history() || !begin_session()) return false;
  open_tables();
  if (object_line_.store) {
    if (!table_->store_reader().warm().ok() || !hint_table_->store_reader().warm().ok()) {
      return false;
    }
    hints_->recover();
    judge_kept_trees();
    if (!last_roots_.empty()) cluster::mark_differing_roots(*table_, last_roots_, *whole_);
    clock_->mint_above(highest_own(*authors_, id_));
    facts_ =
        std::make_unique<server::SessionFacts>(object_line_.store.get(), clock_.get(), marks_.get(),
                                               world_.swarm.sync == SyncPolicy::kAlways);
    if (!facts_->keep_clock(now().wall_ms).ok()) return false;
    for (CommitLine* line : {&object_line_, &hint_line_}) {
      const auto schedule = [](void* dirty) {
        CommitLine& its = *static_cast<CommitLine*>(dirty);
        its.node->schedule_commit(its);
      };
      line->table().commits().set_dirty_callback(schedule, line);
    }
  }
  loads_open_ = 0;
  salvaging_ = false;
  highest_reading_ = {};
  start_reactors();
  world_.trace.note(world_.queue.now_us(), {"start", index_, incarnation_});
  world_.network.join(index_, this);
  for (size_t reactor = 0; reactor < reactors_.size(); ++reactor) on_timer(reactor);
  course_ = Course::kRuns;
  // Where nothing fails nobody is asked before it has its links; else some are.
  if (world_.swarm.peaceful || (world_.swarm.calm && world_.swarm.moves())) begin_joining();
  return true;
}

void SimNode::die(Death how) {
  KVORUM_CHECK(alive());
  if (how == Death::kClean && object_line_.store && !table_->store_health().failed() &&
      !hint_table_->store_health().failed() && table_->commits().commit(true).ok() &&
      keep_trees(true) && hint_table_->commits().commit(true).ok()) {
    finish_checkpoints();
    std::string roots;
    cluster::encode_roots(*table_, whole_.get(), roots);
    const Hlc reading = clock_->reading(now().wall_ms);
    const bool ended = facts_->keep_marks().ok() &&
                       server::end_session(*object_line_.store, incarnation_, reading, roots).ok();
    if (!ended || !close_journals()) how = Death::kKill;
  }
  if (how != Death::kClean) tear_batch();
  world_.trace.note(world_.queue.now_us(), {"death", index_, static_cast<uint64_t>(how)});
  ++session_;
  paused_until_us_ = 0;
  for (auto& [id, connection] : connections_) {
    world_.queue.after(kResetUs, [end = connection->end] {
      if (const std::shared_ptr<ClientEnd> there = end.lock()) there->on_closed();
    });
  }
  connections_.clear();
  reactors_.clear();
  history_.reset();
  losses_.reset();
  frontier_.reset();
  facts_.reset();
  hints_.reset();
  for (CommitLine* line : {&object_line_, &hint_line_}) line->checkpoint.reset();
  table_.reset();
  hint_table_.reset();
  for (CommitLine* line : {&object_line_, &hint_line_}) {
    if (line->journal) (line->hinted ? hint_disk_ : disk_).lose_memory();
    *line = {this, line->hinted};
  }
  for (SimDisk* disk : {&disk_, &hint_disk_}) {
    if (how == Death::kPower) disk->lose_power();
    if (how == Death::kWipe) disk->wipe();
  }
  if (how == Death::kWipe) history_on_disk_.clear();
  if (how == Death::kRestore) history_on_disk_ = history_copy_;
  if (how == Death::kRestore) {
    disk_.restore(copy_);
    hint_disk_.restore(hint_copy_);
  }
  world_.network.leave(index_, how == Death::kPower);
}

// Whatever the disk lost of its tail, what it has agrees with the trees that it has.
void SimNode::judge_kept_trees() {
  for (const engine::TreePlace& place : table_->trees().differing()) {
    whole_->set(place.keyspace, place.partition, false);
    if (disk_.was_damaged()) continue;
    world_.violations.push_back(
        fmt::format("the tree of db {} partition {} that node {} kept differs from its objects",
                    place.keyspace, place.partition, index_));
  }
}

// A bounded part of a pass now and then, so that nodes die within one.
bool SimNode::keep_trees(bool all) {
  for (bool done = false; !done;) {
    const Result<bool> kept = table_->trees().keep(kTreeBytesPerTurn);
    if (!kept.ok()) return false;
    done = kept.value() || !all;
  }
  return true;
}

void SimNode::copy_disks() {
  copy_ = disk_.copy();
  hint_copy_ = hint_disk_.copy();
  history_copy_ = history_on_disk_;
}

void SimNode::schedule_commit(CommitLine& line) {
  if (line.commit_scheduled) return;
  line.commit_scheduled = true;
  later(rng_.below(world_.swarm.disk.commit_delay_us + 1), [this, &line] { commit(line); });
}

// As engine/commit/committer.cc does it, with the simulator's delays.
void SimNode::commit(CommitLine& line) {
  line.commit_scheduled = false;
  if (line.table().store_health().failed()) return;  // recover() asks again
  const bool synced = world_.swarm.sync == SyncPolicy::kAlways;
  bool ok = line.table().commits().commit(synced).ok();
  if (ok && !line.hinted && ++commits_ % kCommitsPerTreeTurn == 0) ok = keep_trees(false);
  if (ok && engine::syncs_by_interval(world_.swarm.sync) && !line.sync_scheduled) {
    line.sync_scheduled = true;
    later(kSyncIntervalUs, [this, &line] { sync(line); });
  }
  if (ok && world_.swarm.sync == SyncPolicy::kNever) {
    line.table().commits().note_synced(line.table().commits().committed());
  }
  if (ok && !line.hinted) {
    (void)facts_->keep_clock(now().wall_ms);
    (void)facts_->keep_marks();
  }
  if (!ok) renew_incarnation();
  look_at_journal(line);
  tell_round(line, ok);
  if (!ok) reopen_later(line);
}

// What a failed store forgets may have been counted under the incarnation (server/node/node.h).
void SimNode::renew_incarnation() { renewed_incarnation_ = rng_.next() | 1; }

void SimNode::sync(CommitLine& line) {
  line.sync_scheduled = false;
  if (line.table().store_health().failed()) return;
  const engine::Ticket committed = line.table().commits().committed();
  if (line.store->sync().ok()) return line.table().commits().note_synced(committed);
  line.table().store_health().fail();
  renew_incarnation();
  tell_round(line, false);
  reopen_later(line);
}

void SimNode::tell_round(CommitLine& line, bool ok) {
  const engine::Ticket ticket = line.table().commits().committed();
  for (size_t reactor = 0; reactor < reactors_.size(); ++reactor) {
    later(rng_.below(world_.swarm.disk.commit_delay_us + 1), [this, &line, reactor, ticket, ok] {
      cluster::Coordinator& coordinator = reactors_[reactor]->coordinator;
      if (line.hinted) {
        coordinator.on_hints_committed(ticket, ok, now());
      } else {
        coordinator.on_committed(ticket, ok, now());
      }
      after_input(reactor);
    });
  }
}

void SimNode::reopen_later(CommitLine& line) {
  later(kReopenUs, [this, &line] {
    if (!line.store->reopen().ok()) return reopen_later(line);
    settle_doubt(line);
    line.table().store_health().recover();
  });
}

// As engine/commit/committer.cc does it.
void SimNode::salvage_if_damaged() {
  if (!table_->store_health().damaged() || salvaging_) return;
  salvaging_ = true;
  table_->store_health().fail();
  renew_incarnation();
  tell_round(object_line_, false);
  later(kReopenUs, [this] { salvage(); });
}

void SimNode::salvage() {
  if (disk_.broken()) return later(kReopenUs, [this] { salvage(); });
  table_->store_health().lose_all();
  const auto done = object_line_.store->salvage({});
  if (!done.ok()) return later(kReopenUs, [this] { salvage(); });
  settle_doubt(object_line_);
  salvaging_ = false;
  world_.trace.note(world_.queue.now_us(), {"salvage", index_});
  table_->store_health().recover();
}

void SimNode::scrub_disk() {
  if (!alive() || !object_line_.store || !disk_.damaged()) return;
  KVORUM_CHECK(!disk_.broken());
  table_->store_health().fail();
  salvage();
}

}  // namespace kvorum::sim
