// SPDX-License-Identifier: Apache-2.0
#include "cluster/coordinator/coordinator.h"

#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "cluster/coordinator/frame_router.h"
#include "cluster/frontier/frontier_protocol.h"
#include "cluster/history/history_delta.h"
#include "cluster/wire/asker.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kStallUs = 100'000;

}  // namespace

Coordinator::Coordinator(const NodeParts& parts, std::shared_ptr<const ClusterView> view,
                         const CoordinatorOptions& options, uint64_t rng_seed)
    : core_(std::make_unique<Core>(parts, std::move(view), options, rng_seed)),
      requests_(std::make_unique<RequestRunner>(*core_)),
      replicas_(std::make_unique<ReplicaService>(*core_)),
      exchange_server_(std::make_unique<ExchangeServer>(*core_)),
      histories_(std::make_unique<HistoryLink>(*core_, [this](Now now) { look_at_history(now); })),
      gossip_(std::make_unique<Gossip>(*core_, *histories_)),
      agreement_link_(std::make_unique<AgreementLink>(*core_)),
      held_copies_(std::make_unique<HeldCopiesLink>(*core_)),
      keyspaces_(std::make_unique<KeyspaceMachine>(
          parts, core_->outbox,
          KeyspaceOptions{.timeout_ms = options.request_timeout_ms, .reactor = options.reactor})),
      control_(options.has_control
                   ? std::make_unique<Control>(*core_, Control::Links{*gossip_, *agreement_link_,
                                                                      *histories_, *held_copies_})
                   : nullptr),
      machines_(std::make_unique<MachineTable>()),
      router_(std::make_unique<FrameRouter>(FrameRouter::Machines{
          *core_, *machines_, *requests_, *replicas_, *exchange_server_, *gossip_, *agreement_link_,
          *histories_, *held_copies_, *keyspaces_, control_.get()})) {
  core_->apart = histories_.get();
  machines_->set(OperationPool::kRequests, requests_->table());
  machines_->set(OperationPool::kReplicaFrames, *replicas_);
  if (control_) {
    machines_->set(OperationPool::kHintReplays, control_->hint_replay());
    machines_->set(OperationPool::kKeyRepairs, control_->key_repair());
  }
  keyspaces_->publish(core_->view);
  mint_above_changes();
}

Coordinator::~Coordinator() = default;

void Coordinator::set_limits(const CoordinatorOptions& options) {
  CoordinatorOptions& own = core_->options;
  own.request_timeout_ms = options.request_timeout_ms;
  own.siblings_max = options.siblings_max;
  own.clock_entries_max = options.clock_entries_max;
  keyspaces_->set_timeout_ms(options.request_timeout_ms);
}

void Coordinator::set_sinks(CompletionSink* completions, KeyspaceSink* keyspace_completions) {
  KVORUM_CHECK(completions != nullptr);
  core_->completions = completions;
  keyspaces_->set_sink(keyspace_completions);
}

void Coordinator::publish(std::shared_ptr<const ClusterView> view, Now now) {
  KVORUM_CHECK(view->members.size() >= core_->view->members.size());  // they keep their index
  const std::shared_ptr<const ClusterView> earlier = core_->view;
  core_->publish(view, now);
  if (core_->parts.agreement != nullptr) core_->parts.agreement->publish(view);
  if (core_->parts.frontier != nullptr) core_->parts.frontier->publish(view);
  keyspaces_->publish(std::move(view));
  if (control_) control_->publish(now);
  requests_->on_view(*earlier, now);
}

// A round of the frontier in which this node had no part yet ended at or below the clock of who
// let it join, and the change carries that clock: what is minted above it is dead nowhere.
void Coordinator::mint_above_changes() {
  const SharedHistory* const history = core_->parts.history;
  if (history != nullptr) core_->parts.clock->mint_above(history->highest_change());
}

void Coordinator::look_at_history(Now now) {
  SharedHistory* const history = core_->parts.history;
  if (history == nullptr || history->generation() == core_->view->generation) [[likely]]
    return;
  if (!core_->view->is_member()) return;  // it waits: the process begins anew once it is one
  mint_above_changes();
  publish(history->view(), now);
  history->adopt(core_->options.reactor.number, core_->view->generation);
}

