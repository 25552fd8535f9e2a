// SPDX-License-Identifier: Apache-2.0
// Sessions of a node: start, death, commit rounds, and what checkers look at.
#include <fmt/format.h>

#include "cluster/object_codec.h"
#include "tests/sim/planted.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_node_parts.h"

namespace kvorum::sim {

using engine::SyncPolicy;

namespace {

constexpr int kHintPartitionBits = 3;
constexpr uint64_t kEpochMs = 1'700'000'000'000;
constexpr uint64_t kSyncIntervalUs = 1'000'000;
constexpr uint64_t kReopenUs = 200'000;
constexpr uint64_t kResetUs = 1000;
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
      options_(world.swarm.options),
      view_(std::make_shared<const cluster::ClusterView>(
          cluster::found_view(world.founding, world.founding.members[index].name))),
      skew_ms_(world.swarm.nodes[index].skew_ms) {
  disk_.set_error_chance(world.swarm.disk.error);
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
  const bool planted_keep = planted_bug() == cluster::PlantedBug::kKeepIncarnation ||
                            planted_bug() == cluster::PlantedBug::kReuseCounter;
  if (planted_keep && incarnation_ != 0) fresh = incarnation_;
  server::SessionStart session;
  session.incarnation = fresh;
  if (world_.swarm.durable) {
    store_ = std::make_unique<SimStore>(&disk_);
    const cluster::Member& member = view_->members[view_->self];
    const server::StoreClaim claim{"simulated", member.name,       view_->cluster_name,
                                   member.id,   view_->cluster_id, view_->members.size()};
    auto begun = server::begin_session(*store_, claim, fresh);
    if (!begun.ok()) return false;
    session = std::move(begun).value();
  }
  incarnation_ = session.incarnation;
  clock_ = std::make_unique<cluster::HybridClock>(session.clock_least);
  marks_ = std::make_unique<cluster::FlushMarks>();
  KVORUM_CHECK(session.flush_marks.empty() || marks_->merge_encoded(session.flush_marks));
  marks_->set_stored(marks_->generation());
  marks_requested_ = marks_->generation();
  return true;
}

void SimNode::open_tables() {
  engine::TableOptions options;
  options.partition_bits = kHintPartitionBits;
  options.hash_seed = rng_.next();
  hints_ = std::make_unique<engine::ObjectTable>(options);
  options.partition_bits = view_->ring.partition_bits();
  options.memory_bytes_max = world_.swarm.memory_bytes;
  codec_ = std::make_unique<cluster::StoredRecordCodec>(authors_.get(), view_->cluster_id);
  options.codec = codec_.get();
  options.store = store_.get();
  table_ = std::make_unique<engine::ObjectTable>(options);
}

void SimNode::start_reactors() {
  parts_ = {table_.get(), hints_.get(),      authors_.get(),
            clock_.get(), marks_.get(),      server::all_edits(),
            incarnation_, view_->cluster_id, &renewed_incarnation_};
  renewed_incarnation_ = incarnation_;
  for (size_t reactor = 0; reactor < world_.swarm.reactors; ++reactor) {
    cluster::CoordinatorOptions options = options_;
    options.replays_hints = reactor == 0;
    reactors_.push_back(std::make_unique<ReactorState>(parts_, view_, options, rng_.next()));
    server::DispatcherOptions dispatching;
    dispatching.token_key = kTokenKey;
    dispatching.pipeline_bytes_max = world_.swarm.pipeline_bytes_max;
    dispatching.first_client_id = reactor + 1;
    dispatching.client_id_step = world_.swarm.reactors;
    reactors_.back()->dispatcher = std::make_unique<server::Dispatcher>(
        reactors_.back()->coordinator, parts_, *this, dispatching);
  }
}

bool SimNode::start() {
  KVORUM_CHECK(!alive());
  ++session_;
  steady_offset_us_ = rng_.below(kSteadyOffsetMaxUs);
  authors_ = std::make_unique<cluster::AuthorTable>();
  if (!begin_session()) return false;
  open_tables();
  if (store_) {
    if (!table_->warm().ok()) return false;
    clock_->raise(highest_own(*authors_, view_->members[index_].id));
    facts_ = std::make_unique<server::SessionFacts>(store_.get(), clock_.get(), marks_.get(),
                                                    world_.swarm.sync == SyncPolicy::kAlways);
    if (!facts_->keep_clock(now().wall_ms).ok()) return false;
    table_->set_dirty_callback([](void* self) { static_cast<SimNode*>(self)->schedule_commit(); },
                               this);
  }
  commit_scheduled_ = sync_scheduled_ = false;
  loads_open_ = 0;
  highest_reading_ = {};
  start_reactors();
  world_.trace.note(world_.queue.now_us(), {"start", index_, incarnation_});
  world_.network.join(index_, this);
  for (size_t reactor = 0; reactor < reactors_.size(); ++reactor) on_timer(reactor);
  return true;
}

void SimNode::die(Death how) {
  KVORUM_CHECK(alive());
  if (how == Death::kClean && store_ && !table_->failed() && table_->commit(true).ok()) {
    const bool ended =
        facts_->keep_marks().ok() &&
        server::end_session(*store_, incarnation_, clock_->reading(now().wall_ms)).ok();
    if (!ended) how = Death::kKill;
  }
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
  facts_.reset();
  table_.reset();
  hints_.reset();
  store_.reset();
  if (how == Death::kPower) disk_.lose_power();
  if (how == Death::kWipe) disk_.wipe();
  world_.network.leave(index_, how == Death::kPower);
}

void SimNode::schedule_commit() {
  if (commit_scheduled_) return;
  commit_scheduled_ = true;
  later(rng_.below(world_.swarm.disk.commit_delay_us + 1), [this] { commit(); });
}

// As engine/committer.cc does it, with the simulator's delays.
void SimNode::commit() {
  commit_scheduled_ = false;
  if (table_->failed()) return;  // recover() asks again
  const bool synced = world_.swarm.sync == SyncPolicy::kAlways;
  const bool ok = table_->commit(synced).ok();
  if (ok && world_.swarm.sync == SyncPolicy::kInterval && !sync_scheduled_) {
    sync_scheduled_ = true;
    later(kSyncIntervalUs, [this] { sync(); });
  }
  if (ok) {
    (void)facts_->keep_clock(now().wall_ms);
    (void)facts_->keep_marks();
  }
  if (!ok) renew_incarnation();
  tell_round(ok);
  if (!ok) reopen_later();
}

// What a failed store forgets may have been counted under the incarnation, as in server/node.h.
void SimNode::renew_incarnation() { renewed_incarnation_ = rng_.next() | 1; }

void SimNode::sync() {
  sync_scheduled_ = false;
  if (table_->failed() || store_->sync().ok()) return;
  table_->fail();
  renew_incarnation();
  tell_round(false);
  reopen_later();
}

void SimNode::tell_round(bool ok) {
  const engine::Ticket ticket = table_->committed();
  for (size_t reactor = 0; reactor < reactors_.size(); ++reactor) {
    later(rng_.below(world_.swarm.disk.commit_delay_us + 1), [this, reactor, ticket, ok] {
      reactors_[reactor]->coordinator.on_committed(ticket, ok, now());
      after_input(reactor);
    });
  }
}

void SimNode::reopen_later() {
  later(kReopenUs, [this] {
    if (!store_->reopen().ok()) return reopen_later();
    table_->recover();
  });
}

server::NodeStatus SimNode::status() {
  server::NodeStatus status;
  status.name = view_->members[index_].name;
  status.id = view_->members[index_].id;
  status.hints_pending = hints_pending();
  status.counters = counters();
  for (size_t i = 0; i < view_->members.size(); ++i) {
    server::MemberStatus& row = status.members.emplace_back();
    row.name = view_->members[i].name;
    row.id = view_->members[i].id;
    row.self = i == index_;
    row.state = row.self
                    ? cluster::PeerState::kUp
                    : reactors_[0]->coordinator.peer_state(static_cast<cluster::MemberIndex>(i));
  }
  return status;
}

uint64_t SimNode::hints_pending() const {
  return cluster::Hints(hints_.get(), authors_.get(), view_->partitioner).pending();
}

std::string SimNode::describe_hints() const {
  constexpr const char* kStates[] = {"up", "suspected", "down"};
  std::string text;
  const auto show = [&](const cluster::HintKey& hint, const cluster::Object&) {
    const cluster::MemberIndex target = view_->find_id(hint.target);
    const auto state = reactors_[0]->coordinator.peer_state(target);
    text +=
        fmt::format("{} for {} ({}): {}; ", view_->members[index_].name,
                    view_->members[target].name, kStates[static_cast<size_t>(state)], hint.key.key);
  };
  uint32_t partition = 0;
  Position from;
  const cluster::Hints hints(hints_.get(), authors_.get(), view_->partitioner);
  while (partition < hints.partitions()) hints.walk(&partition, &from, 1, show);
  return text;
}

std::string SimNode::describe_backlog() const {
  cluster::Backlog sum;
  size_t calls = 0;
  for (const auto& reactor : reactors_) {
    const cluster::Backlog one = reactor->coordinator.backlog();
    sum.operations += one.operations;
    sum.keyspace_operations += one.keyspace_operations;
    sum.awaited_commits += one.awaited_commits;
    sum.timers += one.timers;
    calls += reactor->dispatcher->open_calls();
  }
  const bool dirty = store_ && table_->has_dirty();
  if (sum.total() + calls + loads_open_ == 0 && !dirty) return {};
  return fmt::format(
      "{}: {} operations, {} of keyspaces, {} awaited commits, {} timers, {} calls, {} loads{}; ",
      view_->members[index_].name, sum.operations, sum.keyspace_operations, sum.awaited_commits,
      sum.timers, calls, loads_open_, dirty ? ", not all committed" : "");
}

cluster::CoordinatorCounters SimNode::counters() const {
  cluster::CoordinatorCounters sum;
  for (const auto& reactor : reactors_) {
    const cluster::CoordinatorCounters& one = reactor->coordinator.counters();
    sum.operations_in_flight += one.operations_in_flight;
    sum.hints_stored += one.hints_stored;
    sum.hints_replayed += one.hints_replayed;
    sum.read_repairs += one.read_repairs;
    sum.second_writes += one.second_writes;
    sum.malformed_frames += one.malformed_frames;
    sum.clock_truncations += one.clock_truncations;
  }
  return sum;
}

const cluster::Object& SimNode::own_object(uint8_t db, const std::string& key) {
  const KeyRef ref{key, position_of(key, view_->partitioner), db};
  if (store_) KVORUM_CHECK(table_->load(ref).ok());
  inspected_bytes_.clear();
  const engine::Access access = table_->read(ref, [&](std::string_view bytes) {
    cluster::Record record;
    cluster::decode_record(bytes, *authors_, record);
    marks_->apply(db, record.object);
    cluster::encode_object(record.object, inspected_bytes_);
  });
  KVORUM_CHECK(access == engine::Access::kDone);
  KVORUM_CHECK(cluster::decode_object(inspected_bytes_, inspected_));
  return inspected_;
}

uint64_t SimNode::leaf(uint8_t db, const std::string& key) {
  const KeyRef ref{key, position_of(key, view_->partitioner), db};
  return cluster::leaf_digest(ref, own_object(db, key), parts_.digest_seed);
}

}  // namespace kvorum::sim
