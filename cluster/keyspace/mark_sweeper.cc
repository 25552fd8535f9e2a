// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/mark_sweeper.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kLookUs = 100'000;  // how often it is asked what was synced

}  // namespace

void MarkSweeper::look(Now now) {
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    const auto claimed = core_.parts.marks->claim_sweep(keyspace);
    if (claimed) sweeps_.push_back({keyspace, *claimed});
  }
  if (!sweeps_.empty() && due_us_ == 0 && !reading_) due_us_ = std::max<uint64_t>(now.steady_us, 1);
}

void MarkSweeper::on_time(Now now) {
  if (look_at_us_ != 0 && now.steady_us >= look_at_us_) settle(now);
  if (due_us_ == 0 || now.steady_us < due_us_) return;
  due_us_ = 0;
  turn(now);
}

uint64_t MarkSweeper::next_deadline_us() const { return sooner_of(due_us_, look_at_us_); }

void MarkSweeper::settle(Now now) {
  while (!unsynced_.empty() && unsynced_.front().ticket <= core_.parts.table->commits().synced()) {
    core_.parts.marks->settle_sweep(unsynced_.front().keyspace, unsynced_.front().claimed);
    unsynced_.pop_front();
  }
  look_at_us_ = unsynced_.empty() ? 0 : now.steady_us + kLookUs;
  // A lone node has no frontier to wait for: nobody else holds a copy.
  if (core_.members() == 1 && unsynced_.empty()) {
    core_.parts.marks->forget_below(core_.parts.clock->mint(core_.parts.clock->tick(now.wall_ms)));
  }
}

void MarkSweeper::turn(Now now) {
  uint64_t records = 0;
  engine::ObjectTable& table = *core_.parts.table;
  const uint32_t partitions = 1u << table.partition_bits();
  const auto change = [this](const KeyRef& key, engine::RecordView bytes) {
    return record_.change_of(key, bytes);
  };
  while (!sweeps_.empty() && records < kRecordsPerTurn) {
    Sweep& current = sweeps_.front();
    if (current.partition == partitions) {
      finish(now);
      continue;
    }
    records += 1 + table.record_count(current.keyspace, current.partition);
    if (table.sweep(current.keyspace, current.partition, change)) {
      ++current.partition;
    } else if (table.store_health().failed()) {
      due_us_ = now.steady_us + kRetryUs;
      return;
    } else {
      return read_stored({});
    }
  }
  if (!sweeps_.empty()) due_us_ = std::max<uint64_t>(now.steady_us, 1);
}

void MarkSweeper::finish(Now now) {
  const Sweep& ended = sweeps_.front();
  KVORUM_CHECK(ended.partition == 1u << core_.parts.table->partition_bits());
  core_.parts.marks->finish_sweep(ended.keyspace, ended.claimed);
  unsynced_.push_back({ended.keyspace, ended.claimed, core_.parts.table->commits().issued()});
  sweeps_.pop_front();
  settle(now);
}

void MarkSweeper::read_stored(Position from) {
  KVORUM_CHECK(!reading_ && !sweeps_.empty());  // one page at a time
  core_.outbox.range_loads.push_back({.keyspace = sweeps_.front().keyspace,
                                      .partition = sweeps_.front().partition,
                                      .from = from,
                                      .count_min = kStoredPerPage,
                                      .reader = RangeLoad::Reader::kMarkSweeper});
  reading_ = true;
}

void MarkSweeper::on_scanned(const ScanPage& page, Now now) {
  reading_ = false;
  if (sweeps_.empty()) return;
  if (page.access != engine::Access::kDone) {
    due_us_ = now.steady_us + kRetryUs;  // from the partition's start
  } else if (!page.done) {
    read_stored(page.next);
  } else {
    ++sweeps_.front().partition;
    due_us_ = std::max<uint64_t>(now.steady_us, 1);
  }
}

}  // namespace kvorum::cluster
