// SPDX-License-Identifier: Apache-2.0
#include "cluster/machine/core.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/give_back.h"
#include "cluster/frontier/frontier_protocol.h"
#include "cluster/machine/large_frames.h"
#include "cluster/version/planted_bug.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kQuarantinedPerTurnMax = 1024;

uint8_t clamp_u8(size_t count) { return static_cast<uint8_t>(std::min<size_t>(count, 255)); }

// An edit that an earlier coordinator may have run, or whose first of two writes is out already.
bool may_be_stored(const Operation& operation) {
  if (operation.request().kind != Request::Kind::kEdit) return false;
  const size_t asked_now = operation.kind == Operation::Kind::kForward ? 1 : 0;
  const Route& route = operation.route;
  const bool wrote = operation.was_put() && operation.writing.second_write_done;
  return wrote || route.tried.size() > asked_now + route.refusals;
}

}  // namespace

bool is_refusal(Outcome outcome) {
  switch (outcome) {
    case Outcome::kNoQuorum:
    case Outcome::kTooManySiblings:
    case Outcome::kStoreFailed:
    case Outcome::kOutOfMemory:
    case Outcome::kClusterDown:
      return true;
    case Outcome::kOk:
    case Outcome::kRejected:
    case Outcome::kUncertain:
    case Outcome::kNotOwner:
      break;
  }
  return false;
}

Core::Core(const NodeParts& node_parts, std::shared_ptr<const ClusterView> first_view,
           const CoordinatorOptions& coordinator_options, uint64_t rng_seed)
    : parts(node_parts),
      view(std::move(first_view)),
      options(coordinator_options),
      rng(rng_seed),
      contact(view->members.size() > 1 ? node_parts.frontier : nullptr),
      hints(*node_parts.hints) {
  KVORUM_CHECK(parts.table && parts.authors && parts.marks && parts.clock);
  health.resize(view->members.size(), view->self);
}

void Core::publish(std::shared_ptr<const ClusterView> later) {
  KVORUM_CHECK(later->follows(*view));
  view = std::move(later);
  health.resize(view->members.size(), view->self);
}

bool Core::is_primary(MemberIndex member, const KeyRef& key) const {
  return view->is_primary(member, key.keyspace, partition_for(key));
}

void Core::choose_targets(const KeyRef& key, Now now, Targets* targets,
                          InlineVector<MemberIndex, 4>* uncovered) const {
  const auto list = preference_list(key);
  const size_t n = std::min<size_t>(view->quorum(key.keyspace).n, list.size());
  targets->clear();
  uncovered->clear();
  for (size_t at = 0; at < n; ++at) {
    if (health.healthy(list[at])) {
      targets->push_back(Target{.member = list[at], .asked_us = now.steady_us});
    } else {
      uncovered->push_back(list[at]);
    }
  }
  if (!view->keyspaces[key.keyspace].sloppy) return;
  for (size_t at = n; at < list.size() && !uncovered->empty(); ++at) {
    if (!health.healthy(list[at])) continue;
    targets->push_back(
        Target{.member = list[at], .stands_for = (*uncovered)[0], .asked_us = now.steady_us});
    uncovered->erase_at(0);
  }
}

MemberIndex Core::spare_fallback(const KeyRef& key, const Targets& targets) const {
  if (!view->keyspaces[key.keyspace].sloppy) return kNoMember;
  const auto list = preference_list(key);
  MemberIndex slow_one = kNoMember;
  for (size_t at = view->quorum(key.keyspace).n; at < list.size(); ++at) {
    const bool asked = std::any_of(targets.begin(), targets.end(),
                                   [&](const Target& target) { return target.member == list[at]; });
    if (asked || list[at] == self() || !health.healthy(list[at])) continue;
    if (!health.slow(list[at])) return list[at];
    if (slow_one == kNoMember) slow_one = list[at];
  }
  return slow_one;
}

