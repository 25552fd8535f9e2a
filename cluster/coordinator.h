// SPDX-License-Identifier: Apache-2.0
// The coordinator: runs client requests against the replicas of their keys, and serves as a replica
// for other coordinators. A pure state machine: inputs with `now` come in, effects go to the Outbox
// and the sinks; no clock, socket, thread or random device. One per reactor; not thread-safe. What
// a node's coordinators share stands in NodeParts. Paper 4.5 (execution), 4.6 (hinted handoff).
//
//   submit -> route --self--> get or put machine (get_machine.cc, put_machine.cc) -> completion
//                \--other--> forwarded, answered or retried elsewhere (forwarding.cc)
//   on_message -> replica.cc serves reads and writes; replies go back to their operation
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/latency_histogram.h"
#include "base/rng.h"
#include "base/slot_map.h"
#include "base/time.h"
#include "cluster/agreement.h"
#include "cluster/author_table.h"
#include "cluster/background_budget.h"
#include "cluster/claims.h"
#include "cluster/clean_exchanges.h"
#include "cluster/cluster_view.h"
#include "cluster/flush_marks.h"
#include "cluster/former_placements.h"
#include "cluster/hints.h"
#include "cluster/hybrid_clock.h"
#include "cluster/keyspace_operation.h"
#include "cluster/messages.h"
#include "cluster/operation.h"
#include "cluster/outbox.h"
#include "cluster/peer_health.h"
#include "cluster/whole_replicas.h"
#include "engine/table/object_table.h"

namespace kvorum::cluster {

class Frontier;  // frontier.h

// Shared by all machines of a node; outlives them. Nothing is owned.
struct NodeParts {
  engine::ObjectTable* table = nullptr;
  Hints* hints = nullptr;
  AuthorTable* authors = nullptr;
  HybridClock* clock = nullptr;
  FlushMarks* marks = nullptr;
  EditTable edits;
  uint64_t incarnation = 0;
  uint64_t digest_seed = 0;
  // Where it is set, the incarnation may change while the node runs: after a failed write of its
  // store, which may forget what was counted under the one before.
  const std::atomic<uint64_t>* renewed_incarnation = nullptr;

  Frontier* frontier = nullptr;    // null: tombstones are kept for ever, and no version is dead
  WholeReplicas* whole = nullptr;  // null: all copies count as whole
  CleanExchanges* exchanges = nullptr;     // null: clean exchanges are not noted
  engine::LossListener* losses = nullptr;  // told where a tree proves a loss; null: nobody is
  Claims* claims = nullptr;                // null: edits are not claimed
  BackgroundBudget* budget = nullptr;  // null: background work is bounded by its own limits alone
  const FormerPlacements* former = nullptr;  // null: the configuration never changed
  Agreement* agreement = nullptr;            // null: all nodes have the same configuration

  bool is_whole(uint8_t keyspace, uint32_t partition) const {
    return whole == nullptr || whole->is_whole(keyspace, partition);
  }
  bool is_new(uint8_t keyspace, uint32_t partition) const {
    return whole != nullptr && whole->is_new(keyspace, partition);
  }
  // Some copies of the cluster still follow a former placement.
  bool is_moving() const { return former != nullptr && former->any(); }
  bool is_damaged(uint8_t keyspace, uint32_t partition) const {
    return whole != nullptr && whole->damage(keyspace, partition) != 0;
  }
  uint64_t current_incarnation() const {
    return renewed_incarnation ? renewed_incarnation->load(std::memory_order_acquire) : incarnation;
  }
};

struct CoordinatorOptions {
  uint32_t request_timeout_ms = 1000;
  uint32_t read_repair_wait_ms = 100;
  uint32_t hints_interval_ms = 5000;
  uint32_t anti_entropy_ms = 30'000;  // between two rounds with a peer; 0: none
  uint64_t scrub_ms = 3'600'000;      // in which every tree is built anew once
  uint32_t gossip_ms = 1000;          // 0: none, and no frontier
  uint64_t value_bytes_max = kValueBytesMax;
  uint32_t siblings_max = 100;
  uint32_t clock_entries_max = 10;
  bool replays_hints = true;  // and the other background work: one coordinator of a node does
};

// Since start; read by another thread for metrics, hence atomic there (server copies them per
// turn).
struct CoordinatorCounters {
  uint64_t gets = 0, puts = 0, forwards = 0, forward_retries = 0, hedged_reads = 0;
  // Readings of edits, and of reads, that met another coordinator's edit and were done once more.
  uint64_t edits_contended = 0, reads_contested = 0;
  uint64_t forwards_too_late = 0;  // first attempts of writes that were held up, and dropped
  uint64_t replica_reads = 0, replica_writes = 0;
  uint64_t read_repairs = 0, read_repairs_skipped = 0, digest_mismatches = 0, second_writes = 0;
  uint64_t hints_stored = 0, hints_replayed = 0, hints_moved = 0;
  uint64_t writes_softened = 0;  // acknowledged by fewer than W: writes_when_short
  uint64_t no_quorum = 0, uncertain = 0, timeouts = 0;
  uint64_t siblings_seen = 0, concurrent_dropped = 0, clock_truncations = 0;
  uint64_t malformed_frames = 0, operations_in_flight = 0, expired = 0;
  // Anti-entropy: exchanges of one partition with one peer, begun by this node.
  uint64_t exchanges_started = 0, exchanges_clean = 0, exchanges_failed = 0;
  uint64_t exchange_rounds = 0, exchange_bytes = 0;  // frames sent that compare, either side
  uint64_t keys_compared = 0, keys_settled = 0;      // settled: different only for a moment
  uint64_t keys_pulled = 0, keys_pushed = 0;         // repaired here, and at the peer
  uint64_t trees_built = 0, tree_mismatches = 0;
  uint64_t tombstones_reaped = 0, dead_versions = 0;
  uint64_t evicted_keys = 0;  // by this node for want of memory; the copies of others follow