void Coordinator::encode_history_buckets(std::string& out) const {
  KVORUM_CHECK(core_->parts.history != nullptr);
  encode_buckets(*core_->parts.history->history(), out);
}

void Coordinator::submit(const Request& request, uint64_t tag, Now now) {
  requests_->submit(request, tag, now);
}

void Coordinator::submit(const KeyspaceRequest& request, uint64_t tag, Now now) {
  keyspaces_->submit(request, tag, now);
}

bool Coordinator::on_message(LinkIndex from, const Frame& frame, Now now) {
  return router_->on_message(from, frame, now);
}

void Coordinator::prefetch(std::span<const Frame> frames) const {
  const engine::ObjectTable& table = *core_->parts.table;
  constexpr size_t kBatch = 32;
  KeyRef keys[kBatch];
  for (size_t at = 0; at < frames.size();) {
    size_t count = 0;
    for (; at < frames.size() && count < kBatch; ++at) {
      if (peek_key(frames[at], &keys[count])) {
        table.prefetch_bucket(keys[count++]);
      } else {
        requests_->table().prefetch(frames[at].head);
      }
    }
    for (size_t key = 0; key < count; ++key) table.prefetch_entry(keys[key]);
  }
}

void Coordinator::on_link(MemberIndex peer, bool up, Now now, uint16_t version) {
  core_->health.set_version(peer, version);
  core_->health.set_linked(peer, up, now.steady_us);
  agreement_link_->on_link(peer, up, now);
  if (up && control_) histories_->on_link_up(peer);
  keyspaces_->on_peer(peer, up, now, version);
  if (control_) control_->on_link(peer, up, now);
  if (!up) machines_->on_link_down(peer, now);
}

void Coordinator::on_flow(MemberIndex peer, const FrameHead& head, Now now) {
  core_->health.heard(peer, now.steady_us);
  Machine* const machine = machines_->find(head.operation);
  if (machine) machine->on_flow(head.operation, now);
}

void Coordinator::on_stopping(MemberIndex peer, Now now) {
  core_->health.set_stopping(peer, now.steady_us);
}

void Coordinator::on_one_way(MemberIndex peer, bool one_way, Now now) {
  core_->health.set_one_way(peer, one_way, now.steady_us);
}

void Coordinator::set_coordination(Coordination coordination, Now now) {
  requests_->set_coordination(coordination, now);
}

void Coordinator::on_committed(engine::Ticket ticket, bool ok, Now now) {
  requests_->on_committed(ticket, ok, now);
  replicas_->on_committed(core_->open.awaited_commits, {ticket, ok}, [&](SlotId id) {
    if (Machine* const machine = machines_->find(id)) machine->on_own_commit(id, {false, ok}, now);
  });
}

void Coordinator::on_hints_committed(engine::Ticket ticket, bool ok, Now now) {
  replicas_->on_committed(core_->open.awaited_hint_commits, {ticket, ok}, [&](SlotId id) {
    if (Machine* const machine = machines_->find(id)) machine->on_own_commit(id, {true, ok}, now);
  });
}

void Coordinator::on_loaded(SlotId id, bool ok, Now now) {
  if (Machine* const machine = machines_->find(id)) machine->on_loaded(id, ok, now);
}

void Coordinator::on_scanned(SlotId operation, const ScanPage& page, Now now) {
  switch (page.reader) {
    case RangeLoad::Reader::kScan:
    case RangeLoad::Reader::kMarkSweeper:
      return keyspaces_->on_scanned(operation, page, now);
    case RangeLoad::Reader::kExchangeServer:
      return exchange_server_->on_scanned(operation, page);
    case RangeLoad::Reader::kExchangeAsker:
    case RangeLoad::Reader::kRangeDropper:
    case RangeLoad::Reader::kTreeKeeper:
      if (control_) control_->on_scanned(operation, page, now);
      return;
  }
}

