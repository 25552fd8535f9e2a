// SPDX-License-Identifier: Apache-2.0
#include "engine/table/object_table.h"

#include <vector>

namespace kvorum::engine {

Access ObjectTable::read(const KeyRef& key, FunctionRef<void(RecordView record)> fn) const {
  PartitionTable* table = directory_.find(key);
  if (table == nullptr) {
    if (!directory_.absent_is_known()) return Access::kNotResident;
    fn({});
    return Access::kDone;
  }
  const KeyPlace at = table->place_of(key);
  const SpinLockGuard guard(table->lock());
  const Entry* entry = table->find(at);
  if (entry == nullptr && !table->complete()) return Access::kNotResident;
  fn(entry == nullptr ? RecordView() : entry->record());
  return Access::kDone;
}

UpdateResult ObjectTable::update(const KeyRef& key,
                                 FunctionRef<RecordChange(RecordView record)> fn) {
  PartitionTable& table = directory_.get(key);
  const KeyPlace at = table.place_of(key);
  PartitionTable::Outcome outcome;
  {
    const SpinLockGuard guard(table.lock());
    if (store_health_.failed()) return {Access::kRefused, 0};
    Entry* entry = table.find(at);
    if (entry == nullptr && !table.complete()) return {Access::kNotResident, 0};
    RecordChange change = fn(entry == nullptr ? RecordView() : entry->record());
    if (change.owner != nullptr && !table.find_file(key, entry, change)) [[unlikely]]
      return {Access::kNotResident, 0};
    outcome = table.apply(at, entry, change);
  }
  after_update(outcome);
  return outcome.result;
}

void ObjectTable::prefetch_bucket(const KeyRef& key) const {
  const PartitionTable* table = directory_.find(key);
  if (table != nullptr) table->prefetch_bucket(key);
}

void ObjectTable::prefetch_entry(const KeyRef& key) const {
  const PartitionTable* table = directory_.find(key);
  if (table != nullptr) table->prefetch_entry(key);
}

ScanEnd ObjectTable::scan(const ScanRange& range, FunctionRef<void(const ScanItem&)> fn) const {
  const PartitionTable* table = directory_.find(range.keyspace, range.partition);
  if (table != nullptr) return scan_resident(*table, range, fn);
  return {directory_.absent_is_known() ? Access::kDone : Access::kNotResident, true, {}};
}

void ObjectTable::set_limit(uint64_t memory_bytes_max, EvictionPolicy policy) {
  directory_.shared().set_limit(memory_bytes_max, policy);
  directory_.for_each([](PartitionTable& table) {
    const SpinLockGuard guard(table.lock());
    table.follow_policy();
  });
}

std::optional<uint8_t> ObjectTable::use_count(const KeyRef& key) const {
  const PartitionTable* table = directory_.find(key);
  if (table == nullptr) return {};
  const KeyPlace at = table->place_of(key);
  const SpinLockGuard guard(table->lock());
  return table->use_count(at);
}

bool ObjectTable::sweep(uint8_t keyspace, uint32_t partition,
                        FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn) {
  PartitionTable* table = directory_.find(keyspace, partition);
  if (table == nullptr) return directory_.absent_is_known();
  bool all = true;
  for (PartitionWalk walk(*table, {}); !walk.done();) {
    PartitionTable::Outcome outcome;
    {
      const SpinLockGuard guard(table->lock());
      if (store_health_.failed()) return false;
      all &= table->complete();
      for (const PartitionWalk::Shown& item : walk.next(*table)) {
        const RecordChange change = fn(item.key, item.entry->record());
        outcome.turned_dirty |= table->apply_swept(item.entry, change).turned_dirty;
      }
    }
    after_update(outcome);
  }
  return all;
}

size_t ObjectTable::expire(uint64_t now_ms, size_t count_max,
                           FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn) {
  const uint64_t earliest = next_deadline_ms();
  if (earliest == 0 || earliest > now_ms || store_health_.failed()) return 0;
  const size_t count = directory_.count();
  const size_t first = expiry_turn_.load(std::memory_order_relaxed);
  size_t shown = 0;
  std::vector<Entry*> due;
  for (size_t i = 0; i < count && shown < count_max; ++i) {
    expiry_turn_.store((first + i) % count, std::memory_order_relaxed);
    PartitionTable* table = directory_.at((first + i) % count);
    if (table == nullptr) continue;
    const uint64_t deadline = table->earliest_deadline_ms();
    if (deadline == 0 || deadline > now_ms) continue;
    PartitionTable::Outcome outcome;
    {
      const SpinLockGuard guard(table->lock());
      if (store_health_.failed()) return shown;
      while (shown < count_max && table->take_due(now_ms, due)) {
        for (Entry* entry : due) {
          const RecordChange change = fn(table->key_of(*entry), entry->record());
          outcome.turned_dirty |= table->apply_expired(entry, change).turned_dirty;
        }
        shown += due.size();
      }
    }
    after_update(outcome);
  }
  raise_next_deadline();
  return shown;
}

void ObjectTable::raise_next_deadline() {
  EarliestDeadline& deadlines = directory_.shared().deadlines;
  const uint64_t changes = deadlines.changes();
  uint64_t next = 0;
  directory_.for_each([&next](const PartitionTable& table) {
    const uint64_t deadline = table.earliest_deadline_ms();
    if (deadline != 0 && (next == 0 || deadline < next)) next = deadline;
  });
  deadlines.replace(changes, next);
}

uint64_t ObjectTable::take_oldest_changed(uint8_t keyspace, uint32_t partition) {
  PartitionTable* table = directory_.find(keyspace, partition);
  if (table == nullptr) return kNothingChanged;
  const SpinLockGuard guard(table->lock());
  return table->take_oldest_changed();
}

uint64_t ObjectTable::digest(uint8_t keyspace, uint32_t partition) const {
  const PartitionTable* table = directory_.find(keyspace, partition);
  if (table == nullptr) return 0;
  const SpinLockGuard guard(table->lock());
  return table->digest();
}

ObjectCounts ObjectTable::counts(uint8_t keyspace, uint32_t partition) const {
  const PartitionTable* table = directory_.find(keyspace, partition);
  if (table == nullptr) return {};
  const SpinLockGuard guard(table->lock());
  return table->counts();
}

uint64_t ObjectTable::live_count(uint8_t keyspace, uint32_t partition) const {
  return counts(keyspace, partition).live;
}

uint64_t ObjectTable::live_count_at(uint8_t keyspace, uint32_t partition, uint64_t now_ms,
                                    FunctionRef<bool(RecordView record)> gone) const {
  const PartitionTable* table = directory_.find(keyspace, partition);
  if (table == nullptr) return 0;
  const SpinLockGuard guard(table->lock());
  const uint64_t live = table->counts().live;
  return live - std::min(live, table->count_gone(now_ms, gone));
}

uint64_t ObjectTable::expiring_count(uint8_t keyspace, uint32_t partition) const {
  return counts(keyspace, partition).expiring;
}

uint64_t ObjectTable::record_count(uint8_t keyspace, uint32_t partition) const {
  return counts(keyspace, partition).records;
}

uint64_t ObjectTable::object_bytes(uint8_t keyspace, uint32_t partition) const {
  const PartitionTable* table = directory_.find(keyspace, partition);
  if (table == nullptr) return 0;
  const SpinLockGuard guard(table->lock());
  return table->object_bytes();
}

uint64_t ObjectTable::memory_bytes() const {
  const int64_t bytes = directory_.shared().memory_bytes.load(std::memory_order_relaxed);
  return bytes < 0 ? 0 : static_cast<uint64_t>(bytes);
}

}  // namespace kvorum::engine