  CoordinatorCounters& operator+=(const CoordinatorCounters& other);
};

// What is under way in a coordinator: all zero once it was left alone for some seconds.
struct Backlog {
  size_t operations = 0;           // of the pool
  size_t keyspace_operations = 0;  // SCAN, DBSIZE, FLUSH: asked and served
  size_t awaited_commits = 0;
  size_t timers = 0;

  size_t total() const { return operations + keyspace_operations + awaited_commits + timers; }
};

// How long the operations of this node's own clients took, failed ones included; what is answered
// within submit() counts as no time at all. Any thread may read it.
struct OperationLatency {
  LatencyHistogram gets, puts;

  // A replica's read or write for the client of another node.
  void count_served() {
    served_.store(served_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  uint64_t served() const { return served_.load(std::memory_order_relaxed); }

  LatencyHistogram& of(Request::Kind kind) { return kind == Request::Kind::kEdit ? puts : gets; }
  void add_recent(uint64_t now_us, LatencyCounts* sum) const {
    gets.add_recent(now_us, sum);
    puts.add_recent(now_us, sum);
  }

 private:
  std::atomic<uint64_t> served_{0};  // one thread counts
};

// What an operator wants compared with all other primaries; -1: every one.
struct RepairWish {
  int keyspace = -1;
  int64_t partition = -1;
};

// Of the anti-entropy that is under way.
struct RepairProgress {
  bool active = false;
  uint64_t partitions_done = 0, partitions_left = 0;
  uint64_t keys_repaired = 0;
  uint64_t began_us = 0;         // steady
  size_t peers_unreachable = 0;  // these have to wait until their link is up
  bool waits_for_budget = false;
};

// What a coordinator does with edits that are not begun yet. A node that stops holds them until the
// ones before are done, so that no two nodes coordinate one key, and then hands them back: its own
// clients' go to another coordinator, those of others are refused and given to one by who asked
// (forwarding.h). So it is with a node whose peers are not linked yet. What nobody else can take it
// runs all the same.
enum class Coordination : uint8_t { kRuns, kHolds, kHandsBack };

struct ScanPage;  // scan_page.h

class Coordinator {
 public:
  Coordinator(const NodeParts& parts, std::shared_ptr<const ClusterView> view,
              const CoordinatorOptions& options, uint64_t rng_seed);
  ~Coordinator();
  Coordinator(const Coordinator&) = delete;

  void set_sinks(CompletionSink* completions, KeyspaceSink* keyspace_completions);

  // request_timeout_ms, siblings_max and clock_entries_max of these, for requests that begin later;
  // the rest of them stays as it was.
  void set_limits(const CoordinatorOptions& options);

  void submit(const Request& request, uint64_t tag, Now now);
  void submit(const KeyspaceRequest& request, uint64_t tag, Now now);

  // A frame from a peer, its greeting done. A malformed one is counted and dropped; false then.
  bool on_message(MemberIndex from, const Frame& frame, Now now);
  // Starts fetching what these frames will need into the caches: for the frames that one read of a
  // link brought, before each goes to on_message().
  void prefetch(std::span<const Frame> frames) const;
  // The link to a peer came up (both greetings done) or broke.
  void on_link(MemberIndex peer, bool up, Now now);
  // Bytes of a large frame go to a peer that is asked, or come from it: whoever waits is patient.
  void on_flow(MemberIndex peer, const FrameHead& head, Now now);
  // The peer stops: it answers what it was asked, and is asked nothing more.
  void on_stopping(MemberIndex peer, Now now);
  // Whether the peer is known to have links to this node too; without being told it is taken for
  // granted.
  void on_one_way(MemberIndex peer, bool one_way, Now now);
  // From kRuns at the beginning.
  void set_coordination(Coordination coordination, Now now);
  // A round of group commit ended: everything up to `ticket` is durable, or the round failed.
  void on_committed(engine::Ticket ticket, bool ok, Now now);
  // The same of the hints' table, whose tickets are its own.
  void on_hints_committed(engine::Ticket ticket, bool ok, Now now);
  void on_loaded(SlotId operation, bool ok, Now now);
  // The answer to one of Outbox::range_loads (read_stored_page()).
  void on_scanned(SlotId operation, const ScanPage& page, Now now);
  void on_time(Now now);
  // Steady microseconds of the next on_time() that matters; 0: none.
  uint64_t next_deadline_us() const;

  // Begins exchanges with all reachable peers at once (anti_entropy.h). Of the coordinator that
  // does the background work.
  void repair(const RepairWish& wish, Now now);
  RepairProgress repair_progress() const;

  Outbox& outbox();
  const ClusterView& view() const;
  // Where a peer said that it moved to.
  std::optional<Endpoint> told_address(MemberIndex peer) const;
  PeerState peer_state(MemberIndex peer) const;
  PeerReport peer_report(MemberIndex peer) const;
  // Changes whenever a peer's state does.
  uint64_t peers_generation() const;
  const CoordinatorCounters& counters() const;
  Backlog backlog() const;
  // Operations that somebody waits for, and copies on their way: what a stop waits for.
  size_t unfinished() const;
  // Edits that this node coordinates, and whose outcome is not known yet.
  size_t unfinished_edits() const;
  // Of values and requests, by operations that have not ended.
  size_t held_bytes() const;
  // At the end of a turn: memory that is only there because of a large value.
  void give_back_scratch();
  const OperationLatency& latency() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvorum::cluster
