// SPDX-License-Identifier: Apache-2.0
// What the machines of one coordinator share: the node's parts and own copies, the view, the open
// operations, the peers' health, the outbox; how long who is waited for; and the answer to whoever
// waits. Private to cluster/: only coordinator.cc and the machines it owns include it. Not
// thread-safe; a coordinator belongs to one reactor.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "base/check.h"
#include "cluster/copies/hints.h"
#include "cluster/frontier/first_contact.h"
#include "cluster/health/hedge_budget.h"
#include "cluster/health/operation_latency.h"
#include "cluster/health/peer_health.h"
#include "cluster/machine/choose_replicas.h"
#include "cluster/machine/coordinator_options.h"
#include "cluster/machine/open_operations.h"
#include "cluster/machine/operation.h"
#include "cluster/own/node_parts.h"
#include "cluster/own/own_copies.h"
#include "cluster/wire/keyspace_operation.h"
#include "cluster/wire/outbox.h"

namespace kvorum::cluster {

// The outcomes of an edit which promise that nothing was written.
bool is_refusal(Outcome outcome);

// What machines of requests ask of the coordinator, which knows them all.
class Starter {
 public:
  virtual ~Starter() = default;
  // Runs an operation at its coordinator: here, or forwarded.
  virtual void run_at(MemberIndex coordinator, SlotId id, Operation& operation, Now now) = 0;
  // The own object cannot be loaded, and the request needs it: another primary may run it.
  virtual void on_unreadable(SlotId id, Operation& operation, Now now) = 0;
  // An edit that this node has no place in: by what is known now others own the key, and live.
  virtual void on_misplaced(SlotId id, Operation& operation, Now now) = 0;
  // An operation that waited before it asked anybody: its coordinator is chosen anew.
  virtual void choose_anew(SlotId id, Operation& operation, Now now) = 0;
};

// Told where a peer's requests were sent under another history than this node's.
class ApartListener {
 public:
  virtual ~ApartListener() = default;
  virtual void on_apart(LinkIndex peer, Now now) = 0;
};

class Core {
 public:
  // 4 MB a second: slower ones are not waited for.
  static constexpr size_t kFlowBytesPerMsLeast = 4096;
  // So often, after 1, 2 and 4 ms.
  static constexpr uint8_t kFluxReadings = 3;

  Core(const NodeParts& node_parts, std::shared_ptr<const ClusterView> first_view,
       const CoordinatorOptions& coordinator_options, uint64_t rng_seed);

  const NodeParts parts;
  std::shared_ptr<const ClusterView> view;
  CoordinatorOptions options;  // its limits may change: Coordinator::set_limits()
  Rng rng;
  Outbox outbox;
  PeerHealth health{rng};
  OpenOperations open{options.reactor};
  HedgeBudget hedges;
  FirstContact contact;
  Coordination coordination = Coordination::kRuns;
  Hints& hints;
  CoordinatorCounters counters;
  OwnCopies own{{parts, view, health, outbox, counters}};
  OperationLatency latency;
  CompletionSink* completions = nullptr;
  Starter* starter = nullptr;
  ApartListener* apart = nullptr;  // null: the history has no changes

  // Scratch memory, reused: never held across an input.
  std::string edit_scratch;
  EncodedObject outgoing;

  // A later view: members keep their index.
  void publish(std::shared_ptr<const ClusterView> later, Now now);

