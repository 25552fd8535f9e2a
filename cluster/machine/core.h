// SPDX-License-Identifier: Apache-2.0
// What the machines of one coordinator share: the node's parts, the view, the pool of operations,
// the peers' health, timers, the outbox. Private to cluster/: only coordinator.cc and the machines
// it owns include it. Not thread-safe; a coordinator belongs to one reactor.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>

#include "cluster/copies/hints.h"
#include "cluster/frontier/first_contact.h"
#include "cluster/health/hedge_budget.h"
#include "cluster/health/operation_latency.h"
#include "cluster/health/peer_health.h"
#include "cluster/health/timer_queue.h"
#include "cluster/machine/coordinator_options.h"
#include "cluster/machine/node_parts.h"
#include "cluster/version/object_codec.h"
#include "cluster/wire/keyspace_operation.h"
#include "cluster/wire/messages.h"
#include "cluster/wire/operation.h"
#include "cluster/wire/outbox.h"

namespace kvorum::cluster {

// One replica that an operation asked.
struct Target {
  enum class State : uint8_t {
    kWaiting,
    kAnswered,   // its answer is part of the result
    kWeak,       // a fallback without a hint: counts only once no primary is left to wait for
    kFetching,   // its digest differed: the object was asked for
    kFailed,     // refused, link down, or given up on
    kRepairing,  // was stale: what was read is on its way to it
  };
  MemberIndex member = kNoMember;
  MemberIndex stands_for = kNoMember;  // the primary whose place a fallback takes
  State state = State::kWaiting;
  bool replaced = false;       // silent for a quarter of the deadline: another was asked too
  bool wants_object = false;   // asked for all of it, not for a digest
  bool whole = true;           // as far as it said: its answer to a read counts (whole_replicas.h)
  bool is_new = false;         // the same: it is not whole, but forgot nothing
  bool former = false;         // no primary any more: asked for what the primaries may lack
  uint64_t digest = 0;         // versions_digest() of its answer to a read
  uint64_t asked_us = 0;       // 0: not kept
  bool claim_refused = false;  // another node edits the key
};

using Targets = InlineVector<Target, 4>;

// The primary whose copy it is, or stands in for.
inline MemberIndex place_of(const Target& target) {
  return target.stands_for == kNoMember ? target.member : target.stands_for;
}

// Its answer to a read is still awaited.
inline bool is_open(const Target& target) {
  return target.state == Target::State::kWaiting || target.state == Target::State::kFetching;
}

// An answer that counts: the first of its place. A slow primary and the fallback that took its
// place are one copy in the end, since the hint goes to that primary.
bool is_vote(const Targets& targets, size_t at);
size_t count_votes(const Targets& targets);

// One request in flight, as its coordinator or its forwarder sees it. Pooled: begin() resets it.
struct Operation {
  enum class Kind : uint8_t {
    kGet,
    kPut,
    kForward,
    kInspect,
    kReplicaFrame,
    kHintReplay,
    kKeyRepair,
    kAwaitsLeave  // a retry that asked whether it may run (retry_leave.h)
  };
  enum class Phase : uint8_t {
    kLoading,    // waits for an object from the store, then starts again
    kHeld,       // put: not begun, this node is about to hand over what it coordinates
    kSilent,     // put: waits until this session has heard from another member (first_contact.h)
    kContended,  // another node edits the key: begins again in a moment
    kReading,    // get: until R counted; put: its read before the edit
    kWriting,    // put: until W acknowledged
    kSettling,   // answered; stragglers are still awaited, for read repair or for hints
    kRepairing,  // get: repairs are not all acknowledged
  };
  Kind kind;
  Phase phase;

  // Who waits: a local client (tag), or the node that forwarded (reply_to, reply_operation).
  bool remote;
  MemberIndex reply_to;
  SlotId reply_operation;
  uint64_t tag;

  uint64_t started_us;
  uint64_t deadline_us;
  uint8_t hops;
  bool retried;    // the node that forwarded it had asked another one before
  uint8_t needed;  // R or W
  bool quarter_passed;
  bool answered_client;
  bool own_unreadable;  // the own copy cannot be loaded: the others have to do

