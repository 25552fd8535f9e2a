// SPDX-License-Identifier: Apache-2.0
#include "engine/table/object_table.h"

#include "base/check.h"
#include "engine/table/object_table_impl.h"

namespace kvorum::engine {

ObjectTable::Impl::Impl(const TableOptions& options)
    : shared(options),
      directory_size(size_t{kKeyspacesMax} << options.partition_bits),
      directory(std::make_unique<std::atomic<PartitionTable*>[]>(directory_size)),
      tables(std::make_unique<std::atomic<PartitionTable*>[]>(directory_size)) {
  KVORUM_CHECK(options.store == nullptr || options.codec != nullptr);
  KVORUM_CHECK(options.store == nullptr || options.evicting_keyspaces == 0);
  KVORUM_CHECK(options.large_files == nullptr || options.store != nullptr);
}

ObjectTable::Impl::~Impl() {
  for_each_table([](PartitionTable& table) { delete &table; });
}

PartitionTable& ObjectTable::Impl::get(uint8_t keyspace, uint32_t partition) {
  std::atomic<PartitionTable*>& place = directory[index_of(keyspace, partition)];
  PartitionTable* table = place.load(std::memory_order_acquire);
  if (table != nullptr) return *table;
  auto created = std::make_unique<PartitionTable>(&shared, keyspace, partition);
  if (!place.compare_exchange_strong(table, created.get(), std::memory_order_acq_rel)) {
    return *table;
  }
  const size_t index = table_count.fetch_add(1, std::memory_order_acq_rel);
  tables[index].store(created.get(), std::memory_order_release);
  return *created.release();
}

void ObjectTable::Impl::call_dirty_callback() const {
  if (dirty_callback != nullptr) dirty_callback(dirty_argument);
}

PartitionTable* ObjectTable::Impl::turn_eviction_hand() {
  const size_t count = table_count.load(std::memory_order_acquire);
  const size_t next = eviction_hand.fetch_add(1, std::memory_order_relaxed) % count;
  return tables[next].load(std::memory_order_acquire);
}

// A bounded amount of work: where it was not enough, the next update goes on.
void ObjectTable::Impl::evict() {
  constexpr int kTablesMax = 4;
  for (int i = 0; i < kTablesMax && shared.over_memory(); ++i) {
    PartitionTable* table = turn_eviction_hand();
    if (table == nullptr) continue;
    const std::lock_guard guard(table->lock());
    table->evict_some();
  }
}

ObjectTable::ObjectTable(const TableOptions& options) : impl_(std::make_unique<Impl>(options)) {}
ObjectTable::~ObjectTable() = default;

Access ObjectTable::read(const KeyRef& key, FunctionRef<void(RecordView record)> fn) const {
  PartitionTable* table = impl_->find(key);
  if (table == nullptr) {
    if (!impl_->absent_is_known()) return Access::kNotResident;
    fn({});
    return Access::kDone;
  }
  const KeyPlace at = table->place_of(key);
  const std::lock_guard guard(table->lock());
  const Entry* entry = table->find(at);
  if (entry == nullptr && !table->complete()) return Access::kNotResident;
  fn(entry == nullptr ? RecordView() : entry->record());
  return Access::kDone;
}

UpdateResult ObjectTable::update(const KeyRef& key,
                                 FunctionRef<RecordChange(RecordView record)> fn) {
  PartitionTable& table = impl_->get(key);
  const KeyPlace at = table.place_of(key);
  PartitionTable::Outcome outcome;
  {
    const std::lock_guard guard(table.lock());
    if (failed()) return {Access::kRefused, 0};
    Entry* entry = table.find(at);
    if (entry == nullptr && !table.complete()) return {Access::kNotResident, 0};
    RecordChange change = fn(entry == nullptr ? RecordView() : entry->record());
    if (change.owner != nullptr && !table.find_file(key, entry, change)) [[unlikely]]
      return {Access::kNotResident, 0};
    outcome = table.apply(at, entry, change);
  }
  impl_->after_update(outcome);
  return outcome.result;
}

void ObjectTable::prefetch_bucket(const KeyRef& key) const {
  const PartitionTable* table = impl_->find(key);
  if (table != nullptr) table->prefetch_bucket(key);
}

void ObjectTable::prefetch_entry(const KeyRef& key) const {
  const PartitionTable* table = impl_->find(key);
  if (table != nullptr) table->prefetch_entry(key);
}

size_t ObjectTable::expire(uint64_t now_ms, size_t count_max,
                           FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn) {
  const uint64_t earliest = next_deadline_ms();
  if (earliest == 0 || earliest > now_ms || failed()) return 0;
  const size_t count = impl_->table_count.load(std::memory_order_acquire);
  const size_t first = impl_->expiry_hand.load(std::memory_order_relaxed);
  size_t shown = 0;
  std::vector<Entry*> due;
  for (size_t i = 0; i < count && shown < count_max; ++i) {
    impl_->expiry_hand.store((first + i) % count, std::memory_order_relaxed);
    PartitionTable* table = impl_->tables[(first + i) % count].load(std::memory_order_acquire);
    if (table == nullptr) continue;
    const uint64_t deadline = table->earliest_deadline_ms();
    if (deadline == 0 || deadline > now_ms) continue;
    PartitionTable::Outcome outcome;
    {
      const std::lock_guard guard(table->lock());
      if (failed()) return shown;
      while (shown < count_max && table->take_due(now_ms, due)) {
        for (Entry* entry : due) {
          const RecordChange change = fn(table->key_of(*entry), entry->record());
          outcome.turned_dirty |= table->apply_expired(entry, change).turned_dirty;
        }
        shown += due.size();
      }
    }
    impl_->after_update(outcome);
  }
  const uint64_t changes = impl_->shared.deadlines.changes();
  uint64_t next = 0;
  impl_->for_each_table([&next](const PartitionTable& table) {
    const uint64_t deadline = table.earliest_deadline_ms();
    if (deadline != 0 && (next == 0 || deadline < next)) next = deadline;
  });
  impl_->shared.deadlines.replace(changes, next);
  return shown;
}

uint64_t ObjectTable::next_deadline_ms() const { return impl_->shared.deadlines.get(); }

uint64_t ObjectTable::take_oldest_changed(uint8_t keyspace, uint32_t partition) {
  PartitionTable* table = impl_->find(keyspace, partition);
  if (table == nullptr) return kNothingChanged;
  const std::lock_guard guard(table->lock());
  return table->take_oldest_changed();
}

uint64_t ObjectTable::digest(uint8_t keyspace, uint32_t partition) const {
  const PartitionTable* table = impl_->find(keyspace, partition);
  if (table == nullptr) return 0;
  const std::lock_guard guard(table->lock());
  return table->digest();
}

uint64_t ObjectTable::live_count(uint8_t keyspace, uint32_t partition) const {
  const PartitionTable* table = impl_->find(keyspace, partition);
  if (table == nullptr) return 0;
  const std::lock_guard guard(table->lock());
  return table->live_count();
}

uint64_t ObjectTable::expiring_count(uint8_t keyspace, uint32_t partition) const {
  const PartitionTable* table = impl_->find(keyspace, partition);
  if (table == nullptr) return 0;
  const std::lock_guard guard(table->lock());
  return table->expiring_count();
}

uint64_t ObjectTable::record_count(uint8_t keyspace, uint32_t partition) const {
  const PartitionTable* table = impl_->find(keyspace, partition);
  if (table == nullptr) return 0;
  const std::lock_guard guard(table->lock());
  return table->record_count();
}

uint64_t ObjectTable::memory_bytes() const {
  const int64_t bytes = impl_->shared.memory_bytes.load(std::memory_order_relaxed);
  return bytes < 0 ? 0 : static_cast<uint64_t>(bytes);
}

int ObjectTable::partition_bits() const { return impl_->shared.options.partition_bits; }

}  // namespace kvorum::engine
