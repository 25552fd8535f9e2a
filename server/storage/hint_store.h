// SPDX-License-Identifier: Apache-2.0
// A node's hints: their database beside that of the objects, their table, their commits. Hints that
// cannot be read are saved as far as possible and never keep a node from starting. Owned by
// NodeStores, which calls it in the order of the declarations, from the thread that starts the
// node.
#pragma once

#include <memory>
#include <string>

#include "cluster/copies/hints.h"
#include "engine/commit/committer.h"
#include "engine/journal/journaled_store.h"
#include "engine/table/object_table.h"
#include "server/config/config.h"
#include "server/storage/compaction_pace.h"

namespace kvorum::server {

class HintStore {
 public:
  // Both outlive it.
  HintStore(const Config& config, CompactionPace& pace) : config_(config), pace_(pace) {}

  // The database in the data directory, damaged or not. Without it hints stay in memory alone.
  Status open();
  struct Reading {
    uint64_t hash_seed = 0;
    const cluster::StoredRecordCodec* codec = nullptr;
    cluster::AuthorTable* authors = nullptr;
    Partitioner partitioner{};
  };
  // Reads all of them; damage is met here at the latest. What `reading` names outlives the table.
  Status read(const Reading& reading);
  // What read() made goes.
  void forget();
  // `on_round` is called on the commit thread.
  void start_commits(std::function<void(engine::Ticket, const Status&)> on_round);
  // Commits and syncs what is dirty.
  void end_commits();

  // Any thread, after read().
  cluster::Hints& hints() { return *hints_; }
  const cluster::Hints& hints() const { return *hints_; }
  engine::ObjectTable& table() { return *table_; }
  const engine::ObjectTable& table() const { return *table_; }
  const engine::JournaledStore* journal() const { return store_.get(); }  // null: none
  const engine::StoreFaults& faults_at_start() const { return faults_at_start_; }

 private:
  Status read_once(const Reading& reading);
  void note_salvage(const std::string& report);

  const Config& config_;
  CompactionPace& pace_;
  engine::StoreFaults faults_at_start_;
  std::unique_ptr<engine::JournaledStore> store_;  // null: the engine memory
  std::unique_ptr<engine::ObjectTable> table_;
  std::unique_ptr<cluster::Hints> hints_;
  std::unique_ptr<engine::Committer> committer_;
};

}  // namespace kvorum::server