  // encode_forwarded(); for kReplicaFrame the frame's payload. What is large of it is shared: the
  // value, or all of it.
  std::string payload;
  SharedView payload_body;
  uint8_t keyspace;
  ForwardedRequest forwarded;  // views into payload
  FrameHead frame;             // kReplicaFrame

  Targets targets;
  InlineVector<MemberIndex, 4> dead;  // put: primaries that nobody stands for
  EncodedObject object;               // reads: what is merged so far
  uint64_t object_digest;
  Hlc object_frontier;  // the highest of the copies merged into it; key repair: the peer's
  NodeId fastest;

  // Put.
  engine::Ticket ticket;  // of the own vote
  bool own_vote_open;     // the own copy awaits its commit
  bool own_vote_hinted;   // it is a hint: the ticket is of the hints' table
  bool blind;
  bool second_write_done;
  bool was_stored;
  VersionVector uncovered;  // what replicas kept that a blind write did not cover
  Context new_context;
  EditOutput edit;  // reply fields; bytes moved to reply_storage
  std::string reply_storage;
  SharedBytes made;  // the bytes of the new version, where the edit made large ones
  uint8_t hints_left;
  uint8_t short_of_w;  // W softened by so many copies

  // Claims (claims.h).
  uint8_t claim_quorum;                  // primaries that have to grant one; 0: none is wanted
  uint8_t attempt;                       // counts readings
  uint8_t contentions;                   // and how often they were in vain
  uint8_t flux_readings;                 // and those for Core::reads_again()
  bool claimed_own;                      // in this node's own Claims
  InlineVector<MemberIndex, 4> claimed;  // asked, and neither refused nor released
  bool claims_waited;                    // for those who are silent, long enough
  bool claims_given_up;                  // a blind write that waited for half of its time
  uint64_t claims_until_us;              // a version may be made until then
  MemberIndex claim_holder;              // who has it instead
  bool contested;                        // as some replica says: siblings may be none
  bool saw_siblings;                     // put: when the edit was run

  // Forward.
  InlineVector<MemberIndex, 4> tried;  // the last is waited for
  // The first of `tried`, so many: their stores took nothing, so they ran nothing.
  uint8_t refusals;
  uint64_t asked_us;  // the last of them; get: when the replicas were asked; a retry: for leave
  // Of `tried`: have leave to run the request, and may have stored a version of it, or will.
  InlineVector<MemberIndex, 4> permitted;
  MemberIndex hedge;  // asked beside the last of `tried`, and waited for too; kNoMember: none
  uint64_t hedged_us;
  bool hedged;                // one more was asked, once
  uint64_t settles_until_us;  // get: stragglers are waited for
  bool held;                  // one before it answered: its reply is kept in `frame` and `object`

  // Key repair.
  enum class RepairStep : uint8_t { kWait, kCheck, kPull, kMerge, kPush };
  RepairStep repair_step;
  bool repair_pushes;

  size_t large_bytes;     // of the object that its replicas have to take; 0 where it is not large
  uint64_t flowed_us;     // when bytes of a large frame of this operation flowed last; 0: none did
  size_t held_bytes = 0;  // as Core::count_held() counted it last

  std::vector<ReplicaFacts> replicas;       // kInspect
  std::deque<std::string> replica_objects;  // their bytes

  size_t payload_size() const { return payload.size() + payload_body.bytes.size(); }
  const Request& request() const { return forwarded.request; }
  // Another coordinator was asked before, of which it is not known whether it ran the request.
  bool is_retry() const { return retried || tried.size() > refusals; }
  void begin(Kind new_kind, Now now);
};

// How many replicas that answered the reading have other versions than all of them together.
size_t stale_copies(const Operation& operation);

// What a replica said, with who said it.
template <class Reply>
struct Answered {
  MemberIndex from;
  const Reply& reply;
};

// A replica's answer, or an own vote, that waits for its commit.
struct AwaitedCommit {
  engine::Ticket ticket = 0;
  SlotId operation = 0;  // own vote of this operation; else an answer:
  MemberIndex reply_to = kNoMember;
  SlotId reply_operation = 0;
  ReplicaWriteReply reply;  // its vector stands in vector_bytes
  std::string vector_bytes;
};

// How the commit that an operation of ours waited for ended.
struct OwnCommit {
  bool hinted;  // of the hints' table
  bool ok;
};

// The outcomes of an edit which promise that nothing was written.
bool is_refusal(Outcome outcome);

// Runs an operation at its coordinator: here, or forwarded. Implemented by the coordinator.
class Starter {
 public:
  virtual ~Starter() = default;
  virtual void run_at(MemberIndex coordinator, SlotId id, Operation& operation, Now now) = 0;
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
  TimerQueue timers;
  SlotMap<Operation> operations;
  HedgeBudget hedges;
  std::deque<AwaitedCommit> awaited_commits;       // of the objects' table
  std::deque<AwaitedCommit> awaited_hint_commits;  // of the hints' table
  FirstContact contact;
  Coordination coordination = Coordination::kRuns;
  Hints& hints;
  CoordinatorCounters counters;
  OperationLatency latency;
  size_t held_bytes = 0;  // of values and requests, by all operations
  CompletionSink* completions = nullptr;
  Starter* starter = nullptr;