  MemberIndex self() const { return view->self; }
  NodeId self_id() const { return id_of(view->self); }
  NodeId id_of(MemberIndex member) const {
    KVORUM_CHECK(member < view->members.size());
    return view->members[member].id;
  }
  uint32_t partition_for(const KeyRef& key) const { return view->ring.partition_of(key.position); }
  std::span<const MemberIndex> preference_list(const KeyRef& key) const {
    return view->ring.preference_list(partition_for(key));
  }
  std::span<const MemberIndex> primaries(const KeyRef& key) const {
    return view->primaries(key.keyspace, partition_for(key));
  }
  bool is_primary(MemberIndex member, const KeyRef& key) const;
  // Null where the partition does not move.
  const SetsInPlay* sets_in_play(const KeyRef& key) const {
    return view->sets_in_play(key.keyspace, partition_for(key));
  }
  // Who coordinates edits of the key: the primaries, or the owners of the oldest set in play.
  std::span<const MemberIndex> coordinators(const KeyRef& key) const {
    const SetsInPlay* const sets = sets_in_play(key);
    if (sets == nullptr) return primaries(key);
    const OwnerSet& oldest = sets->sets[0];
    return {oldest.owners.begin(), oldest.owners.size()};
  }
  // Whom reads ask.
  std::span<const MemberIndex> readers(const KeyRef& key) const {
    return view->readers(key.keyspace, partition_for(key));
  }
  bool is_reader(MemberIndex member, const KeyRef& key) const {
    return view->is_reader(member, key.keyspace, partition_for(key));
  }
  bool is_owner(MemberIndex member, const KeyRef& key) const {
    return view->is_owner(member, key.keyspace, partition_for(key));
  }
  // This node owns the partition no more: what it has of it, it hands over, and takes nothing.
  bool hands_over(uint8_t keyspace, uint32_t partition) const {
    return view->is_changed() && !view->is_owner(self(), keyspace, partition);
  }
  bool hands_over(const KeyRef& key) const { return hands_over(key.keyspace, partition_for(key)); }
  uint64_t signature(const KeyRef& key) const { return view->signature(partition_for(key)); }
  // This node alone holds the key, and its copy is whole: nobody else is to be asked.
  bool has_only_copy(const KeyRef& key) const {
    return view->quorum(key.keyspace).n == 1 && primaries(key)[0] == self() && is_whole(key) &&
           sets_in_play(key) == nullptr;
  }
  // This node's copy of the key's partition counts toward R (whole_replicas.h).
  bool is_whole(const KeyRef& key) const {
    return parts.is_whole(key.keyspace, partition_for(key));
  }
  bool is_new(const KeyRef& key) const { return parts.is_new(key.keyspace, partition_for(key)); }
  // Nodes have different configurations of the keyspace, and this one must not serve it.
  bool refuses(uint8_t keyspace) const {
    return parts.agreement != nullptr && parts.agreement->refuses(keyspace);
  }
  // Whether the member may coordinate in the keyspace.
  bool serves(MemberIndex member, uint8_t keyspace) const {
    return parts.agreement == nullptr || parts.agreement->serves(member, keyspace);
  }
  bool lww(uint8_t keyspace) const {
    return view->keyspaces[keyspace].conflicts == ConflictPolicy::kLww;
  }
  uint64_t clock_ms(Now now) const { return parts.clock->reading(now.wall_ms).ms(); }
  // A large value has, beside the time of any request, what its bytes take at the least rate that
  // is waited for.
  uint32_t timeout_ms(const Request& request) const {
    const uint32_t timeout = request.timeout_ms ? request.timeout_ms : options.request_timeout_ms;
    return timeout + flow_ms(request.value.size());
  }
  static uint32_t flow_ms(size_t bytes) {
    return bytes <= kLargeFrameBytes ? 0 : static_cast<uint32_t>(bytes / kFlowBytesPerMsLeast);
  }
  // Of the time for a request: who is silent for so long is replaced. Of an edit that sends more
  // than was asked for (APPEND), the time for that.
  uint64_t quarter_us(const Operation& operation) const {
    const Request& request = operation.request();
    const size_t more = std::max(operation.large_bytes, request.value.size());
    return (timeout_ms(request) + flow_ms(more) - flow_ms(request.value.size())) * 250ULL;
  }
  // The same of what is sent in the background.
  uint64_t quarter_us(const OperationHead& operation) const {
    return (options.request_timeout_ms + flow_ms(operation.large_bytes)) * 250ULL;
  }
  // Until then nobody is silent: bytes of a large frame flowed less than a quarter of the time ago.
  // 0 where there is none.
  template <class Sent>
  uint64_t flows_until_us(const Sent& operation) const {
    return operation.flowed_us == 0 ? 0 : operation.flowed_us + quarter_us(operation);
  }
  // Bytes of a large frame flow. How long an answer is nobody knew when it was asked for, so the
  // whole time counts from here; the time of an edit may have been granted by another node.
  template <class Sent>
  void note_flow(Sent& operation, Now now) const {
    operation.flowed_us = now.steady_us;
    if constexpr (std::is_same_v<Sent, Operation>) {
      if (operation.request().kind == Request::Kind::kEdit) return;
    }
    const uint64_t timeout_us = 4 * quarter_us(operation);
    operation.deadline_us = std::max(operation.deadline_us, now.steady_us + timeout_us);
  }
  // Whether a timer of the operation came while its bytes flow: it comes again.
  template <class Sent>
  bool still_flows(SlotId id, const Sent& operation, Now now) {
    const uint64_t until_us = flows_until_us(operation);
    if (now.steady_us >= until_us) return false;
    open.timers.add(now.steady_us, until_us - now.steady_us, id);
    return true;
  }
  // How many primaries have to grant a claim: any two such sets meet, and each meets every write
  // quorum. 0: the quorums of the keyspace do not overlap anyway.
  size_t claim_quorum(const KeyRef& key) const {
    const EffectiveQuorum quorum = coordinating_quorum(key);
    const bool overlap = 2 * quorum.w > quorum.n && quorum.r + quorum.w > quorum.n;
    if (parts.claims == nullptr || quorum.n < 2 || !overlap) return 0;
    return std::max<size_t>(quorum.n / 2 + 1, quorum.n - quorum.w + 1);
  }
  // Of coordinators().
  EffectiveQuorum coordinating_quorum(const KeyRef& key) const;
  bool coordinates(MemberIndex member, const KeyRef& key) const;
  // A reading that found siblings which may be none is to be done once more: a replica says so; or
  // they are `in_flux`, so that a write is on its way, perhaps, of which no replica that was asked
  // knows yet that it meets another one.
  bool reads_again(Operation& operation, bool in_flux, Now now) const {
    if (now.steady_us + 2 * quarter_us(operation) >= operation.deadline_us) return false;
    if (operation.reading.contested) return true;
    if (!in_flux || operation.reading.flux_readings == kFluxReadings) return false;
    ++operation.reading.flux_readings;
    return true;
  }
  // The operation waits for the first link to an owner that came just now (lacks_newcomers()),
  // unless half of its time is over. False where it need not wait.
  bool awaits_newcomers(SlotId id, Operation& operation, Now now);
  // Before the operation tries again.
  void pause_contended(SlotId id, Operation& operation, Now now);
  // How long background work has to wait before it may do so much; 0: it may now, and it counts.
  uint64_t background_wait_us(BackgroundWork work, size_t bytes, Now now) const {
    return parts.budget == nullptr ? 0 : parts.budget->wait_us(work, bytes, now);
  }

