// SPDX-License-Identifier: Apache-2.0
// What a node keeps on its disk, and the tables over it: the data directory with its lock, objects,
// hints, files of large values, the node's own facts; their commits; what is read at the start, and
// what is written at the end. What can be read of a damaged store is always saved. Where other
// nodes hold copies of everything, the node goes on with that and gets the rest from them; a node
// that holds the only copies keeps the damaged files aside and never begins empty by itself.
//
//   open() -> read() -> start_commits() ... close()
//
// Those four by the thread that starts and stops the node. The engine memory has no directory: then
// only the tables are there.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/own/node_parts.h"
#include "cluster/ring/cluster_view.h"
#include "engine/commit/committer.h"
#include "engine/journal/journaled_store.h"
#include "engine/store/large_files.h"
#include "server/config/config.h"
#include "server/process/directory_lock.h"
#include "server/storage/compaction_pace.h"
#include "server/storage/hint_store.h"
#include "server/storage/membership_file.h"
#include "server/storage/membership_keeper.h"
#include "server/storage/node_identity.h"

namespace kvorum::server {

class NodeStores {
 public:
  // Called on the commit threads after each round.
  struct Rounds {
    std::function<void(engine::Ticket ticket, bool ok)> on_objects, on_hints;
  };

  // Who uses the directory. All outlives it.
  struct Owner {
    const Config& config;
    const cluster::ClusterView& view;  // the first
    const cluster::Founding& founding;
    cluster::NodeId id;
    bool alone = false;             // no other member holds anything
    bool founding_is_firm = false;  // founded_placement.h
  };
  explicit NodeStores(const Owner& owner);
  ~NodeStores();
  NodeStores(const NodeStores&) = delete;

  // The databases, claimed for this node. The error is one sentence for who started it.
  Status open();
  // All objects and hints. REQUIRES: open() was fine.
  Status read();
  // REQUIRES: read() was fine.
  void start_commits(Rounds rounds);
  // Commits what is dirty and marks the stop as clean, but for copies that are not `whole`: the
  // next start finds them so. False where something could not be saved.
  bool close(const cluster::WholeReplicas* whole = nullptr);

  // Every key has a copy at another node.
  bool is_replicated() const;

  // After read(). What of NodeParts stands here.
  cluster::NodeParts parts();
  engine::ObjectTable& objects() { return *objects_; }
  // What is lost between the objects is taken from a cache that evicts. Any thread.
  void measure_memory();
  const engine::ObjectTable& objects() const { return *objects_; }
  HintStore& hints() { return hints_; }
  const HintStore& hints() const { return hints_; }
  cluster::HybridClock& clock() { return clock_; }
  const cluster::HybridClock& clock() const { return clock_; }
  cluster::FlushMarks& marks() { return marks_; }
  CompactionPace& pace() { return pace_; }
  // How the session before ended, as read at the start.
  const SessionStart& session() const { return session_; }
  bool is_durable() const { return store_ != nullptr; }
  // Null where nothing is committed.
  engine::Committer* committer() { return committer_.get(); }

  // Any thread, from here on.
  // Of this session, until its store fails: what a failed store forgets may have been counted under
  // it, so it is not used again.
  uint64_t incarnation() const { return incarnation_; }
  // Returns the one that is over.
  uint64_t renew_incarnation();
  // Stores the flush marks, then calls `stored`: at once where nothing outlives the process, else
  // on a store thread.
  void store_marks(std::function<void()> stored);
  // Work that waits for the disk. REQUIRES: the node is durable, its commits were started.
  void run_on_store_thread(std::function<void()> work) {
    committer_->run_on_store_thread(std::move(work));
  }
  // membership_file.h; waits for the disk.
  Status write_membership(std::string_view history);
  // membership_keeper.h; one thread at a time.
  Status keep_membership(std::shared_ptr<const cluster::History> history);
  Status fold_membership(const cluster::History& history);
  // Of a founder that knows no change: with which placement it begins. REQUIRES: open() was fine.
  Status write_founding(bool is_firm);
  // What the copies follow, for the next start; the last ones win.
  void keep_configurations(const std::vector<cluster::Configuration>& configurations);
  std::string last_error() const;
  engine::StoreFaults faults() const;
  // Null with the engine memory. That of the hints is theirs.
  const engine::JournaledStore* journal() const { return store_.get(); }
  uint64_t commit_rounds() const { return committer_ ? committer_->rounds() : 0; }
  uint64_t commit_failures() const { return committer_ ? committer_->failures() : 0; }

 private:
  Status keep_founding();
  Status open_objects();
  Status open_journal(std::unique_ptr<engine::Store> below);
  Status open_large_files();
  Status claim();
  Status salvage(const Status& damage);
  Status read_once();
  Status read_objects();
  engine::TableOptions table_options();
  void forget();
  bool keeps_damaged_store() const;
  void note_salvage_at_start(const std::string& report);
  void tell_of_salvage(const std::string& report) const;
  void on_objects_round(const Status& status);
  void note_trouble(const Status& status);
  uint64_t wall_ms() const;

  const Config& config_;
  const cluster::ClusterView& view_;
  const cluster::Founding& founding_;
  const cluster::NodeId node_id_;
  MembershipKeeper membership_;
  const bool alone_, founding_is_firm_;

  CompactionPace pace_;
  std::optional<DirectoryLock> directory_lock_;
  std::unique_ptr<engine::JournaledStore> store_;    // null: the engine memory
  std::unique_ptr<engine::LargeFiles> large_files_;  // of the store's objects
  SessionStart session_;
  engine::StoreFaults faults_at_start_;
  bool salvaged_ = false;                 // at this start
  std::atomic<uint64_t> incarnation_{0};  // 0 before read()

  cluster::AuthorTable authors_;
  cluster::HybridClock clock_;
  cluster::FlushMarks marks_;
  std::unique_ptr<cluster::StoredRecordCodec> codec_;
  std::unique_ptr<engine::ObjectTable> objects_;
  HintStore hints_{config_, pace_};
  std::unique_ptr<SessionFacts> facts_;  // null before read(), and with the engine memory

  Mutex configurations_lock_;
  // As kept last.
  std::vector<cluster::Configuration> configurations_ KVORUM_GUARDED_BY(configurations_lock_);

  mutable Mutex trouble_lock_;
  std::string last_error_ KVORUM_GUARDED_BY(trouble_lock_);

  std::unique_ptr<engine::Committer> committer_;
};

}  // namespace kvorum::server
