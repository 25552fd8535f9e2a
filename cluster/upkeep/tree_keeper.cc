// SPDX-License-Identifier: Apache-2.0
#include "cluster/upkeep/tree_keeper.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {

bool TreeKeeper::enabled() const {
  return core_.options.anti_entropy_ms != 0 && core_.view->is_member() &&
         core_.view->members.size() > 1;
}

void TreeKeeper::on_time(Now now) {
  if (!enabled() || reading_ || now.steady_us < due_us_) return;
  if (queue_.empty()) look(now);
  if (queue_.empty()) {
    due_us_ = now.steady_us + kLookUs;
  } else {
    build(now);
  }
}

void TreeKeeper::look(Now now) {
  const engine::ObjectTable& table = *core_.parts.table;
  const uint32_t partitions = core_.view->ring.partitions();
  const uint32_t copies = kKeyspacesMax * partitions;
  uint32_t in_use = 0;
  for (uint32_t at = 0; at < copies; ++at) {
    Copy copy{static_cast<uint8_t>(at / partitions), at % partitions};
    in_use += table.record_count(copy.keyspace, copy.partition) != 0;
    const WholeReplicas* whole = core_.parts.whole;
    copy.damage = whole == nullptr ? 0 : whole->damage(copy.keyspace, copy.partition);
    if (copy.damage != 0) {
      queue_.push_front(copy);
    } else if (table.trees().outgrown(copy.keyspace, copy.partition)) {
      queue_.push_back(copy);
    }
  }
  if (in_use == 0) return;
  const uint64_t every_us = core_.options.scrub_ms * 1000 / in_use;
  if (scrub_due_us_ == 0) scrub_due_us_ = now.steady_us + every_us;
  if (now.steady_us < scrub_due_us_) return;
  scrub_due_us_ = now.steady_us + every_us;
  for (uint32_t seen = 0; seen < copies; ++seen) {
    scrub_hand_ = (scrub_hand_ + 1) % copies;
    const Copy copy{static_cast<uint8_t>(scrub_hand_ / partitions), scrub_hand_ % partitions};
    if (table.record_count(copy.keyspace, copy.partition) == 0) continue;
    queue_.push_back(copy);
    return;
  }
}

bool TreeKeeper::may_build(Now now) {
  const uint64_t wait_us = core_.background_wait_us(BackgroundWork::kScrub, 0, now);
  due_us_ = now.steady_us + (wait_us != 0 ? wait_us : kTurnUs);
  return wait_us == 0;
}

void TreeKeeper::build(Now now) {
  if (!may_build(now)) return;
  KVORUM_CHECK(!queue_.empty() && !reading_);
  const Copy copy = queue_.front();
  for (int stretch = 0; stretch < kStretchesPerTurn; ++stretch) {
    const engine::TreeBuild how = core_.parts.table->trees().build(copy.keyspace, copy.partition);
    if (how == engine::TreeBuild::kGoesOn) continue;
    if (how != engine::TreeBuild::kNotResident) return built(how, now);
    RangeLoad load;
    load.keyspace = copy.keyspace;
    load.partition = copy.partition;
    load.reader = RangeLoad::Reader::kTreeKeeper;
    core_.outbox.range_loads.push_back(load);
    reading_ = true;
    return;
  }
}

void TreeKeeper::on_scanned(const ScanPage& page, Now now) {
  reading_ = false;
  due_us_ = now.steady_us + kTurnUs;
  if (queue_.empty()) return;
  if (page.access != engine::Access::kDone) {  // later
    queue_.clear();
    due_us_ = now.steady_us + kLookUs;
  } else if (page.tree == engine::TreeBuild::kDone || page.tree == engine::TreeBuild::kMismatch) {
    built(page.tree, now);
  }
}

void TreeKeeper::built(engine::TreeBuild how, Now now) {
  KVORUM_CHECK(!queue_.empty());
  const Copy copy = queue_.front();
  queue_.pop_front();
  ++core_.counters.trees_built;
  if (copy.damage != 0) {
    // Else there was more damage since: it is looked at again.
    if (core_.parts.whole->mend(copy.keyspace, copy.partition, copy.damage)) {
      damage_.on_damage(copy.keyspace, copy.partition, now);
    }
    return;
  }
  if (how != engine::TreeBuild::kMismatch) return;
  ++core_.counters.tree_mismatches;
  if (core_.parts.losses != nullptr) core_.parts.losses->on_loss(copy.keyspace, copy.partition);
  damage_.on_damage(copy.keyspace, copy.partition, now);
}

}  // namespace kvorum::cluster
