// SPDX-License-Identifier: Apache-2.0
#include "cluster/upkeep/hint_replay.h"

#include <algorithm>

#include "base/check.h"
#include "cluster/machine/large_frames.h"
#include "cluster/upkeep/hint_move.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kSoonUs = 10'000;
constexpr size_t kLookedAtMax = 256;  // per input, of hints that stay

bool is_large(size_t bytes) { return bytes > kLargeFrameBytes; }

size_t bytes_of(const Object& object) {
  size_t bytes = 0;
  for (const Version& version : object.versions) bytes += version.bytes.size();
  return bytes;
}

}  // namespace

void HintReplay::due_within(uint64_t delay_us, Now now) {
  const uint64_t wanted_us = now.steady_us + delay_us;
  if (due_us_ == 0 || wanted_us < due_us_) due_us_ = wanted_us;
}

void HintReplay::on_link_up(MemberIndex peer, Now now) {
  const auto found = targets_.find(core_.id_of(peer));
  if (found != targets_.end()) found->second.retry_at_us = 0;
  due_within(kSoonUs, now);
}

void HintReplay::on_link_down(MemberIndex peer, Now) {
  const NodeId target = core_.id_of(peer);
  deliveries_.for_each([&](SlotId id, Delivery& delivery) {
    if (delivery.moves || delivery.target != target) return;
    core_.hints.ledger().waits(target, HintWait::kUnreachable);
    finish(id, delivery).pass_ended = true;
  });
}

void HintReplay::on_time(Now now) {
  if (due_us_ != 0 && now.steady_us < due_us_) return;
  due_us_ = now.steady_us + core_.options.hints_interval_ms * 1000ULL;
  scan(now);
}

// Begins with another target each time: where the budget is short, the first takes most of it.
void HintReplay::scan(Now now) {
  std::vector<NodeId> ids = core_.hints.ledger().targets();
  if (!ids.empty()) {
    const auto turn = static_cast<std::ptrdiff_t>(scans_++ % ids.size());
    std::rotate(ids.begin(), ids.begin() + turn, ids.end());
  }
  for (const NodeId id : ids) {
    Target& target = targets_[id];
    if (target.pass_ended && target.in_flight > 0) continue;
    if (target.pass_ended) target.place.reset();
    target.pass_ended = false;
    pump(id, target, now);
  }
  std::erase_if(targets_, [&](const auto& item) {
    return item.second.in_flight == 0 && core_.hints.ledger().count_for(item.first) == 0;
  });
}

// What keeps a target's hints here. A suspected one is not asked: a probe will find it well again.
HintWait HintReplay::obstacle(MemberIndex member, const Target& target, Now now) const {
  if (core_.hints.failed()) return HintWait::kStore;
  if (now.steady_us < target.retry_at_us) return HintWait::kSilent;
  if (member == kNoMember) return HintWait::kMoving;
  if (!core_.health.linked(member)) return HintWait::kUnreachable;
  return core_.health.healthy(member) ? HintWait::kNone : HintWait::kSilent;
}

uint64_t HintReplay::in_reach(Now now) const {
  uint64_t count = 0;
  for (const NodeId id : core_.hints.ledger().targets()) {
    const auto found = targets_.find(id);
    const uint64_t retry_at_us = found == targets_.end() ? 0 : found->second.retry_at_us;
    const MemberIndex member = core_.view->find_id(id);
    if (core_.hints.failed() || now.steady_us < retry_at_us || member == kNoMember) continue;
    if (core_.health.healthy(member)) count += core_.hints.ledger().count_for(id);
  }
  return count;
}

// All hints of an unreachable target are for an owner: they wait for it, and are not looked at
// again and again. Who departed owns nothing, and what comes for it is moved.
bool HintReplay::none_moves(MemberIndex member, const Target& target, Now now) const {
  KVORUM_CHECK(member != kNoMember);
  return target.looked_through == core_.view && now.steady_us >= target.looks_until_us &&
         core_.view->members[member].is_placed();
}

void HintReplay::pump(NodeId id, Target& target, Now now) {
  pumping_ = true;
  fill_window(id, target, now);
  pumping_ = false;
  if (target.pass_ended) go_on(id, target, now);
}

