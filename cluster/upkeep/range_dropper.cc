// SPDX-License-Identifier: Apache-2.0
#include "cluster/upkeep/range_dropper.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"
#include "cluster/frontier/frontier_protocol.h"

namespace kvorum::cluster {

void RangeDropper::on_time(Now now) {
  if (due_us_ == 0 || now.steady_us < due_us_ || reading_) return;
  due_us_ = 0;
  if (!core_.view->is_changed()) return;
  if (ranges_.empty()) look(now);
  if (!ranges_.empty()) turn(now);
}

void RangeDropper::look(Now now) {
  left_ = 0;
  const engine::ObjectTable& table = *core_.parts.table;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < core_.view->ring.partitions(); ++partition) {
      if (table.record_count(keyspace, partition) == 0) continue;
      if (core_.view->is_owner(core_.self(), keyspace, partition)) continue;
      ++left_;
      if (may_go({keyspace, partition})) ranges_.push_back({keyspace, partition});
    }
  }
  if (left_ > 0 && ranges_.empty()) due_us_ = now.steady_us + kLookUs;
}

// A clean exchange with every owner, in its present run, that began when both knew what is known
// now.
bool RangeDropper::may_go(const Range& range) const {
  const auto owners = core_.view->owners(range.keyspace, range.partition);
  if (core_.parts.exchanges == nullptr || owners.empty()) return false;
  if (planted(PlantedBug::kDropAtOnce)) return true;
  const uint64_t signature = core_.view->signature(range.partition);
  const FrontierProtocol* const frontier = core_.parts.frontier;
  return std::all_of(owners.begin(), owners.end(), [&](MemberIndex owner) {
    const NodeId id = core_.id_of(owner);
    const auto latest = core_.parts.exchanges->latest(range.keyspace, range.partition, id);
    // An owner that started anew may have forgotten what it was given.
    const bool present = latest && latest->run == core_.parts.current_incarnation() &&
                         (frontier == nullptr || frontier->run_of(id) == latest->peer_run);
    return present && latest->signature == signature && signature != 0;
  });
}

void RangeDropper::turn(Now now) {
  uint64_t records = 0;
  while (!ranges_.empty() && records < kRecordsPerTurn) {
    const Range range = ranges_.back();
    if (core_.view->is_owner(core_.self(), range.keyspace, range.partition)) {  // once more
      ranges_.pop_back();
      continue;
    }
    records += 1 + core_.parts.table->record_count(range.keyspace, range.partition);
    if (!drop(range, now)) return;
  }
  due_us_ = now.steady_us + (ranges_.empty() ? kLookUs : kTurnUs);
}

bool RangeDropper::drop(const Range& range, Now now) {
  engine::ObjectTable& table = *core_.parts.table;
  forget_frontier(range);  // first: what is absent from here on is not dead
  const auto change = [this](const KeyRef& key, engine::RecordView bytes) {
    return record_.change_of(key, bytes);
  };
  const bool all = table.sweep(range.keyspace, range.partition, change);
  if (!all && table.store_health().failed()) {
    due_us_ = now.steady_us + kRetryUs;
    return false;
  }
  if (!all) {
    read_stored(range, {});
    return false;
  }
  end_range();
  return true;
}

void RangeDropper::forget_frontier(const Range& range) {
  if (core_.parts.frontier != nullptr) core_.parts.frontier->drop(range.keyspace, range.partition);
}

void RangeDropper::end_range() {
  ranges_.pop_back();
  if (core_.parts.tells_changes()) core_.outbox.changed.note_all();
  ++core_.counters.ranges_dropped;
}

void RangeDropper::read_stored(const Range& range, Position from) {
  KVORUM_CHECK(!reading_);
  core_.outbox.range_loads.push_back({.keyspace = range.keyspace,
                                      .partition = range.partition,
                                      .from = from,
                                      .count_min = kStoredPerPage,
                                      .reader = RangeLoad::Reader::kRangeDropper});
  reading_ = true;
}

void RangeDropper::on_scanned(const ScanPage& page, Now now) {
  reading_ = false;
  if (ranges_.empty()) return;
  const Range range = ranges_.back();
  const bool owned = core_.view->is_owner(core_.self(), range.keyspace, range.partition);
  if (page.access != engine::Access::kDone || owned) {
    ranges_.clear();
    due_us_ = now.steady_us + kRetryUs;
  } else if (!page.done) {
    read_stored(range, page.next);
  } else {
    due_us_ = now.steady_us;
    if (core_.parts.table->record_count(range.keyspace, range.partition) > 0) return;
    forget_frontier(range);  // it may have risen since the first page
    end_range();
  }
}

}  // namespace kvorum::cluster
