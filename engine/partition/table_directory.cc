// SPDX-License-Identifier: Apache-2.0
#include "engine/partition/table_directory.h"

#include "base/check.h"

namespace kvorum::engine {

TableDirectory::TableDirectory(const TableOptions& options)
    : shared_(options),
      size_(size_t{kKeyspacesMax} << options.partition_bits),
      places_(std::make_unique<std::atomic<PartitionTable*>[]>(size_)),
      made_(std::make_unique<std::atomic<PartitionTable*>[]>(size_)) {
  KVORUM_CHECK(options.store == nullptr || options.codec != nullptr);
  KVORUM_CHECK(options.store == nullptr || options.evicting_keyspaces == 0);
  KVORUM_CHECK(options.large_files == nullptr || options.store != nullptr);
}

TableDirectory::~TableDirectory() {
  for_each([](PartitionTable& table) { delete &table; });
}

PartitionTable& TableDirectory::get(uint8_t keyspace, uint32_t partition) {
  std::atomic<PartitionTable*>& place = places_[place_of(keyspace, partition)];
  PartitionTable* table = place.load(std::memory_order_acquire);
  if (table != nullptr) return *table;
  auto created = std::make_unique<PartitionTable>(&shared_, keyspace, partition);
  if (!place.compare_exchange_strong(table, created.get(), std::memory_order_acq_rel)) {
    return *table;
  }
  const size_t index = count_.fetch_add(1, std::memory_order_acq_rel);
  KVORUM_CHECK(index < size_);
  made_[index].store(created.get(), std::memory_order_release);
  return *created.release();
}

}  // namespace kvorum::engine