// Sends to a target what its window has room for; moves what it is no primary of, linked or not.
void HintReplay::fill_window(NodeId id, Target& target, Now now) {
  const MemberIndex member = core_.view->find_id(id);
  const HintWait wait = obstacle(member, target, now);
  if (wait == HintWait::kSilent) {
    due_within(std::max(target.retry_at_us, now.steady_us + kSoonUs) - now.steady_us, now);
    // After a refusal or a silence of its own it is said already why it waits.
    if (now.steady_us >= target.retry_at_us) core_.hints.ledger().waits(id, wait);
    return;
  }
  core_.hints.ledger().waits(id, wait);
  if (wait == HintWait::kStore) return;
  const bool unreachable = wait == HintWait::kUnreachable;
  if (unreachable && none_moves(member, target, now)) return;
  Found found;
  size_t looked_at = 0;
  std::optional<HintPlace> before;
  while (!target.pass_ended && target.in_flight < target.pace.window() + target.large_in_flight &&
         target.bytes_in_flight < kBytesInFlightMax) {
    if (++looked_at > kLookedAtMax) return due_within(kSoonUs, now);
    if (now.steady_us < budget_at_us_) return wait_for_budget(id, now);
    before = target.place;
    if (!find_next(id, member, target, &found)) {
      if (target.looked_through != core_.view) target.looks_until_us = now.steady_us + kFollowUs;
      target.looked_through = unreachable ? core_.view : nullptr;
      target.pass_ended = true;
      return;
    }
    if (found.must_wait || (found.for_primary && unreachable)) continue;
    if (!may_begin(std::min(found.object.size(), kLargeFrameBytes), now)) {
      target.place = before;
      return wait_for_budget(id, now);
    }
    const SlotId delivery = begin(id, target, found, now);
    if (found.for_primary) {
      send(delivery, member);
    } else {
      move(delivery, *deliveries_.find(delivery), now);
    }
  }
}

bool HintReplay::may_begin(size_t bytes, Now now) {
  const uint64_t wait_us = core_.background_wait_us(BackgroundWork::kHints, bytes, now);
  budget_at_us_ = now.steady_us + wait_us;
  return wait_us == 0;
}

void HintReplay::wait_for_budget(NodeId id, Now now) {
  core_.hints.ledger().waits(id, HintWait::kForeground);
  due_within(budget_at_us_ - now.steady_us, now);
}

// The next hint, copied out: sending may not touch the table that is being read.
bool HintReplay::find_next(NodeId id, MemberIndex member, Target& target, Found* found) {
  return core_.hints.show_next(id, &target.place, [&](const HintKey& hint, const Object& object) {
    found->key = hint.key.key;
    found->position = hint.key.position;
    found->keyspace = hint.key.keyspace;
    found->for_primary = member != kNoMember && core_.is_owner(member, hint.key);
    found->must_wait = target.large_in_flight > 0 && is_large(bytes_of(object));
    if (!found->must_wait) encode_object(object, found->object);
  });
}

SlotId HintReplay::begin(NodeId target_id, Target& target, Found& found, Now now) {
  SlotId id;
  Delivery& delivery = deliveries_.acquire(&id);
  delivery.reset(now);
  delivery.target = target_id;
  delivery.key.assign({found.key, found.position, found.keyspace});
  delivery.moves = !found.for_primary;
  delivery.commits_open = 0;
  delivery.object.swap(found.object);
  core_.open.count_held(delivery, delivery.object.size());
  ++target.in_flight;
  const size_t bytes = delivery.object.size();
  is_large(bytes) ? ++target.large_in_flight : target.bytes_in_flight += bytes;
  const uint64_t timeout_ms = core_.options.request_timeout_ms + Core::flow_ms(bytes);
  core_.open.timers.add(now.steady_us, timeout_ms * 1000, id);
  return id;
}

void HintReplay::send(SlotId id, MemberIndex member) {
  Delivery& delivery = *deliveries_.find(id);
  KVORUM_CHECK(!delivery.moves);
  const ReplicaWrite message{.key = delivery.key.key, .repair = true, .object = {}};
  send_replica_write(core_, member, {id, delivery}, message);
}

void HintReplay::move(SlotId id, Delivery& delivery, Now now) {
  KVORUM_CHECK(delivery.moves);
  Object object;
  if (!decode_object(delivery.object, object)) {
    return give_up(id, delivery, HintWait::kMoving, now);
  }
  const HintMove begun = begin_hint_move(core_, {id, delivery.key.key, object}, now);
  delivery.commits_open = begun.commits_open;
  switch (begun.state) {
    case HintMove::State::kLoads:
      return;
    case HintMove::State::kFailed:
      return give_up(id, delivery, HintWait::kMoving, now);
    case HintMove::State::kBegun:
      if (delivery.commits_open == 0) moved(id, delivery, now);
  }
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
  KVORUM_CHECK(delivery->commits_open > 0);
  if (--delivery->commits_open == 0) moved(id, *delivery, now);
}

