// SPDX-License-Identifier: Apache-2.0
// Opening a node's store, damaged or not. What can be read of a damaged one is always saved. Where
// other nodes hold copies of everything, the node goes on with that and gets the rest from them; a
// node that holds the only copies keeps the damaged files aside and never begins empty by itself.
#include <fmt/format.h>

#include <filesystem>

#include "engine/store/leveldb_store.h"
#include "server/node/node_impl.h"
#include "server/process/logging.h"

namespace kvorum::server {

bool Node::Impl::is_replicated() const {
  if (!view->is_member() || view->members.size() == 1) return false;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    if (view->quorum(keyspace).n < 2) return false;
  }
  return true;
}

void Node::Impl::tell_of_salvage(const std::string& report) {
  if (report.empty()) return;
  log_error("{}; {}", report,
            is_replicated()
                ? "what is missing comes back from the other nodes, and no answer of this copy "
                  "counts before"
                : "what could not be read is LOST unless another copy of it is kept somewhere: no "
                  "other node is sure to have it");
}

uint64_t Node::Impl::compaction_wait_ms(size_t bytes) {
  const std::lock_guard guard(budget_lock);
  if (compaction_budget == nullptr) return 0;
  const Now now = TurnClock(0).read();
  return (compaction_budget->wait_us(cluster::BackgroundWork::kScrub, bytes, now) + 999) / 1000;
}

void Node::Impl::set_compaction_budget(cluster::BackgroundBudget* budget) {
  const std::lock_guard guard(budget_lock);
  compaction_budget = budget;
}

Status Node::Impl::open_store() {
  session.incarnation = random_number();
  const std::string& directory = config.node.data_directory;
  if (config.engine.type != EngineType::kLevelDb) {
    // They would be hidden now, and pass for whole later although they missed what came meanwhile.
    std::error_code error;
    if (!std::filesystem::exists(directory + "/objects", error)) return {};
    return Status(Code::kExists,
                  fmt::format("data directory {} holds the objects of engine leveldb, which engine "
                              "memory would neither show nor keep up to date: give the node "
                              "another directory (node.data), or move that one away",
                              directory));
  }
  auto lock = DirectoryLock::take(directory);
  if (!lock.ok()) return lock.status();
  if (Status status = lock.value().describe("node " + config.node.name); !status.ok())
    return status;
  directory_lock.emplace(std::move(lock).value());
  engine::LevelDbOptions options;
  options.directory = directory + "/objects";
  options.replicated = is_replicated();
  options.keeps_damaged = !options.replicated;
  options.salvage_erases = clean_stop_key();
  options.compaction.wait_ms = [this](size_t bytes) { return compaction_wait_ms(bytes); };
  std::string salvaged;
  auto opened = engine::LevelDbStore::open_or_salvage(options, &salvaged);
  if (!opened.ok()) {
    return Status(opened.status().code(), fmt::format("cannot open the store in {}: {}", directory,
                                                      opened.status().message()));
  }
  store = std::make_unique<SerialStore>(std::move(opened).value());
  if (!salvaged.empty()) note_salvage_at_start(salvaged);
  Status status = claim_store();
  if (status.code() == Code::kCorruption) {
    status = salvage_store(status);
    if (status.ok()) status = claim_store();
  }
  if (status.ok()) status = open_large_files();
  return status.ok() ? open_hint_store() : status;
}

Status Node::Impl::open_large_files() {
  auto opened = engine::LargeFiles::open(
      {config.node.data_directory + "/large", config.engine.sync != engine::SyncPolicy::kNever});
  if (!opened.ok()) {
    return Status(opened.status().code(), fmt::format("cannot open the files of large values: {}",
                                                      opened.status().message()));
  }
  large_files = std::move(opened).value();
  return {};
}

// What a salvage put aside, for a person to look at, may name files that no object has any more.
bool Node::Impl::keeps_damaged_store() const {
  std::error_code error;
  return std::filesystem::exists(config.node.data_directory + "/objects.damaged-1", error);
}

// After a salvage the facts may be those of long ago: they make no stop a clean one.
Status Node::Impl::claim_store() {
  StoreClaim claim;
  claim.directory = config.node.data_directory;
  claim.node_name = config.node.name;
  claim.cluster_name = view->cluster_name;
  claim.node_id = identity.node_id;
  claim.cluster_id = view->cluster_id;
  claim.partitions = view->ring.partitions();
  claim.partitioner = view->partitioner;
  for (const cluster::Member& member : view->members) claim.member_names.push_back(member.name);
  claim.configuration = cluster::configuration_of(*view);
  claim.addressed_cluster_id = cluster::addressed_cluster_id(founding_of(config));
  const uint64_t fresh = random_number();
  auto begun = begin_session(*store, claim, fresh);
  if (!begun.ok()) return begun.status();
  session = std::move(begun).value();
  if (!session.taken_over.empty()) log_warning("{}", session.taken_over);
  const auto& kept = session.configurations;
  if (kept.size() >= cluster::FormerPlacements::kPlacementsMax &&
      !(kept.back() == claim.configuration)) {
    return Status(Code::kExists,
                  fmt::format("data directory {}: the configuration changed {} times before the "
                              "copies had followed; start with the last one and wait until "
                              "`kvorum status` says settled",
                              claim.directory, kept.size()));
  }
  if (!store_salvaged) return {};
  session.was_clean = false;
  session.incarnation = fresh;
  return {};
}

void Node::Impl::listen_for_losses() {
  losses = std::make_unique<cluster::LostCopies>(
      whole.get(), frontier.get(), [this] { return incarnation.exchange(random_number()); });
  parts.node.losses = losses.get();
  table->store_health().set_loss_listener(losses.get());
}

void Node::Impl::note_salvage_at_start(const std::string& report) {
  store_salvaged = true;
  ++faults_at_start.damage_met;
  ++faults_at_start.salvages;
  tell_of_salvage(report);
}

Status Node::Impl::salvage_store(const Status& damage) {
  const Result<std::string> done = store->salvage(damage);
  if (!done.ok()) {
    return Status(done.status().code(),
                  fmt::format("cannot save what is in the damaged store in {}: {}",
                              config.node.data_directory, done.status().message()));
  }
  note_salvage_at_start(done.value());
  return {};
}

// Reading every object meets all damage that opening did not.
Status Node::Impl::open_tables() {
  Status status = read_tables();
  const bool damaged = status.code() == Code::kCorruption || status.code() == Code::kIoError;
  if (!store || !damaged || store_salvaged) return status;
  facts.reset();
  hints.reset();
  hint_table.reset();
  table.reset();
  status = salvage_store(status);
  if (status.ok()) status = claim_store();
  return status.ok() ? read_tables() : status;
}

}  // namespace kvorum::server
