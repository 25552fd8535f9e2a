// SPDX-License-Identifier: Apache-2.0
#include "cluster/own/own_copies.h"

#include <algorithm>

#include "base/check.h"
#include "base/give_back.h"
#include "base/planted_bug.h"
#include "cluster/frontier/frontier_protocol.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kQuarantinedPerTurnMax = 1024;
constexpr size_t kScratchKept = 256 * 1024;

}  // namespace

bool has_value(const Object& object) {
  return std::any_of(object.versions.begin(), object.versions.end(),
                     [](const Version& version) { return version.type != TypeTag::kTombstone; });
}

engine::Access OwnCopies::read(const KeyRef& key, FunctionRef<void(Record& record)> fn) {
  bool covered = false;
  const engine::Access access = node_.table->read(key, [&](engine::RecordView bytes) {
    decode_record(bytes, *node_.authors, record_);
    if (node_.marks->any(key.keyspace)) covered = node_.marks->apply(key.keyspace, record_.object);
    fn(record_);
  });
  // The sweep of the mark passes over what is not in memory: without this a replica that had it
  // there and one that had not would differ in their digests for good.
  if (covered) update(key, [](Record&) { return false; });
  return access;
}

bool OwnCopies::read_hints(const KeyRef& key, Object* object, std::string* storage) {
  bool found = false;
  for (MemberIndex member = 0; member < view_->members.size(); ++member) {
    if (member == view_->self) continue;
    node_.hints->read({view_->members[member].id, key}, [&](const Record& hint) {
      std::string bytes;
      encode_object(found ? merge(*object, hint.object) : hint.object, bytes);
      storage->swap(bytes);
      found = decode_object(*storage, *object);
    });
  }
  if (found && node_.marks->any(key.keyspace)) node_.marks->apply(key.keyspace, *object);
  return found;
}

void OwnCopies::quarantine(const KeyRef& key, const Version& version) {
  // Of what was evicted elsewhere nobody wants a trace.
  if (version.type == TypeTag::kTombstone || node_.table->evicts(key.keyspace)) return;
  if (outbox_.quarantined.size() >= kQuarantinedPerTurnMax) return;
  outbox_.quarantined.push_back({std::string(key.key), key.keyspace, version.dot.hlc,
                                 version.dot.actor.node, std::string(version.bytes)});
}

Hlc OwnCopies::frontier_of(const KeyRef& key) const {
  return node_.frontier == nullptr ? Hlc{} : node_.frontier->copies().of(key);
}

engine::UpdateResult OwnCopies::update(const KeyRef& key, FunctionRef<bool(Record& record)> fn,
                                       bool repair) {
  if (node_.table->crowded()) make_room();
  bool nameless = false;  // the table of authors is full: nothing is stored
  const auto change_record = [&](engine::RecordView bytes) {
    using Action = engine::RecordChange::Action;
    engine::RecordChange change;
    decode_record(bytes, *node_.authors, record_);
    const uint64_t old_digest = leaf_digest(key, record_.object, node_.digest_seed);
    const bool tells = node_.tells_changes();
    const bool was_live = tells && has_value(record_.object);
    const auto tell = [&] {
      if (!tells || change.digest_change == 0 || !(was_live || change.live)) [[likely]]
        return;
      outbox_.changed.note(key.key, versions_digest(record_.object));
    };
    const Hlc frontier = frontier_of(key);
    change.oldest_changed = oldest_above(record_.object, frontier);
    const bool marked = node_.marks->any(key.keyspace);
    bool changed = marked && node_.marks->apply(key.keyspace, record_.object);
    changed |= fn(record_);
    if (!changed) return change;
    if (!record_.object.spent.empty()) forget_spent(record_.object, frontier);
    if (marked) node_.marks->apply(key.keyspace, record_.object);  // also what fn merged in

    describe_record(record_.object, &change);
    // A delete of what is not here would take memory, where the frontier stands still without end.
    const bool grows = bytes.absent() && node_.table->evicts(key.keyspace);
    change.frees = repair || (!change.live && !grows);
    change.oldest_changed = std::min(change.oldest_changed, oldest_above(record_.object, frontier));
    // Nobody else holds a copy that a forgotten tombstone could let return.
    const bool alone = view_->members.size() == 1;
    if (record_.object.empty() || (alone && !change.live)) {
      change.action = bytes.absent() ? Action::kKeep : Action::kErase;
      change.digest_change = old_digest;
      tell();
      return change;
    }
    nameless = !encode_record(record_, *node_.authors, record_head_, &change);
    if (nameless) return engine::RecordChange{};
    change.action = Action::kStore;
    change.head = record_head_;
    change.digest_change = old_digest ^ leaf_digest(key, record_.object, node_.digest_seed);
    tell();
    if (planted(PlantedBug::kStaleTree) && !change.live) change.digest_change = 0;
    return change;
  };
  engine::UpdateResult result = node_.table->update(key, change_record);
  if (nameless) result.access = engine::Access::kFull;
  return result;
}

OwnCopies::Merging OwnCopies::merge_in(Record& own, const KeyRef& key, Object& incoming,
                                       Hlc frontier) {
  Merging merging;
  Object arrived;  // as it was: what is dead here is judged by that
  if (frontier != Hlc{}) arrived = incoming;
  merging.dead_of_incoming = drop_dead(incoming, own.object, frontier_of(key));
  if (frontier != Hlc{}) {
    InlineVector<Version, 1> dead;
    merging.dead_of_own = drop_dead(own.object, arrived, frontier, &dead);
    for (const Version& version : dead) quarantine(key, version);
  }
  counters_.dead_versions += merging.dead_of_incoming + merging.dead_of_own;
  own.object = merge(own.object, incoming);
  if (view_->keyspaces[key.keyspace].conflicts == ConflictPolicy::kLww) {
    counters_.concurrent_dropped += keep_newest(own.object, frontier_of(key));
  }
  return merging;
}

OwnCopies::Taken OwnCopies::take_in(const KeyRef& key, const Object& theirs, Hlc frontier,
                                    Now now) {
  observe(theirs, now);
  Taken taken;
  const uint64_t there = versions_digest(theirs);
  const auto change = [&](Record& record) {
    const uint64_t before = versions_digest(record.object);
    const bool knew = record.object.vector.covers_all(theirs.vector);
    Object arriving = theirs;
    merge_in(record, key, arriving, frontier);
    const uint64_t after = versions_digest(record.object);
    taken.differs = after != there;
    taken.grown = after != before;
    return taken.grown || !knew;
  };
  taken.result = update(key, change, true);
  return taken;
}

Dot OwnCopies::mint(Record& own, const Context& covered, bool lww, Now now) {
  Dot dot;
  dot.actor = {view_->members[view_->self].id, node_.current_incarnation(), own.own_birth};
  const VectorEntry* entry = own.own_birth.value ? own.object.vector.find(dot.actor) : nullptr;
  const Hlc tick = node_.clock->tick(now.wall_ms);
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
  dot.hlc = node_.clock->mint(least);
  KVORUM_CHECK(dot.hlc >= dot.actor.birth);  // else no replica takes it
  return dot;
}

void OwnCopies::observe(const Object& object, Now now) {
  Hlc highest;
  for (const VectorEntry& entry : object.vector) highest = std::max(highest, entry.hlc);
  node_.clock->observe(highest, now.wall_ms);
}

void OwnCopies::give_back_scratch() {
  if (record_head_.capacity() > kScratchKept) release_memory(record_head_);
}

}  // namespace kvorum::cluster