  // Scratch memory, reused: never held across an input.
  std::string record_head;
  std::string edit_scratch;
  EncodedObject outgoing;
  Record record;
  Record evicted;

  MemberIndex self() const { return view->self; }
  NodeId self_id() const { return view->members[view->self].id; }
  NodeId id_of(MemberIndex member) const { return view->members[member].id; }
  uint32_t partition_for(const KeyRef& key) const {
    return partition_of(key.position, view->ring.partition_bits());
  }
  std::span<const MemberIndex> preference_list(const KeyRef& key) const {
    return view->ring.preference_list(partition_for(key));
  }
  std::span<const MemberIndex> primaries(const KeyRef& key) const {
    return view->primaries(key.keyspace, partition_for(key));
  }
  bool is_primary(MemberIndex member, const KeyRef& key) const;
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
  // Until then nobody is silent: bytes of a large frame flowed less than a quarter of the time ago.
  // 0 where there is none.
  uint64_t flows_until_us(const Operation& operation) const {
    return operation.flowed_us == 0 ? 0 : operation.flowed_us + quarter_us(operation);
  }
  // Bytes of a large frame flow. How long an answer is nobody knew when it was asked for, so the
  // whole time counts from here; the time of an edit may have been granted by another node.
  void note_flow(Operation& operation, Now now) const {
    operation.flowed_us = now.steady_us;
    if (operation.request().kind == Request::Kind::kEdit) return;
    const uint64_t timeout_us = 4 * quarter_us(operation);
    operation.deadline_us = std::max(operation.deadline_us, now.steady_us + timeout_us);
  }
  // Whether a timer of the operation came while its bytes flow: it comes again.
  bool still_flows(SlotId id, const Operation& operation, Now now) {
    const uint64_t until_us = flows_until_us(operation);
    if (now.steady_us >= until_us) return false;
    timers.add(now.steady_us, until_us - now.steady_us, id);
    return true;
  }
  // How many primaries have to grant a claim: any two such sets meet, and each meets every write
  // quorum. 0: the quorums of the keyspace do not overlap anyway.
  size_t claim_quorum(uint8_t keyspace) const {
    const EffectiveQuorum quorum = view->quorum(keyspace);
    const bool overlap = 2 * quorum.w > quorum.n && quorum.r + quorum.w > quorum.n;
    if (parts.claims == nullptr || quorum.n < 2 || !overlap) return 0;
    return std::max<size_t>(quorum.n / 2 + 1, quorum.n - quorum.w + 1);
  }
  // A reading that found siblings which may be none is to be done once more: a replica says so; or
  // they are `in_flux`, so that a write is on its way, perhaps, of which no replica that was asked
  // knows yet that it meets another one.
  bool reads_again(Operation& operation, bool in_flux, Now now) const {
    if (now.steady_us + 2 * quarter_us(operation) >= operation.deadline_us) return false;
    if (operation.contested) return true;
    if (!in_flux || operation.flux_readings == kFluxReadings) return false;
    ++operation.flux_readings;
    return true;
  }
  // Before the operation tries again.
  void pause_contended(SlotId id, Operation& operation, Now now);
  // How long background work has to wait before it may do so much; 0: it may now, and it counts.
  uint64_t background_wait_us(BackgroundWork work, size_t bytes, Now now) const {
    return parts.budget == nullptr ? 0 : parts.budget->wait_us(work, bytes, now);
  }