  // All: choose_replicas.h.
  void choose_readers(const KeyRef& key, Now now, Targets* targets,
                      InlineVector<MemberIndex, 4>* uncovered) const {
    choose_replicas({*view, health, now.steady_us}, key, targets, uncovered);
  }
  void choose_writers(const KeyRef& key, Now now, Targets* targets,
                      InlineVector<MemberIndex, 4>* uncovered) const {
    choose_replicas({*view, health, now.steady_us, Purpose::kWrite}, key, targets, uncovered);
  }
  MemberIndex spare_fallback(const KeyRef& key, const Targets& targets) const {
    return cluster::spare_fallback({*view, health}, key, targets);
  }

  // Asks the store for an object: on_loaded() of the operation's machine follows.
  void load(SlotId id, const KeyRef& key);
  void load(SlotId id, Operation& operation) {
    operation.phase = Operation::Phase::kLoading;
    load(id, operation.request().key);
  }

  // Notes clean exchanges, but for copies that are damaged: their trees do not tell.
  void note_clean(uint8_t keyspace, std::span<const uint32_t> partitions,
                  const CleanExchange& exchange);

  // Answers whoever waits, at most once.
  void complete(Operation& operation, Completion& completion, Now now);
  void complete_failed(Operation& operation, Outcome outcome, std::string_view text, Now now);
  // Scratch memory that a large value took.
  void give_back_scratch();

 private:
  // Which peers stand in another zone, by the view.
  void note_zones();
  void count_votes(const Operation& operation, Completion& completion);

  static constexpr size_t kScratchKept = 256 * 1024;
};

}  // namespace kvorum::cluster