engine::Access Core::read_own(const KeyRef& key, FunctionRef<void(Record& record)> fn) {
  bool covered = false;
  const engine::Access access = parts.table->read(key, [&](engine::RecordView bytes) {
    decode_record(bytes, *parts.authors, record);
    if (parts.marks->any(key.keyspace)) covered = parts.marks->apply(key.keyspace, record.object);
    fn(record);
  });
  // The sweep of the mark passes over what is not in memory: without this a replica that had it
  // there and one that had not would differ in their digests for good.
  if (covered) update_own(key, [](Record&) { return false; });
  return access;
}

bool Core::read_hints(const KeyRef& key, Object* object, std::string* storage) {
  bool found = false;
  for (const MemberIndex member : preference_list(key)) {
    if (member == self()) continue;
    hints.read({id_of(member), key}, [&](const Record& hint) {
      std::string bytes;
      encode_object(found ? merge(*object, hint.object) : hint.object, bytes);
      storage->swap(bytes);
      found = decode_object(*storage, *object);
    });
  }
  if (found && parts.marks->any(key.keyspace)) parts.marks->apply(key.keyspace, *object);
  return found;
}

void Core::quarantine(const KeyRef& key, const Version& version) {
  // Of what was evicted elsewhere nobody wants a trace.
  if (version.type == TypeTag::kTombstone || parts.table->evicts(key.keyspace)) return;
  if (outbox.quarantined.size() >= kQuarantinedPerTurnMax) return;
  outbox.quarantined.push_back({std::string(key.key), key.keyspace, version.dot.hlc,
                                version.dot.actor.node, std::string(version.bytes)});
}

Hlc Core::frontier_of(const KeyRef& key) const {
  return parts.frontier == nullptr ? Hlc{} : parts.frontier->copies().of(key);
}

engine::UpdateResult Core::update_own(const KeyRef& key, FunctionRef<bool(Record& record)> fn,
                                      bool repair) {
  if (parts.table->crowded()) make_room();
  bool nameless = false;  // the table of authors is full: nothing is stored
  const auto change_record = [&](engine::RecordView bytes) {
    using Action = engine::RecordChange::Action;
    engine::RecordChange change;
    decode_record(bytes, *parts.authors, record);
    const uint64_t old_digest = leaf_digest(key, record.object, parts.digest_seed);
    const Hlc frontier = frontier_of(key);
    change.oldest_changed = oldest_above(record.object, frontier);
    const bool marked = parts.marks->any(key.keyspace);
    bool changed = marked && parts.marks->apply(key.keyspace, record.object);
    changed |= fn(record);
    if (!changed) return change;
    if (!record.object.spent.empty()) forget_spent(record.object, frontier);
    if (marked) parts.marks->apply(key.keyspace, record.object);  // also what fn merged in

    describe_record(record.object, &change);
    // A delete of what is not here would take memory, where the frontier stands still without end.
    const bool grows = bytes.absent() && parts.table->evicts(key.keyspace);
    change.frees = repair || (!change.live && !grows);
    change.oldest_changed = std::min(change.oldest_changed, oldest_above(record.object, frontier));
    // Nobody else holds a copy that a forgotten tombstone could let return.
    const bool alone = view->members.size() == 1;
    if (record.object.empty() || (alone && !change.live)) {
      change.action = bytes.absent() ? Action::kKeep : Action::kErase;
      change.digest_change = old_digest;
      return change;
    }
    nameless = !encode_record(record, *parts.authors, record_head, &change);
    if (nameless) return engine::RecordChange{};
    change.action = Action::kStore;
    change.head = record_head;
    change.digest_change = old_digest ^ leaf_digest(key, record.object, parts.digest_seed);
    if (planted(PlantedBug::kStaleTree) && !change.live) change.digest_change = 0;
    return change;
  };
  engine::UpdateResult result = parts.table->update(key, change_record);
  if (nameless) result.access = engine::Access::kFull;
  return result;
}

