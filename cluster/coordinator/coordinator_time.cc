// SPDX-License-Identifier: Apache-2.0
// What a coordinator does as time passes: timers of operations, expiry, the next deadline.
#include <algorithm>

#include "cluster/coordinator/coordinator_impl.h"
#include "cluster/version/planted_bug.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kExpiredPerTurn = 200;
constexpr uint64_t kExpiryIntervalUs = 100'000;
constexpr uint64_t kStallUs = 100'000;
constexpr uint64_t kExpiryWaitMaxMs = 3'600'000;

}  // namespace

// An expired version is emptied under its own dot: neither dot nor digest change, so that replicas
// which notice at different times stay equal.
void Coordinator::Impl::expire(Now now) {
  const uint64_t now_ms = core.clock_ms(now);
  const uint64_t next_ms = core.parts.table->next_deadline_ms();
  if (next_ms == 0 || next_ms > now_ms || now.steady_us < expiry_due_us) return;
  std::string head;
  const bool alone = core.view->members.size() == 1;
  const size_t shown = core.parts.table->expire(
      now_ms, kExpiredPerTurn, [&](const KeyRef& key, engine::RecordView bytes) {
        engine::RecordChange change;
        decode_record(bytes, *core.parts.authors, core.record);
        Object& object = core.record.object;
        const uint64_t digest = leaf_digest(key, object, core.parts.digest_seed);
        for (Version& version : object.versions) {
          if (version.type == TypeTag::kTombstone || visible(version, now_ms)) continue;
          version.type = TypeTag::kTombstone;
          version.bytes = {};
          ++core.counters.expired;
        }
        describe_record(object, &change);
        change.frees = true;
        if (alone && !change.live) {
          change.action = engine::RecordChange::Action::kErase;
          change.digest_change = digest;
        } else if (encode_record(core.record, *core.parts.authors, head, &change)) {
          change.action = engine::RecordChange::Action::kStore;
          change.head = head;
        }
        return change;
      });
  expiry_due_us = shown < kExpiredPerTurn ? now.steady_us + kExpiryIntervalUs : now.steady_us;
}

// Woken up so late, this process was stopped: answers wait unread behind the timers.
void Coordinator::Impl::notice_stall(Now now) {
  const uint64_t due_us = core.timers.next_due_us();
  if (due_us != 0 && now.steady_us > due_us + kStallUs) core.health.stalled(now.steady_us);
}

void Coordinator::Impl::probe_peers(Now now) {
  core.health.on_time(now.steady_us, [&](MemberIndex peer) {
    put_probe(core.outbox.frames(peer), MessageType::kProbe, now.steady_us);
  });
}

void Coordinator::on_time(Now now) {
  Impl& impl = *impl_;
  impl.notice_stall(now);
  impl.last_now = now;
  impl.core.contact.on_time(now);
  while (const std::optional<SlotId> id = impl.core.timers.take_due(now.steady_us)) {
    if (Machine* const machine = impl.machine_of(*id)) machine->on_timer(*id, now);
  }
  impl.lone_puts.on_time(now);
  impl.probe_peers(now);
  impl.hint_replay.on_time(now);
  impl.gossip.on_time(now);
  impl.agreement_link.on_time(now);
  impl.keyspaces.on_time(now);
  impl.anti_entropy.on_time(now);
  impl.tree_keeper.on_time(now);
  if (impl.core.options.replays_hints) impl.expire(now);
  if constexpr (kBugsArePlanted) {
    if (planted(PlantedBug::kReapByTimer)) reap_by_timer(impl.core, now);
  }
}

uint64_t Coordinator::next_deadline_us() const {
  const Impl& impl = *impl_;
  uint64_t next = sooner_of(impl.core.timers.next_due_us(), impl.hint_replay.next_deadline_us());
  next = sooner_of(next, impl.lone_puts.next_deadline_us());
  next = sooner_of(next, impl.gossip.next_deadline_us());
  next = sooner_of(next, impl.agreement_link.next_deadline_us());
  next = sooner_of(next, impl.core.health.next_deadline_us());
  next = sooner_of(next, impl.keyspaces.next_deadline_us());
  next = sooner_of(next, impl.anti_entropy.next_deadline_us());
  next = sooner_of(next, impl.tree_keeper.next_deadline_us());
  const uint64_t expiry_ms = impl.core.parts.table->next_deadline_ms();
  if (expiry_ms != 0 && impl.core.options.replays_hints) {
    const uint64_t clock_ms = impl.core.clock_ms(impl.last_now);
    // A look that is too early does no harm; the latest deadlines do not fit into microseconds.
    const uint64_t wait_ms = expiry_ms > clock_ms ? expiry_ms - clock_ms : 0;
    const uint64_t wait_us = std::min(wait_ms, kExpiryWaitMaxMs) * 1000;
    next = sooner_of(next, std::max(impl.last_now.steady_us + wait_us, impl.expiry_due_us));
  }
  return next;
}

}  // namespace kvorum::cluster
