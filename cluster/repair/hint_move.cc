// SPDX-License-Identifier: Apache-2.0
// Hints for a node that left, or that owns the key no more: moved to the key's primaries of today,
// this node's own copy among them. The old hint goes when all of that is committed; a crash in
// between leaves both, and merging twice is like merging once.
#include <algorithm>

#include "cluster/repair/hint_replay.h"

namespace kvorum::cluster {

void HintReplay::move(SlotId id, Delivery& delivery, Now now) {
  delivery.commits_open = 0;
  Object object;
  const KeyRef& key = delivery.key.key;
  if (!decode_object(delivery.object, object)) {
    return give_up(id, delivery, HintWait::kMoving, now);
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
    if (result.access == engine::Access::kNotResident) return core_.load(id, key);
    if (result.access != engine::Access::kDone) {
      return give_up(id, delivery, HintWait::kMoving, now);
    }
    if (result.ticket > core_.parts.table->commits().committed()) {
      core_.await_own_vote(result.ticket, id);
      ++delivery.commits_open;
    }
  }
  for (const MemberIndex primary : primaries) {
    if (primary == core_.self()) continue;
    const engine::UpdateResult result =
        core_.hints.store_moved({core_.id_of(primary), key}, object);
    if (result.access != engine::Access::kDone) {
      return give_up(id, delivery, HintWait::kMoving, now);
    }
    if (result.ticket > core_.hints.committed()) {
      core_.await_own_hint(result.ticket, id);
      ++delivery.commits_open;
    }
  }
  if (delivery.commits_open == 0) moved(id, delivery, now);
}

void HintReplay::on_loaded(SlotId id, bool ok, Now now) {
  Delivery* const delivery = deliveries_.find(id);
  if (!delivery) return;
  if (!ok) return give_up(id, *delivery, HintWait::kMoving, now);
  move(id, *delivery, now);
}

void HintReplay::on_own_commit(SlotId id, OwnCommit commit, Now now) {
  Delivery* const delivery = deliveries_.find(id);
  if (!delivery) return;
  if (!commit.ok) return give_up(id, *delivery, HintWait::kMoving, now);
  if (--delivery->commits_open == 0) moved(id, *delivery, now);
}

void HintReplay::moved(SlotId id, Delivery& delivery, Now now) {
  Object object;
  if (!decode_object(delivery.object, object)) {
    return give_up(id, delivery, HintWait::kMoving, now);
  }
  const NodeId target_id = delivery.target;
  core_.hints.remove_delivered({target_id, delivery.key.key}, object.vector);
  ++core_.counters.hints_moved;
  Target& target = finish(id, delivery);
  due_within(kRetryUs, now);  // the primaries' turn
  go_on(target_id, target, now);
}

}  // namespace kvorum::cluster