  // The first n healthy nodes of the key's preference list: primaries in order, then for each dead
  // one a fallback (sloppy keyspaces). Dead primaries without a fallback go to `uncovered`.
  void choose_targets(const KeyRef& key, Now now, Targets* targets,
                      InlineVector<MemberIndex, 4>* uncovered) const;
  // A fallback that is not among the targets yet, or kNoMember.
  MemberIndex spare_fallback(const KeyRef& key, const Targets& targets) const;

  // Reads this node's copy (primary or not) with flush marks applied. fn gets the record, empty
  // where there is none.
  engine::Access read_own(const KeyRef& key, FunctionRef<void(Record& record)> fn);
  // All hints kept here for the key, merged. False where there is none.
  bool read_hints(const KeyRef& key, Object* object, std::string* storage);
  // The frontier of the own copy of the key's partition; zero where nothing is known.
  Hlc frontier_of(const KeyRef& key) const;
  // Keeps the bytes of a version that is dropped because it is dead, for a person to look at.
  void quarantine(const KeyRef& key, const Version& version);
  // Has the other primaries drop their copies of what was evicted here.
  void tell_evicted(const KeyRef& place, Hlc frontier);
  // Changes the own copy under its lock: fn edits the record and says whether to store it.
  // A repair is taken even where memory is full: it was acknowledged somewhere.
  engine::UpdateResult update_own(const KeyRef& key, FunctionRef<bool(Record& record)> fn,
                                  bool repair = false);
  // The key's absence may be an eviction, by this copy or another one.
  bool may_be_evicted(uint8_t keyspace) const {
    return parts.table->evicts(keyspace) && view->quorum(keyspace).n > 1;
  }
  // Evicts what may go (core_evict.cc): before an update, where the table is crowded.
  void make_room();
  // Merges an object that arrived into the own copy: what is dead by one of both frontiers is left
  // out (of `incoming` it is dropped), `lww` keeps the newest. `frontier`: of the copy that it came
  // from, zero where that is not known. Under the key's lock.
  struct Merging {
    size_t dead_of_incoming = 0, dead_of_own = 0;
  };
  Merging merge_in(Record& own, const KeyRef& key, Object& incoming, Hlc frontier);
  // A new dot of this node for the record; notes the birth where it is a first one. In a keyspace
  // of the last write its HLC is above everything in `covered`: a node whose clock is slow must not
  // make an overwrite that is older than what it overwrites. A node's dots rise from one to the
  // next, so that the highest one that anybody saw says which it minted before (flush marks).
  Dot mint(Record& record, const Context& covered, bool lww, Now now);
  // The clock follows what others minted.
  void observe(const Object& object, Now now);

  // Asks the store for the operation's object and starts it again when it is there.
  void load(SlotId id, Operation& operation, const KeyRef& key);

  // The operation's own copy waits for this commit: of an object, or of a hint.
  void await_own_vote(engine::Ticket ticket, SlotId id);
  void await_own_hint(engine::Ticket ticket, SlotId id);

  // Notes clean exchanges, but for copies that are damaged: their trees do not tell.
  void note_clean(uint8_t keyspace, std::span<const uint32_t> partitions,
                  const CleanExchange& exchange);

  // Answers whoever waits, at most once.
  void complete(Operation& operation, Completion& completion, Now now);
  void complete_failed(Operation& operation, Outcome outcome, std::string_view text, Now now);
  // After a change of what the operation holds.
  void count_held(Operation& operation) {
    const size_t now =
        operation.payload_size() + operation.object.size() + operation.reply_storage.size();
    held_bytes += now - operation.held_bytes;
    operation.held_bytes = now;
  }
  // Ends the operation. Its place in the pool keeps little of its memory: more where it is one of
  // the first, which are used again and again.
  void release(SlotId id);
  // Scratch memory that a large value took.
  void give_back_scratch();

 private:
  static constexpr uint32_t kOperationsRoomy = 256;
  static constexpr size_t kRoomyBytesKept = 16 * 1024, kBytesKept = 1024;
  static constexpr size_t kScratchKept = 256 * 1024;
};

}  // namespace kvorum::cluster
