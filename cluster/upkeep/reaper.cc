// SPDX-License-Identifier: Apache-2.0
#include "cluster/upkeep/reaper.h"

#include "base/check.h"
#include "cluster/frontier/frontier_protocol.h"

namespace kvorum::cluster {

void Reaper::on_time(Now now) {
  if (at_ == kDone && begun_) {
    begun_ = false;
    at_ = 0;
    due_us_ = now.steady_us;
  }
  if (due_us_ == 0 || now.steady_us < due_us_) return;
  if (const uint64_t wait_us = core_.background_wait_us(BackgroundWork::kReaping, 0, now)) {
    due_us_ = now.steady_us + wait_us;
    return;
  }
  due_us_ = turn() || begun_ ? now.steady_us + kTurnUs : 0;
}

// True while there is more to do.
bool Reaper::turn() {
  KVORUM_CHECK(at_ != kDone && core_.parts.frontier != nullptr);
  engine::ObjectTable& table = *core_.parts.table;
  const size_t partitions = size_t{1} << table.partition_bits();
  uint64_t records = 0;
  for (; at_ < kKeyspacesMax * partitions && records < kRecordsPerTurn; ++at_) {
    const uint8_t keyspace = static_cast<uint8_t>(at_ / partitions);
    const uint32_t partition = static_cast<uint32_t>(at_ % partitions);
    const Hlc frontier = core_.parts.frontier->copies().of(keyspace, partition);
    const uint64_t count = table.record_count(keyspace, partition);
    if (frontier == Hlc{} || count == table.live_count(keyspace, partition)) continue;
    records += count;
    table.sweep(keyspace, partition, [&](const KeyRef& key, engine::RecordView bytes) {
      return change_of(key, bytes, frontier);
    });
  }
  if (at_ < kKeyspacesMax * partitions) return true;
  at_ = kDone;
  return false;
}

engine::RecordChange Reaper::change_of(const KeyRef& key, engine::RecordView bytes, Hlc frontier) {
  engine::RecordChange change;
  decode_record(bytes, *core_.parts.authors, record_);
  if (!reapable(record_.object, frontier)) return change;
  change.action = engine::RecordChange::Action::kErase;
  change.frees = true;
  change.digest_change = leaf_digest(key, record_.object, core_.parts.digest_seed);
  ++core_.counters.tombstones_reaped;
  return change;
}

}  // namespace kvorum::cluster