Core::Merging Core::merge_in(Record& own, const KeyRef& key, Object& incoming, Hlc frontier) {
  Merging merging;
  Object arrived;  // as it was: what is dead here is judged by that
  if (frontier != Hlc{}) arrived = incoming;
  merging.dead_of_incoming = drop_dead(incoming, own.object, frontier_of(key));
  if (frontier != Hlc{}) {
    InlineVector<Version, 1> dead;
    merging.dead_of_own = drop_dead(own.object, arrived, frontier, &dead);
    for (const Version& version : dead) quarantine(key, version);
  }
  counters.dead_versions += merging.dead_of_incoming + merging.dead_of_own;
  own.object = merge(own.object, incoming);
  if (lww(key.keyspace)) {
    counters.concurrent_dropped += keep_newest(own.object, frontier_of(key));
  }
  return merging;
}

Dot Core::mint(Record& own, const Context& covered, bool lww, Now now) {
  Dot dot;
  dot.actor = {self_id(), parts.current_incarnation(), own.own_birth};
  const VectorEntry* entry = own.own_birth.value ? own.object.vector.find(dot.actor) : nullptr;
  const Hlc tick = parts.clock->tick(now.wall_ms);
  Hlc least = tick;
  if (lww && !planted(PlantedBug::kClockAlone)) {
    for (const VectorEntry& known : own.object.vector) least = std::max(least, known.hlc.next());
    for (const VectorEntry& known : covered.vector) least = std::max(least, known.hlc.next());
    for (const Dot& known : covered.detached) least = std::max(least, known.hlc.next());
  }
  if (!entry) {
    // Not dot.hlc: raised above the clock, it could come up once more after the key was forgotten.
    dot.actor.birth = own.own_birth = tick;
    if (planted(PlantedBug::kNoBirths) || planted(PlantedBug::kReuseCounter)) {
      dot.actor.birth = own.own_birth = Hlc{1};
    }
  } else {
    least = std::max(least, entry->hlc.next());
  }
  dot.hlc = parts.clock->mint(least);
  KVORUM_CHECK(dot.hlc >= dot.actor.birth);  // else no replica takes it
  return dot;
}

void Core::observe(const Object& object, Now now) {
  Hlc highest;
  for (const VectorEntry& entry : object.vector) highest = std::max(highest, entry.hlc);
  parts.clock->observe(highest, now.wall_ms);
}

void Core::load(SlotId id, const KeyRef& key) {
  outbox.loads.push_back({id, std::string(key.key), key.position, key.keyspace});
}

void Core::note_clean(uint8_t keyspace, std::span<const uint32_t> partitions,
                      const CleanExchange& exchange) {
  if (parts.exchanges == nullptr) return;
  std::vector<uint32_t> undamaged(partitions.begin(), partitions.end());
  std::erase_if(undamaged,
                [&](uint32_t partition) { return parts.is_damaged(keyspace, partition); });
  if (!undamaged.empty()) parts.exchanges->note(keyspace, undamaged, exchange);
}

void Core::pause_contended(SlotId id, Operation& operation, Now now) {
  constexpr uint64_t kPauseUs = 1000;
  constexpr uint8_t kDoublings = 4;
  uint8_t& contentions = operation.reading.contentions;
  const uint64_t pause_us = kPauseUs << std::min(contentions, kDoublings);
  if (contentions < UINT8_MAX) ++contentions;
  operation.phase = Operation::Phase::kContended;
  timers.add(now.steady_us, pause_us / 2 + rng.below(pause_us), id);
}

void Core::await_own_vote(engine::Ticket ticket, SlotId id) {
  AwaitedCommit& vote = awaited_commits.emplace_back();
  vote.ticket = ticket;
  vote.operation = id;
}

void Core::await_own_hint(engine::Ticket ticket, SlotId id) {
  AwaitedCommit& vote = awaited_hint_commits.emplace_back();
  vote.ticket = ticket;
  vote.operation = id;
}