// Woken up so late, this process was stopped: answers wait unread behind the timers.
void Coordinator::notice_stall(Now now) {
  const uint64_t due_us = core_->open.timers.next_due_us();
  if (due_us != 0 && now.steady_us > due_us + kStallUs) core_->health.stalled(now.steady_us);
}

void Coordinator::probe_peers(Now now) {
  core_->health.on_time(now.steady_us, [&](MemberIndex peer) {
    put_probe(core_->outbox.frames(peer), MessageType::kProbe,
              probe_operation(now.steady_us, core_->options.reactor));
  });
}

void Coordinator::on_time(Now now) {
  notice_stall(now);
  core_->contact.on_time(now);
  while (const std::optional<SlotId> id = core_->open.timers.take_due(now.steady_us)) {
    if (Machine* const machine = machines_->find(*id)) machine->on_timer(*id, now);
  }
  requests_->on_time(now);
  probe_peers(now);
  keyspaces_->on_time(now);
  if (control_) control_->on_time(now);
  if constexpr (kBugsArePlanted) {
    if (planted(PlantedBug::kReapByTimer)) reap_by_timer(*core_, now);
  }
}

uint64_t Coordinator::next_deadline_us() const {
  uint64_t next = sooner_of(core_->open.timers.next_due_us(), requests_->next_deadline_us());
  next = sooner_of(next, core_->health.next_deadline_us());
  next = sooner_of(next, keyspaces_->next_deadline_us());
  if (control_) next = sooner_of(next, control_->next_deadline_us());
  return next;
}

void Coordinator::repair(const RepairWish& wish, Now now) {
  if (control_) control_->repair(wish, now);
}

std::vector<ExpiredKey> Coordinator::take_expired(bool wanted) {
  return control_ ? control_->take_expired(wanted) : std::vector<ExpiredKey>();
}

std::vector<EvictedKey> Coordinator::take_evicted(bool wanted) {
  return core_->own.take_evicted(wanted);
}

RepairProgress Coordinator::repair_progress() const {
  return control_ ? control_->repair_progress() : RepairProgress{};
}

void Coordinator::flush_hints(Now now) {
  if (control_) control_->flush_hints(now);
}
uint64_t Coordinator::hints_in_reach(Now now) const {
  return control_ ? control_->hints_in_reach(now) : 0;
}

Outbox& Coordinator::outbox() { return core_->outbox; }
const std::shared_ptr<const ClusterView>& Coordinator::shared_view() const { return core_->view; }
const OperationLatency& Coordinator::latency() const { return core_->latency; }
PeerState Coordinator::peer_state(MemberIndex peer) const { return core_->health.state(peer); }
PeerReport Coordinator::peer_report(MemberIndex peer) const { return core_->health.report(peer); }
uint64_t Coordinator::peers_generation() const { return core_->health.generation(); }
size_t Coordinator::held_bytes() const { return core_->open.held_bytes; }
void Coordinator::give_back_scratch() { core_->give_back_scratch(); }
bool Coordinator::make_room() {
  const engine::ObjectTable& table = *core_->parts.table;
  if (!table.evicts_past_limit()) [[likely]]
    return false;
  core_->own.make_room();
  return table.evicts_past_limit() && !table.eviction_waits();
}

std::optional<Endpoint> Coordinator::told_address(MemberIndex peer) const {
  const Agreement* const agreement = core_->parts.agreement;
  return agreement == nullptr ? std::nullopt : agreement->told_address(peer);
}

Backlog Coordinator::backlog() const {
  return {machines_->open(), keyspaces_->open_operations(),
          core_->open.awaited_commits.size() + core_->open.awaited_hint_commits.size(),
          core_->open.timers.size()};
}

const CoordinatorCounters& Coordinator::counters() const {
  core_->counters.operations_in_flight = requests_->lone_puts() + machines_->open();
  return core_->counters;
}

size_t Coordinator::unfinished() const {
  return requests_->lone_puts() + core_->open.awaited_commits.size() +
         core_->open.awaited_hint_commits.size() + keyspaces_->open_operations() +
         machines_->unfinished();
}

size_t Coordinator::unfinished_edits() const { return requests_->unfinished_edits(); }

}  // namespace kvorum::cluster
