// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/wholeness.h"

#include "base/contains.h"
#include "cluster/copies/shared_history.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kLookUs = 100'000;

}  // namespace

void Wholeness::on_damage(uint8_t keyspace, uint32_t partition, Now now) {
  KVORUM_CHECK(core_.parts.whole != nullptr);
  core_.parts.whole->set(keyspace, partition, false);
  damaged_at_ = core_.parts.clock->tick(now.wall_ms);
}

bool Wholeness::has_exchanged(uint8_t keyspace, uint32_t partition, MemberIndex with) const {
  const auto latest = core_.parts.exchanges->latest(keyspace, partition, core_.id_of(with));
  if (!latest || latest->run != core_.parts.current_incarnation()) return false;
  // Until most members had this configuration, others took writes by the former one.
  const Agreement* const agreement = core_.parts.agreement;
  if (agreement && latest->began < agreement->agreed_at()) return false;
  return latest->began >= damaged_at_;
}

// With so many of the former primaries, this node counted, as know every write that was
// acknowledged by the former configuration.
bool Wholeness::former_exchanged(uint8_t keyspace, uint32_t partition) const {
  const std::shared_ptr<const FormerList> former = core_.parts.former->list();
  for (const FormerPlacement& placement : *former) {
    size_t exchanged = 0;
    for (const MemberIndex primary : placement.primaries(keyspace, partition)) {
      exchanged += primary == core_.self() || has_exchanged(keyspace, partition, primary);
    }
    if (exchanged < placement.needed(keyspace)) return false;
  }
  return true;
}

// A copy that is being filled comes to be whole as a new one (mover.h); one that this node does not
// own, by any view, is none.
void Wholeness::look_at(uint8_t keyspace, uint32_t partition, Now now) {
  const bool moving = core_.parts.is_moving();
  const Holders holders = holders_of(
      *core_.view, moving ? *core_.parts.former->list() : FormerList{}, keyspace, partition);
  if (contains(holders, core_.self())) {
    if (!may_be_whole(keyspace, partition, holders, now)) return;
  } else if (core_.parts.history != nullptr) {
    return core_.parts.history->forgive(keyspace, partition);
  } else if (core_.view->is_changed()) {
    return;
  }
  core_.parts.whole->set(keyspace, partition, true);
}

bool Wholeness::may_be_whole(uint8_t keyspace, uint32_t partition, const Holders& holders,
                             Now now) const {
  const bool moving = core_.parts.is_moving();
  if (core_.parts.is_damaged(keyspace, partition)) return false;
  if (core_.parts.agreement && !core_.parts.agreement->in_force() && moving) return false;
  bool any = holders.size() == 1;
  for (const MemberIndex holder : holders) {
    if (holder == core_.self()) continue;
    const bool clean = has_exchanged(keyspace, partition, holder);
    any |= clean;
    if (!clean && !is_away(holder, now)) return false;
  }
  return any && (!moving || former_exchanged(keyspace, partition));
}

// Who is silent on its link may only be slow, and a link that broke may come back: what it alone
// still knows of what this copy forgot is waited for. At the start links take a while, too.
bool Wholeness::is_away(MemberIndex primary, Now now) const {
  if (core_.health.linked(primary) || now.steady_us < grace_until_us_) return false;
  return now.steady_us >= core_.health.report(primary).since_us + kGraceUs;
}

void Wholeness::look(Now now) {
  if (grace_until_us_ == 0) grace_until_us_ = now.steady_us + kGraceUs;
  WholeReplicas* const whole = core_.parts.whole;
  look_at_us_ = 0;
  if (!whole || !core_.parts.exchanges || whole->missing() == 0) return;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < whole->partitions(); ++partition) {
      if (!whole->is_whole(keyspace, partition)) look_at(keyspace, partition, now);
    }
  }
  if (whole->missing() > 0) look_at_us_ = now.steady_us + kLookUs;
}

}  // namespace kvorum::cluster