// Who answered, for KV.LASTOP and the texts of errors.
void Core::count_votes(const Operation& operation, Completion& completion) {
  ServiceRecord& service = completion.service;
  service.coordinator = self_id();
  const bool put = operation.kind == Operation::Kind::kPut;
  if (put) service.hints = operation.writing.hints_left;
  // A put that fails for its reading tells of that.
  const bool writes = put && operation.phase != Operation::Phase::kReading;
  const WriteTally& write = operation.writing.tally;
  const ReadTally& read = operation.reading.tally;
  const Answers answers = answers_of(operation.inspection ? operation.inspection->targets
                                     : writes             ? write.targets
                                                          : read.targets);
  service.primaries = clamp_u8(answers.primaries);
  service.fallbacks = clamp_u8(answers.fallbacks);
  service.answered = clamp_u8(answers.primaries + answers.fallbacks);
  completion.acknowledged = service.answered;
  completion.needed = writes ? write.needed : read.needed;
  if (!put) return;
  const int wanted = write.needed + write.short_of_w;
  if (completion.outcome == Outcome::kOk && completion.stored && service.answered < wanted) {
    service.short_of_w = static_cast<uint8_t>(wanted - service.answered);
    ++counters.writes_softened;
  }
}

void Core::complete(Operation& operation, Completion& completion, Now now) {
  if (operation.answered_client) return;
  operation.answered_client = true;
  if (is_refusal(completion.outcome) && may_be_stored(operation)) {
    completion.outcome = Outcome::kUncertain;
  }
  ServiceRecord& service = completion.service;
  if (operation.kind != Operation::Kind::kForward) count_votes(operation, completion);
  if (completion.outcome == Outcome::kNoQuorum) ++counters.no_quorum;
  if (completion.outcome == Outcome::kUncertain) ++counters.uncertain;
  completion.now_ms = clock_ms(now);
  service.micros = static_cast<uint32_t>(now.steady_us - operation.started_us);
  if (operation.remote) {
    send_forward_reply(*this, operation.reply_to, operation.reply_operation, completion);
  } else if (completions) {
    service.hops = clamp_u8(operation.route.tried.size());
    latency.of(operation.request().kind).record(service.micros, now.steady_us);
    completions->on_complete(operation.tag, completion);
  }
}

void Core::complete_failed(Operation& operation, Outcome outcome, std::string_view text, Now now) {
  Completion completion;
  completion.outcome = outcome;
  completion.text = text;
  Object nothing;
  const bool read = operation.kind == Operation::Kind::kGet;
  if (read) completion.object = &nothing;
  complete(operation, completion, now);
}

void Core::release(SlotId id) {
  KVORUM_CHECK(operations.find(id) != nullptr);
  Operation& operation = *operations.find(id);
  if (!operation.payload_body.empty()) [[unlikely]]
    operation.payload_body = {};
  const bool roomy = static_cast<uint32_t>(id) < kOperationsRoomy;
  const size_t kept = roomy ? kRoomyBytesKept : kBytesKept;
  release_head(operation, kept);
  give_back(operation.payload, kept);
  if (operation.was_read()) {
    operation.reading.held.clear();
    operation.reading.held.give_back_memory(kept);
  }
  if (operation.was_put()) {
    if (operation.writing.made) [[unlikely]]
      operation.writing.made = nullptr;
    give_back(operation.writing.reply_storage, kept);
  }
  if (operation.was_handed()) give_back(operation.handing.answer, kept);
  if (operation.inspection) operation.inspection.reset();
  operations.release(id);
}

void Core::release_head(OperationHead& operation) { release_head(operation, kBytesKept); }

void Core::release_head(OperationHead& operation, size_t bytes_kept) {
  if (!operation.object.body.empty()) [[unlikely]]
    operation.object.body = {};
  KVORUM_CHECK(held_bytes >= operation.held_bytes);
  count_held(operation, 0);
  give_back(operation.object.head, bytes_kept);
}

void Core::give_back_scratch() {
  for (std::string* const scratch : {&record_head, &edit_scratch, &outgoing.head}) {
    if (scratch->capacity() > kScratchKept) release_memory(*scratch);
  }
  if (!outgoing.body.empty()) outgoing.body = {};
}

}  // namespace kvorum::cluster
