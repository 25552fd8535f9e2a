// SPDX-License-Identifier: Apache-2.0
// A cluster in one process without sockets: coordinators over memory tables, wired by their
// outboxes. Links can be cut; time moves only when a test says so. Driven by the coordinator and
// paper tests.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/coordinator/coordinator.h"
#include "cluster/copies/hints.h"
#include "cluster/copies/lost_copies.h"
#include "cluster/frontier/frontier_protocol.h"
#include "cluster/ring/founding.h"
#include "cluster/version/context.h"
#include "cluster/version/object_codec.h"

namespace kvorum::cluster {

// What a test keeps of a completion.
struct Answer {
  Outcome outcome = Outcome::kOk;
  std::vector<std::string> values;  // visible, newest first
  Context context;
  int64_t number = 0;
  bool stored = false;
  std::string text;
  ServiceRecord service;
  NodeId fastest = 0;
  size_t replicas = 0;
};

namespace test_edits {
inline constexpr EditCode kSet = 0;     // blind
inline constexpr EditCode kDelete = 1;  // needs the old value; number = 1 where there was one
inline constexpr EditCode kIncrement = 2;
EditTable table();
Request request(EditCode edit, std::string_view value = {});  // which is borrowed
}  // namespace test_edits

struct TestNode : CompletionSink, KeyspaceSink {
  TestNode(const ClusterView& view, uint64_t incarnation);
  // Forgets everything, as a memory engine does when its process ends.
  void wipe(uint64_t new_incarnation);
  void on_complete(uint64_t tag, const Completion& completion) override;
  void on_keyspace_complete(uint64_t tag, const KeyspaceCompletion& completion) override;

  NodeParts parts();
  void start(std::shared_ptr<const ClusterView> view, const CoordinatorOptions& options);
  // Drops the coordinator and what it had in memory of its hints; those in the store are found
  // again. start() must follow. A null store is memory.
  void open_hints(engine::Store* store, uint64_t bytes_max = 0);
  // The same for its objects, as at the start of a process.
  void open_objects(engine::Store* store, uint64_t bytes_max);
  // Its objects are in memory alone, and those of keyspace 0 may be evicted. start() must follow.
  void open_cache(uint64_t bytes_max);
  // What the commit thread does with a damaged store.
  void salvage();

  AuthorTable authors;
  HybridClock clock;
  FlushMarks marks;
  StoredRecordCodec table_codec{&authors, 0};
  std::unique_ptr<WholeReplicas> whole;
  std::unique_ptr<CleanExchanges> exchanges;
  std::unique_ptr<Claims> claims;  // of a run
  std::unique_ptr<engine::ObjectTable> table;
  std::unique_ptr<StoredRecordCodec> codec;
  std::unique_ptr<engine::ObjectTable> hint_table;
  std::unique_ptr<Hints> hints;
  // In each round of deliveries, where there is a store.
  bool commits_hints = true, commits_objects = false;
  std::unique_ptr<FrontierProtocol> frontier;  // with anti-entropy only
  BackgroundBudget* budget = nullptr;          // of coordinators started from then on
  engine::Store* object_store = nullptr;
  uint64_t memory_bytes_max = 0;
  bool evicts = false;
  std::unique_ptr<LostCopies> losses;
  FormerPlacements former;
  std::unique_ptr<Agreement> agreement;  // null: the test is not about configurations that differ
  std::unique_ptr<Coordinator> coordinator;
  uint64_t incarnation;
  std::atomic<uint64_t> renewed_incarnation;
  int64_t skew_ms = 0;
  std::map<uint64_t, Answer> answers;
  std::map<uint64_t, KeyspaceCompletion> keyspace_answers;