// Who read it here as a stand-in reads it elsewhere from now on.
void HintReplay::note_removed(const KeyRef& key) {
  if (core_.parts.tells_changes()) core_.outbox.changed.note(key.key, 0);
}

void HintReplay::moved(SlotId id, Delivery& delivery, Now now) {
  Object object;
  if (!decode_object(delivery.object, object)) {
    return give_up(id, delivery, HintWait::kMoving, now);
  }
  const NodeId target_id = delivery.target;
  core_.hints.remove_delivered({target_id, delivery.key.key}, object.vector);
  note_removed(delivery.key.key);
  ++core_.counters.hints_moved;
  Target& target = finish(id, delivery);
  due_within(kRetryUs, now);  // the primaries' turn
  go_on(target_id, target, now);
}

void HintReplay::on_write_reply(SlotId id, const Answered<ReplicaWriteReply>& answer, Now now) {
  Delivery* const delivery = deliveries_.find(id);
  if (!delivery || delivery->moves) return;
  Object delivered;
  const bool refused = answer.reply.verdict == ReplicaVerdict::kRefused;
  if (refused || !decode_object(delivery->object, delivered)) {
    return give_up(id, *delivery, HintWait::kRefused, now);
  }
  const NodeId target = delivery->target;
  const size_t bytes = delivery->object.size();
  if (!is_large(bytes)) targets_[target].pace.answered(now.steady_us - delivery->started_us);
  // What was merged into it meanwhile has its turn in the next pass.
  core_.hints.remove_delivered({target, delivery->key.key}, delivered.vector);
  note_removed(delivery->key.key);
  core_.hints.ledger().delivered(target, bytes, now.steady_us);
  ++core_.counters.hints_replayed;
  go_on(target, finish(id, *delivery), now);
}

void HintReplay::on_flow(SlotId id, Now now) {
  if (Delivery* const delivery = deliveries_.find(id)) core_.note_flow(*delivery, now);
}

void HintReplay::on_timer(SlotId id, Now now) {
  Delivery* const delivery = deliveries_.find(id);
  if (!delivery || core_.still_flows(id, *delivery, now)) return;
  const MemberIndex target = core_.view->find_id(delivery->target);
  const bool sent = !delivery->moves;
  if (sent && target != kNoMember) {
    core_.health.timed_out(target, delivery->started_us, now.steady_us);
  }
  targets_[delivery->target].pace.silent();
  give_up(id, *delivery, sent ? HintWait::kSilent : HintWait::kMoving, now);
}

void HintReplay::give_up(SlotId id, Delivery& delivery, HintWait wait, Now now) {
  core_.hints.ledger().waits(delivery.target, wait);
  Target& target = finish(id, delivery);
  target.pass_ended = true;
  target.retry_at_us = now.steady_us + kRetryUs;
  due_within(kRetryUs, now);
}

HintReplay::Target& HintReplay::finish(SlotId id, Delivery& delivery) {
  Target& target = targets_[delivery.target];
  KVORUM_CHECK(target.in_flight > 0);
  --target.in_flight;
  const size_t bytes = delivery.object.size();
  KVORUM_CHECK(is_large(bytes) ? target.large_in_flight > 0 : target.bytes_in_flight >= bytes);
  is_large(bytes) ? --target.large_in_flight : target.bytes_in_flight -= bytes;
  core_.open.release_head(delivery);
  deliveries_.release(id);
  return target;
}

// After each end of one in flight. A pass that has ended is followed by another, from the oldest
// on, if anything is left: what came or changed behind it.
void HintReplay::go_on(NodeId id, Target& target, Now now) {
  if (pumping_) return;
  if (!target.pass_ended) return pump(id, target, now);
  if (target.in_flight > 0) return;
  if (core_.hints.ledger().count_for(id) == 0) {
    core_.hints.ledger().waits(id, HintWait::kScan);
  } else if (core_.hints.ledger().wait_of(id) != HintWait::kUnreachable) {
    due_within(kSoonUs, now);
  }
}

}  // namespace kvorum::cluster
