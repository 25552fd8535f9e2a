// SPDX-License-Identifier: Apache-2.0
#include "cluster/upkeep/hint_move.h"

#include "base/check.h"

namespace kvorum::cluster {

HintMove begin_hint_move(Core& core, const MovedHint& hint, Now now) {
  HintMove move;
  const auto failed = [&] {
    move.state = HintMove::State::kFailed;
    return move;
  };
  const auto primaries = core.view->owners(hint.key.keyspace, core.partition_for(hint.key));
  KVORUM_CHECK(!primaries.empty());  // else the hint would go and nobody have it
  // The own copy first: where it has to be loaded, nothing was done yet.
  if (core.is_owner(core.self(), hint.key)) {
    core.own.observe(hint.object, now);
    const engine::UpdateResult result = core.own.update(hint.key, [&](Record& record) {
      Object arriving = hint.object;
      core.own.merge_in(record, hint.key, arriving, Hlc{});
      return true;
    });
    if (result.access == engine::Access::kNotResident) {
      core.load(hint.id, hint.key);
      move.state = HintMove::State::kLoads;
      return move;
    }
    if (result.access != engine::Access::kDone) return failed();
    if (result.ticket > core.parts.table->commits().committed()) {
      core.open.await_own_vote(result.ticket, hint.id);
      ++move.commits_open;
    }
  }
  for (const MemberIndex primary : primaries) {
    if (primary == core.self()) continue;
    const engine::UpdateResult result =
        core.hints.store_moved({core.id_of(primary), hint.key}, hint.object);
    if (result.access != engine::Access::kDone) return failed();
    if (result.ticket > core.hints.committed()) {
      core.open.await_own_hint(result.ticket, hint.id);
      ++move.commits_open;
    }
  }
  return move;
}

}  // namespace kvorum::cluster
