// SPDX-License-Identifier: Apache-2.0
// Hints for a node that left, or that owns the key no more: moved to the key's primaries of today,
// this node's own copy among them. The old hint goes when all of that is committed; a crash in
// between leaves both, and merging twice is like merging once.
#include <algorithm>

#include "cluster/repair/hint_replay.h"

namespace kvorum::cluster {

void HintReplay::move(SlotId id, Operation& operation, Now now) {
  operation.phase = Operation::Phase::kSettling;
  operation.needed = 0;  // commits to wait for
  Object object;
  const KeyRef& key = operation.request().key;
  if (!decode_object(operation.object, object)) {
    return give_up(id, operation, HintWait::kMoving, now);
  }
  const auto primaries = core_.primaries(key);
  // The own copy first: where it has to be loaded, nothing was done yet.
  if (core_.is_primary(core_.self(), key)) {
    core_.observe(object, now);
    const engine::UpdateResult result = core_.update_own(key, [&](Record& record) {
      Object arriving = object;
      core_.merge_in(record, key, arriving, Hlc{});
      return true;
    });
    if (result.access == engine::Access::kNotResident) return core_.load(id, operation, key);
    if (result.access != engine::Access::kDone) {
      return give_up(id, operation, HintWait::kMoving, now);
    }
    if (result.ticket > core_.parts.table->committed()) {
      core_.await_own_vote(result.ticket, id);
      ++operation.needed;
    }
  }
  for (const MemberIndex primary : primaries) {
    if (primary == core_.self()) continue;
    const engine::UpdateResult result =
        core_.hints.store_moved({core_.id_of(primary), key}, object);
    if (result.access != engine::Access::kDone) {
      return give_up(id, operation, HintWait::kMoving, now);
    }
    if (result.ticket > core_.hints.committed()) {
      core_.await_own_hint(result.ticket, id);
      ++operation.needed;
    }
  }
  if (operation.needed == 0) moved(id, operation, now);
}

void HintReplay::on_loaded(SlotId id, Operation& operation, bool ok, Now now) {
  if (!ok) return give_up(id, operation, HintWait::kMoving, now);
  move(id, operation, now);
}

void HintReplay::on_own_commit(SlotId id, Operation& operation, bool ok, Now now) {
  if (!ok) return give_up(id, operation, HintWait::kMoving, now);
  if (--operation.needed == 0) moved(id, operation, now);
}

void HintReplay::moved(SlotId id, Operation& operation, Now now) {
  Object object;
  if (!decode_object(operation.object, object)) {
    return give_up(id, operation, HintWait::kMoving, now);
  }
  const NodeId target_id = operation.tag;
  core_.hints.remove_delivered({target_id, operation.request().key}, object.vector);
  ++core_.counters.hints_moved;
  Target& target = finish(id, operation);
  due_within(kRetryUs, now);  // the primaries' turn
  go_on(target_id, target, now);
}

}  // namespace kvorum::cluster
