// SPDX-License-Identifier: Apache-2.0
// The coordinator: runs client requests against the replicas of their keys, and serves as a replica
// for other coordinators. A pure state machine: inputs with `now` come in, effects go to the Outbox
// and the sinks; no clock, socket, thread or random device. One per reactor; not thread-safe. What
// a node's coordinators share stands in NodeParts. Paper 4.5 (execution), 4.6 (hinted handoff).
//
//   submit -> request_runner.h: who coordinates, and the machine of the request's kind
//   on_message -> frame_router.h: the machine of the frame's type
//   on_loaded, on_committed, timers -> machine_table.h: the machine of the operation's pool
//   on_time -> the machines that do something unasked; control.h has those of one per node
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/slot_map.h"
#include "base/time.h"
#include "cluster/health/operation_latency.h"
#include "cluster/health/peer_health.h"
#include "cluster/machine/coordinator_options.h"
#include "cluster/own/counters.h"
#include "cluster/own/node_parts.h"
#include "cluster/repair/repair_wish.h"
#include "cluster/ring/cluster_view.h"
#include "cluster/upkeep/expired_key.h"
#include "cluster/wire/frame.h"
#include "cluster/wire/keyspace_operation.h"
#include "cluster/wire/outbox.h"
#include "cluster/wire/request.h"

namespace kvorum::cluster {

// What is under way in a coordinator: all zero once it was left alone for some seconds.
struct Backlog {
  size_t operations = 0;           // of the pool
  size_t keyspace_operations = 0;  // SCAN, DBSIZE, FLUSH: asked and served
  size_t awaited_commits = 0;
  size_t timers = 0;

  size_t total() const { return operations + keyspace_operations + awaited_commits + timers; }
};

// Private to cluster/, each with a header of its name.
class AgreementLink;
class Control;
class Core;
struct EvictedKey;  // own_copies.h
class ExchangeServer;
class FrameRouter;
class Gossip;
class HeldCopiesLink;
class HistoryLink;
class KeyspaceMachine;
class MachineTable;
class ReplicaService;
class RequestRunner;
struct ScanPage;

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

  // The view of now. Members keep their index: one that joined has a new one, at the end, and no
  // index is ever given to another member. Those that are new begin unlinked.
  void publish(std::shared_ptr<const ClusterView> view, Now now);
  // Publishes what follows from the node's history by now (NodeParts::history). Once a turn.
  void look_at_history(Now now);
  // What a node that waits to be admitted asks a member with, and has the history in return
  // (kHistoryBuckets). REQUIRES: NodeParts::history.
  void encode_history_buckets(std::string& out) const;

  void submit(const Request& request, uint64_t tag, Now now);
  void submit(const KeyspaceRequest& request, uint64_t tag, Now now);

  // A frame from a peer, its greeting done. A malformed one is counted and dropped; false then.
  bool on_message(LinkIndex from, const Frame& frame, Now now);
  // Starts fetching what these frames will need into the caches: for the frames that one read of a
  // link brought, before each goes to on_message().
  void prefetch(std::span<const Frame> frames) const;
  // The link to a peer came up (both greetings done; they agreed on the version) or broke.
  void on_link(MemberIndex peer, bool up, Now now, uint16_t version = kProtocolVersion);
  // Bytes of a large frame go to a peer that is asked, or come from it: whoever waits is patient.
  void on_flow(MemberIndex peer, const FrameHead& head, Now now);
  // The peer stops: it answers what it was asked, and is asked nothing more. Behind the last of it
  // the shell sends kStoppingSeen, once all coordinators that ask on the same link know.
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

  // Before a stop: delivers hints to whoever can be reached, of the coordinator that has the
  // control.
  void flush_hints(Now now);
  // Those that a stop waits for, for a while.
  uint64_t hints_in_reach(Now now) const;

  // Begins exchanges with all reachable peers at once (anti_entropy.h). Of the coordinator that has
  // the control.
  void repair(const RepairWish& wish, Now now);
  RepairProgress repair_progress() const;
  // Keys that expired, of those that this node is to tell of, where that was wanted; and whether it
  // is from now on. Of the coordinator that has the node's upkeep.
  std::vector<ExpiredKey> take_expired(bool wanted);

  // Keys that were evicted through this coordinator, where that was wanted; likewise.
  std::vector<EvictedKey> take_evicted(bool wanted);

  Outbox& outbox();
  const ClusterView& view() const { return *shared_view(); }
  const std::shared_ptr<const ClusterView>& shared_view() const;
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
  // The same, where a cache holds more than its limit, as after a value of many megabytes: evicts
  // for about a millisecond. True: it goes on in the next turn.
  bool make_room();
  const OperationLatency& latency() const;

 private:
  void mint_above_changes();
  void notice_stall(Now now);
  void probe_peers(Now now);

  // In the order in which they know each other.
  const std::unique_ptr<Core> core_;
  const std::unique_ptr<RequestRunner> requests_;
  const std::unique_ptr<ReplicaService> replicas_;
  const std::unique_ptr<ExchangeServer> exchange_server_;
  const std::unique_ptr<HistoryLink> histories_;
  const std::unique_ptr<Gossip> gossip_;
  const std::unique_ptr<AgreementLink> agreement_link_;
  const std::unique_ptr<HeldCopiesLink> held_copies_;
  const std::unique_ptr<KeyspaceMachine> keyspaces_;
  const std::unique_ptr<Control> control_;  // null: another coordinator of the node has it
  const std::unique_ptr<MachineTable> machines_;
  const std::unique_ptr<FrameRouter> router_;
};

}  // namespace kvorum::cluster