 private:
  void make_table();
};

// Most tests look at one mechanism: anti-entropy would mend behind their back.
inline CoordinatorOptions without_anti_entropy() {
  CoordinatorOptions options;
  options.anti_entropy_ms = 0;
  return options;
}

// Anti-entropy and gossip several times in a few seconds.
inline CoordinatorOptions with_quick_rounds() {
  CoordinatorOptions options;
  options.anti_entropy_ms = 1000;
  options.gossip_ms = 200;
  return options;
}

class TestCluster {
 public:
  explicit TestCluster(size_t nodes, const std::function<void(Founding&)>& adjust = {},
                       const CoordinatorOptions& options = without_anti_entropy());
  // The process ends and starts anew with nothing; its links come up again.
  void restart_wiped(size_t node);
  void restart_wiped_unlinked(size_t node);

  // Nodes are named by their place in the preference list of `key`: 0 is the first primary.
  size_t node_for(const std::string& key, size_t place) const;

  Answer set(size_t node, const std::string& key, const std::string& value);
  Answer put(size_t node, const std::string& key, const Context& context, const std::string& value);
  Answer get(size_t node, const std::string& key);
  Answer remove(size_t node, const std::string& key);
  Answer increment(size_t node, const std::string& key);
  Answer run(size_t node, Request request, const std::string& key);

  // The process ends cleanly and starts anew with what it had, under another configuration; it is
  // linked to all. Its agreement begins with what it kept.
  void restart_changed(size_t node, const std::function<void(Founding&)>& adjust);
  void restart_changed_unlinked(size_t node, const std::function<void(Founding&)>& adjust);

  // A node whose hints are in a store of its own; or its death and next run, then linked to
  // all.
  void open_hints(size_t node, engine::Store* store, uint64_t bytes_max = 0);
  void commit_hints(size_t node, bool ok = true);
  // A node whose objects are in a store of its own; or its death and next run.
  void open_objects(size_t node, engine::Store* store, uint64_t memory_bytes_max);
  // All nodes become caches (TestNode::open_cache) that were never anything else.
  void open_caches(uint64_t memory_bytes_max);

  // Both directions; frames on their way are lost. Links break at once unless `silently`.
  void cut(size_t a, size_t b, bool silently = false);
  // Frames from one to the other are lost, and no link breaks; until heal_all().
  void cut_way(size_t from, size_t to) { cut_ways_.insert({from, to}); }
  void heal(size_t a, size_t b);
  // Ends a silent cut: frames arrive again on links that never broke.
  void mend(size_t a, size_t b) { cut_.erase({std::min(a, b), std::max(a, b)}); }
  void isolate(size_t node, bool silently = false);
  void heal_all();

  // Delivers frames until all is quiet.
  void settle();
  // Lets time pass in steps of 10 ms, delivering everything.
  void pass_ms(uint64_t ms);

  // Changes a node's own record directly, as if all messages about it had been lost.
  void change_own(size_t node, const std::string& key, FunctionRef<void(Record& record)> fn);
  // The values that a node itself holds.
  std::vector<std::string> own_values(size_t node, const std::string& key);
  // What a node's table holds, tombstones too.
  uint64_t records_of(size_t node) const;
  // The versions that a node's table holds for a key, as an old copy of its directory would; and
  // brings such a copy back.
  std::string copy_of(size_t node, const std::string& key) const;
  void restore(size_t node, const std::string& key, const std::string& copy);
  KeyRef ref(const std::string& key, uint8_t keyspace = 0) const;
  Now now_of(size_t node) const;

  std::vector<std::unique_ptr<TestNode>> nodes;
  std::shared_ptr<const ClusterView> view;  // of node 0
  uint8_t keyspace = 0;
  size_t frames_lost = 0;  // on cut links; probes are not counted
  uint64_t loads_served = 0;
  uint64_t bytes_delivered = 0;
  uint64_t steady_us = 1'000'000;
  uint64_t wall_ms = 1'700'000'000'000;

 private:
  bool deliver_once();
  bool work_store(size_t node);

  Founding founding_;
  const CoordinatorOptions options_;
  std::set<std::pair<size_t, size_t>> cut_;
  std::set<std::pair<size_t, size_t>> cut_ways_;
  uint64_t next_tag_ = 1;
};

}  // namespace kvorum::cluster
