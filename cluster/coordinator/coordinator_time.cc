// SPDX-License-Identifier: Apache-2.0
// What a coordinator does as time passes: timers of operations, the next deadline.
#include "cluster/coordinator/coordinator_impl.h"
#include "cluster/version/planted_bug.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kStallUs = 100'000;

}  // namespace

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
  impl.core.contact.on_time(now);
  while (const std::optional<SlotId> id = impl.core.timers.take_due(now.steady_us)) {
    if (Machine* const machine = impl.machine_of(*id)) machine->on_timer(*id, now);
  }
  impl.lone_puts.on_time(now);
  impl.probe_peers(now);
  impl.keyspaces.on_time(now);
  if (impl.control) impl.control->on_time(now);
  if constexpr (kBugsArePlanted) {
    if (planted(PlantedBug::kReapByTimer)) reap_by_timer(impl.core, now);
  }
}

uint64_t Coordinator::next_deadline_us() const {
  const Impl& impl = *impl_;
  uint64_t next = sooner_of(impl.core.timers.next_due_us(), impl.lone_puts.next_deadline_us());
  next = sooner_of(next, impl.core.health.next_deadline_us());
  next = sooner_of(next, impl.keyspaces.next_deadline_us());
  if (impl.control) next = sooner_of(next, impl.control->next_deadline_us());
  return next;
}

}  // namespace kvorum::cluster
